"""Overlapping windows of a person as stretches of time that do not overlap.

A window speaks for its middle. Between two windows that touch or overlap, the border lies halfway
between their middles, or as near to that as lies in both; where nothing follows, a window is used to
its own end. Neighbours that say the same become one stretch.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mimica.clips import Reading

PHOTO_SECONDS = 1.0
"""How long a stretch lasts that has no length of its own: that of a photo."""

_TOUCH = 1e-3


class Window(NamedTuple):
    """The little that is kept of a reading: `says` is its label, or its status where that is not ok."""

    start: float
    end: float
    says: str
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time in which a person's windows say the same; `confidence` is the mean over time, or None."""

    person: int | None
    start: float
    end: float
    says: str
    confidence: float | None


def says(reading: Reading) -> str:
    """What a reading comes to: its label if it is to be relied on, else its status."""
    return reading.label if reading.status == "ok" and reading.label is not None else reading.status


def cells(windows: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The part of each window that is its own; windows are (start, end) seconds, sorted by middle.

    >>> cells([(0.0, 2.0), (1.0, 3.0), (5.0, 7.0)])
    [(0.0, 1.5), (1.5, 3.0), (5.0, 7.0)]
    """
    starts = [start for start, _ in windows]
    ends = [end for _, end in windows]
    for i in range(1, len(windows)):
        if starts[i] <= windows[i - 1][1] + _TOUCH:
            halfway = (sum(windows[i - 1]) + sum(windows[i])) / 4
            first, last = max(windows[i - 1][0], windows[i][0]), min(windows[i - 1][1], windows[i][1])
            ends[i - 1] = starts[i] = min(max(halfway, first), last)
    return list(zip(starts, ends, strict=True))


def shares(time: Mapping[str, float]) -> dict[str, float]:
    """Each class's share of the time of all, 0 where there is none: the same wherever shares of classes are told."""
    total = math.fsum(time.values())
    return {label: spent / total if total else 0.0 for label, spent in time.items()}


class Spoken:
    """How long everyone together said what, from the readings of each person as they come, in order of time.

    It keeps the last reading of each. What has no length of its own, as of a photo, counts 1 a reading.
    """

    def __init__(self) -> None:
        self._last: dict[int | None, tuple[float, Window]] = {}
        self._time: dict[int | None, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._number: dict[int | None, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def append(self, reading: Reading) -> None:
        """Take one reading."""
        person, own = reading.person, reading.start
        window = Window(reading.start, reading.end, says(reading), reading.confidence)
        if person in self._last:
            begun, before = self._last[person]
            (_, ended), (own, _) = cells([(before.start, before.end), (window.start, window.end)])
            self._time[person][before.says] += ended - begun
        self._last[person] = own, window
        self._number[person][window.says] += 1

    def time(self) -> dict[str, float]:
        """Seconds, or numbers of readings, by label, or by status where that is not ok."""
        found: dict[str, float] = defaultdict(float)
        for person, (begun, last) in self._last.items():
            time = defaultdict(float, self._time[person])
            time[last.says] += last.end - begun
            for said, spent in (time if sum(time.values()) > 0 else self._number[person]).items():
                found[said] += spent
        return dict(found)


class Spans:
    """Gathers readings as they come and gives the stretches of each person at the end."""

    def __init__(self) -> None:
        self._windows: dict[int | None, list[Window]] = defaultdict(list)

    def append(self, reading: Reading) -> None:
        """Take one reading, in any order."""
        self._windows[reading.person].append(Window(reading.start, reading.end, says(reading), reading.confidence))

    def persons(self) -> list[int | None]:
        """Everyone who was read, in order; None, last, stands for windows in which no face was seen."""
        return sorted(self._windows, key=lambda person: (person is None, person or 0))

    def of(self, person: int | None) -> list[Span]:
        """The stretches of one person, in order, none overlapping another."""
        return merge(person, self._windows[person])


def merge(person: int | None, windows: Iterable[Window]) -> list[Span]:
    """Windows of one person as stretches, in order, none overlapping another; times in whole milliseconds."""
    ordered = sorted(windows, key=lambda window: (window.start + window.end, window.start))
    runs: list[tuple[float, float, str, list[tuple[float, float]]]] = []
    for window, (start, end) in zip(ordered, cells([(w.start, w.end) for w in ordered]), strict=True):
        start, end = round(start, 3), round(end, 3)
        if end <= start:
            if len(ordered) > 1:
                continue
            end = start + PHOTO_SECONDS
        weighed = [] if window.confidence is None else [(window.confidence, end - start)]
        if runs and runs[-1][2] == window.says and start - runs[-1][1] <= _TOUCH:
            first, _, said, before = runs[-1]
            runs[-1] = (first, end, said, before + weighed)
        else:
            runs.append((start, end, window.says, weighed))
    return [
        Span(person=person, start=start, end=end, says=said, confidence=_mean(weighed))
        for start, end, said, weighed in runs
    ]


def _mean(weighed: list[tuple[float, float]]) -> float | None:
    total = sum(weight for _, weight in weighed)
    return sum(value * weight for value, weight in weighed) / total if total else None
