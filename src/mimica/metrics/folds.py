"""A figure of data that is measured fold by fold: its mean, its spread, and that of all folds pooled.

K folds, C classes. Published results are means over folds; pooled figures weigh each sample alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mimica.metrics.classification import Interval, bootstrap, resampled


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A figure of each fold, their mean and standard deviation, and the figure of all samples together.

    `deviation` is that of a sample, by K - 1, and None for a single fold. Intervals (95 %) are of resampled test
    samples: they say nothing of what another training seed would give.
    """

    folds: tuple[Interval, ...]
    mean: Interval
    deviation: float | None
    pooled: Interval


def over_folds(
    tables: Sequence[np.ndarray], figure: Callable[[np.ndarray], float], *, draws: int = 1000, seed: int = 0
) -> Folded:
    """A figure of K confusion tables [C, C + 1], such as `war` or `uar`, over the folds that they are of.

    The interval of the mean is over folds that are each resampled in itself.
    """
    # Each fold has a seed of its own, or the draws of two folds would be the same luck.
    drawn = [[figure(t) for t in resampled(table, draws=draws, seed=seed + k)] for k, table in enumerate(tables)]
    low, high = np.quantile(np.mean(drawn, axis=0), (0.025, 0.975))
    values = [figure(table) for table in tables]
    return Folded(
        folds=tuple(bootstrap(table, figure, draws=draws, seed=seed + k) for k, table in enumerate(tables)),
        mean=Interval(value=float(np.mean(values)), low=float(low), high=float(high)),
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        pooled=bootstrap(np.sum(tables, axis=0), figure, draws=draws, seed=seed),
    )
