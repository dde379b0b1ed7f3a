"""Photos, and folders of frames: pictures on disk as frames.

Axes: H height, W width.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mimica.errors import InputError

_DEEP = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})


class _Quiet:
    """Pillow's warnings are passed over while any thread reads a picture.

    Python has one list of filters for all threads; were each to put back what it found, the
    last could put back what another had set.
    """

    def __init__(self) -> None:
        self._lock, self._readers, self._filters = Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def read_picture(path: Path, *, least: int | None = None) -> tuple[np.ndarray, int, int]:
    """A picture as uint8 [H, W, 3] RGB, the degrees clockwise it was turned, and how many pages its file holds.

    The orientation that a camera notes down (EXIF) is applied; what is transparent lies over white; 16-bit
    grey keeps its upper 8 bits. A jpeg that is 2, 4 or 8 times as large as `least` pixels a side is decoded at
    that fraction of its size, which is faster. Raises InputError for a file that is not a whole picture.
    """
    try:
        with _quiet, Image.open(path) as opened:
            pages = int(getattr(opened, "n_frames", 1))
            turned = {3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}.get(opened.getexif().get(0x0112, 1), 0)
            if least is not None:
                opened.draft(None, (least, least))  # only the decoder of jpegs can; the others pass it over
            return _rgb(ImageOps.exif_transpose(opened)), turned, pages
    except UnidentifiedImageError:
        raise InputError(f"{path} is not a picture that can be read") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path} has too many pixels to be a photo of faces; scale it down") from None
    except FileNotFoundError:
        raise InputError(f"there is no picture {path}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow raises all of these for damaged files
        raise InputError(f"the picture {path} is damaged: {error}") from None


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode in _DEEP:
        deep = np.asarray(image).astype(np.int64)
        # The mode "I" does not tell how wide the values are; only values beyond 255 show that it is 16 bits.
        wide = image.mode != "I" or deep.max() > 255
        grey = np.clip(deep >> 8 if wide else deep, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = next(top for top in (1.0, 255.0, 65535.0, np.inf) if values.max() <= top)
        scale = 255.0 / (values.max() if np.isinf(top) else top)
        grey = np.clip(values * scale + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        paper = Image.new("RGBA", over.size, "white")
        return np.array(Image.alpha_composite(paper, over).convert("RGB"))
    return np.array(image.convert("RGB"))


class Pictures:
    """Pictures in order, as the frames of one source; picture i is shown at i / `rate` seconds.

    Raises InputError if not one of them can be read.
    """

    def __init__(self, paths: list[Path], rate: float, notes: list[str]) -> None:
        self._paths, self._rate, self._notes = paths, rate, notes
        self._held: tuple[int, np.ndarray] | None = None
        for place, path in enumerate(paths):
            try:
                image, self.rotation, pages = read_picture(path)
            except InputError:
                if place == len(paths) - 1:
                    raise
                continue
            self._held = (place, image)
            self.height, self.width = image.shape[:2]
            break
        if len(paths) == 1 and pages > 1:
            notes.append(f"{paths[0].name} holds {pages} pictures; only the first was read")

    def decode(self) -> Iterator[tuple[float, Callable[[], np.ndarray | None]]]:
        """The time of each picture, and what reads it: uint8 [H, W, 3], or None where it is damaged."""
        for place in range(len(self._paths)):
            yield place / self._rate, partial(self._read, place)

    def close(self) -> None:
        """Let go of the one picture that was read in advance."""
        self._held = None

    def _read(self, place: int) -> np.ndarray | None:
        held, self._held = self._held, None
        if held is not None and held[0] == place:
            return held[1]
        self._held = held
        try:
            image = read_picture(self._paths[place])[0]
        except InputError as error:
            self._notes.append(f"passed over: {error}")
            return None
        if image.shape[:2] != (self.height, self.width):
            image = np.array(Image.fromarray(image).resize((self.width, self.height), Image.Resampling.BILINEAR))
        return image
