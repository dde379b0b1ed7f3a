"""Clips that stay in their files: frames are decoded when they are asked for and not before.

T frames of a clip, S side in pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mimica.data.sampling import thinned
from mimica.errors import InputError
from mimica.faces.crop import cut, scene_view
from mimica.video.pictures import read_picture
from mimica.video.read import open_video
from mimica.video.sources import PICTURES, pictures_of

if TYPE_CHECKING:
    from mimica.data.clipset import ClipSet

Fit = Callable[[np.ndarray, int], np.ndarray]

_BEGIN = 2**16


def fitted(image: np.ndarray, size: int) -> np.ndarray:
    """A picture uint8 [H, W, 3], as a clip holds it: `size` pixels square."""
    H, W = image.shape[:2]
    return cut(image, np.array([0.0, 0.0, W, H]), size)


def scene_fitted(image: np.ndarray, size: int) -> np.ndarray:
    """A whole frame uint8 [H, W, 3], as a clip holds it as scene: its middle, `size` pixels square."""
    return scene_view(image, size=size)


class StoredClip:
    """A photo, a folder of numbered pictures or a video, as an array uint8 [T, S, S, 3] that is indexed by frames.

    Of a longer file `most` evenly spread frames are the clip, those that a clip in memory has; all where it
    is None. A jpeg of twice the size or more is decoded smaller (`read_picture`), so that its pixels may differ
    from memory's by a shade. How many frames a video has is found by decoding it once, when that is first asked.

    Unlike a clip in memory, which passes over damaged pictures of a folder, each that is asked for must be whole.
    Raises InputError that names the file for one that is not, or that has lost frames since they were counted.
    """

    __slots__ = ("_count", "_fit", "_most", "path", "size")

    def __init__(self, path: Path, *, size: int, most: int | None = None, fit: Fit = fitted) -> None:
        self.path, self.size, self._most, self._fit = path, size, most, fit
        self._count: int | None = None

    def __len__(self) -> int:
        return len(self._kept())

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """T, S, S and 3."""
        return len(self), self.size, self.size, 3

    def __getitem__(self, places: Any) -> np.ndarray:
        kept: np.ndarray = self._kept()[places]
        wanted = np.atleast_1d(kept)
        if not len(wanted):
            return np.zeros((0, *self.shape[1:]), np.uint8)
        read = self._pictures(wanted) if self._of_pictures() else self._frames(wanted)
        frames = np.stack([read[number] for number in wanted.tolist()])
        return np.asarray(frames[0] if np.ndim(kept) == 0 else frames)

    def digest(self) -> str:
        """What tells this clip from others and from itself once it is changed, wherever the data lies.

        A sha256 over its name and its folder's, the names and sizes of its files and how the first begins: it is to be
        had without reading them all.
        """
        told = hashlib.sha256("/".join(self.path.parts[-2:]).encode())
        try:
            files = self._listed() if self._of_pictures() else [self.path]
            for file in files:
                told.update(f"\n{file.name} {file.stat().st_size}".encode())
            if files:
                with files[0].open("rb") as begin:
                    told.update(begin.read(_BEGIN))
        except OSError as error:
            raise InputError(f"cannot read {self.path}: {error.strerror or error}") from None
        return told.hexdigest()

    def _kept(self) -> np.ndarray:
        """The numbers in the file of the frames that are the clip."""
        if self._count is None:
            self._count = len(self._listed()) if self._of_pictures() else self._counted()
        return thinned(self._count, self._most)

    def _of_pictures(self) -> bool:
        return self.path.suffix.lower() in PICTURES or self.path.is_dir()

    def _listed(self) -> list[Path]:
        return pictures_of(self.path) if self.path.is_dir() else [self.path]

    def _pictures(self, wanted: np.ndarray) -> dict[int, np.ndarray]:
        files = self._listed()
        if len(files) != self._count:
            raise InputError(f"{self.path} holds {len(files)} pictures and held {self._count} before; put them back")
        return {number: self._picture(files[number]) for number in set(wanted.tolist())}

    def _picture(self, file: Path) -> np.ndarray:
        try:
            return self._fit(read_picture(file, least=self.size)[0], self.size)
        except InputError as error:
            raise InputError(f"{error}; mend it or leave the clip {self.path} out of the data") from None

    def _counted(self) -> int:
        number = 0

        def counting(time: float, index: int) -> bool:
            nonlocal number
            number = index + 1
            return False  # decoded it is, made into a picture not

        with open_video(self.path) as video:
            for _ in video.frames(counting):
                pass
        return number

    def _frames(self, wanted: np.ndarray) -> dict[int, np.ndarray]:
        numbers, read = set(wanted.tolist()), dict[int, np.ndarray]()
        with open_video(self.path) as video:
            for frame in video.frames(lambda time, index: index in numbers):
                read[frame.index] = self._fit(frame.image, self.size)
                if len(read) == len(numbers):
                    return read
        lost = min(numbers - read.keys())
        raise InputError(f"{self.path} had {self._count} frames and cannot be decoded at frame {lost} now; put it back")


def digest_of(clips: ClipSet, i: int) -> str:
    """What tells clip `i` of a set from others and from itself once it is changed: its faces and its scenes."""
    told = hashlib.sha256()
    for view in (clips.frames, clips.scenes or ()):
        if view:
            frames = view[i]
            if isinstance(frames, StoredClip):
                told.update(frames.digest().encode())
            else:
                told.update(f"{clips.names[i]} {frames.shape}".encode())
                told.update(np.ascontiguousarray(frames[:]).data)
    return told.hexdigest()[:32]
