"""Altered copies of a good part: turned a little, lit a little otherwise, with the sensor's noise drawn anew.

H height and W width in pixels, N patches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.grid import nearest_pixels, to_cells
from mimica.anomaly.samples import Sample

MOST_TURN = 12.0
"""Degrees."""
LIGHT = 0.06
"""The most that brightness, and by a third of it each colour's, changes by."""
DEPTH_NOISE = 0.0001
"""Metres."""


def varied(sample: Sample, number: int, config: CifConfig) -> tuple[Sample, np.ndarray]:
    """The altered copy of that number, and where it shows what was in the picture, bool [N].

    Turned about the optical axis, points turn as the picture does; the same number gives the same copy.
    """
    chance = np.random.default_rng([config.seed, number])
    angle = np.deg2rad(chance.uniform(0.3, 1.0) * MOST_TURN * (-1) ** number)
    source, inside = _turned(sample.size, angle)
    changes: dict[str, Any] = {}
    if sample.rgb is not None:
        gain = (1 + chance.uniform(-LIGHT, LIGHT)) * (1 + chance.uniform(-LIGHT, LIGHT, 3) / 3)
        noisy = sample.rgb[source] * gain + chance.normal(0, 1.0, sample.rgb.shape)
        changes["rgb"] = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    if sample.xyz is not None:
        points = sample.xyz[source].astype(np.float64)
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        points = points @ turn + chance.normal(0, DEPTH_NOISE, points.shape) * (0, 0, 1)
        changes["xyz"] = points.astype(np.float32)
    if sample.thing is not None:
        changes["thing"] = sample.thing[source] & inside
    within = to_cells(nearest_pixels(inside, config.side).astype(float), config.cells) > 0.99
    copy = replace(sample, name=f"{sample.name}, altered {number}", mask=None, **changes)
    return copy, within


def _turned(size: tuple[int, int], angle: float) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """For each pixel of a turned picture which comes there, one of the border's where none does; and where one does."""
    height, width = size
    down, right = np.mgrid[:height, :width].astype(np.float64)
    down, right = down - (height - 1) / 2, right - (width - 1) / 2
    row = np.round(np.cos(angle) * down - np.sin(angle) * right + (height - 1) / 2).astype(int)
    column = np.round(np.sin(angle) * down + np.cos(angle) * right + (width - 1) / 2).astype(int)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return (np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)), inside
