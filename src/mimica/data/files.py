"""Labelled files, already cropped to faces, into memory. T frames of a clip, S side in pixels."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mimica.data.clipset import ClipSet, Item, manifest
from mimica.errors import InputError
from mimica.faces.crop import cut
from mimica.labels import LabelSpace
from mimica.video.read import open_video


def load_files(items: Sequence[Item], *, size: int, frames: int, space: LabelSpace, origin: str) -> ClipSet:
    """Files as clips of at most `frames` frames each, evenly spread over the file, `size` pixels square."""
    clips = [_clip(item.path, size, frames) for item in items]
    labels = np.array([item.label for item in items])
    names = [str(item.path) for item in items]
    return ClipSet(
        frames=clips, labels=labels, names=names, space=space, manifest=manifest(origin, names, labels, space)
    )


def fitted(image: np.ndarray, size: int) -> np.ndarray:
    """A picture uint8 [H, W, 3], as a clip holds it: `size` pixels square."""
    H, W = image.shape[:2]
    return cut(image, np.array([0.0, 0.0, W, H]), size)


def _clip(path: Path, size: int, frames: int) -> np.ndarray:
    """Frames uint8 [T, S, S, 3] of one file; memory holds at most twice as many as are kept."""
    kept: deque[np.ndarray] = deque()
    every = 1
    with open_video(path) as video:
        for number, frame in enumerate(video):
            if number % every:
                continue
            kept.append(fitted(frame.image, size))
            if len(kept) == 2 * frames:
                kept = deque(list(kept)[::2])
                every *= 2
    if not kept:
        raise InputError(f"{path} holds no frame")
    if len(kept) > frames:
        places = np.linspace(0, len(kept) - 1, frames).round().astype(int)
        return np.stack([kept[i] for i in places])
    return np.stack(kept)
