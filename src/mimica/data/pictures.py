"""A clip as a folder of numbered pictures, without loss, and what tells it from others. T frames, S side in pixels."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mimica.data.whole import whole
from mimica.errors import InputError

PICTURES = "frame_*.png"
"""What the pictures of a clip are called, in their order."""


def save_frames(folder: Path, frames: np.ndarray, what: str) -> None:
    """Write the frames uint8 [T, S, S, 3] of a clip, which are there all at once or not at all.

    `what` is said in each picture, which is a PNG: that it is synthetic, and how it was made.
    """
    stated = PngInfo()
    stated.add_text("Description", what)
    with whole(folder) as path:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(path / f"frame_{t:04d}.png", pnginfo=stated)
        shutil.rmtree(folder, ignore_errors=True)


def has_frames(folder: Path, number: int) -> bool:
    """Whether a clip of so many frames is there."""
    return len(list(folder.glob(PICTURES))) == number


def read_frames(folder: Path) -> np.ndarray:
    """The frames uint8 [T, S, S, 3] that `save_frames` wrote. Raises InputError where they are missing or damaged."""
    paths = sorted(folder.glob(PICTURES))
    if not paths:
        raise InputError(f"{folder} holds no picture {PICTURES}")
    try:
        return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"cannot read the pictures of {folder}: {error}") from None


def digest_of_folder(folder: Path) -> str:
    """The sha256 over all pictures of a clip, in order; that of nothing where there are none."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(PICTURES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
