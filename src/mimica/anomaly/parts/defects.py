"""A part on its tray, seen straight from above, and what can be wrong with it.

Maps [G, G] over the tray, `pitch` millimetres a cell; heights in millimetres above the tray, colours 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mimica.anomaly.parts.settings import BEND, BITE, CRUMB, CRUMB_CHANGE, DEPTH, FIELD, STAIN, STAIN_CHANGE, Category
from mimica.anomaly.parts.textures import clouds


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """A part, its tray, and where what is wrong with it lies.

    `height` [G, G] is what depth measures and `shaded` [G, G] what light falls on, which is another only where a
    defect shall have no look; `colour` [G, G, 3]; `part` and `mark` bool [G, G]. `x` and `y` are
    places on the tray [G, G].
    """

    category: Category
    x: np.ndarray
    y: np.ndarray
    height: np.ndarray
    shaded: np.ndarray
    colour: np.ndarray
    part: np.ndarray
    mark: np.ndarray

    @property
    def pitch(self) -> float:
        """Millimetres from one cell to the next."""
        return float(self.x[0, 1] - self.x[0, 0])

    def lumpy(self, at: tuple[float, float], radius: float, random: np.random.Generator) -> np.ndarray:
        """How far each place is from a place, in radii of a blot whose edge is not quite round."""
        wobble = np.clip(1 + 0.14 * clouds(self.x.shape, random, radius / self.pitch), 0.6, 1.4)
        return np.asarray(np.hypot(self.x - at[0], self.y - at[1]) / (radius * wobble))


def _place(solid: Solid, where: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    cells = np.flatnonzero(where) if where.any() else np.flatnonzero(solid.part)
    cell = int(cells[random.integers(len(cells))])
    return float(solid.x.flat[cell]), float(solid.y.flat[cell])


def _depth_inside(solid: Solid) -> np.ndarray:
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(solid.part)) * solid.pitch


def _spot(solid: Solid, radius: float, random: np.random.Generator) -> tuple[float, float]:
    """Somewhere on the part that is well inside of it and not steep."""
    from scipy import ndimage

    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(solid.shaded, 1.5 / solid.pitch), solid.pitch))
    inside = _depth_inside(solid)
    for share in (0.7, 0.5, 0.3):
        where = (inside > share * radius) & (slope < 1.2)
        if where.sum() * solid.pitch**2 > 100:
            return _place(solid, where, random)
    return _place(solid, inside > 0.8 * inside.max(), random)


def _other(colour: np.ndarray, axis: np.ndarray, far: float, random: np.random.Generator) -> np.ndarray:
    """The way to a colour so far from this one that no mixture along the axis has."""
    axis = axis / (np.linalg.norm(axis) + 1e-9)
    way = np.zeros(3)
    for _ in range(20):
        way = random.standard_normal(3)
        way -= (way @ axis) * axis
        way *= far / np.linalg.norm(way)
        if ((colour + way > 0.04) & (colour + way < 0.96)).all():
            break
    return np.asarray(way)


def _stained(solid: Solid, at: tuple[float, float], radius: float, random: np.random.Generator) -> Solid:
    far = solid.lumpy(at, radius, random)
    cover = np.clip((1.0 - far) * radius / 1.2 + 0.5, 0, 1)
    low, high = (np.array(colour) for colour in solid.category.colours)
    middle = solid.colour[(far < 0.5) & solid.part].mean(0) if ((far < 0.5) & solid.part).any() else (low + high) / 2
    way = _other(middle, high - low, random.uniform(*STAIN_CHANGE), random)
    cover = cover * solid.part
    colour = np.clip(solid.colour + cover[..., None] * way, 0, 1).astype(np.float32)
    return replace(solid, colour=colour, mark=solid.mark | (cover > 0.5))


def _bent(
    solid: Solid, at: tuple[float, float], radius: float, random: np.random.Generator, *, seen: bool
) -> Solid:  # fmt: skip
    bump = np.clip(1 - solid.lumpy(at, radius, random) ** 2, 0, 1) ** 1.5 * solid.part
    change = bump * random.uniform(*DEPTH) * random.choice([-1, 1])
    height = np.maximum(solid.height + change, 0).astype(np.float32)
    mark = solid.mark | (np.abs(change) > 0.6)
    return replace(solid, height=height, shaded=height if seen else solid.shaded, mark=mark)


def _colour(solid: Solid, random: np.random.Generator) -> Solid:
    radius = random.uniform(*STAIN)
    return _stained(solid, _spot(solid, radius, random), radius, random)


def _shape(solid: Solid, random: np.random.Generator) -> Solid:
    radius = random.uniform(*BEND)
    return _bent(solid, _spot(solid, radius, random), radius, random, seen=False)


def _both(solid: Solid, random: np.random.Generator) -> Solid:
    radius = random.uniform(*BEND)
    at = _spot(solid, radius, random)
    bent = _bent(solid, at, radius, random, seen=True)
    return _stained(bent, at, min(radius, random.uniform(*STAIN)), random)


def _missing(solid: Solid, random: np.random.Generator) -> Solid:
    """A bite out of the rim, down to the tray."""
    radius = random.uniform(*BITE)
    inside = _depth_inside(solid)
    at = _place(solid, (inside > 0) & (inside < 2 * solid.pitch), random)
    gone = (solid.lumpy(at, radius, random) < 1) & solid.part
    height = np.where(gone, 0, solid.height).astype(np.float32)
    colour = np.where(gone[..., None], solid.colour[~solid.part].mean(0), solid.colour).astype(np.float32)
    return replace(
        solid, height=height, shaded=height, colour=colour, part=solid.part & ~gone, mark=solid.mark | gone
    )  # fmt: skip


def _contamination(solid: Solid, random: np.random.Generator) -> Solid:
    """A crumb on the tray, near the part and not on it."""
    from scipy import ndimage

    radius = random.uniform(*CRUMB)
    away = np.asarray(ndimage.distance_transform_edt(~solid.part)) * solid.pitch
    half = FIELD / 2 - radius - 5
    shown = (np.abs(solid.x) < half) & (np.abs(solid.y) < half - FIELD / 2 * (1 - solid.category.aspect))
    free = shown & (away > 1.3 * radius + 1.5)
    near = free & (away < 1.3 * radius + 10)
    at = _place(solid, near if near.any() else free if free.any() else ~solid.part, random)
    far = solid.lumpy(at, radius, random)
    crumb = (far < 1) & ~solid.part
    rise = random.uniform(*DEPTH) * np.sqrt(np.clip(1 - far**2, 0, 1)) * (1 + 0.1 * clouds(far.shape, random, 4))
    tray = solid.colour[~solid.part].mean(0)
    own = np.clip(tray + _other(tray, np.zeros(3), random.uniform(*CRUMB_CHANGE), random), 0, 1)
    height = np.where(crumb, np.maximum(solid.height, rise), solid.height).astype(np.float32)
    tone = own * (1 + 0.05 * clouds(far.shape, random, 5))[..., None]
    colour = np.where(crumb[..., None], np.clip(tone, 0, 1), solid.colour).astype(np.float32)
    return replace(solid, height=height, shaded=height, colour=colour, mark=solid.mark | crumb)


FAULTS: dict[str, Callable[[Solid, np.random.Generator], Solid]] = {
    "colour": _colour, "shape": _shape, "both": _both, "missing": _missing, "contamination": _contamination,
}  # fmt: skip
"""What each defect makes of a good part."""
