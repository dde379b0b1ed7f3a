"""Parts drawn by formula, as a colour camera and a depth sensor see them, with defects of which each is known.

They stand where no published data set is: to try a method, to test it, and to show what it can tell apart. They
are plainer than anything that comes off a line, and a figure measured on them says so much of real parts.
Every part is its own by category, split, defect, number and seed, whatever else is drawn.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mimica.anomaly.parts.defects import FAULTS, Solid
from mimica.anomaly.parts.settings import CATEGORIES, DEFECTS, FIELD, Category, Split
from mimica.anomaly.parts.shapes import OUTLINES, height_of
from mimica.anomaly.parts.textures import TEXTURES, clouds
from mimica.anomaly.parts.view import Camera, Seen, hidden, lit, measured, sampled, seen
from mimica.anomaly.samples import GOOD, Sample
from mimica.errors import unknown

_MARGIN = 1.16
"""How much more of the tray is drawn than is shown, so that no ray leaves it."""
_FINE = 1.15
"""Cells of the map for each pixel of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A part drawn and a camera put before it: what pictures of any light and any sensor are made from."""

    solid: Solid
    good: Solid
    camera: Camera
    middle: tuple[float, float]
    random: np.random.Generator
    view: Seen
    mask: np.ndarray


def part(
    category: str, *, number: int = 0, split: Split = "train", defect: str = GOOD, size: int = 224, seed: int = 0
) -> Sample:
    """One drawn part: `size` pixels along its longer side, colour and points in metres, points missing in places.

    `category` is one of `mimica.anomaly.parts.settings.CATEGORIES`, `defect` one of its DEFECTS or GOOD. The same
    arguments give the same part. Raises UsageError for a name that is not among them.
    """
    shot = taken(category, number=number, split=split, defect=defect, size=size, seed=seed)
    rgb, z = colours(shot), depth(shot)
    xyz = (shot.camera.rays(shot.middle) * z[..., None] / 1000).astype(np.float32)
    name = f"{category}/{split}/{defect}/{number:03d}"
    return Sample(name=name, rgb=rgb, xyz=xyz, defect=defect, mask=shot.mask)


def taken(
    category: str, *, number: int, split: Split, defect: str, size: int, seed: int, focal: float | None = None
) -> Taken:
    """The part and the camera before it; with `focal`, in widths of the picture, so near that it fills it as much."""
    if category not in CATEGORIES:
        raise unknown("category", category, CATEGORIES)
    if defect not in (GOOD, *DEFECTS):
        raise unknown("defect", defect, (GOOD, *DEFECTS))
    kind = CATEGORIES[category]
    words = [zlib.crc32(text.encode()) for text in (category, split, defect)]
    random = np.random.default_rng([seed, *words, number])
    good = _solid(kind, round(size * _FINE), random)
    solid = good if defect == GOOD else FAULTS[defect](good, random)
    camera, middle = _camera(kind, size, focal, random)
    view = seen(solid, solid.height, camera, middle)
    mask = np.zeros(view.z.shape, bool)
    if defect != GOOD:
        # Where a piece is gone, the mask is where it would be seen as well.
        whole = view if defect != "missing" else seen(solid, good.height, camera, middle)
        mark = solid.mark.astype(np.float32)
        mask = (sampled(mark, view.cells) > 0.5) | (sampled(mark, whole.cells) > 0.5)
    return Taken(solid=solid, good=good, camera=camera, middle=middle, random=random, view=view, mask=mask)


def colours(shot: Taken) -> np.ndarray:
    """The picture uint8 [H, W, 3] under the light that this part happens to have."""
    kind, random = shot.solid.category.seeing, shot.random
    azimuth, elevation = np.radians(random.uniform(*kind.azimuth)), np.radians(random.uniform(*kind.elevation))
    flat = np.cos(elevation)
    towards = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
    balance = random.uniform(*kind.gain) * (1 + random.uniform(-kind.cast, kind.cast, 3))
    return picture(shot, lit(shot.solid, towards, random.uniform(*kind.ambient)) * balance)


def picture(shot: Taken, colour: np.ndarray) -> np.ndarray:
    """Colours of the tray's map [G, G, 3] as the camera has them, with its noise: uint8 [H, W, 3]."""
    clean = sampled(colour, shot.view.cells)
    noisy = clean + 0.006 * shot.random.standard_normal(clean.shape)
    # As cameras do: the eye's curve, so that what is dark is not black.
    return np.asarray(np.clip(noisy, 0, 1) ** 0.85 * 255 + 0.5, np.uint8)


