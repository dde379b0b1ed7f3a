"""What the part maker can draw: every category and every range, fixed before anything was tuned on them.

Figures are reported on HELD_OUT, whose shapes, textures and ways to be seen are none of those of TUNING.
Lengths are in millimetres on the tray, which a picture shows `FIELD` wide; angles are in degrees; colours 0 to 1.
A range is its least and its most, drawn from evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mimica.errors import UsageError, unknown

Range = tuple[float, float]
Colour = tuple[float, float, float]
Split = Literal["train", "validation", "test"]
Layout = Literal["mvtec3d", "eyecandies"]

FIELD = 112.0
"""How much of the tray the longer side of a picture shows."""

DEFECTS = ("colour", "shape", "both", "missing", "contamination")
"""What can be wrong: a stain; a dent or bump of the same look; one that has a stain too; a piece that is not there; a
crumb beside the part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """How parts of a category are seen: what changes from one picture to the next and means nothing."""

    tilt: Range
    """How far the tray leans away from the sensor."""
    lean: Range
    """Which way it leans."""
    distance: Range
    """From the sensor to the tray."""
    shift: float
    """How far the part lies from the middle, at most."""
    scale: Range
    """How large it is for its kind."""
    noise: Range
    """Deviation of the depth that is measured."""
    baseline: Range
    """From the projector to the sensor: what one sees and the other does not has no depth."""
    dropouts: Range
    """Share of other pixels without depth."""
    bare_corner: float
    """Share of scans of which one corner has no depth."""
    azimuth: Range
    """Where the light comes from."""
    elevation: Range
    """How high it stands."""
    ambient: Range
    """Share of light that comes from everywhere."""
    gain: Range
    """How bright the picture is."""
    cast: float
    """How far the balance of colours is off, at most."""


