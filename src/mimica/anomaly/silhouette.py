"""Where a part should be: the shots' outlines laid over this part's, however it lies on its tray.

N patches of a grid of G cells to a side, k shots.
"""

from __future__ import annotations

import numpy as np

TURNS = 36
"""Turns that an outline is tried at, evenly round the circle."""
SURE = 0.9
"""The share of a cell that a turned outline must cover."""
MOST = 0.75
"""The share of the shots that must agree."""


def expected(part: np.ndarray, outlines: np.ndarray) -> np.ndarray:
    """Bool [N]: cells where at least three quarters of the shots have the part, well within its outline.

    `part` bool [N] is where this part is, `outlines` bool [k, N] where the shots' are. Each outline is turned and
    moved to where it covers the part best; the cell at its rim is left out, for no outline fits exactly.
    """
    if part.all() or not part.any():
        return np.zeros_like(part)
    votes = [_laid_over(part, outline) for outline in outlines if outline.any()]
    if not votes:
        return np.zeros_like(part)
    return np.asarray(np.mean(votes, 0) >= MOST)


def _laid_over(part: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Bool [N] the inner cells of an outline where it covers the part best (intersection over union)."""
    from scipy.ndimage import minimum_filter, shift

    cells = round(len(part) ** 0.5)
    target = part.reshape(cells, cells).astype(np.float64)
    turned = _turns(outline.reshape(cells, cells).astype(np.float64))
    size = (2 * cells, 2 * cells)
    spectra = np.fft.rfft2(turned, size)
    common = np.fft.irfft2(np.fft.rfft2(target, size) * spectra.conj(), size)
    union = target.sum() + turned.sum((1, 2))[:, None, None] - common
    # Rounded, so that equal fits stay equal and the first is taken on every machine.
    turn, down, right = np.unravel_index(np.round(common / union, 9).argmax(), common.shape)
    moves = [int(move) - 2 * cells * (move >= cells) for move in (down, right)]
    laid = shift(turned[turn], moves, order=0)
    return np.asarray(minimum_filter(laid >= SURE, 3, mode="constant")).ravel()


def _turns(outline: np.ndarray) -> np.ndarray:
    """An outline [G, G] at every turn [TURNS, G, G]."""
    from scipy.ndimage import rotate

    angles = np.arange(TURNS) * 360 / TURNS
    return np.stack([outline if not a else rotate(outline, a, reshape=False, order=1) for a in angles])
