"""Clips to learn from that are drawn anew for each epoch: actors of the part train, moved by plans and by chance.

N clips, T frames, A units, S side in pixels. Nobody is seen twice and no curve comes again, so that a generator
learns what units do to a face and not who showed what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor import draw
from mimica.data.actor_camera import Pose, taking
from mimica.data.actor_identity import identities_at
from mimica.data.augment import generator
from mimica.data.scene import scenes
from mimica.facs import UNITS
from mimica.generation.alignment import Alignment, align
from mimica.generation.diffusion.codec import Codec, coded
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
_STANCES, _TOGETHER = 3, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """Batches of freshly drawn clips: `fresh` clips an epoch, each seen `again` times.

    Clips of an epoch have as many frames as the next of `frames`, and a batch as many clips as keep its number of
    frames that of `batch` clips of the first. With `stances` a clip is three pictures of a head that keeps still: at
    rest, and with two sets of units at any strength. All is a function of (seed, epoch).
    """

    codec: Codec
    fresh: int = 64
    again: int = 8
    batch: int = 8
    frames: tuple[int, ...] = (9,)
    fps: float = 8.0
    seed: int = 0
    stances: bool = False

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return self.fresh * self.again // self.batch

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Those of an epoch, from `first` on: `still` [B, 3, S, S], `latents` [B, T, C, h, h], `units` [B, T, A]."""
        frames = _STANCES if self.stances else self.frames[epoch % len(self.frames)]
        number = self.batch if self.stances else max(1, self.batch * self.frames[0] // frames)
        needed = min(self.fresh, self.steps * number)
        numbers = np.arange(epoch * self.fresh, epoch * self.fresh + needed)
        clips = self.drawn(numbers, frames)
        random = generator(self.seed, _WORK, epoch)
        order = np.concatenate([random.permutation(needed) for _ in range(-(-self.steps * number // needed))])
        for step in range(first, self.steps):
            places = torch.from_numpy(order[step * number : (step + 1) * number])
            yield {name: value[places] for name, value in clips.items()}

    def drawn(self, numbers: np.ndarray, frames: int) -> dict[str, Tensor]:
        """Clips of these numbers, drawn and coded a few at a time."""
        parts = []
        for some in np.array_split(numbers, -(-len(numbers) // _TOGETHER)):
            units, face = self.pictures(some, frames)
            parts.append({"still": face[:, 0], "latents": coded(self.codec, face), "units": units})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def pictures(self, numbers: np.ndarray, frames: int) -> tuple[Tensor, Tensor]:
        """The units [N, T, A] and pictures [N, T, 3, S, S] in 0 to 1 of the clips of these numbers."""
        if self.stances:
            curves = [_stances(generator(self.seed, _WORK + 3, int(n))) for n in numbers]
        else:
            known = align([], [], EXPRESSIONS)
            curves = [practised(known, int(n), frames, self.fps, self.seed) for n in numbers]
        units = torch.from_numpy(np.stack(curves)).float()
        polarity = np.array([int(generator(self.seed, _WORK + 1, int(n)).integers(-1, 2)) for n in numbers])
        behind = scenes(polarity, size=self.codec.config.size, part="train", seed=self.seed, numbers=numbers)
        pose, light, _ = taking(numbers, frames, "train", self.seed)
        if self.stances:
            pose = Pose(**{name: getattr(pose, name)[:, :1].expand(-1, frames) for name in Pose.__slots__})
        who = identities_at(numbers, part="train", seed=self.seed)
        return units, draw(who, units, pose, light, size=self.codec.config.size, scene=behind)


def practised(known: Alignment, number: int, frames: int, fps: float, seed: int) -> np.ndarray:
    """The unit curves [T, A] of clip `number`: a class's plan or units by chance, at any strength from 0.2 on."""
    random = generator(seed, _WORK + 2, number)
    if random.random() < _AT_REST:
        return np.zeros((frames, len(UNITS)))
    label = str(random.choice([name for name in known.names if name != "neutral"]))
    units: tuple[int, ...] = ()
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


def _stances(random: np.random.Generator) -> np.ndarray:
    """Units [3, A]: none, and twice up to six at any strength."""
    units = np.zeros((_STANCES, len(UNITS)))
    for stance in units[1:]:
        chosen = random.permutation(len(UNITS))[: int(random.integers(1, 7))]
        stance[chosen] = random.uniform(0.1, 1.0, len(chosen))
    return units