_TUNING = Seeing(
    tilt=(1.0, 4.0), lean=(-60.0, 60.0), distance=(460.0, 520.0), shift=5.0, scale=(0.97, 1.03), noise=(0.14, 0.20),
    baseline=(55.0, 75.0), dropouts=(0.003, 0.010), bare_corner=0.04, azimuth=(190.0, 260.0), elevation=(45.0, 60.0),
    ambient=(0.55, 0.65), gain=(0.92, 1.08), cast=0.025,
)  # fmt: skip
_HELD_OUT = Seeing(
    tilt=(2.0, 5.5), lean=(110.0, 250.0), distance=(430.0, 580.0), shift=6.0, scale=(0.96, 1.04), noise=(0.18, 0.24),
    baseline=(-85.0, -60.0), dropouts=(0.005, 0.015), bare_corner=0.06, azimuth=(-40.0, 50.0), elevation=(50.0, 68.0),
    ambient=(0.50, 0.62), gain=(0.90, 1.10), cast=0.03,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of part: its form, its surface, and how it lies on the tray."""

    name: str
    outline: str
    """One of `mimica.anomaly.parts.shapes.OUTLINES`."""
    profile: str
    """How it rises from its edge: one of `mimica.anomaly.parts.shapes.PROFILES`."""
    radius: float
    """Half of its longer side."""
    height: Range
    rim: float
    """Over which distance from the edge it rises."""
    texture: str
    """One of `mimica.anomaly.parts.textures.TEXTURES`."""
    colours: tuple[Colour, Colour]
    """Between which the texture lies."""
    relief: float
    """How deep the texture is in the surface."""
    lumps: float
    """Deviation of a slow unevenness that each part has of its own."""
    tint: float
    """How far a part's own colours are from its kind's, at most, in each of red, green and blue."""
    tray: Colour
    turn: float
    """How far it may be turned either way."""
    aspect: float = 1.0
    """Height of the picture over its width."""
    seeing: Seeing


TUNING = (
    Category(
        name="bun", outline="disc", profile="dome", radius=34, height=(24, 29), rim=30, texture="speckled",
        colours=((0.76, 0.52, 0.27), (0.93, 0.82, 0.60)), relief=0.3,
        lumps=0.8, tint=0.04, tray=(0.22, 0.25, 0.30), turn=180, seeing=_TUNING,
    ),
    Category(
        name="gasket", outline="ring", profile="round", radius=40, height=(21, 24), rim=13, texture="banded",
        colours=((0.16, 0.17, 0.19), (0.30, 0.31, 0.33)), relief=0.2,
        lumps=0.35, tint=0.02, tray=(0.62, 0.60, 0.55), turn=180, seeing=_TUNING,
    ),
    Category(
        name="block", outline="square", profile="flat", radius=31, height=(25, 29), rim=4, texture="wood",
        colours=((0.56, 0.37, 0.20), (0.78, 0.58, 0.36)), relief=0.15,
        lumps=0.35, tint=0.04, tray=(0.28, 0.36, 0.33), turn=12, seeing=_TUNING,
    ),
    Category(
        name="tablet", outline="capsule", profile="round", radius=42, height=(21, 25), rim=20, texture="plain",
        colours=((0.80, 0.30, 0.26), (0.88, 0.40, 0.33)), relief=0.1,
        lumps=0.4, tint=0.03, tray=(0.75, 0.76, 0.74), turn=15, aspect=0.75, seeing=_TUNING,
    ),
)  # fmt: skip
"""Categories to try things on, and to choose settings by."""

HELD_OUT = (
    Category(
        name="blossom", outline="flower", profile="dome", radius=39, height=(22, 27), rim=24, texture="marbled",
        colours=((0.47, 0.30, 0.40), (0.86, 0.74, 0.78)), relief=0.3,
        lumps=0.75, tint=0.04, tray=(0.20, 0.22, 0.20), turn=180, seeing=_HELD_OUT,
    ),
    Category(
        name="nut", outline="hexagon", profile="chamfered", radius=41, height=(22, 26), rim=6, texture="brushed",
        colours=((0.52, 0.54, 0.57), (0.70, 0.71, 0.73)), relief=0.1,
        lumps=0.25, tint=0.02, tray=(0.24, 0.28, 0.42), turn=30, seeing=_HELD_OUT,
    ),
    Category(
        name="hook", outline="horseshoe", profile="tube", radius=41, height=(20, 23), rim=12, texture="woven",
        colours=((0.72, 0.66, 0.46), (0.90, 0.86, 0.70)), relief=0.35,
        lumps=0.6, tint=0.03, tray=(0.42, 0.27, 0.22), turn=20, seeing=_HELD_OUT,
    ),
    Category(
        name="bracket", outline="cross", profile="stepped", radius=41, height=(24, 29), rim=9, texture="granular",
        colours=((0.33, 0.44, 0.36), (0.58, 0.66, 0.52)), relief=0.25,
        lumps=0.35, tint=0.03, tray=(0.80, 0.78, 0.72), turn=14, seeing=_HELD_OUT,
    ),
    Category(
        name="wedge", outline="triangle", profile="cone", radius=42, height=(24, 28), rim=24, texture="mosaic",
        colours=((0.85, 0.66, 0.22), (0.95, 0.84, 0.48)), relief=0.2,
        lumps=0.55, tint=0.04, tray=(0.34, 0.34, 0.36), turn=180, aspect=0.85, seeing=_HELD_OUT,
    ),
)  # fmt: skip
"""Categories that figures are reported on; nothing is tuned on them."""

CATEGORIES = {category.name: category for category in (*TUNING, *HELD_OUT)}

STAIN: Range = (4.0, 8.0)
"""Radius of a stain."""
BEND: Range = (6.0, 11.0)
"""Radius of a dent or bump."""
DEPTH: Range = (3.0, 6.0)
"""How deep a dent or how high a bump is."""
BITE: Range = (10.0, 15.0)
"""Radius of the piece that is not there."""
CRUMB: Range = (4.0, 7.0)
"""Radius of what lies beside."""
STAIN_CHANGE: Range = (0.10, 0.24)
"""How far a stain's colour is from that of the surface, as a distance in red, green and blue."""

CRUMB_CHANGE: Range = (0.2, 0.4)
"""How far the colour of what lies beside is from that of the tray."""

SMALLEST, LARGEST = 64, 1024
"""Sides of a picture in pixels. Below, a defect is a pixel or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSettings:
    """Which parts to draw."""

    categories: tuple[str, ...] = ()
    """Names of categories, or tuning or held-out for all of a list; held-out where none is named."""
    size: int = 224
    """Longer side of the pictures in pixels, 64 to 1024."""
    train: int = 8
    """How many good parts to learn from, of each category."""
    validation: int = 0
    """How many good parts to set things by, of each category."""
    test: int = 12
    """How many good parts to measure on, of each category."""
    each: int = 4
    """How many parts to measure on that have a defect, of each defect of each category."""
    defects: tuple[str, ...] = DEFECTS
    """Which defects."""
    seed: int = 0
    """What all that is random depends on."""

    def __post_init__(self) -> None:
        for name in self.categories:
            if name not in (*CATEGORIES, *LISTS):
                raise unknown("category", name, (*LISTS, *CATEGORIES))
        for name in self.defects:
            if name not in DEFECTS:
                raise unknown("defect", name, DEFECTS)
        if not SMALLEST <= self.size <= LARGEST:
            raise UsageError(f"size must be {SMALLEST} to {LARGEST} pixels, got {self.size}")
        for name in ("train", "validation", "test", "each"):
            if not 0 <= getattr(self, name) <= 999:
                raise UsageError(f"{name} must be 0 to 999, got {getattr(self, name)}")
        if not self.train + self.validation + self.test + self.each * len(self.defects):
            raise UsageError("there is nothing to draw; ask for parts with --train, --test or --each")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"seed must be from 0 to {2**32 - 1}, got {self.seed}")

    @property
    def chosen(self) -> tuple[Category, ...]:
        """The categories that are meant, each once."""
        names = self.categories or ("held-out",)
        listed = [category for name in names for category in LISTS.get(name, (CATEGORIES.get(name),)) if category]
        return tuple(dict.fromkeys(listed))


LISTS = {"tuning": TUNING, "held-out": HELD_OUT}
