"""Hair that hangs: a curtain round the back and the sides of a sitter's head, which the scalp's own hair covers above.

R rows from the top down, C columns from one temple round the back to the other; V vertices of the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

LENGTHS = MappingProxyType({"long": -13.5, "bob": -5.5})
"""How far down hair of a style hangs, as a height of the resting face."""

_ROWS, _COLUMNS = 26, 56
_TOP = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curtain:
    """Vertices and normals [R * C, 3] of hanging hair, and its triangles [F, 3]."""

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray


def curtain(person: np.ndarray, style: str) -> Curtain | None:
    """The hanging hair of a sitter whose resting head [V, 3] this is; None where the style has none."""
    if style not in LENGTHS:
        return None
    skull = person[person[:, 1] > 5.0]
    low, high = skull.min(0), skull.max(0)
    middle, half = (low + high) / 2, (high - low) / 2
    drop = np.linspace(0, 1, _ROWS)[:, None]
    y = _TOP + (LENGTHS[style] - _TOP) * drop
    # Round as the skull above its widest place, straight below it.
    tall = high[1] - 5.0
    above = np.sqrt(np.clip(1 - ((y - 5.0).clip(0) / (tall * 1.04)) ** 2, 0.05, 1))
    below = (5.0 - y).clip(0)
    open_ = np.deg2rad(122 - 1.2 * np.minimum(below, 9))
    turn = np.linspace(-1, 1, _COLUMNS)[None] * open_
    out = 0.55 + 0.10 * np.minimum(below, 5) + 0.12 * np.sin(9 * turn + 0.4 * y) * np.minimum(below, 4) / 4
    # Hair goes over the ears.
    ears = (
        np.exp(-(((np.abs(turn) - np.pi / 2) / 0.55) ** 2))
        * np.clip((4.6 - y) / 1.5, 0, 1)
        * np.clip((y + 6.0) / 2.5, 0, 1)
    )
    out = out + 1.25 * ears
    # Ends turn in; hair lies on the shoulders behind.
    out = out - 1.1 * np.clip((drop - 0.82) / 0.18, 0, 1) ** 2
    x = middle[0] + (half[0] * above + out) * np.sin(turn)
    z = middle[2] - 0.5 - (half[2] * above + out) * np.cos(turn)
    vertices = np.stack([x, np.broadcast_to(y, x.shape), z], -1)
    return Curtain(vertices=_flat(vertices), normals=_flat(_facing(vertices)), triangles=_triangles())


def _facing(vertices: np.ndarray) -> np.ndarray:
    """Normals [R, C, 3] of a grid of vertices, away from the head."""
    down, along = np.gradient(vertices, axis=0), np.gradient(vertices, axis=1)
    facing = np.cross(along, down)
    return np.asarray(facing / np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-9))


def _triangles() -> np.ndarray:
    place = np.arange(_ROWS * _COLUMNS).reshape(_ROWS, _COLUMNS)
    a, b, c, d = place[:-1, :-1], place[:-1, 1:], place[1:, :-1], place[1:, 1:]
    return np.stack([a, b, c, b, d, c], -1).reshape(-1, 3).astype(np.int32)


def _flat(grid: np.ndarray) -> np.ndarray:
    return np.asarray(grid.reshape(-1, 3).astype(np.float32))
