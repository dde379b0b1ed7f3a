"""Fast point feature histograms (Rusu et al. 2009, doi 10.1109/ROBOT.2009.5152473) on the organised grid, no weights.

P points to a side, N patches. Neighbours are those of the grid, not of space: what BTF (arXiv 2203.05550) searches a
tree for lies in the picture already.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mimica.anomaly.features.maker import Modality, points_of
from mimica.anomaly.features.normals import planes, thinned
from mimica.anomaly.grid import finite, stretch_points, to_cells
from mimica.anomaly.samples import Sample

BINS = 11
"""Bins of each of the three angles."""
NORMALS_OVER = 5
"""Side in points of the neighbourhood that a normal is of."""
STEPS = (1, 3)
"""Neighbours are this many points away, and twice as many: two scales."""


class Fpfh:
    """Histograms of the angles between neighbouring normals, at two scales; C = 2 · 33 = 66."""

    modality: Modality = "xyz"

    def __init__(self, *, side: int = 224, cells: int = 28) -> None:
        self.side, self.cells = side, cells

    @property
    def facts(self) -> dict[str, Any]:
        """What the features depend on."""
        return {"name": "fpfh", "side": self.side, "cells": self.cells, "version": 1}

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, 66]; each scale's three histograms sum to 1 each; zeros where nothing was measured."""
        points = thinned(stretch_points(points_of(sample), self.side), self.cells)
        plane = planes(points, NORMALS_OVER)
        found = []
        for step in STEPS:
            histograms = fpfh(points.astype(np.float64), plane.normals, plane.there, step)
            many = to_cells(plane.there.astype(float), self.cells)[:, None]
            mean = to_cells(np.where(plane.there[..., None], histograms, 0), self.cells)
            found.append(np.divide(mean, many, out=np.zeros_like(mean), where=many > 0))
        return finite(np.concatenate(found, 1), "fpfh", sample.name)


def fpfh(points: np.ndarray, normals: np.ndarray, there: np.ndarray, step: int) -> np.ndarray:
    """Histograms [P, P, 33] of points and unit normals [P, P, 3]; only where `there` [P, P] is a point.

    A point's own histogram (SPFH), and half of it the mean of its neighbours' by inverse distance, as FPFH has it;
    each angle's 11 bins sum to 1, or to 0 without a neighbour.
    """
    offsets = [(i * step, j * step) for i in range(-2, 3) for j in range(-2, 3) if (i, j) != (0, 0)]
    own = np.zeros((*there.shape, 3, BINS))
    for offset in offsets:
        far, far_normals, both = (_moved(a, offset) for a in (points, normals, there))
        both = both & there
        for number, value in enumerate(angles(points, normals, far, far_normals)):
            bins = np.clip((value * BINS).astype(int), 0, BINS - 1)
            rows, columns = np.nonzero(both)
            own[rows, columns, number, bins[rows, columns]] += 1
    own /= np.maximum(own.sum(-1, keepdims=True), 1)
    around, total = np.zeros_like(own), np.zeros(there.shape)
    for offset in offsets:
        far, histogram, both = (_moved(a, offset) for a in (points, own, there))
        with np.errstate(invalid="ignore"):
            distance = np.sqrt(((far - points) ** 2).sum(-1))
        weight = np.where(both & there & (distance > 0), 1 / np.maximum(np.nan_to_num(distance), 1e-12), 0.0)
        around += weight[..., None, None] * histogram
        total += weight
    mean = around / np.maximum(total, 1e-12)[..., None, None]
    mixed = own + mean
    return np.asarray((mixed / np.maximum(mixed.sum(-1, keepdims=True), 1e-12)).reshape(*there.shape, 3 * BINS))


def angles(
    points: np.ndarray, normals: np.ndarray, far: np.ndarray, far_normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three angles of Darboux's frame between pairs of points, each 0 to 1; of any leading shape.

    The frame stands on the point whose normal makes the smaller angle with the line between them.
    """
    with np.errstate(invalid="ignore"):
        line = np.nan_to_num(far - points)
        line = line / np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-12)
    one, other = (normals * line).sum(-1), (far_normals * line).sum(-1)
    turned = np.abs(one) < np.abs(other)
    u = np.where(turned[..., None], far_normals, normals)
    n = np.where(turned[..., None], normals, far_normals)
    phi = np.where(turned, -other, one)
    v = np.cross(np.where(turned[..., None], -line, line), u)
    v = v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)
    w = np.cross(u, v)
    alpha = (v * n).sum(-1)
    theta = np.arctan2((w * n).sum(-1), (u * n).sum(-1))
    return (alpha + 1) / 2, (phi + 1) / 2, theta / (2 * np.pi) + 0.5


def _moved(image: np.ndarray, offset: tuple[int, int]) -> np.ndarray:
    """What lies at an offset from every point; zeros (nothing there) beyond the border."""
    down, right = offset
    out = np.zeros_like(image)
    height, width = image.shape[:2]
    rows = slice(max(0, -down), min(height, height - down))
    columns = slice(max(0, -right), min(width, width - right))
    out[rows, columns] = image[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    return out
