"""What is known from FACS alone, and clips of people who show the prototypes: ready for tests of generation."""

from __future__ import annotations

import numpy as np

from mimica.facs import PRIOR_CORES, UNITS
from mimica.generation.alignment import Alignment, align
from mimica.generation.measured import MeasuredClips
from mimica.labels import EXPRESSIONS

ORDER = tuple(UNITS)


def prior_alone() -> Alignment:
    return align([], [], EXPRESSIONS)


def posed(number: int = 42, *, people: int = 6, seed: int = 0) -> MeasuredClips:
    """Clips in which each class shows its core, more or less, and now and then a unit beside it."""
    random = np.random.default_rng(seed)
    curves, labels = [], []
    for i in range(number):
        label = i % len(EXPRESSIONS)
        core = PRIOR_CORES[EXPRESSIONS.names[label]]
        strength = np.where(np.isin(ORDER, core), random.uniform(0.5, 1.0, len(ORDER)), 0.0)
        strength[random.integers(len(ORDER))] += 0.2
        curves.append(np.linspace(0, 1, 6)[:, None] * strength.clip(0, 1))
        labels.append(label)
    return MeasuredClips(
        names=tuple(f"clips/{i:03d}" for i in range(number)), labels=np.array(labels), curves=tuple(curves),
        subjects=tuple(f"p{i // len(EXPRESSIONS) % people}" for i in range(number)), space=EXPRESSIONS, order=ORDER,
    )  # fmt: skip


def aligned_with(clips: MeasuredClips) -> Alignment:
    return align(clips.curves, clips.labels, clips.space, order=clips.order)
