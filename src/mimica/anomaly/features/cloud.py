"""A scan as a cloud of groups, and back: farthest points, their neighbours, and a sparse map from groups to patches.

n points, M centres, S side in pixels, G cells to a side, N = G² patches. Everything is exact; nothing is sampled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BUCKET = 256
"""Points to a bucket, about."""


def farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """Indices [M] of farthest points of [n, 3], the first of them point 0; ties go to the lower index.

    The points lie in buckets with a box around each; a new centre touches only buckets that it can come nearer to
    than what they have, so that most steps look at a few hundred points instead of all.
    """
    count = min(count, len(points))
    exact = points.astype(np.float64)
    order, sizes = _buckets(points)
    many = len(sizes)
    # Every bucket has its points in their own order, padded with what is never chosen.
    slots = np.full((many, sizes.max()), -1)
    slots[np.arange(sizes.max()) < sizes[:, None]] = order
    there = slots >= 0
    held = exact[np.maximum(slots, 0)].transpose(2, 0, 1).copy()
    away = np.where(there, np.inf, -1.0)
    low, high = np.where(there, held, np.inf).min(2), np.where(there, held, -np.inf).max(2)
    tops, firsts = np.full(many, np.inf), np.zeros(many, np.int64)
    chosen = np.zeros(count, np.int64)
    for number in range(1, count + 1):
        centre = exact[chosen[number - 1]][:, None]
        gap = np.minimum(np.maximum(low, centre), high) - centre
        touched = np.flatnonzero(np.einsum("kb,kb->b", gap, gap) < tops)
        new = np.minimum(away[touched], _squared(held[:, touched], centre[..., None]))
        away[touched] = new
        firsts[touched] = first = new.argmax(1)
        tops[touched] = new[np.arange(len(touched)), first]
        if number < count:
            best = np.flatnonzero(tops == tops[tops.argmax()])
            chosen[number] = slots[best, firsts[best]].min()
    return chosen


def _squared(line: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Squared distances of points [3, b, p], which are written over."""
    line -= centre
    line *= line
    return np.asarray(line[0] + line[1] + line[2])


def _buckets(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points in halves of halves along the longer side: their order [n], ascending in each bucket, and the sizes."""
    groups = [np.arange(len(points))]
    while len(groups[0]) > BUCKET:
        halved = []
        for group in groups:
            own = points[group]
            along = own[:, np.argmax(own.max(0) - own.min(0))]
            half = np.argpartition(along, (len(group) - 1) // 2)
            middle = (len(group) + 1) // 2
            halved += [group[half[:middle]], group[half[middle:]]]
        groups = halved
    groups = [np.sort(group) for group in groups]
    groups = [group for group in groups if len(group)]
    return np.concatenate(groups), np.array([len(group) for group in groups])


def neighbours(points: np.ndarray, centres: np.ndarray, count: int) -> np.ndarray:
    """Indices [M, count] of the points [n, 3] nearest to each centre; the last of them again where there are fewer."""
    from scipy.spatial import cKDTree

    _, found = cKDTree(points).query(centres, k=min(count, len(points)))
    found = np.asarray(found).reshape(len(centres), -1)
    return np.pad(found, ((0, 0), (0, count - found.shape[1])), mode="edge")


def to_patches(points: np.ndarray, where: np.ndarray, centres: np.ndarray, side: int, cells: int) -> Any:
    """The sparse map P [N, M] with patch features = P @ centre features, exactly as if every step were taken.

    The steps: each point [n, 3] at the flat pixel `where` [n] takes the mean of its three nearest centres by inverse
    squared distance; pixels without a point have zeros; a 3 x 3 mean without padding; a mean over the cells.
    """
    from scipy.sparse import csr_array

    weights, nearest = interpolation(points, centres)
    rows = np.repeat(np.arange(len(points)), nearest.shape[1])
    spread = csr_array((weights.ravel(), (rows, nearest.ravel())), shape=(len(points), len(centres)))
    return pooling(side, cells)[:, where] @ spread


def interpolation(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [n, 3] that sum to 1 and the three centres [n, 3] that they are of: 1 / (d² + 1e-8), as in PointNet++."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(centres).query(points, k=min(3, len(centres)))
    distance, nearest = (np.asarray(a).reshape(len(points), -1) for a in (distance, nearest))
    weights = 1 / (distance**2 + 1e-8)
    return weights / weights.sum(1, keepdims=True), nearest


def pooling(side: int, cells: int) -> Any:
    """Sparse [N, S²]: a 3 x 3 mean without padding, and then the mean over cells as adaptive pooling lays them."""
    from scipy.sparse import csc_array, csr_array, kron

    inner = side - 2
    along = np.zeros((cells, side))
    for cell in range(cells):
        first, last = cell * inner // cells, -(-(cell + 1) * inner // cells)
        for place in range(first, last):
            along[cell, place : place + 3] += 1 / (3 * (last - first))
    one = csr_array(along)
    return csc_array(kron(one, one))
