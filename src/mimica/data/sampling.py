"""Which frames of a clip are read: with chance in training, always the same ones in test.

N frames of the clip, T frames that are read, V views of one clip in test.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mimica.data.augment import generator
from mimica.errors import UsageError, unknown

SAMPLINGS = {
    "segment": "T segments of equal length and one frame of each (TSN; DFER-CLIP's test rule)",
    "tsn8x2": "T/2 segments and two frames in a row of each (Former-DFER's 8 x 2)",
    "stride": "every fourth frame, or every n-th as stride:n (VideoMAE, MAE-DFER)",
    "uniform": "frames evenly spread from the first on, always the same ones",
    "last": "the last T frames",
}
"""How frames can be chosen, by name."""

_BY_CHANCE = ("segment", "tsn8x2", "stride")
_STRIDE = 4
_KEY = 2**62
"""Sets the draws of a clip's frames apart from those of its augmentation; no clip has a number as high."""


def check(sampling: str, T: int) -> None:
    """Raise UsageError where frames cannot be chosen in that way, or not T of them."""
    name, _ = _parsed(sampling)
    if T < 1:
        raise UsageError(f"at least one frame of a clip must be read, not {T}")
    if name == "tsn8x2" and T % 2:
        raise UsageError(f"tsn8x2 reads frames in pairs, so their number must be even, not {T}")


def by_chance(sampling: str) -> bool:
    """Whether the frames of a clip are drawn anew each time in training."""
    return _parsed(sampling)[0] in _BY_CHANCE


def draws(seed: int, epoch: int, clips: Sequence[int] | np.ndarray, T: int) -> np.ndarray:
    """Uniform numbers [B, T] from 0 to 1 for `places`, a function of (seed, epoch, clip)."""
    return np.stack([generator(seed, epoch, int(clip) + _KEY).random(T) for clip in clips])


def places(sampling: str, N: int, T: int, u: np.ndarray | None = None) -> np.ndarray:
    """Which T of the frames 0 to N - 1 are read, int [T], in order.

    `u` [T] are uniform numbers from 0 to 1: where in its segment each frame lies, or of the first
    where a stride begins. Without, as in test, the middle is taken: floor(tick / 2 + tick x) of the segment
    x, tick = N / T long. A clip of fewer frames than are read repeats its last one; in pairs it repeats its
    first two. Segments are N / T long in training as well: whole numbers, as in the code of DFER-CLIP, would never
    reach the last N mod T frames, which is half of a clip of 2 T - 1. Raises UsageError for an unknown sampling.
    """
    check(sampling, T)
    name, step = _parsed(sampling)
    at = np.full(T, 0.5) if u is None else u
    if name == "uniform":
        return _spread(N, T, 0.0)
    if name == "last":
        return np.minimum(max(N - T, 0) + np.arange(T), N - 1)
    if name == "segment":
        return _segments(N, T, at) if N > T else np.minimum(np.arange(T), N - 1)
    if name == "tsn8x2":
        half = T // 2
        first = _segments(N - 1, half, at[:half]) if half + 1 < N else np.zeros(half, int)
        return np.minimum(first[:, None] + np.arange(2), N - 1).reshape(T)
    room = max(1, N - (T - 1) * step)
    return np.minimum(min(int(at[0] * room), room - 1) + np.arange(T) * step, N - 1)


def seen(sampling: str, N: int, T: int, *, views: int = 1) -> list[np.ndarray]:
    """The frames that are read in test, V lists of places; a recogniser's logits are averaged over these views.

    View v of V lies at (v + 1/2) / V of where chance could put it, so that one view is the middle.
    Under `uniform` each begins v / V of a step later, and a clip of at most T frames is read as it is, none
    of them repeated. Raises UsageError where a sampling has but one view.
    """
    check(sampling, T)
    name, _ = _parsed(sampling)
    if views < 1:
        raise UsageError(f"a clip has at least one view, not {views}")
    if views > 1 and name == "last":
        raise UsageError("the last frames are the same in every view; leave views at 1 or choose another sampling")
    if name == "uniform":
        return [_spread(N, T, view / views) if N > T else np.arange(N) for view in range(views)]
    return [places(sampling, N, T, np.full(T, (view + 0.5) / views)) for view in range(views)]


def thinned(N: int, most: int | None) -> np.ndarray:
    """Which frames of a file of N are kept where `most` are wanted, as a reader forward can choose them.

    Every 2^k-th frame, with the least k that leaves fewer than twice as many as are wanted, and of those
    evenly spread ones. All where `most` is None.
    """
    if most is None:
        return np.arange(N)
    every = 1
    while -(-N // every) >= 2 * most:
        every *= 2
    kept = np.arange(0, N, every)
    return kept if len(kept) <= most else kept[np.linspace(0, len(kept) - 1, most).round().astype(int)]


def beside(places: np.ndarray, N: int, M: int) -> np.ndarray:
    """The places in a second view of M frames that go with `places` in one of N: the same ones where M is N."""
    return places * M // N


def _segments(N: int, T: int, at: np.ndarray) -> np.ndarray:
    """A place in each of T equal segments of N, `at` [T] of its way through."""
    found: np.ndarray = np.minimum(np.floor((np.arange(T) + at) * N / T), N - 1).astype(int)
    return found


def _spread(N: int, T: int, later: float) -> np.ndarray:
    found: np.ndarray = np.minimum((np.arange(T) + later) * max(1.0, N / T), N - 1).astype(int)
    return found


def _parsed(sampling: str) -> tuple[str, int]:
    """The name of a sampling, and the step of a stride."""
    name, colon, step = sampling.partition(":")
    if name == "stride" and colon:
        if not step.isascii() or not step.isdigit() or int(step) < 1:
            raise UsageError(f"a stride is a whole number of frames such as stride:2, got '{sampling}'")
        return name, int(step)
    if sampling not in SAMPLINGS:
        raise unknown("sampling", sampling, SAMPLINGS)
    return name, _STRIDE
