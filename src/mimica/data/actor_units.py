"""Stills of the actor whose Action Units are combined freely, to learn units from rather than expressions.

N pictures, S side in pixels, U units in the order of `actor.UNIT_ORDER`. In clips of expressions units come in the
few combinations of the prototypes: who learns from those alone may read the class and guess its units. Every draw is
a function of (part, seed, number) alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mimica.data import actor
from mimica.data.actor import UNIT_ORDER
from mimica.data.actor_identity import stream
from mimica.data.actor_settings import Part, Rendering
from mimica.facs import ANTAGONISTS

LEAST, MOST = 0.1, 1.0
"""How strong a unit is at least and at most, where it is there."""

_RATE = 3.0
"""How many units a face has on average, of those that are combined freely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFaces:
    """N faces with their ground truth: `pictures` uint8 [N, S, S, 3], `units` float32 [N, U] 0 to 1."""

    pictures: np.ndarray
    units: np.ndarray

    def __len__(self) -> int:
        return len(self.units)


def unit_faces(
    number: int,
    *,
    first: int = 0,
    size: int = 48,
    part: Part,
    seed: int,
    render: Rendering = "formula",
    face: Path | None = None,
) -> UnitFaces:
    """Synthetic stills, from number `first` on, of as many actors as there are groups of seven.

    Of every five faces two show an expression on its way to the apex, the others any units together, none among
    them. `face` is a file as the asset `ict-face` has it. Raises AssetError or MissingExtra where it cannot be
    rendered.
    """
    if not number:
        return UnitFaces(
            pictures=np.zeros((0, size, size, 3), np.uint8), units=np.zeros((0, len(UNIT_ORDER)), np.float32)
        )
    numbers = np.arange(first, first + number)
    plan = actor.clips(number, first=first, size=0, frames=1, polarity_agrees=1 / 3, part=part, seed=seed)
    units = np.stack(
        [_units(int(n), one, part, seed) for n, one in zip(numbers, plan.units[:, 0].numpy(), strict=True)]
    )
    told = torch.from_numpy(units)[:, None]
    if render == "formula":
        [seen] = actor.pictures(numbers, numbers // 7, told, plan.scene.numpy(), size=size, part=part, seed=seed)
        return UnitFaces(pictures=seen[:, 0].permute(0, 2, 3, 1).numpy(), units=units)
    from mimica.data.render import stills

    return UnitFaces(pictures=stills(plan, told, first=first, size=size, part=part, seed=seed, face=face), units=units)


def _units(number: int, shown: np.ndarray, part: Part, seed: int) -> np.ndarray:
    """The units [U] of a face: a share of those of the expression that it shows at its apex, or any."""
    random = stream(part, 41, seed, number)
    if number % 5 < 2:
        return np.asarray(shown * random.random(), np.float32)
    while True:
        there = random.random(len(UNIT_ORDER)) < _RATE / len(UNIT_ORDER)
        strong = np.where(there, random.uniform(LEAST, MOST, len(UNIT_ORDER)), 0.0)
        strengths = dict(zip(UNIT_ORDER, strong.tolist(), strict=True))
        if not any(pair.clash(strengths) for pair in ANTAGONISTS):
            return strong.astype(np.float32)
