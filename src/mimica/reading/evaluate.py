"""How right a recogniser is on labelled files, through the whole chain that reads them.

N files, C classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mimica.clips import Reading
from mimica.data.clipset import Item
from mimica.errors import InputError
from mimica.metrics.calibration import ece
from mimica.metrics.classification import Interval, bootstrap, confusion, recalls, uar, war
from mimica.reading.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures as fractions. A file without a reading counts as wrong and is named in `unread` with the reason.

    `confusion` [C, C] has the truth in rows; `per_class` is each class's recall, None without files.
    `ece` is over the files that were read, None without any.
    """

    labels: tuple[str, ...]
    n: int
    war: Interval
    uar: Interval
    per_class: dict[str, float | None]
    confusion: np.ndarray
    ece: float | None
    unread: dict[str, str]

    def facts(self) -> dict[str, object]:
        """The evaluation as JSON: `war`, `uar`, `per_class`, `confusion`, `ece`, `n`; 95 % intervals beside them."""
        return {
            "n": self.n,
            "war": self.war.value,
            "uar": self.uar.value,
            "war_interval": [self.war.low, self.war.high],
            "uar_interval": [self.uar.low, self.uar.high],
            "per_class": self.per_class,
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "ece": self.ece,
            "unread": self.unread,
        }


def evaluate(
    reader: Reader, items: Sequence[Item], *, progress: Callable[[int], None] = lambda done: None
) -> Evaluation:
    """Read every file as a video would be read and compare what it shows most with its label.

    A file's probabilities are the mean over the readings of the person seen longest in it.
    """
    C = len(reader.recogniser.space)
    guess, confidence = np.full(len(items), C), np.zeros(len(items))
    unread: dict[str, str] = {}
    for i, item in enumerate(items):
        try:
            share = _share(reader, item)
        except InputError as error:
            unread[str(item.path)] = str(error)
        else:
            guess[i], confidence[i] = share.argmax(), share.max()
        progress(i + 1)
    truth = np.array([item.label for item in items])
    table = confusion(truth, guess, C)
    read = guess < C
    names = reader.recogniser.space.names
    return Evaluation(
        labels=names,
        n=len(items),
        war=bootstrap(table, war),
        uar=bootstrap(table, uar),
        per_class={name: None if np.isnan(r) else float(r) for name, r in zip(names, recalls(table), strict=True)},
        confusion=table[:, :C],
        ece=ece(confidence[read], (guess == truth)[read]) if read.any() else None,
        unread=unread,
    )


def _share(reader: Reader, item: Item) -> np.ndarray:
    by_person: dict[int, list[Reading]] = defaultdict(list)
    for event in reader.read(item.path):
        if isinstance(event, Reading) and event.person is not None:
            by_person[event.person].append(event)
    if not by_person:
        raise InputError(f"{item.path} shows no face")
    longest = max(by_person.values(), key=lambda told: sum(r.end - r.start for r in told) + 1e-9 * len(told))
    shares = np.array([[r.probabilities[name] for name in reader.recogniser.space.names] for r in longest])
    return np.asarray(shares.mean(axis=0))
