"""Clips to learn seeing from, drawn anew for each epoch: every actor in several, under other light, before others.

P people, K clips of each, B clips of a batch, T frames, A units, S side in pixels. Clips are of a class, by its plan
or as the actor plays it, or show units by chance, another set in each frame; the last have no class (-1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor import draw, unit_curves
from mimica.data.actor_camera import developed, taking
from mimica.data.actor_identity import identities_at
from mimica.data.actor_settings import Part
from mimica.data.augment import Augmentation, augmented, draws, generator
from mimica.data.scene import scenes
from mimica.facs import UNITS
from mimica.generation.alignment import Alignment, align
from mimica.generation.plan import plan
from mimica.generation.settings import PlanSettings
from mimica.labels import EXPRESSIONS
from mimica.training.loop import Batch

LENGTH, FPS = 9, 8.0
"""Of how many frames a clip is before some are looked at, and how many there are in a second."""
_PLANNED, _PLAYED = 0.4, 0.3
"""Shares of the clips that follow the plan of a class and that the actor plays; the rest are units by chance."""
_BACK = 0.2
_WORK = 91
_SEEN_TWICE = 2
_TOGETHER = 24
_LOOK = Augmentation(
    angle=8.0, scale=0.1, jitter=0.05, flip=0.5, gamma=0.2, blur=0.12, erase=0.0, motion=0.3, brightness=0.1
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """N clips of drawn actors: `clips` uint8 [N, T, 3, S, S], `units` [N, T, A], `labels` [N] or -1, `people` [N]."""

    clips: Tensor
    units: Tensor
    labels: Tensor
    people: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Batches of `batch` people in two clips each, out of an epoch's `people` in `clips` clips, seen `again` times.

    All is a function of (part, seed, epoch); nobody comes again in another epoch.
    """

    people: int = 64
    clips: int = 4
    frames: int = 3
    again: int = 3
    batch: int = 16
    size: int = 48
    seed: int = 0
    part: Part = "train"

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return max(1, self.people * self.clips * self.again // (_SEEN_TWICE * self.batch))

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Those of an epoch, from `first` on: `clips` [B, T, 3, S, S] in 0 to 1, `units`, `labels`, `people`."""
        seen = self.drawn(np.arange(epoch * self.people, (epoch + 1) * self.people))
        random = generator(self.seed, _WORK, epoch)
        rounds = -(-self.steps * self.batch // self.people)
        order = np.concatenate([random.permutation(self.people) for _ in range(rounds)])
        which = np.stack([random.permutation(self.clips)[:_SEEN_TWICE] for _ in order])
        for step in range(first, self.steps):
            here = slice(step * self.batch, (step + 1) * self.batch)
            places = (order[here, None] * self.clips + which[here]).ravel()
            looks = draws(self.seed, _WORK + 1 + epoch, step * len(places) + np.arange(len(places)))
            index = torch.from_numpy(places)
            clips = augmented(seen.clips[index].float() / 255, looks, _LOOK)
            yield {
                "clips": clips,
                "units": seen.units[index],
                "labels": seen.labels[index],
                "people": seen.people[index],
            }

    def drawn(self, people: np.ndarray) -> Acted:
        """All clips of these people, one after the other, in some of their frames."""
        numbers = (people[:, None] * self.clips + np.arange(self.clips)).ravel()
        known = align([], [], EXPRESSIONS)
        shown = [self._shown(known, int(n)) for n in numbers]
        units = torch.from_numpy(np.stack([curves for curves, *_ in shown])).float()
        labels = torch.tensor([label for _, label, _ in shown])
        frames = torch.from_numpy(np.stack([frames for *_, frames in shown]))
        who = numbers // self.clips
        clips = torch.cat(
            [
                self._pictures(numbers[k], who[k], units[k], frames[k])
                for k in np.array_split(np.arange(len(numbers)), -(-len(numbers) // _TOGETHER))
            ]
        )
        units = units.gather(1, frames[..., None].expand(-1, -1, units.shape[-1]))
        return Acted(clips=clips, units=units, labels=labels, people=torch.from_numpy(who))

    def _pictures(self, numbers: np.ndarray, who: np.ndarray, units: Tensor, frames: Tensor) -> Tensor:
        polarity = np.array([int(generator(self.seed, _WORK + 2, int(n)).integers(-1, 2)) for n in numbers])
        behind = scenes(polarity, size=self.size, part=self.part, seed=self.seed, numbers=numbers)
        pose, light, camera = taking(numbers, units.shape[1], self.part, self.seed)
        pose = type(pose)(**{name: getattr(pose, name).gather(1, frames) for name in pose.__slots__})
        shown = units.gather(1, frames[..., None].expand(-1, -1, units.shape[-1]))
        actors = identities_at(who, part=self.part, seed=self.seed)
        faces = draw(actors, shown, pose, light, size=self.size, scene=behind)
        return developed(faces, camera, numbers, self.part, self.seed)

    def _shown(self, known: Alignment, number: int) -> tuple[np.ndarray, int, np.ndarray]:
        """Units [LENGTH, A] of a clip, its class or -1, and the frames that are looked at."""
        random = generator(self.seed, _WORK + 3, number)
        kind, label = random.random(), int(random.integers(len(EXPRESSIONS)))
        if kind < _PLANNED:
            settings = PlanSettings(frames=LENGTH, fps=FPS, seed=self.seed)
            wanted = plan(known, EXPRESSIONS.names[label], number, settings=settings)
            curves = wanted.scaled(float(random.uniform(0.4, 1.0))).curves()
            curves = curves[::-1].copy() if random.random() < _BACK else curves
        elif kind < _PLANNED + _PLAYED:
            played = unit_curves(
                [label], numbers=[number], frames=LENGTH, intensity=(0.4, 1.0), seed=self.seed, part=self.part
            )
            curves = played[0].numpy()
        else:
            curves, label = _by_chance(random), -1
        others = random.permutation(LENGTH)
        apex = int(curves.sum(1).argmax())
        looked = [apex, *(frame for frame in others if frame != apex)][: self.frames]
        return curves, label, np.sort(looked)


def _by_chance(random: np.random.Generator) -> np.ndarray:
    """Units [LENGTH, A]: up to six of any strength in each frame, so that none is known by those beside it."""
    units = np.zeros((LENGTH, len(UNITS)))
    for frame in units:
        chosen = random.permutation(len(UNITS))[: int(random.integers(0, 7))]
        frame[chosen] = random.uniform(0.1, 1.0, len(chosen))
    return units
