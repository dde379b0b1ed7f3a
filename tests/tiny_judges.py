"""Cheap judges of the actor: ridge regressions on small pictures, fitted on some people and used on others.

N clips, T frames, A units, P people. All is drawn: faces, their true curves, and who they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mimica.data.actor import Light, Pose, draw, unit_curves
from mimica.data.actor_identity import identities_at
from mimica.data.actor_settings import Part
from mimica.generation.rewards.judge import Detectors
from mimica.generation.targets import Targets
from mimica.labels import EXPRESSIONS

SIZE, FRAMES = 32, 9
CLASSES = len(EXPRESSIONS)


@dataclass(frozen=True)
class Acted:
    """Clips [N, T, 3, S, S] in 0 to 1, and what they truly show."""

    clips: Tensor
    targets: Targets


def acted(people: range, *, part: Part = "train", seed: int = 0, shown: Sequence[int] = range(CLASSES)) -> Acted:
    """Everyone with each of these expressions; the head sways a little."""
    places = [p for p in people for _ in shown]
    labels = [c for _ in people for c in shown]
    numbers = [1000 * (seed + 1) + i for i in range(len(places))]
    curves = unit_curves(labels, frames=FRAMES, intensity=(0.7, 1.0), seed=seed, part=part, numbers=numbers)
    N, g = len(places), torch.Generator().manual_seed(seed)
    away = 0.04 * torch.randn(N, 6, 1, generator=g) + 0.02 * torch.randn(N, 6, 1, generator=g) * torch.linspace(
        -1, 1, FRAMES
    )
    yaw, pitch, roll, scale, across, down = away.unbind(1)
    pose = Pose(yaw=yaw, pitch=pitch, roll=roll, scale=1.16 + scale / 4, shift_x=across / 4, shift_y=down / 4 - 0.04)
    clips = draw(identities_at(places, part=part, seed=0), curves, pose, Light.even(N), size=SIZE)
    people_of = tuple(f"{part}-{place}" for place in places)
    return Acted(clips, Targets(images=clips[:, 0], curves=curves, labels=torch.tensor(labels), people=people_of))


def small(clips: Tensor, side: int) -> Tensor:
    """Frames as rows of numbers, [B, T, 3·side²]."""
    B, T = clips.shape[:2]
    return F.interpolate(clips.flatten(0, 1), size=(side, side), mode="area").flatten(1).view(B, T, -1)


class Ridge:
    """Curves of units from small pictures, less the mean picture of the clip and beside it."""

    def __init__(self, seen: Acted, side: int = 14, weight: float = 1.0) -> None:
        self.side = side
        x, y = self._rows(seen.clips).flatten(0, 1).double(), seen.targets.curves.flatten(0, 1).double()
        self.mean, self.units = x.mean(0), y.mean(0)
        x = x - self.mean
        self.map = torch.linalg.solve(x.T @ x + weight * torch.eye(x.shape[1]), x.T @ (y - self.units))

    def _rows(self, clips: Tensor) -> Tensor:
        x = small(clips, self.side)
        # What differs from the still is motion; the still itself tells little of units and much of who it is.
        return torch.cat([x - x[:, :1], 0.2 * x], 2)

    def __call__(self, clips: Tensor) -> Tensor:
        return ((self._rows(clips).double() - self.mean) @ self.map + self.units).float().clamp(0, 1)


class Nearest:
    """Probabilities of classes by the nearest mean of the units at the apex."""

    def __init__(self, units: Ridge, seen: Acted) -> None:
        self.units = units
        peaks = self._peaks(seen.clips)
        self.means = torch.stack([peaks[seen.targets.labels == c].mean(0) for c in range(CLASSES)])

    def _peaks(self, clips: Tensor) -> Tensor:
        return self.units(clips).topk(3, dim=1).values.mean(1)

    def __call__(self, clips: Tensor) -> Tensor:
        return (-20 * torch.cdist(self._peaks(clips), self.means).square()).softmax(1)


class Who:
    """Features of a face in which the same person is alike and others are not: linear discriminants of its pixels."""

    def __init__(self, seen: Acted, side: int = 12, kept: int = 12) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        self.side = side
        x = small(seen.clips, side)
        who = np.repeat(np.array(seen.targets.people), x.shape[1])
        fitted = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(x.flatten(0, 1).numpy(), who)
        self.map = torch.from_numpy(fitted.scalings_[:, :kept]).float()
        self.mean = x.mean((0, 1))

    def __call__(self, clips: Tensor) -> Tensor:
        return (small(clips, self.side) - self.mean) @ self.map

    def pools(self, seen: Acted) -> dict[str, Tensor]:
        """Features of all frames of everyone in these clips."""
        features = self(seen.clips)
        return {
            person: features[[i for i, one in enumerate(seen.targets.people) if one == person]].flatten(0, 1)
            for person in set(seen.targets.people)
        }


class Whole:
    """How well pictures are made of what real pictures are made of: what principal components leave over."""

    def __init__(self, seen: Acted, kept: int = 60) -> None:
        x = seen.clips[:, ::4].flatten(0, 1).flatten(1)
        self.mean = x.mean(0)
        self.parts = torch.linalg.svd(x - self.mean, full_matrices=False).Vh[:kept]

    def __call__(self, clips: Tensor) -> Tensor:
        x = clips.flatten(2) - self.mean
        left = (x - x @ self.parts.T @ self.parts).square().mean((1, 2)).sqrt()
        return torch.exp(-10 * left)


@cache
def cast() -> dict[str, Acted]:
    """Clips to fit judges on, to calibrate them on, to judge, and other clips of the same people as the last two."""
    return {
        "fit": acted(range(12)),
        "real": acted(range(12, 18), seed=1),
        "new": acted(range(5), part="test", seed=2),
        "pool": acted(range(12, 18), seed=3, shown=(0, 2)),
        "new pool": acted(range(5), part="test", seed=4, shown=(0, 2)),
    }


@cache
def detectors() -> Detectors:
    """Judges of the actor, fitted on the first twelve of those to train on."""
    seen = cast()["fit"]
    units, who = Ridge(seen), Who(seen)
    return Detectors(
        units=units, embed=who, recogniser=Nearest(units, seen), integrity=Whole(seen),
        pools=who.pools(cast()["pool"]) | who.pools(cast()["new pool"]),
    )  # fmt: skip
