"""A part to validate on, held out of the clips to learn from where data has a test part and none for this.

N clips, C classes. Whoever keeps the best of many epochs by the test part has chosen on what is then measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mimica.data.clipset import HELD, Item

_PLACINGS = 32
"""How many places are tried for as many blocks."""


def lacks_one(items: Sequence[Item]) -> bool:
    """Whether data is parted into train and test and has no part of its own to validate or calibrate on."""
    parts = {item.part for item in items}
    return {"train", "test"} <= parts and not parts & set(HELD)


def held_out(items: Sequence[Item], *, share: float, by_group: bool = False) -> list[Item]:
    """The same items in the same order, about a `share` of those of `train` now in the part `validation`.

    Clips whose names are neighbours may be of one film or person, so a few whole blocks of neighbours are
    held out, placed where their classes are most like those of all; more and shorter blocks only where
    fewer miss a class. Groups (`Item.group`) of which there are at least 1 / `share`, such as people, stay whole.
    With `by_group`, for few large groups such as scenes, each group and class gives its share, a run of
    neighbours. A class of several clips is in both parts as far as groups allow; that of one clip stays in `train`.
    """
    places = [i for i, item in enumerate(items) if item.part == "train"]
    named = {items[i].group for i in places}
    whole = not by_group and "" not in named and len(named) * share >= 1
    key = {i: ((items[i].group,) if whole else (), _natural(items[i])) for i in places}
    places.sort(key=key.__getitem__)
    labels = np.array([items[i].label for i in places], dtype=int)
    groups = np.array([items[i].group for i in places])
    units = np.cumsum(groups != np.roll(groups, 1)) if whole else np.arange(len(places))
    units = units - units[:1].sum()
    count = np.bincount(labels)
    if not (count > 1).any():
        return list(items)
    held = _of_each(labels, groups, share) if by_group else _blocks(labels, units, share)
    _mend(held, labels, units)
    moved = {places[k] for k in np.flatnonzero(held)}
    return [replace(item, part=HELD[0]) if i in moved else item for i, item in enumerate(items)]


def _natural(item: Item) -> list[str | int]:
    """A key by which 2 comes before 10; text and numbers take turns."""
    parts = re.split(r"(\d+)", item.path.as_posix())
    return [int(part) if part.isdecimal() else part for part in parts]


def _blocks(labels: np.ndarray, units: np.ndarray, share: float) -> np.ndarray:
    """Which of N clips lie in a few blocks, each unit wholly or not at all."""
    N, count = len(labels), np.bincount(labels)
    wanted = max(round(share * N), int((count > 1).sum()))
    ends = np.searchsorted(units, np.arange(units[-1] + 1), side="right")
    middles = (np.concatenate([[0], ends[:-1]]) + ends) / 2
    found: list[tuple[int, float, np.ndarray]] = []
    for blocks in _numbers(max(1, round(wanted * len(ends) / N))):
        for free in np.linspace(0, 1 - wanted / N, _PLACINGS):
            held = ((middles * blocks / N - free) % 1 < wanted / N)[units]
            part = np.bincount(labels[held], minlength=len(count))
            lost = int(((count > 1) & ((part == 0) | (part == count))).sum())
            unlike = np.abs(part / max(1, part.sum()) - count / N).sum() + 2 * abs(part.sum() - wanted) / wanted
            found.append((lost, float(unlike), held))
        if min(lost for lost, _, _ in found) == 0:
            break
    return min(found, key=lambda one: one[:2])[2]


def _numbers(wanted: int) -> Iterator[int]:
    """Numbers of blocks to try for so many units: 4, twice as many and so on, up to single units."""
    blocks = min(4, wanted)
    while blocks < wanted:
        yield blocks
        blocks *= 2
    yield wanted


def _of_each(labels: np.ndarray, groups: np.ndarray, share: float) -> np.ndarray:
    """Which of N clips are held out if each group and class gives its share, from the middle of its clips."""
    held, due = np.zeros(len(labels), dtype=bool), 0.5
    for group, label in sorted(set(zip(groups.tolist(), labels.tolist(), strict=True))):
        these = np.flatnonzero((groups == group) & (labels == label))
        due += share * len(these)
        take = min(int(due), len(these) - 1)
        due -= take
        first = (len(these) - take) // 2
        held[these[first : first + take]] = True
    return held


def _mend(held: np.ndarray, labels: np.ndarray, units: np.ndarray) -> None:
    """Give back a unit of each class that has none left to learn from, and take one of each that has none held out."""
    for label in np.unique(labels):
        of = labels == label
        if held[of].all():
            held[units == units[of][0]] = False
    for label in np.unique(labels):
        of = labels == label
        if of.sum() > 1 and not held[of].any():
            unit = units == units[of][of.sum() // 2]
            if all((~held & ~unit)[labels == other].any() for other in np.unique(labels[unit])):
                held |= unit