def depth(shot: Taken) -> np.ndarray:
    """Depth z in millimetres [H, W] as the sensor has it: noise, holes, what its projector does not reach (nan)."""
    kind, random = shot.solid.category.seeing, shot.random
    z = measured(shot.view.z, random.uniform(*kind.noise), random.uniform(*kind.dropouts), random)
    # The shadow of a projector depends on the triangle alone, so that a nearer sensor has it nearer too.
    near = shot.camera.distance / sum(kind.distance) * 2
    z[hidden(shot.view.z, shot.camera.focal, random.uniform(*kind.baseline) * near)] = np.nan
    if random.random() < kind.bare_corner:
        H, W = z.shape
        rows = slice(0, H // 7) if random.random() < 0.5 else slice(H - H // 7, H)
        columns = slice(0, W // 7) if random.random() < 0.5 else slice(W - W // 7, W)
        z[rows, columns] = np.nan
    return z


@lru_cache(maxsize=4)
def _grid(cells: int) -> tuple[np.ndarray, np.ndarray]:
    line = np.linspace(-FIELD * _MARGIN / 2, FIELD * _MARGIN / 2, cells)
    x, y = np.meshgrid(line, line)
    return x, y


def _solid(kind: Category, cells: int, random: np.random.Generator) -> Solid:
    """A good part on its tray."""
    x, y = _grid(round(cells * _MARGIN))
    seeing = kind.seeing
    turn, scale = np.radians(random.uniform(-kind.turn, kind.turn)), random.uniform(*seeing.scale)
    x0, y0 = random.uniform(-seeing.shift, seeing.shift, 2) * (1, kind.aspect)
    own_x = ((x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)) / scale
    own_y = (-(x - x0) * np.sin(turn) + (y - y0) * np.cos(turn)) / scale
    inside = OUTLINES[kind.outline](own_x, own_y, kind.radius)
    there = inside > 0
    tone = TEXTURES[kind.texture](own_x, own_y, random).astype(np.float32)
    uneven = kind.lumps * clouds(x.shape, random, 13 / (x[0, 1] - x[0, 0]))
    relief = kind.relief * (tone - 0.5) * np.clip(inside / 2, 0, 1) + uneven * np.clip(inside / 5, 0, 1)
    rise = height_of(inside, kind.profile, kind.rim, random.uniform(*kind.height))
    height = np.where(there, np.maximum(rise + relief, 0.2), 0).astype(np.float32)
    own = random.uniform(-kind.tint, kind.tint, 3)
    low, high = (np.array(colour) + own for colour in kind.colours)
    tray = np.array(kind.tray, np.float32) * (1 + 0.02 * clouds(x.shape, random, 3)[..., None])
    colour = np.where(there[..., None], low + tone[..., None] * (high - low), tray).astype(np.float32)
    return Solid(
        category=kind, x=x, y=y, height=height, shaded=height, colour=colour, part=there, mark=np.zeros(x.shape, bool)
    )


def _camera(
    kind: Category, size: int, focal: float | None, random: np.random.Generator
) -> tuple[Camera, tuple[float, float]]:
    """The camera, and its middle in pixels, which is no whole pixel: no point lies at an exact 0."""
    seeing = kind.seeing
    wide, high = size, round(size * kind.aspect) if focal is None else size
    distance = random.uniform(*seeing.distance)
    length = size * (distance / FIELD)
    if focal is not None:
        distance, length = focal * FIELD, focal * size
    camera = Camera(
        width=wide, height=high, focal=length, distance=distance, tilt=np.radians(random.uniform(*seeing.tilt)),
        lean=np.radians(random.uniform(*seeing.lean)),
    )  # fmt: skip
    return camera, ((wide - 1) / 2 + 0.17, (high - 1) / 2 + 0.17) if focal is None else (wide / 2, high / 2)
