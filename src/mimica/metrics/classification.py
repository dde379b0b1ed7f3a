"""WAR, UAR and confusion of a classifier, with bootstrap intervals.

N samples, C classes. WAR is the share that is right; UAR the mean over the classes of each one's recall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def confusion(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """How often each class [row] was read as each class [column]: int [C, C + 1].

    The last column counts samples for which there is no guess, given as a guess of C: they were not right.
    """
    table = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def recalls(table: np.ndarray) -> np.ndarray:
    """The share of each class that was found [C], nan for a class with no sample."""
    number = table.sum(1)
    shares = np.full(len(table), np.nan)
    np.divide(np.diag(table), number, out=shares, where=number > 0)
    return shares


def war(table: np.ndarray) -> float:
    """Weighted average recall: the share of all samples that is right."""
    return float(np.trace(table) / table.sum())


def uar(table: np.ndarray) -> float:
    """Unweighted average recall: the mean recall of the classes that have samples."""
    return float(np.nanmean(recalls(table)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(
    table: np.ndarray, figure: Callable[[np.ndarray], float], *, draws: int = 1000, seed: int = 0
) -> Interval:
    """A figure of a confusion table, with its percentile interval over resampled samples.

    Resampling N samples is, for a figure of the table, one multinomial draw of the table's cells.
    """
    low, high = np.quantile([figure(t) for t in resampled(table, draws=draws, seed=seed)], (0.025, 0.975))
    return Interval(value=figure(table), low=float(low), high=float(high))


def resampled(table: np.ndarray, *, draws: int, seed: int = 0) -> np.ndarray:
    """Tables [draws, ...] of as many samples as `table` has, drawn from its own with replacement."""
    random = np.random.default_rng(seed)
    return random.multinomial(table.sum(), table.ravel() / table.sum(), size=draws).reshape(draws, *table.shape)


def recall_intervals(table: np.ndarray) -> list[Interval | None]:
    """Each class's recall with its Wilson interval, which has a width even where all or none are found; None without.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    from scipy.stats import binomtest

    found: list[Interval | None] = []
    for right, number in zip(np.diag(table).tolist(), table.sum(1).tolist(), strict=True):
        if not number:
            found.append(None)
            continue
        low, high = binomtest(right, number).proportion_ci(method="wilson")
        found.append(Interval(value=right / number, low=float(low), high=float(high)))
    return found
