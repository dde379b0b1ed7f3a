"""How a rendered clip is taken: how the head is held, how it is lit, with which camera.

Poses, lights and cameras are split like sitters (`render_sitter`): the two parts share no value. Movement within a
clip is laid over its pose. T frames of a clip. Angles in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.data.actor_identity import banded, stream
from mimica.data.actor_settings import Part

_POSE = (40.0, 17.0, 13.0, 0.10, 0.06, 0.05)
_MOVES = (7.0, 4.5, 3.0, 0.02, 0.015, 0.015)
"""How far pose goes from clip to clip, and within one: yaw, pitch, roll in degrees, size, shifts of the box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """Pose over time, each [T]: yaw to the face's left, pitch up, roll, size, shifts; and light and camera.

    `size` 1 is a face that fills the picture as in a face detector's box, 0.9 one that is smaller; shifts are in half
    sides of the picture, and say by how much that box was off.
    `sun` and `fill` are directions [3] from which light comes, the colours [3] how much of it, `above` and `below`
    light from all round. `distance` is the camera's, `exposure` and `balance` [3] how bright and of which tint the
    picture is, `corners` how dark its corners, `blur` the scene's and the picture's own in fractions of a side,
    `noise` a standard deviation of 0 to 1.
    """

    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    size: np.ndarray
    right: np.ndarray
    up: np.ndarray
    sun: np.ndarray
    sun_colour: np.ndarray
    fill: np.ndarray
    fill_colour: np.ndarray
    above: np.ndarray
    below: np.ndarray
    distance: float
    exposure: float
    balance: np.ndarray
    corners: float
    blur: tuple[float, float]
    noise: float

    @property
    def turn(self) -> np.ndarray:
        """Degrees [T, 2] that the head is turned to its left and up."""
        return np.stack([self.yaw, self.pitch], -1)


def shot(number: int, frames: int, *, part: Part, seed: int) -> Shot:
    """How clip `number` is taken; a function of (part, seed, number) alone, but for the number of frames."""
    random = stream(part, 21, seed, number)
    u = banded(random.random(24), part)
    s = 2 * u - 1
    pose = [
        wide * _middled(s[k]) + path for k, (wide, path) in enumerate(zip(_POSE, _paths(random, frames), strict=True))
    ]
    warm = s[8]
    sun = np.array([1 + 0.18 * warm, 1.0, 1 - 0.24 * warm]) * (0.75 + 1.5 * u[9])
    fill = np.array([1 - 0.15 * warm, 1.0, 1 + 0.22 * warm]) * 0.5 * u[10] ** 2
    round_ = 0.30 + 0.45 * u[11]
    return Shot(
        yaw=pose[0], pitch=pose[1], roll=pose[2], size=1.0 + pose[3], right=pose[4], up=pose[5],
        sun=_direction(78 * _middled(s[6]), 22 + 40 * s[7]), sun_colour=sun,
        fill=_direction(-70 * np.sign(s[6]) + 15 * s[12], 10 * s[13]), fill_colour=fill,
        above=round_ * np.array([1.0, 1.02, 1.08]), below=0.55 * round_ * np.array([1.08, 0.98, 0.9]),
        distance=38 + 70 * u[14], exposure=1.02 * 1.45 ** s[15] / (0.55 + 0.5 * round_ + 0.22 * sun[1]),
        balance=np.exp(0.08 * np.array([s[16], 0.0, s[17]])), corners=0.7 * u[18],
        blur=(0.01 + 0.04 * float(u[19]), 0.008 * float(u[20]) ** 2), noise=0.018 * float(u[21]) ** 1.5,
    )  # fmt: skip


def _middled(s: float) -> float:
    """A number from -1 to 1 that is more often near 0."""
    return float(np.sign(s) * abs(s) ** 1.8)


def _paths(random: np.random.Generator, frames: int) -> list[np.ndarray]:
    """How pose moves over a clip, away from what it is in the middle: a drift and a sway; a still does not move."""
    s = random.uniform(-1, 1, (3, len(_MOVES)))
    t = np.linspace(-1, 1, frames) if frames > 1 else np.zeros(1)
    sway = [np.sin(np.pi * t + 3 * start) - np.sin(3 * start) for start in s[2]]
    return [wide * (0.6 * s[0, k] * t + 0.4 * s[1, k] * sway[k]) for k, wide in enumerate(_MOVES)]


def _direction(across: float, up: float) -> np.ndarray:
    a, b = np.deg2rad([across, up])
    return np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)])
