"""All readings of one person in little memory, and what the page says of them.

Axes: N readings, C classes.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from mimica.clips import Reading
from mimica.reading.sinks.spans import cells, says


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
    time, `probabilities` [N, C], `confidence` [N], and what each `says`."""

    starts: np.ndarray
    ends: np.ndarray
    probabilities: np.ndarray
    confidence: np.ndarray
    says: list[str]

    @property
    def lengths(self) -> np.ndarray:
        """Seconds that each stands for."""
        return np.asarray(self.ends - self.starts)


class Series:
    """The readings of one person as they come: some 60 bytes each."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._times = array("d")
        self._numbers = array("f")
        self._says: list[str] = []

    def __len__(self) -> int:
        return len(self._says)

    def append(self, reading: Reading) -> None:
        """Take one reading, in any order."""
        self._times.extend((reading.start, reading.end))
        self._numbers.append(float("nan") if reading.confidence is None else float(reading.confidence))
        self._numbers.extend(float(reading.probabilities.get(label, 0.0)) for label in self.labels)
        self._says.append(says(reading))

    def last(self) -> tuple[str, float]:
        """What the last reading says, and how confident it is."""
        return self._says[-1], self._numbers[-1 - len(self.labels)]

    def counts(self) -> Counter[str]:
        """How many readings say what."""
        return Counter(self._says)

    def points(self) -> Points:
        """Every reading, each with the stretch of time that is its own (see `spans`)."""
        times = np.array(self._times).reshape(-1, 2)
        numbers = np.array(self._numbers).reshape(len(self), -1)
        order = np.lexsort((times[:, 0], times.sum(axis=1)))
        own = np.array(cells([(start, end) for start, end in times[order].tolist()])).reshape(-1, 2)
        return Points(
            starts=own[:, 0], ends=own[:, 1], probabilities=numbers[order, 1:], confidence=numbers[order, 0],
            says=[self._says[i] for i in order],
        )  # fmt: skip

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
            shares={label: time[label] / total if total else 0.0 for label in self.labels},
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
    lengths = points.lengths
    longest = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        time: dict[str, float] = defaultdict(float)
        for i in range(first, last + 1):
            time[points.says[i]] += float(lengths[i])
        longest.append(max(time, key=lambda said: time[said]))
    return Points(
        starts=points.starts[firsts],
        ends=points.ends[lasts],
        probabilities=np.add.reduceat(points.probabilities, firsts, axis=0) / sizes[:, None],
        confidence=np.add.reduceat(np.nan_to_num(points.confidence), firsts) / sizes,
        says=longest,
    )
