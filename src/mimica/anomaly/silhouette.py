"""Where a part should be: the shots' outlines laid over this part's, however it lies on its tray.

N patches of a grid of G cells to a side, k shots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TURNS = 36
"""Turns that an outline is tried at, evenly round the circle."""
SURE = 0.9
"""The share of a cell that a turned outline must cover."""
MOST = 0.75
"""The share of the shots that must agree."""
ENOUGH = 16
"""More shots' outlines than this tell no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A shot's outline at every turn, `turned` [TURNS, G, G], and what it is compared by, made once."""

    turned: np.ndarray
    areas: np.ndarray
    spectra: np.ndarray

    @classmethod
    def of(cls, part: np.ndarray) -> Outline:
        """The outline of a part bool [N]."""
        from scipy.ndimage import rotate

        cells = round(len(part) ** 0.5)
        square = part.reshape(cells, cells).astype(np.float64)
        angles = np.arange(TURNS) * 360 / TURNS
        turned = np.stack([square if not a else rotate(square, a, reshape=False, order=1) for a in angles])
        spectra = np.fft.rfft2(turned, (2 * cells, 2 * cells)).conj()
        return cls(turned=turned, areas=turned.sum((1, 2)), spectra=spectra)


def outlines_of(parts: np.ndarray) -> tuple[Outline, ...]:
    """The outlines of shots bool [k, N] that show a part at all and something beside it, the first 16 of them."""
    return tuple(Outline.of(part) for part in parts[:ENOUGH] if part.any() and not part.all())


def expected(part: np.ndarray, outlines: Sequence[Outline]) -> np.ndarray:
    """Bool [N]: cells where at least three quarters of the shots have the part, well within its outline.

    `part` bool [N] is where this part is. Each outline is turned and moved to where it covers the part best; the cell
    at its rim is left out, for no outline fits exactly.
    """
    if part.all() or not part.any() or not outlines:
        return np.zeros_like(part)
    cells = round(len(part) ** 0.5)
    target = part.reshape(cells, cells).astype(np.float64)
    spectrum = np.fft.rfft2(target, (2 * cells, 2 * cells))
    votes = [_laid_over(spectrum, target.sum(), outline) for outline in outlines]
    return np.asarray(np.mean(votes, 0) >= MOST).ravel()


def _laid_over(spectrum: np.ndarray, area: float, outline: Outline) -> np.ndarray:
    """Bool [G, G] the inner cells of an outline where it covers the part best (intersection over union)."""
    from scipy.ndimage import minimum_filter, shift

    cells = outline.turned.shape[1]
    common = np.fft.irfft2(spectrum * outline.spectra, (2 * cells, 2 * cells))
    union = area + outline.areas[:, None, None] - common
    # Rounded, so that equal fits stay equal and the first is taken on every machine.
    turn, down, right = np.unravel_index(np.round(common / union, 9).argmax(), common.shape)
    moves = [int(move) - 2 * cells * (move >= cells) for move in (down, right)]
    laid = shift(outline.turned[turn], moves, order=0)
    return np.asarray(minimum_filter(laid >= SURE, 3, mode="constant"))
