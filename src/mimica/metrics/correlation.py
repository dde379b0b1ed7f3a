"""How well what was measured follows what is true, column by column."""

from __future__ import annotations

import numpy as np


def correlations(measured: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each column of `measured` [N, K] with that of `true` [N, K]: [K], -1 to 1.

    Rows in which either is NaN are left out of that column; NaN where one of them does not vary.
    """
    known = ~(np.isnan(measured) | np.isnan(true))
    number = np.maximum(known.sum(0), 1)

    def apart(values: np.ndarray) -> np.ndarray:
        values = np.where(known, values, 0.0).astype(np.float64)
        return np.where(known, values - values.sum(0) / number, 0.0)

    a, b = apart(measured), apart(true)
    spread = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    found = np.full(len(spread), np.nan)
    return np.asarray(np.divide((a * b).sum(0), spread, out=found, where=spread > 1e-12))
