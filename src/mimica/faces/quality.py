"""Judge how well a face can be read: how large, how sharp and how far turned it is.

What size, blur and turn leave was measured with the shipped recogniser: on pictures that it had not learned
from, made smaller and blurred step by step (`benchmarks/quality.py`), and on rendered heads turned aside
(`benchmarks/turned.py`). The rule for boxes that leave the picture is a rule of thumb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.clips import Face
from mimica.faces.boxes import area
from mimica.faces.crop import cut, square

LOW = 0.6
"""A face whose `Quality.score` is below this is called low quality: two fifths of what it tells are lost."""

SIZE_LEAVES = ((4, 0.0), (8, 0.33), (10, 0.38), (12, 0.49), (16, 0.67), (20, 0.82), (24, 0.9), (32, 0.98), (40, 1.0))
"""Sides of a face in pixels, and what is left at each of the accuracy above chance that a large face gives."""

BLUR_LEAVES = (
    (0.13, 1.0),
    (0.45, 0.96),
    (0.7, 0.85),
    (0.83, 0.71),
    (0.9, 0.55),
    (0.93, 0.46),
    (0.95, 0.27),
    (1.0, 0.0),
)
"""The same by `Quality.blur`."""

TURN_LEAVES = ((5, 1.0), (18, 0.96), (33, 0.88), (43, 0.76), (51, 0.61), (58, 0.51), (63, 0.33), (66, 0.0))
"""The same by `Quality.turn` in degrees, to either side; what is judged stops near 64 while a head turns on."""

_GRID = 48
_NOSE = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well a face can be read.

    `size` is the shorter side of its box in pixels. `blur` is 0 for a sharp face and 1 for one
    without any detail. `turn` is how far the head is turned aside in degrees, 0 to the front,
    positive to the right of the picture, None without landmarks. `score`, 0 to 1, is what the
    worst of them leaves of the accuracy above chance that a good face gives.
    """

    size: float
    blur: float
    turn: float | None
    score: float


def judge(image: np.ndarray, face: Face) -> Quality:
    """How well a face can be read in its picture, uint8 [H, W, 3]."""
    blur = _blur(image, face.box)
    turn = None if face.landmarks is None else _turn(face.landmarks)
    marks = [
        _left(face.size, SIZE_LEAVES),
        _left(blur, BLUR_LEAVES),
        _ramp(_share_inside(image, face.box), 0.4, 0.9),
    ]
    if turn is not None:
        marks.append(_left(abs(turn), TURN_LEAVES))
    return Quality(size=face.size, blur=blur, turn=turn, score=min(marks))


def _left(value: float, measured: tuple[tuple[float, float], ...]) -> float:
    """What a measured table says of a value, between its rows by straight lines."""
    at, left = zip(*measured, strict=True)
    return float(np.interp(value, at, left))


def _ramp(value: float, bad: float, good: float) -> float:
    return float(np.clip((value - bad) / (good - bad), 0, 1))


def _blur(image: np.ndarray, box: np.ndarray) -> float:
    """How little of a face's contrast lies in its finest detail, on a grid of 48 x 48."""
    grey = cut(image, square(box), _GRID).astype(np.float64) @ (0.299, 0.587, 0.114)
    middle = grey[1:-1, 1:-1]
    edges = 4 * middle - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    sharpness = edges.var() / (grey.var() + 25.0)
    return float(1 / (1 + sharpness / 0.05))


def _turn(landmarks: np.ndarray) -> float:
    """The apparent yaw in degrees: how far the tip of the nose stands off the line from the eyes to the mouth.

    A nose that stands forward of the eyes by 0.55 of the distance between them, about what heads
    have, is seen off the line by 0.55 tan(yaw) of that distance as seen.
    """
    left, right, nose = landmarks[:3]
    eyes, mouth = (left + right) / 2, landmarks[3:].mean(axis=0)
    across, down = right - left, mouth - eyes
    length = float(np.hypot(*down))
    apart = abs(float(across[0] * down[1] - across[1] * down[0])) / max(length, 1e-6)
    off = float(down[1] * (nose - eyes)[0] - down[0] * (nose - eyes)[1]) / max(length, 1e-6)
    return float(np.degrees(np.arctan2(off, _NOSE * max(apart, 1e-6))))


def _share_inside(image: np.ndarray, box: np.ndarray) -> float:
    H, W = image.shape[:2]
    inside = np.concatenate([np.clip(box[:2], 0, (W, H)), np.clip(box[2:], 0, (W, H))])
    return float(area(inside) / max(float(area(box)), 1e-9))
