"""Pictures of parts as they lie on disk: colour, masks, sixteen-bit depth; and points in TIFF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mimica.anomaly.samples import GOOD
from mimica.errors import InputError, MissingExtra

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of pictures that are read as colour."""


def _opened(path: Path) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            odd = image.mode in ("P", "PA", "CMYK", "YCbCr", "HSV", "LAB", "1")
            return np.asarray(image.convert("RGB") if odd else image)
    except (UnidentifiedImageError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(f"cannot read {path} as a picture: {error}; replace it") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; replace it") from None


def colour(path: Path) -> np.ndarray:
    """The colours of a picture, uint8 [H, W, 3]; grey is taken as colour, and what an alpha channel says is left."""
    image = _opened(path)
    if image.dtype != np.uint8:
        raise InputError(f"{path} has colours of type {image.dtype}; save it with 8 bits a channel")
    if image.ndim == 2:
        image = image[..., None]
    return np.ascontiguousarray(np.repeat(image[..., :1], 3, -1) if image.shape[2] < 3 else image[..., :3])


def mask(path: Path) -> np.ndarray:
    """Where a picture is anything but black, bool [H, W], whatever its channels are; alpha says nothing."""
    image = _opened(path)
    if image.ndim == 3:
        image = image[..., : image.shape[2] - (image.shape[2] in (2, 4))].max(-1)
    return np.asarray(image > 0)


def sixteen(path: Path) -> np.ndarray:
    """Whole numbers of up to 16 bits, uint16 [H, W]. Raises InputError for a picture of 8 bits or of colour."""
    image = _opened(path)
    if image.ndim != 2 or image.dtype not in (np.uint16, np.int32):
        raise InputError(f"{path} is no depth of 16 bits (it is {image.dtype} {image.shape}); save it as 16-bit PNG")
    if image.min() < 0 or image.max() > 65535:
        raise InputError(f"{path} holds depth of {image.max()}, more than 16 bits; save it as 16-bit PNG")
    return image.astype(np.uint16)


def points(path: Path) -> np.ndarray:
    """Organised points of a TIFF as they are there, floating [H, W, 3].

    Raises InputError for a file that holds something else, MissingExtra without tifffile.
    """
    try:
        import tifffile
    except ImportError:
        raise MissingExtra("tifffile", "anomaly") from None
    try:
        found = np.asarray(tifffile.imread(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; replace it") from None
    except Exception as error:  # tifffile raises what its many parts raise
        raise InputError(f"cannot read {path} as TIFF: {error}; save it as uncompressed TIFF") from None
    if found.ndim != 3 or found.shape[2] != 3 or not np.issubdtype(found.dtype, np.floating):
        raise InputError(
            f"{path} holds {found.dtype} {found.shape}; points are floating numbers of height, width and 3"
        )
    return found


def measured(name: str, xyz: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Points as a sample has them: float32, nan wherever one is missing [H, W] or is no finite number.

    Raises InputError where none is left.
    """
    whole = np.isfinite(xyz).all(-1) & ~missing
    if not whole.any():
        raise InputError(f"{name}: depth was measured nowhere; leave this part out, or scan it again")
    return np.where(whole[..., None], xyz, np.nan).astype(np.float32)


def truth(path: Path | None, defect: str | None, size: tuple[int, int]) -> np.ndarray | None:
    """Where a part is defective: what its mask says, nowhere if it is good, None where nobody said."""
    if path is not None:
        return mask(path)
    return np.zeros(size, bool) if defect == GOOD else None
