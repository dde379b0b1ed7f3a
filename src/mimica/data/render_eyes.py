"""Eyes that look alive: they rest on a point, leap to the next, tremble a little, and blink.

T frames of a clip, K eyes (left 0, right 1). Degrees to the face's left and up. Durations are those of people at
ease: fixations of 0.25 to 1.2 s, leaps (saccades) of a few degrees that are over within a frame, a blink every four
seconds that closes in 0.1 s and opens in 0.2 s. Blinks and gaze are no part of an expression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.data.actor_identity import stream
from mimica.data.actor_settings import Part

RATE = 8.0
"""Frames a second of a clip: the rate that videos are read at."""

FARTHEST = 28.0
"""Degrees that an eye turns at most; beyond it a head turns."""

_CLOSING, _OPENING = 0.10, 0.22
_BLINKS_A_SECOND = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """Where each eye looks [T, K, 2] in degrees, and how far the lids are closed [T], 0 to 1."""

    gaze: np.ndarray
    blink: np.ndarray

    @classmethod
    def ahead(cls, frames: int) -> Eyes:
        """Eyes that look straight ahead and stay open."""
        return cls(gaze=np.zeros((frames, 2, 2), np.float32), blink=np.zeros(frames, np.float32))


def eyes(number: int, turn: np.ndarray, *, part: Part, seed: int) -> Eyes:
    """The eyes of clip `number` whose head is turned by `turn` [T, 2] degrees to its left and up."""
    random = stream(part, 22, seed, number)
    frames = len(turn)
    time = np.arange(frames) / RATE
    # Most look into the camera or close by it, whichever way the head is turned; some look elsewhere.
    aside = random.random() < 0.25
    wide = np.array([13.0, 7.0]) if aside else np.array([2.5, 1.8])
    point = random.standard_normal(2) * wide
    looks = np.zeros((frames, 2))
    leap = 0.0
    for t in range(frames):
        if time[t] >= leap and t:
            point = 0.55 * point + random.standard_normal(2) * wide * 0.75
        if time[t] >= leap:
            leap = time[t] + 0.25 + random.gamma(2.0, 0.25)
        looks[t] = point - 0.9 * turn[t] + 0.15 * random.standard_normal(2)
    looks = FARTHEST * np.tanh(looks / FARTHEST)
    # Both eyes meet at arm's length to a few metres away.
    meet = np.array([0.5 + 2.5 * random.random(), 0.0])
    gaze = np.stack([looks - meet, looks + meet], 1)
    return Eyes(gaze=gaze.astype(np.float32), blink=blinks(time, random).astype(np.float32))


def blinks(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How far lids are closed at these times, 0 to 1; some clips show no blink at all."""
    lids = np.zeros(len(time))
    at = -_OPENING + random.exponential(1 / _BLINKS_A_SECOND)
    while len(time) and at < time[-1] + _CLOSING:
        shut = np.minimum(1 + (time - at) / _CLOSING, 1 - (time - at - 0.04) / _OPENING).clip(0, 1)
        lids = np.maximum(lids, shut * shut * (3 - 2 * shut))
        at += 0.6 + random.exponential(1 / _BLINKS_A_SECOND)
    return lids
