"""A camera, read while it films: no backlog, true times, and every frame that was let go of is counted."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mimica.errors import InputError

if TYPE_CHECKING:
    from mimica.video.container import Container

_log = logging.getLogger(__name__)

_PATIENCE = 0.2
"""Seconds, by the camera's clock, that frames may wait to be read: enough for a hiccup, too little to be late by."""

_SILENCE = 10.0
"""Seconds without any picture after which a camera is given up."""

_POLL = 0.1
"""Seconds between two looks, while waiting for a picture, at whether to stop."""

_FAREWELL = 2.0
"""Seconds that a camera gets to be let go of; one that hangs in its driver is left to the end of the process."""

_LASTING = 5.0
"""Seconds of falling behind after which it is said; then after twice as long, and twice as long again."""

_MUCH = 0.1
"""The share of frames dropped in that time from which it is worth saying before the end."""

Shot = tuple[int, float, Callable[[], np.ndarray | None]]
"""A frame's index, its time in seconds, and what makes its RGB picture."""


class _Filming(Protocol):
    """A device that is open; `decode` waits for each frame and gives its time in seconds and its picture.

    It stops waiting once another thread has set `closing`.
    """

    closing: bool

    def decode(self) -> Iterator[tuple[float, Callable[[], np.ndarray | None]]]: ...

    def close(self) -> None: ...


class Camera:
    """A camera's frames as they are filmed, for a reading that may be slower than the camera.

    A thread of its own takes every frame off the device as it comes, so that none grows old there. Those
    asked for wait up to a fifth of a second by the camera's clock; when one has waited longer, all that
    wait are dropped but the newest. `asked` and `dropped` count both kinds. Falling behind is logged as a
    warning while it lasts and ends up in `notes`.
    """

    def __init__(self, name: str, device: _Filming, notes: list[str]) -> None:
        self._name, self._device, self._notes = name, device, notes
        self._change = threading.Condition()
        self._waiting: deque[Shot] = deque()
        self._thread: threading.Thread | None = None
        self._over = False
        self._error: Exception | None = None
        self._heard = 0.0
        self._warnings = _Warnings(name)
        self.asked = self.dropped = 0

    def shots(self, wanted: Callable[[float, int], bool], stopped: Callable[[], bool]) -> Iterator[Shot]:
        """The frames for which `wanted(time, index)` is True, as far as they are not dropped, until `stopped`.

        `wanted` is asked for every frame in order, in the thread that films.
        """
        self._heard = time.monotonic()
        self._thread = threading.Thread(target=self._film, args=(wanted,), name=self._name, daemon=True)
        self._thread.start()
        try:
            while (shot := self._next(stopped)) is not None:
                self._warnings(shot[1], self.asked, self.dropped)
                yield shot
        finally:
            self.close()
        if self._error is not None:
            raise self._error
        if self.dropped:
            self._notes.append(
                f"was faster than reading: {self.dropped} of {self.asked} frames to be read were dropped; {_KEEP_UP}"
            )

    def close(self) -> None:
        """Let go of the camera; harmless when that was done already."""
        with self._change:
            self._device.closing = True
            self._change.notify_all()
        if self._thread is None:
            self._device.close()
        else:
            self._thread.join(_FAREWELL)

    def _film(self, wanted: Callable[[float, int], bool]) -> None:
        """Take frames off the device until it ends or is no longer needed; only this thread touches it."""
        try:
            for index, (moment, picture) in enumerate(self._device.decode()):
                if self._device.closing:
                    break
                self._heard = time.monotonic()
                if wanted(moment, index):
                    self._keep((index, moment, picture))
            self._device.close()
        except Exception as error:  # raised again where the frames are read
            self._error = error
        finally:
            with self._change:
                self._over = True
                self._change.notify_all()

    def _keep(self, shot: Shot) -> None:
        with self._change:
            self.asked += 1
            if self._waiting and shot[1] - self._waiting[0][1] > _PATIENCE:
                self.dropped += len(self._waiting)
                self._waiting.clear()
            self._waiting.append(shot)
            self._change.notify_all()

    def _next(self, stopped: Callable[[], bool]) -> Shot | None:
        """The frame that has waited longest, once there is one; None at the end."""
        with self._change:
            while not stopped():
                if self._waiting:
                    return self._waiting.popleft()
                if self._over or self._device.closing:
                    return None
                if time.monotonic() - self._heard > _SILENCE:
                    self._notes.append(f"the camera was given up: no picture came from it for {_SILENCE:g} s")
                    return None
                self._change.wait(_POLL)
        return None


_KEEP_UP = "a lower --fps or a larger --min-face keeps up"


class _Warnings:
    """Says that frames are being dropped, while that lasts and ever less often."""

    def __init__(self, name: str) -> None:
        self._name, self._pause = name, _LASTING
        self._due, self._asked, self._dropped = math.nan, 0, 0

    def __call__(self, now: float, asked: int, dropped: int) -> None:
        """Take the counts at `now`, by the camera's clock."""
        if math.isnan(self._due):
            self._due = now + self._pause
        if now < self._due:
            return
        lost, of = dropped - self._dropped, asked - self._asked
        if lost > _MUCH * of:
            _log.warning(
                "%s: falling behind; %d of the last %d frames to be read were dropped; %s",
                self._name, lost, of, _KEEP_UP,
            )  # fmt: skip
            self._pause *= 2
        self._due, self._asked, self._dropped = now + self._pause, asked, dropped


def open_camera(name: str, notes: list[str]) -> Container:
    """The camera of that number as this machine names it. Raises InputError where there is none."""
    from mimica.video.container import Container

    url, device = device_of(name)
    return Container(name, url, notes, device=device)


def device_of(name: str) -> tuple[str, str]:
    """What FFmpeg calls the camera, and the kind of device through which it is reached, on this machine."""
    number = name.partition(":")[2].strip()
    if not number.isdigit():
        raise InputError(f"'{name}' is not a camera; write camera:0 for the first one, camera:1 for the second")
    if sys.platform == "win32":
        return f"video={_windows_camera(name, int(number))}", "dshow"
    if sys.platform == "darwin":
        return f"{number}:none", "avfoundation"
    return f"/dev/video{number}", "v4l2"


def _windows_camera(name: str, number: int) -> str:
    """DirectShow knows cameras by name only, so count them."""
    import av

    with suppress(av.FFmpegError, OSError, ValueError):
        cameras = [d.name for d in av.enumerate_input_devices("dshow") if "video" in d.media_types]
        if number < len(cameras):
            return cameras[number]
    raise InputError(f"{name} cannot be found; is it plugged in, and free for this program?")
