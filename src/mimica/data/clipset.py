"""Labelled clips of faces, already cropped: what training and evaluation read.

N clips, T frames of a clip, S side in pixels, G channels: 3, or 1 where the data is grey.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mimica.errors import InputError, unknown
from mimica.labels import EXPRESSIONS, LabelSpace

KINDS = ("folder", "table", "fer2013")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One labelled file: where it lies, which class it shows, which part of the data it belongs to."""

    path: Path
    label: int
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSet:
    """Clips in memory: `frames` N arrays uint8 [T, S, S, G], `labels` int [N], `names` [N] for messages.

    `manifest` states where they came from, so that a checkpoint can say what it saw.
    """

    frames: Sequence[np.ndarray]
    labels: np.ndarray
    names: Sequence[str]
    space: LabelSpace = EXPRESSIONS
    manifest: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """How many clips each class has, in the order of the label space."""
        number = np.bincount(self.labels, minlength=len(self.space))
        return dict(zip(self.space.names, number.tolist(), strict=True))


def parse(spec: str) -> tuple[str, Path]:
    """The kind and the path of a data argument such as `folder:faces` or `table:clips.csv`."""
    kind, colon, path = spec.partition(":")
    if not colon or kind not in KINDS:
        raise unknown("kind of data", kind, [f"{k}:PATH" for k in KINDS])
    if not Path(path).exists():
        raise InputError(f"there is no {path} (given as {spec})")
    return kind, Path(path)


def items(spec: str, *, space: LabelSpace = EXPRESSIONS) -> list[Item]:
    """The labelled files of `folder:PATH` (a folder a class) or `table:FILE` (columns path, label).

    Raises InputError where nothing is found, a column is absent or a class is not in the space.
    """
    kind, path = parse(spec)
    if kind == "folder":
        from mimica.data.folder import folder_items as read
    elif kind == "table":
        from mimica.data.table import table_items as read
    else:
        raise InputError(f"{spec} holds pictures in an archive, which only train and pretrain read; use folder:PATH")
    return read(path, space)


def load(spec: str, *, part: str = "train", size: int, frames: int = 1, space: LabelSpace = EXPRESSIONS) -> ClipSet:
    """The clips of a data argument, in memory, `frames` at most of each, `size` pixels square.

    `part` chooses among the parts of data that has them; other data is taken whole.
    """
    kind, path = parse(spec)
    if kind == "fer2013":
        from mimica.data.fer2013 import load_fer2013

        return load_fer2013(path, part=part, size=size, space=space)
    from mimica.data.files import load_files

    found = [item for item in items(spec, space=space) if item.part in ("", part)]
    if not found:
        raise InputError(f"{spec} has no clip of the part {part}")
    return load_files(found, size=size, frames=frames, space=space, origin=f"{Path(path).name}, part {part}")


def load_held(spec: str, *, size: int, frames: int = 1, space: LabelSpace = EXPRESSIONS) -> ClipSet | None:
    """The part of the data that is kept for calibration, or None where the data has no such part."""
    kind, _ = parse(spec)
    if kind == "table" and not any(item.part == "calibration" for item in items(spec, space=space)):
        return None
    return None if kind == "folder" else load(spec, part="calibration", size=size, frames=frames, space=space)


def manifest(origin: str, names: Sequence[str], labels: np.ndarray, space: LabelSpace) -> dict[str, object]:
    """What a checkpoint states of its data: origin, number and classes of clips, a digest of names and labels."""
    digest = hashlib.sha256("\n".join(f"{n}\t{x}" for n, x in zip(names, labels, strict=True)).encode())
    number = np.bincount(labels, minlength=len(space)).tolist()
    return {
        "origin": origin,
        "clips": len(labels),
        "classes": dict(zip(space.names, number, strict=True)),
        "digest": digest.hexdigest()[:16],
    }
