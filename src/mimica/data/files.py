"""Labelled files, already cropped to faces, as clips in memory or on disk. T frames of a clip, S side in pixels."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mimica.data.clipset import ClipSet, Frames, Item, manifest
from mimica.data.stored import Fit, StoredClip, fitted, scene_fitted
from mimica.errors import InputError
from mimica.labels import LabelSpace
from mimica.video.read import open_video
from mimica.video.sources import PICTURES

IN_MEMORY = 2 * 2**30
"""How many bytes clips may take in memory before they are left in their files, where nothing else is said."""


def load_files(
    items: Sequence[Item],
    *,
    size: int,
    frames: int | None,
    space: LabelSpace,
    origin: str,
    stored: bool | None = None,
    scenes: bool = False,
) -> ClipSet:
    """Files as clips of at most `frames` frames each, evenly spread over the file, `size` pixels square.

    All frames where `frames` is None. `stored` leaves them in their files until they are asked for, and None
    decides it: in memory up to `IN_MEMORY`. With `scenes` the set has those too if the items do.
    """
    behind = [item.scene for item in items if item.scene is not None] if scenes else []
    if behind and len(behind) < len(items):
        lacking = next(item.path for item in items if item.scene is None)
        raise InputError(f"{lacking} has no scene, and other clips of {origin} have one; give all of them one or none")
    if stored is None:
        stored = _exceeds(items, size=size, frames=frames, views=1 + bool(behind))

    def read(path: Path, fit: Fit) -> Frames:
        return StoredClip(path, size=size, most=frames, fit=fit) if stored else _clip(path, size, frames, fit)

    labels = np.array([item.label for item in items])
    names = [str(item.path) for item in items]
    return ClipSet(
        frames=[read(item.path, fitted) for item in items], labels=labels, names=names, space=space,
        manifest=manifest(origin, names, labels, space), scenes=[read(path, scene_fitted) for path in behind] or None,
        groups=[item.group for item in items] if any(item.group for item in items) else None,
    )  # fmt: skip


def _exceeds(items: Sequence[Item], *, size: int, frames: int | None, views: int) -> bool:
    """Whether clips would take more than `IN_MEMORY`; no more files are looked into than it takes to know."""
    room = IN_MEMORY // (3 * views * size**2)
    for item in items:
        still = item.path.suffix.lower() in PICTURES and item.path.is_file()
        room -= 1 if still else frames or len(StoredClip(item.path, size=size))
        if room < 0:
            return True
    return False


def _clip(path: Path, size: int, frames: int | None, fit: Fit) -> np.ndarray:
    """Frames uint8 [T, S, S, 3] of one file; memory holds at most twice as many as are kept."""
    kept: deque[np.ndarray] = deque()
    every = 1
    with open_video(path) as video:
        for number, frame in enumerate(video):
            if number % every:
                continue
            kept.append(fit(frame.image, size))
            if frames and len(kept) == 2 * frames:
                kept = deque(list(kept)[::2])
                every *= 2
    if not kept:
        raise InputError(f"{path} holds no frame")
    if frames and len(kept) > frames:
        places = np.linspace(0, len(kept) - 1, frames).round().astype(int)
        return np.stack([kept[i] for i in places])
    return np.stack(kept)
