"""Video files and cameras through FFmpeg: packets in, pictures with their presentation times out.

Axes: H height, W width.
"""

from __future__ import annotations

import math
import os
import struct
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from mimica.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_TEXT_ART = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""Formats by which FFmpeg would show a text file as a moving picture."""

_USUAL_RATE = 25.0

_MOST_PIXELS = 2**27
"""Pixels of a picture at most, 16384 x 8192: beyond that a damaged header is far likelier than a camera."""

_FAR, _BEYOND = 10.0, 3600.0
"""Seconds by which a time must leap ahead before the next frame is asked whether to believe it, and beyond the end
that a container states before it is not believed without being asked."""


class Clock:
    """Presentation times that only ever go forward.

    A missing time is one frame after the last; a time that does not come after the last is nudged just
    past it; a clock that jumps back by more than a second, as in joined recordings, runs on from there.
    """

    def __init__(self, step: float) -> None:
        self._step, self._last, self._shift = step, -math.inf, 0.0

    def __call__(self, said: float | None) -> float:
        """The time in seconds for a frame whose container said `said`, or nothing."""
        if said is None:
            now = 0.0 if math.isinf(self._last) else self._last + self._step
        else:
            now = said + self._shift
            if self._last - now > 1.0:
                self._shift += self._last + self._step - now
                now = self._last + self._step
            elif now <= self._last:
                now = self._last + min(1e-3, self._step / 10)
        self._last = now
        return now


Timed = tuple["VideoFrame", float | None]
"""A frame, and the time in seconds that its container says, or nothing."""


def believable(frames: Iterable[Timed], start: float, duration: float | None) -> Iterator[Timed]:
    """The same frames, without the times that damage has thrown far ahead of where the video is.

    A leap is not believed if the next frame comes back from it, or if it is the last and lies far beyond what
    the container states: `start` and `duration` in seconds.
    """
    last, leapt = start, None
    for frame, said in frames:
        if leapt is not None:
            believed = said is None or not last <= said < leapt[1]
            yield leapt[0], leapt[1] if believed else None
            last, leapt = leapt[1] if believed else last, None
        if said is not None and said - last > _FAR:
            leapt = frame, said
            continue
        yield frame, said
        last = last if said is None else said
    if leapt is not None:
        beyond = duration is not None and leapt[1] - start > 2 * duration + _BEYOND
        yield leapt[0], None if beyond else leapt[1]


class Container:
    """The best video stream of a file or device, decoded once and forward; its first frame is read at once.

    `notes` receives a sentence for whatever went wrong part way. `closing` may be set by another thread, and
    ends the wait for a camera's next picture. Raises InputError if there is no video stream or if not one
    frame can be decoded.
    """

    def __init__(self, name: str, url: str, notes: list[str], *, device: str | None = None) -> None:
        self._name, self._notes, self._live = name, notes, device is not None
        self.closing = False
        self._container = _opened(name, url, device)
        try:
            self._stream = _video_stream(self._container, name)
            _check_size(name, self._stream.width, self._stream.height)
            # Decoding several frames at once is faster, and late by as many frames.
            self._stream.thread_type = "SLICE" if self._live else "AUTO"
            self._damaged: list[float] = []
            self._broke_off = False
            self._now = 0.0
            # AVI has no presentation times: its frames are shown in the order, and at the times, of its packets.
            self._queue: deque[int] | None = deque() if self._container.format.name == "avi" else None
            self._source = self._decoded()
            self._first = next(self._source, None)
            if self._first is None:
                raise InputError(f"{name} is damaged: not one frame of it can be decoded")
            _check_size(name, self._first[0].width, self._first[0].height)
            self._describe(self._first[0])
        except BaseException:
            self._container.close()
            raise

    def _describe(self, first: VideoFrame) -> None:
        stream = self._stream
        self._coded = (first.width, first.height)
        stretch = float(stream.sample_aspect_ratio or 1)
        # Encoders write ratios like 1.0001 after rounding, and damaged headers any: only a real difference counts.
        wide = round(first.width * stretch) if abs(stretch - 1) > 0.01 and 0.2 < stretch < 5 else first.width
        self._size = (max(1, wide), first.height)
        self._mirrored, self.rotation = _orientation(first)
        self.width, self.height = self._size[:: -1 if self.rotation in (90, 270) else 1]
        rate = stream.average_rate or stream.guessed_rate
        self.rate = float(rate) if rate and 0 < rate < 1000 else None
        self.duration = None if self._live else _duration(self._container, stream)
        self.has_audio = bool(self._container.streams.audio)
        self._reformatter = VideoReformatter()

    def decode(self) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        """The time of each frame in seconds, and what converts it to uint8 [H, W, 3] RGB."""
        clock = Clock(1 / (self.rate or _USUAL_RATE))
        first, self._first = self._first, None
        if first is None:
            return
        origin = self._origin(first[1])
        resized = False
        source: Iterator[Timed] = chain([first], self._source)
        if not self._live:
            source = believable(source, origin, self.duration)
        for frame, said in source:
            self._now = clock(None if said is None else said - origin)
            if not resized and (frame.width, frame.height) != self._coded:
                resized = True
                self._notes.append(f"the size changes at {self._now:.1f} s; frames are scaled to the first size")
            yield self._now, partial(self._rgb, frame)
        self._report()

    def close(self) -> None:
        """Close the file or device; harmless when closed already."""
        self._first = None
        self._source.close()
        self._container.close()

    def _origin(self, shown: float | None) -> float:
        """What counts as 0 s: the stream's own start, or the first frame where that is earlier or a camera's."""
        start, base = self._stream.start_time, self._stream.time_base
        if self._live or start is None or base is None:
            return shown or 0.0
        return min(float(start * base), math.inf if shown is None else shown)

    def _decoded(self) -> Generator[Timed]:
        """Every frame that can be decoded, with the time that its container says.

        Damaged packets are passed over; a damaged container ends it.
        """
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except BlockingIOError:  # a camera without a new picture yet
                if self.closing:
                    return
                time.sleep(0.002)
                packets = self._container.demux(self._stream)
                continue
            except IndexError:  # PyAV on a stream that begins only now, such as the sound of a broadcast
                packets = self._container.demux(self._stream)
                continue
            except (av.FFmpegError, OSError):
                self._broke_off = True
                packet = None
            if packet is not None and self._queue is not None and packet.size and packet.dts is not None:
                self._queue.append(packet.dts)
            try:
                for frame in self._stream.decode(packet):
                    yield frame, self._said(frame)
            except EOFError:  # flushed already
                return
            except (av.FFmpegError, OSError):
                self._damaged.append(self._now)
                if self._queue:
                    self._queue.pop()
            if packet is None:
                return

    def _said(self, frame: VideoFrame) -> float | None:
        """The presentation time in seconds of the container's own count; that of decoding where it has no other."""
        ticks = self._queue.popleft() if self._queue else frame.pts if frame.pts is not None else frame.dts
        base = self._stream.time_base
        return None if ticks is None or base is None else float(ticks * base)

    def _report(self) -> None:
        """Say how the decoding ended, where it did not end well."""
        if self._live:
            if self._broke_off:
                self._notes.append(f"stopped at {self._now:.1f} s: the camera gives no more pictures")
            return
        step = 1 / (self.rate or _USUAL_RATE)
        missing = 0.0 if self.duration is None else self.duration - self._now - step
        if self._broke_off or missing > max(0.5, 3 * step):
            self._notes.append(f"stopped at {self._now:.1f} s: the file is damaged from there")
        elif self._damaged:
            pieces = "1 damaged piece" if len(self._damaged) == 1 else f"{len(self._damaged)} damaged pieces"
            self._notes.append(f"passed over {pieces} of the file, near {self._damaged[0]:.1f} s first")

    def _rgb(self, frame: VideoFrame) -> np.ndarray:
        alpha = any(part.is_alpha for part in frame.format.components)
        width, height = self._size
        # One thread: swscale's own pool costs more than it gains at the sizes that faces are filmed in.
        flat = self._reformatter.reformat(frame, width, height, "rgba" if alpha else "rgb24", threads=1)
        image: np.ndarray = flat.to_ndarray()
        if alpha:
            image = _over_white(image)
        if self._mirrored:
            image = image[:, ::-1]
        if self.rotation:
            image = np.rot90(image, k=-self.rotation // 90)
        return np.ascontiguousarray(image)


def _opened(name: str, url: str, device: str | None) -> InputContainer:
    # A playlist under a video's name must not make this machine fetch what it lists.
    options = {"protocol_whitelist": "file"} if device is None else {}
    if device == "avfoundation":
        options["framerate"] = "30"  # its own choice, 29.97, is refused by most built-in cameras
    try:
        return av.open(url, "r", format=device, options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        if device is not None:
            reason = getattr(error, "strerror", None) or error
            why = f"cannot be opened ({reason}); is it plugged in, and free for this program?"
        elif not os.access(url, os.R_OK):
            why = "may not be read by this user"
        else:
            why = "is not a video that can be read: it is damaged, cut short or something else"
        raise InputError(f"{name} {why}") from None


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream that a player would show: never the cover of a song."""
    cover = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & cover and s.codec_context is not None]
    if container.format.name in _TEXT_ART or not streams:
        holds = "only sound" if container.streams.audio else "no video"
        raise InputError(f"{name} holds {holds}, nothing to see")
    return max(streams, key=lambda s: bool(s.disposition & Disposition.default))


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > _MOST_PIXELS:
        raise InputError(f"{name} says that its pictures have {width} x {height} pixels: scale it down if that is true")


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska states where it ends, which is not how long it lasts if its pictures begin late.
    late = float((stream.start_time or 0) * (stream.time_base or 0)) if "matroska" in container.format.name else 0.0
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")  # Matroska, as 00:00:01.566000000
    minutes, _, seconds = rest.partition(":")
    with suppress(ValueError):
        return max(0.0, int(hours) * 3600 + int(minutes) * 60 + float(seconds) - late)
    return max(0.0, container.duration / 1e6 - late) if container.duration else None


def _orientation(frame: VideoFrame) -> tuple[bool, int]:
    """Whether to mirror left and right, then by how many degrees to turn clockwise, to see the frame upright."""
    sides: Mapping[Any, Any] = frame.side_data
    side = sides.get(SideDataType.DISPLAYMATRIX)
    if side is None:
        return False, 0
    a, b, _, c, d = struct.unpack("=9i", bytes(side))[:5]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return mirrored, round(math.degrees(math.atan2(b, a)) / 90) % 4 * 90


def _over_white(image: np.ndarray) -> np.ndarray:
    """RGBA uint8 [H, W, 4] laid over white paper, [H, W, 3]."""
    alpha = image[..., 3:].astype(np.uint16)
    if alpha.min() == 255:
        return image[..., :3]
    return ((image[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
