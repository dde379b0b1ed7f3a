"""Frames with their true times as an H.264 video, with the sound of the source beside them where it fits.

Axes: H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from mimica.errors import InputError, MimicaError, UsageError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.codec.context import CodecContext
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_CODEC: Final = "libx264"
_TICKS = 90_000
"""Steps a second in which times are written: eleven microseconds each, as in MPEG."""

_LARGEST = 16384

_BREAK = 3600 * _TICKS
"""The longest pause between two pictures that is left empty: MP4 holds pauses of an hour and a half at most."""

_LONGEST_BREAK = 100 * _BREAK

_BT709, _MPEG_RANGE = 1, 1


class VideoWriter:
    """A video that appears under its name only when it is whole.

    Times are written as they are, so a variable frame rate stays variable; `rate` is only the nominal number of
    frames a second. In a pause of more than an hour the last picture comes again every hour. Pictures of an odd size
    get one more row or column, a copy of the last; those with a side of more than 16384, which H.264 does not hold,
    are scaled down. The file grows under a hidden name beside its own and takes its name when the `with` block ends
    well; after an error nothing stays.

    `copy_audio_from` names a video file whose sound is copied as it is, in time with frames that carry its times.
    Where that cannot be done (no sound, or not AAC or MP3) the video is silent and `notes` says why.

    Raises UsageError for a size or a rate that makes no video, for FFmpeg without H.264, and for a place that
    cannot be written to.
    """

    def __init__(
        self, path: str | Path, *, width: int, height: int, rate: float, copy_audio_from: str | None = None
    ) -> None:
        if width < 1 or height < 1 or not (math.isfinite(rate) and rate > 0):
            raise UsageError(f"a video needs a size and a rate above 0, got {width}x{height} at {rate}")
        if _CODEC not in av.codecs_available:
            raise UsageError(
                f"this build of PyAV has no {_CODEC}, which writing video needs; "
                "install the one that has it: pip install --force-reinstall --only-binary av av"
            )
        self.path = Path(path).expanduser()
        self.notes: list[str] = []
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._shape = (height, width, 3)
        self._last, self._time = -1, -math.inf
        self._picture = np.empty(0, np.uint8)
        self._reformatter = VideoReformatter()
        self._container: OutputContainer | None = None
        self._sound = _Sound.of(copy_audio_from, self.notes) if copy_audio_from else None
        try:
            self._open(rate)
        except BaseException as error:
            self._drop()
            raise self._framed(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._drop()

    def write(self, image: np.ndarray, time: float) -> None:
        """Add a picture, uint8 [H, W, 3] RGB, shown from `time` seconds on; times must go forward.

        Raises UsageError for a picture of another shape, a time that goes back, and one that is more than a hundred
        hours after the last.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise UsageError(f"expected a picture uint8 {list(self._shape)}, got {image.dtype} {list(image.shape)}")
        if not max(self._time, 0) <= time < math.inf:
            last = f"after {self._time:.3f} s" if self._last >= 0 else "first"
            raise UsageError(f"frames must come in order of time, from 0 s on; got {time} s {last}")
        tick = round(time * _TICKS)
        if tick - self._last > _LONGEST_BREAK:
            hours = (tick - self._last) / _BREAK
            raise UsageError(f"cannot write {self.path}: {hours:.0f} hours without a picture are too many for MP4")
        tick = max(tick, self._last + 1)
        try:
            if self._last >= 0:
                for pause in range(self._last + _BREAK, tick, _BREAK):
                    self._write(self._picture, pause)
            self._write(image, tick)
        except (av.FFmpegError, OSError) as error:
            raise self._framed(error) from None
        self._last, self._time, self._picture = tick, time, image

    def close(self) -> None:
        """Finish the file and give it its name. Raises InputError if no frame was written."""
        if self._container is None:
            return
        try:
            if self._last < 0:
                raise InputError(f"there was no frame to write to {self.path}")
            self._container.mux(self._stream.encode(None))
            self._copy_sound(math.inf)
            self._container.close()
            self._part.replace(self.path)
        except BaseException as error:
            self._drop()
            raise self._framed(error) from None
        self._container = None
        if self._sound:
            self._sound.close()

    def _open(self, rate: float) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "+faststart"}  # the index in front, so that a browser can play while it loads
        self._container = av.open(str(self._part.absolute()), "w", format="mp4", options=options)
        nominal = max(Fraction(rate).limit_denominator(1001), Fraction(1, 1001))
        # Without B-frames: where the last picture is not the last to be decoded, MP4 states too early an end.
        chosen = {"crf": "23", "preset": "veryfast", "bf": "0"}
        stream = self._container.add_stream(_CODEC, rate=nominal, options=chosen)
        sides = self._shape[:2]
        scale = min(1.0, _LARGEST / max(sides))
        stream.height, stream.width = (2 * math.ceil(side * scale / 2) for side in sides)
        stream.pix_fmt = "yuv420p"
        coder = stream.codec_context
        coder.time_base = stream.time_base = Fraction(1, _TICKS)
        coder.colorspace = coder.color_primaries = coder.color_trc = _BT709
        coder.color_range = _MPEG_RANGE
        self._stream = stream
        if self._sound:
            self._sound.join(self._container)
        self._container.start_encoding()  # now rather than with the first packet: a place that is shut shows at once

    def _write(self, image: np.ndarray, tick: int) -> None:
        height, width, _ = self._shape
        stored = (self._stream.width, self._stream.height)
        if max(height, width) <= _LARGEST:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._reformatter.reformat(
            frame, *stored, format="yuv420p", dst_colorspace=_BT709, dst_color_range=_MPEG_RANGE, threads=1
        )
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS)
        assert self._container is not None
        self._container.mux(self._stream.encode(frame))
        self._copy_sound(tick / _TICKS)

    def _copy_sound(self, until: float) -> None:
        if self._sound and self._container is not None:
            for packet in self._sound.packets(until):
                self._container.mux(packet)

    def _drop(self) -> None:
        if self._container is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
        if self._sound:
            self._sound.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _framed(self, error: BaseException) -> BaseException:
        if isinstance(error, MimicaError) or not isinstance(error, (av.FFmpegError, OSError)):
            return error
        return UsageError(f"cannot write {self.path}: {error.strerror or error}")


