"""Videos, photos, folders of frames and cameras as frames with their true times.

Forward only and decoded once: an hour of video needs no more memory than a minute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

import numpy as np

from mimica.clips import Frame
from mimica.errors import InputError, UsageError
from mimica.video.camera import Camera, Shot, open_camera
from mimica.video.sources import PICTURES, expand, is_camera, is_media, pictures_of

__all__ = ["Video", "VideoInfo", "expand", "is_media", "open_video"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What is known of a source before its frames are read.

    `width` and `height` are those of the frames as they are shown, rotation applied. `rate` is the nominal
    number of frames a second and None where there is none (photos) or none is known; `duration` is in
    seconds and None for photos, cameras and files that do not say. `rotation` is the number of degrees
    clockwise that the stored pictures are turned by.
    """

    source: str
    kind: Literal["video", "photo", "frames", "camera"]
    width: int
    height: int
    rate: float | None
    duration: float | None
    rotation: int
    has_audio: bool


class _Decoder(Protocol):
    def decode(self) -> Iterator[tuple[float, Callable[[], np.ndarray | None]]]: ...

    def close(self) -> None: ...


class Video:
    """A source that is open: `info` describes it, and iterating over it gives its frames, once.

    `notes` holds a sentence for each thing that went wrong part way and is complete when the iteration ends.
    """

    def __init__(self, info: VideoInfo, decoder: _Decoder | Camera, notes: list[str]) -> None:
        self.info = info
        self.notes = notes
        self._decoder = decoder
        self._read = False

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def close(self) -> None:
        """Let go of the file or camera; no more frames come after that."""
        self._read = True
        self._decoder.close()

    def frames(
        self, convert: Callable[[float, int], bool] | None = None, *, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[Frame]:
        """The frames in order; those for which `convert(time, index)` is False are decoded but not given.

        Making an RGB picture is the costly part, and it is done only for the frames that are given. Once
        `stopped` answers True there are no more. A camera goes on filming while a frame is looked at:
        `convert` is asked from a thread of its own, and frames that would come too late are dropped, which
        `notes` says at the end. Raises UsageError when asked a second time: a source is read once.
        """
        if self._read:
            raise UsageError(f"{self.info.source} was read already; open it again to read it again")
        self._read = True
        return self._frames(convert or (lambda time, index: True), stopped)

    def _frames(self, convert: Callable[[float, int], bool], stopped: Callable[[], bool]) -> Iterator[Frame]:
        try:
            for index, time, picture in self._shots(convert, stopped):
                image = picture()
                if image is not None:
                    yield Frame(image=image, time=time, index=index)
        finally:
            self._decoder.close()

    def _shots(self, convert: Callable[[float, int], bool], stopped: Callable[[], bool]) -> Iterator[Shot]:
        if isinstance(self._decoder, Camera):
            yield from self._decoder.shots(convert, stopped)
            return
        for index, (time, picture) in enumerate(self._decoder.decode()):
            if stopped():
                return
            if convert(time, index):
                yield index, time, picture


def open_video(source: str | Path, *, frame_rate: float = 25.0) -> Video:
    """Open a video file, a photo, a folder of numbered pictures, or a camera such as `camera:0`.

    Times are presentation timestamps in seconds, counted from the start of the video stream, so that a clip
    starts at or near 0; they only ever go forward, and a frame without a time is placed one frame after the
    last. A photo is at 0.0. Pictures in a folder have no clock: they follow each other `frame_rate` times a
    second, which serves nothing else. A camera's times come from its own clock and start at its first frame;
    what reading is too slow for is dropped and counted.

    Frames are shown upright, with square pixels, and what is transparent lies over white. Raises InputError
    in one sentence for whatever holds no picture that can be decoded.
    """
    if not (math.isfinite(frame_rate) and frame_rate > 0):
        raise UsageError(f"the frame rate of a folder of pictures must be a number above 0, got {frame_rate}")
    if is_camera(source):
        return _open_container(str(source), None)
    path = Path(source).expanduser()
    if path.is_dir():
        return _open_folder(path, frame_rate)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot open {path}: {(error.strerror or 'not found').lower()}") from None
    if size == 0:
        raise InputError(f"{path} is empty (0 bytes)")
    return _open_photo(path) if path.suffix.lower() in PICTURES else _open_container(str(source), path)


def _open_container(source: str, path: Path | None) -> Video:
    from mimica.video.container import Container

    notes: list[str] = []
    # An absolute path, so that a colon in a file's name is not taken for a protocol.
    container = open_camera(source, notes) if path is None else Container(source, str(path.absolute()), notes)
    info = VideoInfo(
        source=source,
        kind="camera" if path is None else "video",
        width=container.width,
        height=container.height,
        rate=container.rate,
        duration=container.duration,
        rotation=container.rotation,
        has_audio=container.has_audio,
    )
    return Video(info, Camera(source, container, notes) if path is None else container, notes)


def _open_photo(path: Path) -> Video:
    return _open_pictures(path, [path], "photo", 1.0)


def _open_folder(folder: Path, frame_rate: float) -> Video:
    return _open_pictures(folder, pictures_of(folder), "frames", frame_rate)


def _open_pictures(source: Path, files: list[Path], kind: Literal["photo", "frames"], rate: float) -> Video:
    from mimica.video.pictures import Pictures

    notes: list[str] = []
    pictures = Pictures(files, rate, notes)
    info = VideoInfo(
        source=str(source),
        kind=kind,
        width=pictures.width,
        height=pictures.height,
        rate=rate if kind == "frames" else None,
        duration=len(files) / rate if kind == "frames" else None,
        rotation=pictures.rotation,
        has_audio=False,
    )
    return Video(info, pictures, notes)
