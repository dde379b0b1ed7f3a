"""What two coders say of one person at the moments of a common grid of time.

Moment k lies at (k + 0.5) steps. M moments of a person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from mimica.errors import InputError
from mimica.reading.agreement.coding import Stretch
from mimica.reading.agreement.pairs import Pair

NOTHING = -1
"""In place of a class or of a stretch where there is none."""

MOST = 20_000_000
"""So many moments of a person are held at most: 23 days in steps of a tenth of a second."""

_TOUCH = 0.0015
"""Seconds by which annotations may overlap that are meant to touch: times in thousandths, both rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """One person's moments, from number `first` on, `step` seconds apart.

    `one` and `other` [M] are the classes that each coder says, or `NOTHING`; `one_at` and `other_at` [M] are the
    places of the stretches in the pair that speak there, also of those that come to no class.
    """

    pair: Pair
    step: float
    first: int
    one: np.ndarray
    other: np.ndarray
    one_at: np.ndarray
    other_at: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """When the moments are [M], in seconds."""
        return np.asarray((self.first + np.arange(len(self.one)) + 0.5) * self.step)

    @property
    def both(self) -> np.ndarray:
        """Where both coders say a class [M]."""
        return np.asarray((self.one != NOTHING) & (self.other != NOTHING))


def moments(pair: Pair, one: Mapping[str, int], other: Mapping[str, int], *, step: float, all: bool = False) -> Moments:
    """A pair of stretches on the grid; `one` and `other` are the classes by each coder's words.

    Where stretches overlap, as those of readings do, the one whose middle is nearest speaks, the later of two that
    are as near, by middle and then by start. Readings that are not ok come to no class unless `all` is set. Raises
    InputError for a time that is too long for the step.
    """
    spans = [span(stretch, step) for stretch in (*pair.one, *pair.other)]
    first = min((begin for begin, _ in spans), default=0)
    M = max((end for _, end in spans), default=first) - first
    if M > MOST:
        raise InputError(
            f"{pair.source}: what is said of {pair.person} spans {M * step:.0f} s, too long for moments "
            f"{step:g} s apart; choose a longer --step, or see whether a time in {pair.one_file} or "
            f"{pair.other_file} is wrong"
        )
    one_at, other_at = (_speaking(stretches, first, M, step) for stretches in (pair.one, pair.other))
    return Moments(
        pair=pair, step=step, first=first, one_at=one_at, other_at=other_at,
        one=_classes(pair.one, one, all)[one_at], other=_classes(pair.other, other, all)[other_at],
    )  # fmt: skip


def span(stretch: Stretch, step: float) -> tuple[int, int]:
    """The first moment in a stretch, and the first one after it.

    >>> span(Stretch(start=0.0, end=0.3, word="fear"), 0.1), span(Stretch(start=0.05, end=0.15, word="fear"), 0.1)
    ((0, 3), (0, 1))
    """
    # The sixth decimal of a step is less than any clock can mean, and more than a float can err.
    first, after = (math.ceil(round(time / step - 0.5, 6)) for time in (stretch.start, stretch.end))
    return first, after


def refuse_overlaps(file: Path, person: str, stretches: Sequence[Stretch]) -> None:
    """Raise InputError where a coder says two things of one person at once, as readings do and annotations must not."""
    ordered = sorted(stretches, key=lambda stretch: (stretch.start, stretch.end))
    for before, after in pairwise(ordered):
        if after.start < before.end - _TOUCH and after.end > after.start:
            who = f", {person}" if person else ""
            raise InputError(
                f"{file}{who}: '{before.word}' ({before.start:.3f} to {before.end:.3f} s) and '{after.word}' (from "
                f"{after.start:.3f} s) overlap; shorten one of them, or give each person a tier or name of their own"
            )


def _speaking(stretches: Sequence[Stretch], first: int, M: int, step: float) -> np.ndarray:
    """The place of the stretch that speaks at each moment [M]."""
    at = np.full(M, NOTHING, dtype=np.int64)
    distance = np.full(M, np.inf)
    for place in sorted(
        range(len(stretches)), key=lambda i: (stretches[i].start + stretches[i].end, stretches[i].start)
    ):
        begin, end = span(stretches[place], step)
        inside = slice(begin - first, end - first)
        middle = (stretches[place].start + stretches[place].end) / 2
        away = np.abs((np.arange(begin, end) + 0.5) * step - middle)
        nearer = away <= distance[inside] + 1e-9
        at[inside][nearer], distance[inside][nearer] = place, away[nearer]
    return at


def _classes(stretches: Sequence[Stretch], words: Mapping[str, int], all: bool) -> np.ndarray:
    """The class of each stretch, and `NOTHING` behind the last, where the place of no stretch leads."""
    return np.array([
        NOTHING if stretch.word is None or (stretch.status != "ok" and not all) else words.get(stretch.word, NOTHING)
        for stretch in stretches
    ] + [NOTHING])  # fmt: skip
