"""The forms of the drawn parts: an outline seen from above, and how the surface rises from its edge.

x, y [G, G] in millimetres from the part's middle; an outline gives how far inside of its edge each place is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Outline = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def _disc(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(r - np.hypot(x, y))


def _ring(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(0.325 * r - np.abs(np.hypot(x, y) - 0.675 * r))


def _box(x: np.ndarray, y: np.ndarray, a: float, b: float, corner: float) -> np.ndarray:
    """A rectangle of half sides a and b whose corners are round."""
    dx, dy = np.abs(x) - (a - corner), np.abs(y) - (b - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return np.asarray(corner - outside - np.minimum(np.maximum(dx, dy), 0))


def _square(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(_box(x, y, r, r, 0.2 * r))


def _capsule(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(_box(x, y, r, 0.52 * r, 0.519 * r))


def _flower(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(0.87 * r * (1 + 0.13 * np.cos(5 * np.arctan2(y, x))) - np.hypot(x, y))


def _polygon(x: np.ndarray, y: np.ndarray, inner: float, sides: int, corner: float) -> np.ndarray:
    """A regular polygon by the radius of the circle in it, its corners a little round."""
    turns = 2 * np.pi * np.arange(sides) / sides
    far = np.stack([x * np.cos(turn) + y * np.sin(turn) - (inner - corner) for turn in turns])
    soft = corner / 3
    return np.asarray(corner - soft * np.log(np.exp(np.clip(far / soft, -60, 60)).sum(0)))


def _hexagon(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    hole = np.hypot(x, y) - 0.36 * r
    return np.asarray(np.minimum(_polygon(x, y, 0.87 * r, 6, 3.0), hole))


def _triangle(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(_polygon(x, y, 0.57 * r, 3, 9.0))


def _horseshoe(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    middle, half, opening = 0.71 * r, 0.29 * r, np.radians(48)
    angle = np.abs(np.arctan2(x, y))
    ends = np.hypot(np.abs(x) - middle * np.sin(opening), y - middle * np.cos(opening))
    return np.asarray(half - np.where(angle > opening, np.abs(np.hypot(x, y) - middle), ends))


def _cross(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    return np.asarray(np.maximum(_box(x, y, r, 0.36 * r, 3.0), _box(x, y, 0.36 * r, r, 3.0)))


OUTLINES: dict[str, Outline] = {
    "disc": _disc, "ring": _ring, "square": _square, "capsule": _capsule, "flower": _flower, "hexagon": _hexagon,
    "horseshoe": _horseshoe, "cross": _cross, "triangle": _triangle,
}  # fmt: skip
"""How far inside its edge a place is, of a part whose longer half side is given; negative outside."""


def _round(t: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(1 - (1 - t) ** 2))


PROFILES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "dome": lambda t: _round(t) ** 0.8,
    "round": _round,
    "flat": lambda t: np.clip(1 - (1 - t) ** 3, 0, 1),
    "chamfered": lambda t: np.clip(0.72 + 0.28 * t, 0, 1),
    "tube": lambda t: 0.25 + 0.75 * _round(t),
    "stepped": lambda t: np.where(t < 0.55, 0.55, np.clip(0.55 + 0.45 * (t - 0.55) / 0.15, 0, 1)),
    "cone": lambda t: 0.3 + 0.7 * t,
}
"""Share of the full height, by how far one is from the edge (0) to where the part has risen (1)."""


def height_of(inside: np.ndarray, profile: str, rim: float, height: float) -> np.ndarray:
    """The height of the part's surface above the tray, 0 outside of its edge."""
    t = np.clip(inside / rim, 0, 1)
    return np.asarray(np.where(inside > 0, height * PROFILES[profile](t), 0.0))
