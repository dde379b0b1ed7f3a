"""Whether one method is better than another on the same samples: a paired interval of the difference.

S training seeds, N samples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mimica.errors import UsageError
from mimica.metrics.classification import Interval, confusion


def paired_difference(
    truth: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    figure: Callable[[np.ndarray], float],
    *,
    classes: int,
    groups: np.ndarray | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """How much larger a figure of confusion tables is for `one` [S, N] than for `other` [S, N], mean over seeds.

    The 95 % percentile interval is over resampled seeds and resampled `groups` [N] of samples that belong
    together, such as clips of one person; without groups every sample is its own. Both methods see the
    same resample. Raises UsageError where shapes do not fit.
    """
    one, other = np.atleast_2d(one), np.atleast_2d(other)
    if one.shape != other.shape or one.shape[1:] != truth.shape:
        raise UsageError(
            f"guesses must be [S, {len(truth)}] for both methods, got {list(one.shape)} and {list(other.shape)}"
        )
    S, random = len(one), np.random.default_rng(seed)
    groups = np.arange(len(truth)) if groups is None else groups
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]

    def gap(seeds: np.ndarray, n: np.ndarray) -> float:
        tables = [[confusion(truth[n], guess[s, n], classes) for guess in (one, other)] for s in seeds]
        return float(np.mean([figure(ours) - figure(theirs) for ours, theirs in tables]))

    drawn = [gap(random.integers(S, size=S), _resampled(members, random)) for _ in range(draws)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value=gap(np.arange(S), np.arange(len(truth))), low=float(low), high=float(high))


def _resampled(members: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Samples of as many groups as there are, drawn with replacement."""
    return np.concatenate([members[i] for i in random.integers(len(members), size=len(members))])


def paired_gain(
    one: np.ndarray, other: np.ndarray, *, groups: np.ndarray | None = None, draws: int = 1000, seed: int = 0
) -> Interval:
    """How much larger `one` [N] is than `other` [N] of the same samples, in the mean.

    The 95 % percentile interval is over resampled `groups` [N] of samples that belong together; without groups every
    sample is its own. Samples that are NaN for either are left out. Raises UsageError where shapes do not fit, or
    nothing is left.
    """
    known = ~(np.isnan(one) | np.isnan(other)) if one.shape == other.shape else np.zeros(0, bool)
    if not known.any() or (groups is not None and groups.shape != one.shape):
        raise UsageError(
            f"figures must be of the same samples and known, got {list(one.shape)} and {list(other.shape)}"
        )
    apart = (one - other)[known]
    groups = np.arange(len(one)) if groups is None else groups
    members = [np.flatnonzero(groups[known] == group) for group in np.unique(groups[known])]
    random = np.random.default_rng(seed)
    drawn = [float(apart[_resampled(members, random)].mean()) for _ in range(draws)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value=float(apart.mean()), low=float(low), high=float(high))
