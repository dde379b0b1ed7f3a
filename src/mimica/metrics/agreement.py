"""How far two coders agree beyond chance: Cohen's kappa, over all classes and of one against the rest.

A table counts moments: one coder's class in rows, the other's in columns. C classes, B blocks of time.
Cohen, "A Coefficient of Agreement for Nominal Scales" (Educational and Psychological Measurement 20, 1960).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FEWEST_BLOCKS = 10
"""With fewer blocks of time than these a bootstrap says little, and no interval is given."""

_UNDEFINED_AT_MOST = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with the bounds of its 95 % interval; None where it is undefined, or where time is too short."""

    value: float | None
    low: float | None = None
    high: float | None = None


def observed(tables: np.ndarray) -> np.ndarray:
    """The share of moments in which both say the same [...], for tables [..., C, C]; nan for an empty one."""
    return _share(np.trace(tables, axis1=-2, axis2=-1), tables.sum((-2, -1)))


def by_chance(tables: np.ndarray) -> np.ndarray:
    """The share in which both would say the same if neither knew of the other [...]; nan for an empty table."""
    rows, columns = tables.sum(-1).astype(float), tables.sum(-2).astype(float)
    return _share((rows * columns).sum(-1), tables.sum((-2, -1)).astype(float) ** 2)


def kappa(tables: np.ndarray) -> np.ndarray:
    """Cohen's kappa [...] of tables [..., C, C]: (observed - chance) / (1 - chance), from -1 to 1.

    It is nan where both say one and the same class throughout, for then nothing is left to agree on beyond chance,
    and 0 where only one of them says a single class, whatever the other says.
    """
    # In whole numbers, so that it is exactly nothing that chance leaves where both know one class alone.
    counts = np.asarray(tables, dtype=np.int64)
    total = counts.sum((-2, -1))
    lucky = (counts.sum(-1) * counts.sum(-2)).sum(-1)
    return _share(np.trace(counts, axis1=-2, axis2=-1) * total - lucky, total**2 - lucky)


def one_against_rest(tables: np.ndarray, place: int) -> np.ndarray:
    """Tables [..., C, C] as [..., 2, 2] of one class, by its place, and all the others together."""
    both = tables[..., place, place]
    row, column = tables[..., place, :].sum(-1), tables[..., :, place].sum(-1)
    rest = tables.sum((-2, -1)) - row - column + both
    return np.stack([np.stack([both, row - both], -1), np.stack([column - both, rest], -1)], -2)


def over_blocks(
    blocks: np.ndarray, figure: Callable[[np.ndarray], np.ndarray], *, draws: int = 1000, seed: int = 0
) -> Figure:
    """A figure of the sum of tables [B, C, C], each of a block of time, with its interval over resampled blocks.

    Neighbouring moments are not independent; blocks longer than what binds them nearly are. Blocks of fixed places
    are drawn with replacement (Carlstein, Annals of Statistics 14, 1986), and the interval is that of percentiles.
    There is none for fewer than `FEWEST_BLOCKS`, nor where the figure is undefined in more than one draw of twenty.
    """
    value = float(figure(blocks.sum(0)))
    if np.isnan(value):
        return Figure(value=None)
    if len(blocks) < FEWEST_BLOCKS:
        return Figure(value=value)
    drawn = figure(_drawn(blocks, draws, seed))
    if np.isnan(drawn).mean() > _UNDEFINED_AT_MOST:
        return Figure(value=value)
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Figure(value=value, low=float(low), high=float(high))


def _drawn(blocks: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Sums [draws, C, C] of as many blocks as there are, drawn with replacement."""
    random, B = np.random.default_rng(seed), len(blocks)
    flat = blocks.reshape(B, -1)
    sums = [np.bincount(random.integers(B, size=B), minlength=B) @ flat for _ in range(draws)]
    return np.stack(sums).reshape(draws, *blocks.shape[1:])


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=shares, where=np.asarray(whole) > 0)
    return shares
