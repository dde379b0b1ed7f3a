"""All readings of one person in little memory, and what the page says of them.

Axes: N readings, C classes, V views.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from mimica.clips import Reading
from mimica.reading.sinks.spans import cells, says, shares

_Told = TypeVar("_Told")
_TOUCH = 2e-3


class Change(NamedTuple):
    """A stretch of time, in seconds, in which the scene changes the answer from one class to another."""

    start: float
    end: float
    by_face_alone: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A person in figures: `seen` seconds; `shares` of the time that was read with confidence, a class;
    mean `confidence` there, None if there is none; `unsure` and `low_quality`, shares of the time seen."""

    seen: float
    shares: dict[str, float]
    confidence: float | None
    unsure: float
    low_quality: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Readings in order of time, or means of several: `starts`, `ends` [N] of each one's own stretch of
    time, `probabilities` [N, C], `confidence` [N], and what each `says`.

    Of a model that reads the scene too, `views` [N, V, C] are what each view alone says, and `by_face_alone`
    the class that the face alone shows, where the scene changes the answer, else None."""

    starts: np.ndarray
    ends: np.ndarray
    probabilities: np.ndarray
    confidence: np.ndarray
    says: list[str]
    views: np.ndarray
    by_face_alone: list[str | None]

    @property
    def lengths(self) -> np.ndarray:
        """Seconds that each stands for."""
        return np.asarray(self.ends - self.starts)


class Series:
    """The readings of one person as they come: some 60 bytes each, and 30 for each of the `views` beside them."""

    def __init__(self, labels: tuple[str, ...], views: tuple[str, ...] = ()) -> None:
        self.labels, self.views = labels, views
        self._times = array("d")
        self._numbers = array("f")
        self._says: list[str] = []
        self._by_face_alone: list[str | None] = []

    def __len__(self) -> int:
        return len(self._says)

    def append(self, reading: Reading) -> None:
        """Take one reading, in any order."""
        self._times.extend((reading.start, reading.end))
        self._numbers.append(float("nan") if reading.confidence is None else float(reading.confidence))
        self._numbers.extend(float(reading.probabilities.get(label, 0.0)) for label in self.labels)
        for view in self.views:
            shown = reading.views.get(view, {})
            self._numbers.extend(float(shown.get(label, 0.0)) for label in self.labels)
        self._says.append(says(reading))
        self._by_face_alone.append(reading.by_face_alone)

    def last(self) -> tuple[str, float]:
        """What the last reading says, and how confident it is."""
        return self._says[-1], self._numbers[-1 - (1 + len(self.views)) * len(self.labels)]

    def counts(self) -> Counter[str]:
        """How many readings say what."""
        return Counter(self._says)

    def points(self) -> Points:
        """Every reading, each with the stretch of time that is its own (see `spans`)."""
        times = np.array(self._times).reshape(-1, 2)
        numbers = np.array(self._numbers).reshape(len(self), -1)
        order = np.lexsort((times[:, 0], times.sum(axis=1)))
        C = len(self.labels)
        own = np.array(cells([(start, end) for start, end in times[order].tolist()])).reshape(-1, 2)
        return Points(
            starts=own[:, 0], ends=own[:, 1], probabilities=numbers[order, 1 : 1 + C], confidence=numbers[order, 0],
            says=[self._says[i] for i in order], views=numbers[order, 1 + C :].reshape(len(self), -1, C),
            by_face_alone=[self._by_face_alone[i] for i in order],
        )  # fmt: skip

    def changes(self) -> list[Change]:
        """When the scene changes the answer, in order, neighbours that say the same as one."""
        points, found = self.points(), list[Change]()
        for start, end, alone, answer in zip(
            points.starts.tolist(), points.ends.tolist(), points.by_face_alone, points.says, strict=True
        ):
            if alone is None:
                continue
            if found and found[-1][2:] == (alone, answer) and start - found[-1].end <= _TOUCH:
                start = found.pop().start
            found.append(Change(start, end, alone, answer))
        return found

    def summary(self) -> Summary:
        """The person in figures."""
        points = self.points()
        weights = points.lengths if points.lengths.sum() > 0 else np.ones(len(self))
        time: dict[str, float] = defaultdict(float)
        for said, weight in zip(points.says, weights.tolist(), strict=True):
            time[said] += weight
        seen = sum(time.values()) - time["no_face"]
        sure = np.array([said in self.labels for said in points.says], dtype=bool)
        total = float(weights[sure].sum())
        return Summary(
            seen=seen if points.lengths.sum() > 0 else 0.0,
            shares=shares({label: time[label] for label in self.labels}),
            confidence=float((points.confidence * weights)[sure].sum() / total) if total else None,
            unsure=time["unsure"] / seen if seen else 0.0,
            low_quality=time["low_quality"] / seen if seen else 0.0,
        )


def thinned(points: Points, step: int) -> Points:
    """Every `step` neighbours as one: probabilities are means, and what it says is what they say longest."""
    if step <= 1:
        return points
    firsts = np.arange(0, len(points.says), step)
    lasts = np.minimum(firsts + step, len(points.says)) - 1
    sizes = lasts - firsts + 1
    groups = list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))
    return Points(
        starts=points.starts[firsts],
        ends=points.ends[lasts],
        probabilities=np.add.reduceat(points.probabilities, firsts, axis=0) / sizes[:, None],
        confidence=np.add.reduceat(np.nan_to_num(points.confidence), firsts) / sizes,
        says=[_longest(points.says[first:end], points.lengths[first:end]) for first, end in groups],
        views=np.add.reduceat(points.views, firsts, axis=0) / sizes[:, None, None],
        by_face_alone=[_longest(points.by_face_alone[first:end], points.lengths[first:end]) for first, end in groups],
    )


def _longest(told: Sequence[_Told], lengths: np.ndarray) -> _Told:
    """What is told for the longest time."""
    time: dict[_Told, float] = defaultdict(float)
    for one, seconds in zip(told, lengths.tolist(), strict=True):
        time[one] += seconds
    return max(time, key=lambda one: time[one])
