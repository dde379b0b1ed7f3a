"""The augmentation loop on drawn clips of 16 pixels, with a generator, judges and an encoder of random weights.

The judges are stand-ins: calibration would rightly refuse what sees nothing.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mimica.generation import prepared
from mimica.generation.augment import Augmented, augment
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.inspection import people_of
from mimica.generation.loop_settings import REWARDS, AllocationSettings, AugmentSettings, FilterSettings, RewardSettings
from mimica.generation.pool import Pool
from mimica.generation.prepared import Prepared, prepare
from mimica.generation.rewards.calibration import Affine, Calibration
from mimica.generation.rewards.judge import Judge
from mimica.generation.rewards.judges import detectors
from mimica.generation.rewards.sight import Sight
from tiny_generator import write_tiny
from tiny_sight import tiny_sight

SIZE, FRAMES = 16, 9
KEPT = FilterSettings(consistency=-100.0, probability=0.0, identity=-1.0, nearest=1.0)
"""Bounds that no clip is beyond."""
ALL = AllocationSettings(level=0.0)
"""Every class shall have as many clips as the most frequent, so that several lack some."""
SETTINGS = AugmentSettings(rounds=2, size=4, frames=FRAMES, batch=3, hold=0.3)


Rows = list[dict[str, str]]
"""The rows of a table of clips."""


@dataclass(frozen=True)
class World:
    """What a loop is made from: a table of drawn clips, and the file of a generator."""

    spec: str
    model: Path

    @property
    def sampling(self) -> Sampling:
        return Sampling(model=str(self.model), steps=2, guidance=2.0)

    def ready(self, out: Path, settings: AugmentSettings = SETTINGS, **changed: Any) -> Prepared:
        """All that the loop needs, with every clip kept unless other bounds are given; opened once."""
        given = {"sampling": self.sampling, "filtering": KEPT, **changed}
        found = _prepared(self.spec, replace(settings, rounds=1, size=1, batch=1), *sorted(given.items()))
        return replace(found, maker=replace(found.maker, out=out))

    def loop(self, out: Path, settings: AugmentSettings = SETTINGS, *, classes: Any = (), **changed: Any) -> Augmented:
        """The whole loop."""
        ready = self.ready(out, settings, **changed)
        return augment(ready.maker, ready.looks, settings, facts=ready.facts, classes=classes, allocation=ALL)


@cache
def _prepared(spec: str, settings: AugmentSettings, *given: tuple[str, Any]) -> Prepared:
    return prepare(spec, Path("nowhere"), settings, **dict(given))


def lenient(pool: Pool, sight: Sight, frames: int, settings: RewardSettings | None = None) -> Judge:
    """A judge that was calibrated on nothing, and lets every clip pass."""
    scales = {name: Affine(worthless=0.0, real=1.0) for name in REWARDS}
    known = Calibration(scales=scales, jerk=1.0, speed=(0.0, 1.0), spread=1.0, hinge=0.95, least_motion=-1.0)
    return Judge(detectors=detectors(sight, people_of(pool, sight)), settings=RewardSettings(), calibration=known)


def stand_in(patch: pytest.MonkeyPatch, encoder: Path) -> None:
    """Judges and the encoder are tiny ones from now on."""

    def sight(path: Path | None = None, *, which: str = "rewarding") -> Sight:
        return tiny_sight(seed=1) if which == "rewarding" else tiny_sight("attending", seed=2)

    patch.setattr(prepared, "load_sight", sight)
    patch.setattr(prepared, "judge_of", lenient)
    patch.setattr(prepared, "ENCODER", encoder)


def world(folder: Path, *, train: int = 36, test: int = 14) -> World:
    """Clips to learn from in DFEW's proportions, others to test on, and a generator."""
    from mimica.generation import long_tail

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_tail, "SIZE", SIZE)
        table = long_tail.write_long_tail(folder / "data", train=train, test=test)
    return World(spec=f"table:{table}", model=write_tiny(folder / "tiny.safetensors"))


def fewer(of: World, folder: Path, without: str) -> World:
    """The same clips but one."""
    data = Path(of.spec.removeprefix("table:"))
    shutil.copytree(data.parent, folder / "fewer")
    table = folder / "fewer" / data.name
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(f"{without},")))
    return World(spec=f"table:{table}", model=of.model)


def altered(world: World, folder: Path, change: Callable[[Rows], Rows]) -> str:
    """The same data with another table."""
    table = Path(world.spec.removeprefix("table:"))
    shutil.copytree(table.parent, folder / "data")
    rows = change(list(csv.DictReader(table.read_text().splitlines())))
    with (folder / "data" / table.name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return f"table:{folder / 'data' / table.name}"
