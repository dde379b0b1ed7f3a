"""The surfaces of the drawn parts, each a number 0 to 1 a place: where between its two colours the part is there.

x, y [G, G] in millimetres on the part; everything else that a texture has is drawn anew for each part.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Texture = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def clouds(shape: tuple[int, ...], random: np.random.Generator, pixels: float) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1 whose lumps are about so many pixels wide."""
    from scipy import ndimage

    side = max(1.0, pixels / 3)
    small = [max(4, int(np.ceil(n / side)) + 4) for n in shape]
    rough = ndimage.gaussian_filter(random.standard_normal(small).astype(np.float32), max(0.8, pixels / side / 3))
    if side > 1:
        rough = ndimage.zoom(rough, side * 1.02, order=1)
    smooth = rough[tuple(slice(0, n) for n in shape)]
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-9), np.float32)


def _pitch(x: np.ndarray) -> float:
    """How many pixels a millimetre has."""
    return len(x) / float(np.ptp(x[0]) + np.ptp(x[:, 0]) + 1e-9)


def _speckled(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    seeds = clouds(x.shape, random, 2.2 * _pitch(x)) > 1.6
    return np.asarray(np.clip(0.35 + 0.12 * clouds(x.shape, random, 14 * _pitch(x)) + 0.5 * seeds, 0, 1))


def _banded(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    bands = np.sin(2 * np.pi * np.hypot(x, y) / 3.2 + random.uniform(0, 6))
    return np.asarray(np.clip(0.5 + 0.22 * bands + 0.08 * clouds(x.shape, random, 5 * _pitch(x)), 0, 1))


def _wood(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    bent = y + 2.0 * clouds(x.shape, random, 26 * _pitch(x)) + 0.02 * x * random.uniform(-1, 1)
    grain = np.sin(2 * np.pi * bent / random.uniform(4.5, 6.0) + random.uniform(0, 6))
    return np.asarray(np.clip(0.5 + 0.28 * grain + 0.1 * clouds(x.shape, random, 2 * _pitch(x)), 0, 1))


def _plain(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.asarray(np.clip(0.5 + 0.12 * clouds(x.shape, random, 20 * _pitch(x)), 0, 1))


def _marbled(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    veins = np.abs(clouds(x.shape, random, 9 * _pitch(x)) + 0.3 * clouds(x.shape, random, 4 * _pitch(x)))
    return np.asarray(np.clip(0.15 + 0.6 * veins, 0, 1))


def _brushed(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    from scipy import ndimage

    lines = ndimage.gaussian_filter1d(random.standard_normal(512), 1.2)
    place = (y / 80 + 0.5 + 0.002 * clouds(x.shape, random, 30 * _pitch(x))) * 511
    return np.asarray(np.clip(0.5 + 0.4 * np.interp(place, np.arange(512), lines), 0, 1))


def _woven(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    u, v = (x + y) / 5.5 + random.uniform(), (x - y) / 5.5 + random.uniform()
    over = np.sin(np.pi * u) * np.sin(np.pi * v)
    return np.asarray(np.clip(0.55 + 0.4 * over + 0.06 * clouds(x.shape, random, 3 * _pitch(x)), 0, 1))


def _granular(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    fine, coarse = clouds(x.shape, random, 1.4 * _pitch(x)), clouds(x.shape, random, 3.5 * _pitch(x))
    return np.asarray(np.clip(0.5 + 0.16 * fine + 0.1 * coarse, 0, 1))


def _mosaic(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Cells around points, each of its own tone, with joints between them."""
    from scipy.spatial import cKDTree

    points = random.uniform(-60, 60, (320, 2))
    tones = random.uniform(0.25, 0.95, 320)
    far, nearest = cKDTree(points).query(np.stack([x, y], -1), k=2)
    return np.asarray(np.where(far[..., 1] - far[..., 0] < 0.7, 0.05, tones[nearest[..., 0]]))


TEXTURES: dict[str, Texture] = {
    "speckled": _speckled, "banded": _banded, "wood": _wood, "plain": _plain, "marbled": _marbled,
    "brushed": _brushed, "woven": _woven, "granular": _granular, "mosaic": _mosaic,
}  # fmt: skip
