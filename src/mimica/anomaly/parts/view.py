"""How a part on its tray is seen: by a pinhole camera under light, and by a depth sensor with noise and holes.

H, W pixels; the sensor's frame has x to the right, y down and z ahead; lengths in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.anomaly.parts.defects import Solid
from mimica.anomaly.parts.textures import clouds

_STEP = 2.5
"""How far down a ray goes before it looks whether it is below the surface: less than anything drawn is high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera, `distance` above the middle of a tray that leans by `tilt` towards `lean` (radians)."""

    width: int
    height: int
    focal: float
    distance: float
    tilt: float
    lean: float

    def axes(self) -> np.ndarray:
        """The tray's own axes x and y and its normal, towards the camera, as rows in the sensor's frame [3, 3]."""
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        normal = np.array([s * np.cos(self.lean), s * np.sin(self.lean), -c])
        first = np.array([1.0, 0, 0]) - normal[0] * normal
        first /= np.linalg.norm(first)
        return np.stack([first, np.cross(first, normal), normal])

    def rays(self, middle: tuple[float, float]) -> np.ndarray:
        """Through the middle of each pixel, z of one [H, W, 3]."""
        u, v = np.meshgrid(np.arange(self.width), np.arange(self.height))
        ones = np.ones(u.shape)
        return np.stack([(u - middle[0]) / self.focal, (v - middle[1]) / self.focal, ones], -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What each pixel sees: z [H, W], and which place on the map of the tray, in cells [2, H, W] (row, column)."""

    z: np.ndarray
    cells: np.ndarray


def seen(solid: Solid, height: np.ndarray, camera: Camera, middle: tuple[float, float]) -> Seen:
    """Where each ray meets the surface first: down in steps, then halved."""
    rays, axes = camera.rays(middle), camera.axes()
    centre = np.array([0, 0, camera.distance])
    slope = rays @ axes[2]
    # A ray at level h above the tray is at z = along (h + base), and moves over the tray in a straight line.
    along, base = 1 / slope, float(centre @ axes[2])
    moves = np.stack([(rays @ axes[i]) / solid.pitch for i in (1, 0)])
    start = np.array([centre @ axes[1] + solid.y[0, 0], centre @ axes[0] + solid.x[0, 0]])[:, None, None] / solid.pitch

    def over(level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = along * (level + base)
        return z, z * moves - start

    above = np.full(slope.shape, float(height.max()) + 1.0)
    below = np.zeros(slope.shape)
    found = np.zeros(slope.shape, bool)
    for level in np.arange(float(height.max()) + 1.0, 0, -_STEP):
        under = ~found & (_at(height, over(np.full(slope.shape, level))[1]) >= level)
        below[under] = level
        found |= under
        above[~found] = level
    for _ in range(6):
        between = (above + below) / 2
        inside = _at(height, over(between)[1]) >= between
        below, above = np.where(inside, between, below), np.where(inside, above, between)
    z, cells = over(below)
    return Seen(z=z, cells=cells)


def _at(map_: np.ndarray, cells: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return np.asarray(ndimage.map_coordinates(map_, cells, order=1, mode="nearest"))


def sampled(maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """A map of the tray [G, G] or [G, G, C] as the pixels see it."""
    if maps.ndim == 2:
        return _at(maps, cells)
    return np.stack([_at(maps[..., c], cells) for c in range(maps.shape[2])], -1)


def normals(height: np.ndarray, pitch: float) -> np.ndarray:
    """The directions of a surface [G, G, 3], of length 1, up along the third axis."""
    down, right = np.gradient(height, pitch)
    way = np.stack([-right, -down, np.ones_like(height)], -1)
    return np.asarray(way / np.linalg.norm(way, axis=-1, keepdims=True))


def lit(solid: Solid, towards: np.ndarray, ambient: float) -> np.ndarray:
    """The colours of part and tray under a light in the direction `towards` [3], with the shadow that falls."""
    from scipy import ndimage

    surface = solid.shaded
    facing = np.clip(normals(ndimage.gaussian_filter(surface, 0.6), solid.pitch) @ towards, 0, 1)
    flat = np.hypot(towards[0], towards[1]) + 1e-9
    free = np.ones(surface.shape, np.float32)
    for far in np.linspace(0, surface.max(), 28)[1:]:
        rise = far * flat / max(towards[2], 0.2) / solid.pitch
        shift = np.round(rise * np.array([towards[1], towards[0]]) / flat).astype(int)
        free = np.minimum(free, np.roll(surface, -shift, (0, 1)) <= surface + far + 0.5)
    free = ndimage.gaussian_filter(free, 1.2 / solid.pitch)
    sunk = np.clip((ndimage.gaussian_filter(surface, 5 / solid.pitch) - surface) / 22, 0, 1)
    shade = ambient * (1 - 0.55 * sunk) + (1 - ambient) * facing * (0.25 + 0.75 * free) / max(towards[2], 0.4)
    return np.asarray(np.clip(solid.colour * shade[..., None], 0, 1), np.float32)


def hidden(z: np.ndarray, focal: float, baseline: float) -> np.ndarray:
    """Which pixels [H, W] a projector beside the sensor does not reach: what stands before them is in its way."""
    order = slice(None) if baseline > 0 else slice(None, None, -1)
    place = (np.arange(z.shape[1]) + focal * baseline / z)[:, order] * (1 if baseline > 0 else -1)
    before = np.maximum.accumulate(place, 1)
    return np.asarray((place < before - 0.5)[:, order])


def measured(z: np.ndarray, noise: float, dropouts: float, random: np.random.Generator) -> np.ndarray:
    """Depth as a sensor gives it: neighbours err alike, and some spots have none (nan)."""
    from scipy import ndimage

    error = ndimage.gaussian_filter(random.standard_normal(z.shape), 0.6)
    spots = clouds(z.shape, random, 5)
    taken = spots > np.quantile(spots, 1 - dropouts)
    return np.where(taken, np.nan, z + noise * error / error.std())
