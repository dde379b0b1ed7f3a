"""From pixels to patches: every view is stretched to one size, and a square grid of cells lies over it.

S side of a stretched view in pixels, G cells to a side, N = G² patches row by row, C channels.
"""

from __future__ import annotations

import numpy as np

from mimica.errors import InputError


def stretch_colour(rgb: np.ndarray, side: int) -> np.ndarray:
    """Colour float32 [S, S, 3], 0 to 1, of a picture uint8 [H, W, 3]: bilinear, smoothed where it shrinks."""
    from PIL import Image

    if rgb.shape[:2] != (side, side):
        rgb = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BILINEAR))
    return rgb.astype(np.float32) / 255


def stretch_points(xyz: np.ndarray, side: int) -> np.ndarray:
    """Points float32 [S, S, 3] of [H, W, 3], each that of the nearest pixel: points between two would be made up."""
    return np.asarray(nearest_pixels(xyz, side), np.float32)


def nearest_pixels(image: np.ndarray, side: int) -> np.ndarray:
    """[S, S, ...] of [H, W, ...], each that of the nearest pixel."""
    rows, columns = (((np.arange(side) + 0.5) * size / side).astype(int) for size in image.shape[:2])
    return np.asarray(image[rows[:, None], columns])


def to_cells(image: np.ndarray, cells: int) -> np.ndarray:
    """The mean over each cell, [N, ...] of [S, S, ...]."""
    size = image.shape[0] // cells
    blocks = image.reshape(cells, size, cells, size, *image.shape[2:])
    return np.asarray(blocks.mean((1, 3)).reshape(cells * cells, *image.shape[2:]))


def enlarge(patches: np.ndarray, height: int, width: int, *, corners: bool = False) -> np.ndarray:
    """A map [height, width] of one number a patch [N], bilinear.

    `corners` puts the centres of the outermost patches on the outermost pixels, as the public code does; otherwise
    every patch lies where its pixels are.
    """
    cells = round(len(patches) ** 0.5)
    grid = np.asarray(patches, np.float64).reshape(cells, cells)
    rows, columns = (_weights(cells, size, corners) for size in (height, width))
    return np.asarray(rows @ grid @ columns.T)


def _weights(cells: int, size: int, corners: bool) -> np.ndarray:
    """How much of each cell is in each pixel, [size, cells]."""
    if corners:
        at = np.linspace(0, cells - 1, size)
    else:
        at = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    low = np.minimum(at.astype(int), max(cells - 2, 0))
    weights = np.zeros((size, cells))
    weights[np.arange(size), low] = 1 - (at - low)
    weights[np.arange(size), np.minimum(low + 1, cells - 1)] += at - low
    return weights


def finite(features: np.ndarray, what: str, name: str) -> np.ndarray:
    """Features as float32 [N, C], contiguous. Raises InputError where any is not a finite number."""
    features = np.ascontiguousarray(features, np.float32)
    if not np.isfinite(features).all():
        raise InputError(f"{name}: the features {what} are not finite numbers; its colour or depth is damaged")
    return features