class _Sound:
    """The first sound stream of a file, packet by packet, in the time that the file's pictures count in."""

    def __init__(self, container: InputContainer, stream: AudioStream, origin: float) -> None:
        self._container, self._stream, self._origin = container, stream, origin
        self._packets = container.demux(stream)
        self._ahead: Packet[AudioStream] | None = None

    @classmethod
    def of(cls, source: str, notes: list[str]) -> _Sound | None:
        """The sound of `source`, or None and a note that says why there is none."""
        try:
            container = av.open(str(Path(source).expanduser().absolute()), "r", metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError):
            notes.append(f"the video is silent: no sound can be read from {source}")
            return None
        streams = container.streams.audio
        coder = _coder(streams[0]) if streams else None
        codec = coder.codec.canonical_name if coder is not None else "unknown" if streams else None
        if codec not in ("aac", "mp3"):
            why = f"its sound is {codec}, which is not copied into MP4" if codec else "it has no sound"
            notes.append(f"the video is silent: {source} was asked for, but {why}")
            container.close()
            return None
        return cls(container, streams[0], _start(container))

    def join(self, container: OutputContainer) -> None:
        self._target = container.add_stream_from_template(self._stream)

    def packets(self, until: float) -> Iterator[Packet[AudioStream]]:
        """The packets up to a time in seconds, ready for the other container."""
        while True:
            packet, self._ahead = self._ahead or self._next(), None
            if packet is None:
                return
            if float(packet.pts * packet.time_base) > until:  # type: ignore[operator]
                self._ahead = packet
                return
            packet.stream = self._target
            yield packet

    def _next(self) -> Packet[AudioStream] | None:
        """The next packet that is heard after the pictures begin, moved to their time."""
        with suppress(av.FFmpegError, OSError):  # a damaged end: the sound stops there, as the pictures do
            for packet in self._packets:
                if packet.pts is None or packet.dts is None:
                    continue
                shift = round(self._origin / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if packet.pts + (packet.duration or 0) > 0:
                    return packet
        return None

    def close(self) -> None:
        self._container.close()


def _coder(stream: AudioStream) -> CodecContext | None:
    """What a sound stream can be decoded with; a stream whose header is damaged has nothing."""
    return stream.codec_context


def _start(container: InputContainer) -> float:
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0
