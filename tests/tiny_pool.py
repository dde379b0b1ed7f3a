"""A pool of a few drawn clips with their unit curves, and a judge of them that is a formula of pixels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mimica.data.actor_folder import write_actor
from mimica.data.actor_settings import ActorSettings
from mimica.facs import UNITS
from mimica.generation.inspection import people_of
from mimica.generation.loop_settings import REWARDS, RewardSettings
from mimica.generation.pool import Pool
from mimica.generation.rewards.calibration import Affine, Calibration
from mimica.generation.rewards.judge import Detectors, Judge
from mimica.labels import EXPRESSIONS

HELD = 3
"""How many people are there to validate with."""


def write_clips(folder: Path) -> str:
    """28 clips of 9 frames, 16 pixels square, of all classes; three people are to validate with."""
    table = write_actor(folder, ActorSettings(clips=28, size=16, frames=9, seed=1))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    held = sorted({row["actor"] for row in rows})[:HELD]
    for row in rows:
        row["part"] = "validation" if row["actor"] in held else "train"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return f"table:{table}"


class Glance:
    """Sees units, people and classes by weights drawn at random, of pictures 4 pixels square."""

    def __init__(self, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        self.told, self.shown = torch.randn(48, len(UNITS), generator=g), torch.randn(48, len(EXPRESSIONS), generator=g)

    def small(self, clips: Tensor) -> Tensor:
        return F.interpolate(clips.flatten(0, 1), size=(4, 4), mode="area").flatten(1).view(*clips.shape[:2], -1) - 0.5

    def units(self, clips: Tensor) -> Tensor:
        return (4 * self.small(clips) @ self.told).sigmoid()

    def embed(self, clips: Tensor) -> Tensor:
        return F.normalize(self.small(clips), dim=-1)

    def recogniser(self, clips: Tensor) -> Tensor:
        return (4 * self.small(clips).mean(1) @ self.shown).softmax(-1)


def glancing(pool: Pool, sight: Any, frames: int, settings: RewardSettings | None = None) -> Judge:
    """A judge by a `Glance` instead of a trained sight, whose scales are as wide as rewards go."""
    sees = Glance(seed=7 if sight == "held-out" else 0)
    scales = {name: Affine(worthless=-1.0, real=1.0) for name in REWARDS}
    return Judge(
        detectors=Detectors(
            units=sees.units, embed=sees.embed, recogniser=sees.recogniser, pools=people_of(pool, sees),
            integrity=lambda clips: clips.mean((1, 2, 3, 4)),
        ),
        calibration=Calibration(
            scales=scales, jerk=1.0, speed=(0.0, 1.0), spread=1.0, hinge=0.95, least_motion=-1.0
        ),
        settings=settings or RewardSettings(),
    )  # fmt: skip


def seen(which: str = "rewarding", device: str = "cpu") -> str:
    """Instead of `load_sight`: the name of which, that `glancing` reads."""
    return which
