"""Colour and texture written down by hand: no weights, any picture.

S side in pixels, N patches, G cells to a side. Colours are CIE L*a*b* divided by 100, so that a step of 0.01 to 0.02
is what an eye just sees and every channel is of the same size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mimica.anomaly.features.maker import Modality, colour_of
from mimica.anomaly.grid import finite, stretch_colour, to_cells
from mimica.anomaly.samples import Sample

BINS = 8
"""Directions of a gradient, over half a turn."""
AROUND = (3, 7)
"""Sides in cells of the surroundings that a cell's colour is compared with."""
EDGES = 3.0
"""What gradients are multiplied by, so that a texture counts beside a colour."""
FINE, COARSE = 1.0, 2.5
"""Deviations in pixels of the Gaussians before gradients."""


class Colour:
    """Colour, its contrast with the surroundings, and gradients at two scales; C = 3·4 + 3·2 + 2·(8 + 3) = 40."""

    modality: Modality = "rgb"

    def __init__(self, *, side: int = 224, cells: int = 28) -> None:
        self.side, self.cells = side, cells

    @property
    def facts(self) -> dict[str, Any]:
        """What the features depend on."""
        return {"name": "colour", "side": self.side, "cells": self.cells, "version": 1}

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, 40]."""
        lab = to_lab(stretch_colour(colour_of(sample), self.side))
        edges = [*self._gradients(lab[..., 0], FINE), *self._gradients(lab[..., 0], COARSE)]
        parts = [*self._colours(lab), *(EDGES * part for part in edges)]
        return finite(np.concatenate(parts, 1), "colour", sample.name)

    def _colours(self, lab: np.ndarray) -> list[np.ndarray]:
        from scipy.ndimage import uniform_filter

        mean = to_cells(lab, self.cells)
        grid = mean.reshape(self.cells, self.cells, 3)
        contrasts = [(grid - uniform_filter(grid, (size, size, 0), mode="nearest")).reshape(-1, 3) for size in AROUND]
        off = lab - np.kron(grid, np.ones((self.side // self.cells,) * 2 + (1,)))
        spread = np.sqrt(to_cells(off**2, self.cells))
        size = self.side // self.cells
        blocks = lab.reshape(self.cells, size, self.cells, size, 3)
        # The mean hides a speck of a few pixels; the extremes after a little smoothing do not.
        extremes = [edge.reshape(-1, 3) - mean for edge in (blocks.min((1, 3)), blocks.max((1, 3)))]
        return [mean, spread, *extremes, *contrasts]

    def _gradients(self, light: np.ndarray, sigma: float) -> list[np.ndarray]:
        """Strength by direction, and the eigenvalues of the structure tensor, which do not turn with the part."""
        from scipy.ndimage import gaussian_filter

        smooth = gaussian_filter(light, sigma, mode="nearest")
        down, right = (part * sigma for part in np.gradient(smooth))
        strength = np.hypot(down, right)
        turn = (np.arctan2(down, right) % np.pi) / np.pi * BINS
        low = np.floor(turn).astype(int) % BINS
        share = turn - np.floor(turn)
        bins = np.arange(BINS)
        votes = (low[..., None] == bins) * (1 - share[..., None]) + ((low + 1) % BINS)[..., None].__eq__(bins) * share[
            ..., None
        ]
        hog = to_cells(votes * strength[..., None], self.cells)
        tensor = to_cells(np.stack([down * down, down * right, right * right], -1), self.cells)
        a, b, c = tensor.T
        root = np.sqrt(((a - c) / 2) ** 2 + b**2)
        strong, weak = ((a + c) / 2 + root, np.maximum((a + c) / 2 - root, 0))
        return [hog, np.stack([np.sqrt(strong), np.sqrt(weak), to_cells(strength, self.cells)], 1)]


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* over 100, of sRGB 0 to 1 under D65 [..., 3] (IEC 61966-2-1, CIE 15)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    ratio = linear @ (to_xyz / to_xyz.sum(1, keepdims=True)).T
    bent = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], -1)
