"""Tiny sources on disk for the tests of reading and of the command line, and a detector that sees what is drawn.

A face is a square of patches in the colour of one person: red for "a", blue for "b". The patches
change from frame to frame, so that clips differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mimica.clips import Face
from mimica.video.write import VideoWriter

WIDTH, HEIGHT, SIDE = 160, 96, 48
COLOURS = {"a": (1.0, 0.15, 0.15), "b": (0.15, 0.15, 1.0)}
Places = Mapping[str, tuple[int, int]]


def picture(places: Places, moment: int = 0, *, side: int = SIDE) -> np.ndarray:
    """A frame, uint8 [H, W, 3]: a grey ground, and each person's face with its corner at a place (x, y)."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for person, (x, y) in places.items():
        image[y : y + side, x : x + side] = face(person, moment, side)
    return image


def face(person: str, moment: int, side: int = SIDE) -> np.ndarray:
    """The face of one person, uint8 [side, side, 3]; a tenth of its patches is other than a moment ago."""
    random = np.random.default_rng(ord(person))
    shades = random.uniform(0.5, 1, (side // 4, side // 4))
    for _ in range(moment):
        shades = np.where(random.random(shades.shape) < 0.1, random.uniform(0.5, 1, shades.shape), shades)
    patches = np.kron(shades, np.ones((4, 4)))[..., None] * np.array(COLOURS[person]) * 250
    return patches.astype(np.uint8)


def walk(people: Sequence[Places]) -> list[np.ndarray]:
    """A frame for each entry, with whoever is in it."""
    return [picture(places, moment) for moment, places in enumerate(people)]


def alone(number: int, person: str = "a") -> list[np.ndarray]:
    """Frames of one person who drifts to the right, a pixel in four frames."""
    return walk([{person: (20 + i // 4, 24)} for i in range(number)])


def film(path: Path, images: Sequence[np.ndarray], *, rate: float = 25) -> Path:
    """A video file."""
    height, width = images[0].shape[:2]
    with VideoWriter(path, width=width, height=height, rate=rate) as writer:
        for i, image in enumerate(images):
            writer.write(image, i / rate)
    return path


def folder(path: Path, images: Sequence[np.ndarray]) -> Path:
    """A folder of numbered pictures, without loss."""
    path.mkdir(parents=True)
    for i, image in enumerate(images):
        photo(path / f"frame_{i:04d}.png", image)
    return path


def photo(path: Path, image: np.ndarray) -> Path:
    """A picture file."""
    Image.fromarray(image).save(path, compress_level=1)
    return path


class Squares:
    """A detector that finds what `picture` draws, and notes how many pictures it was given at once."""

    def __init__(self, score: float = 0.99) -> None:
        self.score = score
        self.calls: list[int] = []

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        self.calls.append(len(images))
        return [[f for f in (self._find(image, 1), self._find(image, -1)) if f] for image in images]

    def _find(self, image: np.ndarray, sign: int) -> Face | None:
        redness = (image[..., 0].astype(int) - image[..., 2]) * sign
        rows, columns = np.nonzero(redness > 60)
        if len(rows) < 100:
            return None
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
        return Face(box=box, score=self.score)
