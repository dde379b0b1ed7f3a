"""What is measured of generated clips by who rewarded nothing: units, person, class, likeness to real clips.

B clips, T frames of a clip, S side in pixels, A units, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mimica.encoders.towers import VisionTower
from mimica.generation.filter import Seen, nearest
from mimica.generation.looks import Looks, Probe
from mimica.generation.pool import Pool, frames_of, tensor_of
from mimica.generation.rewards import terms
from mimica.generation.rewards.judge import Judge
from mimica.generation.targets import Targets


class Sees(Protocol):
    """A net that sees what a face does, who it is, and which class it shows; see `rewards.sight`."""

    def units(self, clips: Tensor) -> Tensor:
        """Strengths of units [B, T, A], 0 to 1, NaN for one that it does not know."""

    def embed(self, clips: Tensor) -> Tensor:
        """Features of who is seen [B, T, D]."""

    def recogniser(self, clips: Tensor) -> Tensor:
        """Probabilities of classes [B, C]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What is known of B clips: what the filter asks, `units` [B, T, A], and scores [B] by name."""

    seen: Seen
    units: np.ndarray
    scores: Mapping[str, np.ndarray]


class Inspector:
    """Measures generated clips against a pool of real ones.

    `sight` and the probe are held out: nothing was rewarded by them. `judge` is who rewards: its gates are asked, and
    its scores are told.
    """

    def __init__(self, pool: Pool, looks: Looks, *, sight: Sees, judge: Judge, vision: VisionTower) -> None:
        """`looks` are those of the pool's clips to learn from."""
        self.pool, self.sight, self.judge, self.vision = pool, sight, judge, vision
        self.probe = Probe(looks, pool.train.labels, len(pool.train.space))
        traces = looks.traces()
        self._middle = traces.mean(0)
        self._known = traces - self._middle
        self._people = people_of(pool, sight)

    def __call__(self, clips: Tensor, targets: Targets) -> Inspected:
        """What is measured of clips [B, T, 3, S, S] in 0 to 1 that were made for these targets."""
        looks = Looks.of(self.vision, list(frames_of(clips)))
        with torch.no_grad():
            units, likely = self.sight.units(clips), self.sight.recogniser(clips)
            identity = terms.likeness(self.sight.embed(clips), [self._people[person] for person in targets.people])
            agreement = terms.unit_agreement(units, targets.curves)
            judged = self.judge(clips, targets)
        found, labels = units.cpu().numpy(), targets.labels.numpy()
        seen = Seen(
            labels=labels, consistency=_told(self._consistency(found, labels)), identity=_told(identity.cpu().numpy()),
            probabilities=_told((likely.cpu().numpy() + self.probe.probabilities(looks)) / 2, 6),
            nearest=_told(nearest(looks.traces() - self._middle, self._known)[0]), passed=judged.passed.cpu().numpy(),
        )  # fmt: skip
        scores = {f"reward_{name}": value.cpu().numpy() for name, value in judged.rewards.items()}
        scores |= {
            "units": agreement.cpu().numpy(), "identity": seen.identity, "consistency": seen.consistency,
            "probability": seen.probabilities[np.arange(len(labels)), labels], "nearest": seen.nearest,
        }  # fmt: skip
        return Inspected(seen=seen, units=found, scores=scores)

    def _consistency(self, units: np.ndarray, labels: np.ndarray) -> np.ndarray:
        known = self.pool.known
        names = [known.names[label] for label in labels]
        peaks = [known.peak(one, name) for one, name in zip(units, names, strict=True)]
        return np.array([float(known.consistency(peak, name)) for peak, name in zip(peaks, names, strict=True)])


def _told(value: np.ndarray, places: int = 4) -> np.ndarray:
    """A measurement as a record tells it, so that a clip that is judged again is judged alike."""
    return np.asarray(np.round(value.astype(float), places))


def people_of(pool: Pool, sight: Sees) -> dict[str, Tensor]:
    """Features [P, D] of real frames of everyone whom clips begin with."""
    found: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for frames, person in zip(pool.train.frames, pool.people, strict=True):
            found.setdefault(person, []).append(sight.embed(tensor_of(np.asarray(frames[:]))[None])[0])
    return {person: torch.cat(parts) for person, parts in found.items()}
