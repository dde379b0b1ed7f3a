"""Figures of a protocol, all of them from its predictions. K folds, C classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mimica.experiments.predictions import Predictions
from mimica.metrics.calibration import Bin, Covered, ece, reliability, risk_coverage
from mimica.metrics.classification import Interval, confusion, recall_intervals, recalls, uar, war
from mimica.metrics.folds import Folded, over_folds


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The figures of some of the clips, such as a fold or a scene.

    `per_class` is each class's recall, None for a class without clips, which UAR leaves out; `ece` is of the clips
    that were read, None without any.
    """

    name: str
    n: int
    war: float
    uar: float
    ece: float | None
    per_class: dict[str, float | None]

    @property
    def absent(self) -> list[str]:
        """The classes that no clip shows."""
        return [name for name, recall in self.per_class.items() if recall is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Figures as fractions; a clip that could not be read counts as wrong and is named in `unread` with the reason.

    `war` and `uar` are over folds and pooled. `confusion` [C, C + 1] is that of all folds, the truth in rows, clips
    without a reading in the last column. `recall` is that of each class over all folds, with its Wilson interval, None
    for a class without clips. `ece`, `bars` and `curve`, the risk by coverage, are of all clips that were read.
    """

    labels: tuple[str, ...]
    n: int
    war: Folded
    uar: Folded
    folds: tuple[Part, ...]
    recall: dict[str, Interval | None]
    confusion: np.ndarray
    ece: float | None
    bars: tuple[Bin, ...]
    curve: tuple[Covered, ...]
    groups: tuple[Part, ...]
    unread: dict[str, str]

    @property
    def clips(self) -> dict[str, int]:
        """How many clips each class has over all folds."""
        return dict(zip(self.labels, self.confusion.sum(1).tolist(), strict=True))

    def facts(self) -> dict[str, Any]:
        """The results as JSON."""
        return {
            "n": self.n,
            "labels": list(self.labels),
            "war": asdict(self.war),
            "uar": asdict(self.uar),
            "folds": [asdict(part) | {"absent": part.absent} for part in self.folds],
            "clips": self.clips,
            "recall": {name: asdict(recall) if recall else None for name, recall in self.recall.items()},
            "confusion": self.confusion[:, :-1].tolist(),
            "ece": self.ece,
            "reliability": [bar._asdict() for bar in self.bars],
            "risk_coverage": [point._asdict() for point in self.curve],
            "groups": [asdict(part) | {"absent": part.absent} for part in self.groups],
            "unread": self.unread,
        }


def results(found: Predictions, *, draws: int = 1000, seed: int = 0) -> Results:
    """The figures of predictions: by fold in the order in which folds come, and by group from the largest on."""
    C, sure = len(found.labels), found.probabilities.max(1)
    names = list(dict.fromkeys(found.folds))
    inside = {name: np.array([fold == name for fold in found.folds]) for name in names}
    tables = [_table(found, inside[name]) for name in names]
    whole = np.sum(tables, axis=0)
    read = found.read
    right = (found.guesses == found.truth)[read]
    return Results(
        labels=found.labels,
        n=len(found),
        war=over_folds(tables, war, draws=draws, seed=seed),
        uar=over_folds(tables, uar, draws=draws, seed=seed),
        folds=tuple(_part(found, name, inside[name]) for name in names),
        recall=dict(zip(found.labels, recall_intervals(whole), strict=True)),
        confusion=whole.reshape(C, C + 1),
        ece=ece(sure[read], right) if read.any() else None,
        bars=tuple(reliability(sure[read], right)) if read.any() else (),
        curve=tuple(risk_coverage(sure[read], right)) if read.any() else (),
        groups=tuple(_groups(found)),
        unread={clip: why for clip, why in zip(found.clips, found.errors, strict=True) if why},
    )


def _groups(found: Predictions) -> list[Part]:
    names: Sequence[str] = sorted(set(found.groups) - {""})
    parts = [_part(found, name, np.array([group == name for group in found.groups])) for name in names]
    return sorted(parts, key=lambda part: -part.n)


def _part(found: Predictions, name: str, inside: np.ndarray) -> Part:
    table, read = _table(found, inside), inside & found.read
    right = (found.guesses == found.truth)[read]
    by_class: Mapping[str, float] = dict(zip(found.labels, recalls(table).tolist(), strict=True))
    return Part(
        name=name, n=int(inside.sum()), war=war(table), uar=uar(table),
        ece=ece(found.probabilities.max(1)[read], right) if read.any() else None,
        per_class={label: None if np.isnan(recall) else recall for label, recall in by_class.items()},
    )  # fmt: skip


def _table(found: Predictions, inside: np.ndarray) -> np.ndarray:
    return confusion(found.truth[inside], found.guesses[inside], len(found.labels))
