"""Arithmetic on boxes: how much they overlap, and which of many to keep.

Axes: N and M boxes; 4 is `x0, y0, x1, y1` in pixels, x1 and y1 being where the box ends.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Overlap = Literal["union", "min"]


def area(boxes: np.ndarray) -> np.ndarray:
    """The area of each box [..., 4] in square pixels; 0 for a box turned inside out."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def overlap(a: np.ndarray, b: np.ndarray, mode: Overlap = "union") -> np.ndarray:
    """What every box of `a` [N, 4] shares with every box of `b` [M, 4]: [N, M], 0 to 1.

    `union` divides the shared area by that of both together, `min` by that of the smaller one, so
    that a box inside another counts as 1.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    one, other = area(a)[:, None], area(b)[None, :]
    whole = one + other - shared if mode == "union" else np.minimum(one, other)
    return np.asarray(shared / np.maximum(whole, 1e-9))


def keep_best(boxes: np.ndarray, scores: np.ndarray, limit: float, mode: Overlap = "union") -> np.ndarray:
    """The indices of the boxes to keep, best score first: greedy non-maximum suppression.

    A box is dropped where it shares more than `limit` with a better one that was kept. Equal
    scores keep their order.
    """
    order = np.argsort(-scores, kind="stable")
    clash = overlap(boxes[order], boxes[order], mode) > limit
    alive = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~clash[i, i + 1 :]
    return order[alive]
