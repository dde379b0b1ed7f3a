"""Clips to learn from that are drawn anew for each epoch: actors of the part train, moved by plans and by chance.

N clips, T frames, A units, S side in pixels. Nobody is seen twice and no curve comes again, so that a generator
learns what units do to a face and not who showed what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor import draw, taking
from mimica.data.actor_identity import identities_at
from mimica.data.augment import generator
from mimica.data.scene import scenes
from mimica.facs import UNITS
from mimica.generation.alignment import Alignment, align
from mimica.generation.plan import clashes, plan
from mimica.generation.settings import PlanSettings
from mimica.labels import EXPRESSIONS
from mimica.training.loop import Batch

_MOVED = 0.5
"""Share of the clips that show units by chance, rather than those of a class."""
_BACK = 0.2
"""Share of the clips that begin with an expression and go to rest."""
_AT_REST = 0.05
_WORK = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """Batches of freshly drawn clips: `fresh` clips an epoch, each seen `again` times.

    Clips of an epoch have as many frames as the next of `frames`, and a batch as many clips as keep its number of
    frames that of `batch` clips of the first. All is a function of (seed, epoch).
    """

    fresh: int = 256
    again: int = 4
    batch: int = 16
    frames: tuple[int, ...] = (9,)
    fps: float = 8.0
    size: int = 48
    seed: int = 0

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return self.fresh * self.again // self.batch

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from `first` on: `face` [B, T, 3, S, S] uint8 and `units` [B, T, A]."""
        frames = self.frames[epoch % len(self.frames)]
        number = max(1, self.batch * self.frames[0] // frames)
        needed = min(self.fresh, self.steps * number)
        clips = drawn(needed, first=epoch * self.fresh, frames=frames, fps=self.fps, size=self.size, seed=self.seed)
        random = generator(self.seed, _WORK, epoch)
        order = np.concatenate([random.permutation(needed) for _ in range(-(-self.steps * number // needed))])
        for step in range(first, self.steps):
            places = torch.from_numpy(order[step * number : (step + 1) * number])
            yield {name: value[places] for name, value in clips.items()}


def drawn(number: int, *, first: int, frames: int, fps: float, size: int, seed: int) -> dict[str, Tensor]:
    """Clips of actors to train on: `face` [N, T, 3, S, S] uint8 and `units` [N, T, A]."""
    known = align([], [], EXPRESSIONS)
    faces, curves = [], []
    for start in range(first, first + number, 8):
        numbers = np.arange(start, min(start + 8, first + number))
        units = torch.from_numpy(np.stack([practised(known, int(n), frames, fps, seed) for n in numbers])).float()
        curves.append(units)
        faces.append(_pictures(numbers, units, size, seed))
    return {"face": torch.cat(faces), "units": torch.cat(curves)}


def _pictures(numbers: np.ndarray, units: Tensor, size: int, seed: int) -> Tensor:
    random = [generator(seed, _WORK + 1, int(n)) for n in numbers]
    polarity = np.array([int(one.integers(-1, 2)) for one in random])
    behind = scenes(polarity, size=size, part="train", seed=seed, numbers=numbers)
    pose, light, camera = taking(numbers, units.shape[1], "train", seed)
    seen = draw(identities_at(numbers, part="train", seed=seed), units, pose, light, size=size, scene=behind)
    # One grain for the whole clip: what a camera's noise does from frame to frame is not to be learned.
    grain = torch.from_numpy(np.stack([one.standard_normal((1, 3, size, size), np.float32) for one in random]))
    noisy = seen + camera[:, 1].view(-1, 1, 1, 1, 1) * grain
    return (noisy.clamp(0, 1) * 255).round().to(torch.uint8)


def practised(known: Alignment, number: int, frames: int, fps: float, seed: int) -> np.ndarray:
    """The unit curves [T, A] of clip `number`: a class's plan or units by chance, at any strength from 0.2 on."""
    random = generator(seed, _WORK + 2, number)
    if random.random() < _AT_REST:
        return np.zeros((frames, len(UNITS)))
    label, units = str(random.choice([name for name in known.names if name != "neutral"])), ()
    if random.random() < _MOVED:
        label, units = "neutral", _chosen(random)
    settings = PlanSettings(frames=frames, fps=fps, seed=seed)
    wanted = plan(known, label, number, units=units, settings=settings)
    curves = wanted.scaled(float(random.uniform(0.2, 1.0))).curves()
    return curves[::-1].copy() if random.random() < _BACK else curves


def _chosen(random: np.random.Generator) -> tuple[int, ...]:
    """One to four units that go together."""
    units: list[int] = []
    for unit in random.permutation(list(UNITS))[: int(random.integers(1, 5))]:
        if not clashes(dict.fromkeys([*units, int(unit)], 1.0), "neutral"):
            units.append(int(unit))
    return tuple(units)


def stilled(clips: Sequence[Tensor] | Tensor) -> Tensor:
    """Pictures uint8 as numbers 0 to 1."""
    return torch.stack(list(clips)).float() / 255
