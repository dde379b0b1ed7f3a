"""Shape written down by hand: normals, roughness and curvature on the organised grid, no weights.

S side in pixels, P points to a side after every second pixel is left out, N patches. Lengths are in units of the
neighbourhood they are measured in, so that nothing depends on metres or millimetres.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mimica.anomaly.features.maker import Modality, points_of
from mimica.anomaly.grid import finite, stretch_points, to_cells
from mimica.anomaly.samples import Sample

WINDOWS = (5, 9, 17)
"""Sides in points of the neighbourhoods that planes are laid through; a point is two pixels."""

WEIGHTS = (0.5, 2.0, 6.0, 6.0, 8.0, 3.0, 3.0)
"""Of the normal, its spread, roughness, the offset's mean, deviation and extremes: what makes each vary about as much
over a part. Fixed, so that a bank of one shot does not weigh them by chance."""


class Normals:
    """Normals, roughness, and how far a place stands out of its surroundings, at three scales; C = 3·9 = 27."""

    modality: Modality = "xyz"

    def __init__(self, *, side: int = 224, cells: int = 28) -> None:
        self.side, self.cells = side, cells

    @property
    def facts(self) -> dict[str, Any]:
        """What the features depend on."""
        return {"name": "normals", "side": self.side, "cells": self.cells, "version": 1}

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, 27]; zeros where nothing was measured."""
        points = thinned(stretch_points(points_of(sample), self.side), self.cells)
        found = np.concatenate([self._at(points, window) for window in WINDOWS], 1)
        return finite(found, "normals", sample.name)

    def _at(self, points: np.ndarray, window: int) -> np.ndarray:
        """At one scale [N, 9]: the mean normal, its spread, roughness, and the offset's mean, spread and extremes."""
        plane = planes(points, window)
        there = plane.there[..., None]
        many = np.maximum(to_cells(there.astype(float), self.cells), 1e-9)

        def mean(image: np.ndarray) -> np.ndarray:
            return np.asarray(to_cells(np.where(there, image, 0.0), self.cells) / many)

        normal, offset = mean(plane.normals), mean(plane.offsets[..., None])
        spread = np.sqrt(np.maximum(1 - (normal**2).sum(1, keepdims=True), 0)) * (many > 1e-9 * 2)
        about = np.sqrt(np.maximum(mean(plane.offsets[..., None] ** 2) - offset**2, 0))
        blocks = np.where(there[..., 0], plane.offsets, 0.0)
        size = blocks.shape[0] // self.cells
        blocks = blocks.reshape(self.cells, size, self.cells, size)
        low, high = (edge.reshape(-1, 1) for edge in (blocks.min((1, 3)), blocks.max((1, 3))))
        found = [normal, spread, mean(plane.rough[..., None]), offset, about, low, high]
        return np.concatenate([part * weight for part, weight in zip(found, WEIGHTS, strict=True)], 1)


class Planes:
    """The plane through the neighbourhood of every point: `normals` [P, P, 3] towards the sensor, `offsets` [P, P].

    An offset is how far the point lies before the plane, and `rough` the least deviation, both in widths of the
    neighbourhood; `there` is where a point was measured and has enough neighbours.
    """

    def __init__(self, normals: np.ndarray, offsets: np.ndarray, rough: np.ndarray, there: np.ndarray) -> None:
        self.normals, self.offsets, self.rough, self.there = normals, offsets, rough, there


def thinned(points: np.ndarray, cells: int) -> np.ndarray:
    """Every second point [P, P, 3], where the cells allow it."""
    return points[::2, ::2] if points.shape[0] // cells % 2 == 0 else points


def planes(points: np.ndarray, window: int) -> Planes:
    """The least-squares plane through the measured points of every `window` x `window` neighbourhood."""
    from scipy.ndimage import uniform_filter

    seen = np.isfinite(points).all(-1)
    middle = points[seen].mean(0, dtype=np.float64) if seen.any() else np.zeros(3)
    centred = np.where(seen[..., None], points.astype(np.float64) - middle, 0.0)
    x, y, z = np.moveaxis(centred, -1, 0)
    moments = np.stack([seen.astype(float), x, y, z, x * x, x * y, x * z, y * y, y * z, z * z], -1)
    sums = uniform_filter(moments, (window, window, 0), mode="constant")
    count = sums[..., :1]
    there = seen & (count[..., 0] * window**2 > 3.5)
    means = sums[..., 1:] / np.maximum(count, 1e-12)
    mean, second = means[..., :3], means[..., 3:]
    pairs = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
    spread = second[..., pairs] - mean[..., :, None] * mean[..., None, :]
    values, normals = eigen(spread)
    normals = normals * np.where((normals * np.nan_to_num(points)).sum(-1, keepdims=True) > 0, -1.0, 1.0)
    width = np.sqrt(np.maximum(values[..., 1] + values[..., 2], 1e-12))
    offsets = ((centred - mean) * normals).sum(-1) / width
    return Planes(normals, offsets, np.sqrt(np.maximum(values[..., 0], 0)) / width, there)


def eigen(spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues [..., 3] ascending of symmetric 3 x 3 matrices, and the unit eigenvector [..., 3] of the least.

    In closed form (Smith 1961, doi 10.1145/355578.366316), ten times as fast as one decomposition after another. Where
    no direction is the least, as of a single point, the vector is (0, 0, 1).
    """
    third = np.trace(spread, axis1=-2, axis2=-1) / 3
    away = spread - third[..., None, None] * np.eye(3)
    size = np.sqrt((away**2).sum((-2, -1)) / 6)
    safe = np.maximum(size, 1e-300)
    angle = np.arccos(np.clip(_determinant(away / safe[..., None, None]) / 2, -1, 1)) / 3
    high, low = (third + 2 * size * np.cos(angle + turn) for turn in (0.0, 2 * np.pi / 3))
    values = np.stack([low, 3 * third - high - low, high], -1)
    rows = spread - low[..., None, None] * np.eye(3)
    crosses = np.stack([np.cross(rows[..., i, :], rows[..., j, :]) for i, j in ((0, 1), (0, 2), (1, 2))], -2)
    lengths = np.sqrt((crosses**2).sum(-1))
    best = lengths.argmax(-1)[..., None]
    length = np.take_along_axis(lengths, best, -1)
    vector = np.take_along_axis(crosses, best[..., None], -2)[..., 0, :]
    sure = length > 1e-12 * np.maximum(size[..., None] ** 2, 1e-300)
    return values, np.where(sure, vector / np.where(sure, length, 1), (0.0, 0.0, 1.0))


def _determinant(m: np.ndarray) -> np.ndarray:
    return np.asarray((m[..., 0, :] * np.cross(m[..., 1, :], m[..., 2, :])).sum(-1))
