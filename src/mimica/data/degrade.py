"""What pictures of faces suffer, done to them on purpose, so that one can measure what a reading is worth then.

S side of a square picture of a face in pixels. Lengths are fractions of the side, or pixels of a face 48 across.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mimica.errors import unknown

_ACROSS = 48
_GREY = 128


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """A picture uint8 [S, S, 3] under a Gaussian blur of `sigma` pixels of a face 48 across."""
    from scipy.ndimage import gaussian_filter

    wide = sigma * image.shape[0] / _ACROSS
    return _rounded(gaussian_filter(image.astype(np.float64), (wide, wide, 0), mode="nearest"))


def dimmed(image: np.ndarray, factor: float) -> np.ndarray:
    """A picture with every value times `factor`."""
    return _rounded(image * float(factor))


def covered(image: np.ndarray, *, top: float = 0.0, left: float = 0.0, height: float, width: float) -> np.ndarray:
    """A picture whose rectangle, given in fractions of its sides, is one grey."""
    H, W = image.shape[:2]
    over = image.copy()
    rows = slice(round(top * H), round((top + height) * H))
    over[rows, round(left * W) : round((left + width) * W)] = _GREY
    return over


def moved(
    image: np.ndarray, *, across: float = 0.0, down: float = 0.0, growth: float = 0.0, angle: float = 0.0
) -> np.ndarray:
    """What a box shows that lies `across` and `down` by fractions of its side, is larger by `growth`, and turned.

    `angle` is in degrees, and the face appears turned clockwise by it. Beyond its edge the picture's
    last pixels are repeated.
    """
    from scipy.ndimage import affine_transform

    H, W = image.shape[:2]
    a, side = np.radians(angle), 1 + growth
    turn = side * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])  # of rows and columns
    middle = np.array([(H - 1) / 2, (W - 1) / 2])
    offset = middle + np.array([down * H, across * W]) - turn @ middle
    channels = [
        affine_transform(image[..., c].astype(np.float64), turn, offset, order=1, mode="nearest") for c in range(3)
    ]
    return _rounded(np.stack(channels, axis=-1))


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """A picture `side` pixels across, as a face would be that is further away."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX, reducing_gap=None))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """Something that pictures suffer: what it is, in words, and doing it by a generator of random numbers."""

    meaning: str
    apply: Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _off(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    across, down, growth = random.uniform(-0.15, 0.15, 3)
    return moved(image, across=across, down=down, growth=growth)


DEGRADATIONS: Mapping[str, Degradation] = MappingProxyType({
    "blur": Degradation(
        meaning="Gaussian blur, sigma 1.5 pixels of a face 48 across", apply=lambda image, _: blurred(image, 1.5)
    ),
    "dark": Degradation(meaning="brightness times 0.4", apply=lambda image, _: dimmed(image, 0.4)),
    "covered": Degradation(
        meaning="the lower third of the face under one grey",
        apply=lambda image, _: covered(image, top=2 / 3, height=1 / 3, width=1.0),
    ),
    "jitter": Degradation(meaning="the box off by up to 15 % of its side across, down and in size", apply=_off),
    "turned": Degradation(
        meaning="turned in the picture's plane by up to 10 degrees",
        apply=lambda image, random: moved(image, angle=random.uniform(-10, 10)),
    ),
    "soft": Degradation(
        meaning="Gaussian blur, sigma 0.8 pixels of a face 48 across", apply=lambda image, _: blurred(image, 0.8)
    ),
    "small": Degradation(meaning="24 pixels across", apply=lambda image, _: shrunk(image, 24)),
})  # fmt: skip


def degraded(image: np.ndarray, name: str, *, seed: int = 0) -> np.ndarray:
    """A picture of a face uint8 [S, S, 3] after the degradation of that name, the same for the same seed.

    Raises UsageError for an unknown name.
    """
    if name not in DEGRADATIONS:
        raise unknown("degradation", name, DEGRADATIONS)
    return DEGRADATIONS[name].apply(image, np.random.default_rng(seed))


def mixed(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A picture after one thing at random, of random strength: what a calibration should have seen.

    A quarter stay as they are. The ranges hold the named degradations among weaker and stronger ones.
    """
    kind, strength = random.integers(8), random.random()
    if kind < 2:
        return image
    if kind == 2:
        return blurred(image, 2.5 * strength)
    if kind == 3:
        return dimmed(image, 1 - 0.8 * strength)
    if kind == 4:
        height, width = 0.2 + 0.3 * random.random(2)
        top, left = random.random(2) * (1 - np.array([height, width]))
        return covered(image, top=top, left=left, height=height, width=width)
    if kind == 5:
        return covered(image, top=1 - 0.5 * strength, height=0.5 * strength, width=1.0)
    if kind == 6:
        return shrunk(image, round(12 + 36 * strength))
    across, down, growth = random.uniform(-0.2, 0.2, 3)
    return moved(image, across=across, down=down, growth=growth, angle=random.uniform(-15, 15))
