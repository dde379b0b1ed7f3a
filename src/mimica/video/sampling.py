"""Which frames to keep, and which windows of time a moment belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mimica.errors import UsageError

_CLOCK = 1e-3
"""Seconds by which a frame may come early for its tick: Matroska and GIF round their times about as coarsely."""

_FLOAT = 1e-6
"""Seconds far above the rounding of floats and far below the step of any video's clock."""


class Thinner:
    """Keeps the first frame, then the first frame at or after each next tick of 1/fps; true times stay.

    Ask it once for every frame, in order: it says whether to keep the frame. Ticks are counted from
    the first frame. Over a steady source that is faster than `fps` the mean rate is `fps`, a source
    that is slower is kept whole, and two kept frames always lie at least half a tick apart (less a
    millisecond, as containers round times). `fps` None keeps everything.
    """

    def __init__(self, fps: float | None) -> None:
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"frames per second must be a number above 0, got {fps}")
        self.fps = fps
        self._first: float | None = None
        self._tick = 0
        self._kept = 0.0

    def __call__(self, time: float, index: int) -> bool:
        """Whether to keep the frame shown at `time` seconds; `index` has no influence."""
        if self.fps is None:
            return True
        if self._first is None:
            self._first = self._kept = time
            return True
        early = min(_CLOCK * self.fps, 0.25)
        tick = math.floor((time - self._first) * self.fps + early)
        if tick <= self._tick or (time - self._kept) * self.fps < 0.5 - early:
            return False
        self._tick, self._kept = tick, time
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowGrid:
    """Windows of `frames` frames at `fps` frames a second, each `stride` frames after the one before.

    Window k spans the half-open time from `start(k)` to `end(k)`, in seconds, for k = 0, 1, 2, ...
    Raises UsageError unless all three are above 0.
    """

    fps: float
    frames: int
    stride: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fps) and self.fps > 0 and self.frames >= 1 and self.stride >= 1):
            raise UsageError(
                f"windows need fps above 0, at least 1 frame and a stride of at least 1 frame, "
                f"got fps {self.fps}, frames {self.frames}, stride {self.stride}"
            )

    @property
    def duration(self) -> float:
        """How long a window lasts, in seconds."""
        return self.frames / self.fps

    @property
    def hop(self) -> float:
        """Seconds from the start of a window to the start of the next."""
        return self.stride / self.fps

    def start(self, k: int) -> float:
        """Where window k begins, in seconds."""
        return k * self.stride / self.fps

    def end(self, k: int) -> float:
        """Where window k ends, in seconds; a frame at that very time is not in it."""
        return (k * self.stride + self.frames) / self.fps

    def covering(self, time: float) -> range:
        """The numbers of the windows that contain `time` seconds; empty before 0 and in gaps between windows.

        A time within a microsecond before a boundary counts as on it, so that 0.1 + 0.2 is 0.3.

        >>> WindowGrid(fps=10, frames=8, stride=4).covering(0.1 + 0.2 + 0.1)
        range(0, 2)
        """
        # Counted in whole slots of 1/fps: in floats, neighbouring windows could both claim or both miss a time.
        slot = math.floor((time + _FLOAT) * self.fps)
        first = max(0, (slot - self.frames) // self.stride + 1)
        return range(first, max(first, slot // self.stride + 1))
