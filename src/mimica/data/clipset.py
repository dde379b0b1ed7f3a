"""Labelled clips of faces, already cropped: what training and evaluation read.

N clips, T frames of a clip, S side in pixels, G channels: 3, or 1 where the data is grey.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mimica.errors import InputError, UsageError, unknown
from mimica.labels import EXPRESSIONS, LabelSpace

if TYPE_CHECKING:
    from mimica.data.actor import ActorClips

KINDS = ("folder", "table", "fer2013", "packed")

SPACE_FILE = "label_space.json"
"""Beside a table, or in a folder of class folders: the label space of the data, if it is not the seven expressions."""

ABOUT_FILE = "about.json"
"""Beside a table: what its clips are, and under `facts` what a checkpoint that learned from them should state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One labelled file: where it lies, which class it shows, which part of the data it belongs to.

    `group` is whatever the data parts people or recordings by, where it says.
    """

    path: Path
    label: int
    part: str = ""
    group: str = ""


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


def space_of(spec: str) -> LabelSpace:
    """The label space that data states in its own `label_space.json`, or else the seven expressions.

    The file holds `names` and `descriptions`, the sentences that a recogniser with a text tower reads
    (`LabelSpace.from_facts`). Raises InputError where it is not of that form.
    """
    kind, path = parse(spec)
    if kind == "packed":
        from mimica.data.packed import packed_parts

        return next(iter(packed_parts(path).values())).space
    file = (path.parent if kind == "table" else path) / SPACE_FILE
    if kind == "fer2013" or not file.is_file():
        return EXPRESSIONS
    try:
        return LabelSpace.from_facts(_json(file))
    except UsageError as error:
        raise InputError(f"{file}: {error}") from None


def items(spec: str, *, space: LabelSpace | None = None) -> list[Item]:
    """The labelled files of `folder:PATH` (a folder a class) or `table:FILE` (columns path, label).

    `space` is the data's own where None is given. Raises InputError where nothing is found, a column
    is absent or a class is not in the space.
    """
    kind, path = parse(spec)
    if kind == "folder":
        from mimica.data.folder import folder_items as read
    elif kind == "table":
        from mimica.data.table import table_items as read
    else:
        raise InputError(f"{spec} holds pictures in an archive, which only train and pretrain read; use folder:PATH")
    return read(path, space or space_of(spec))


def load(spec: str, *, part: str = "train", size: int, frames: int = 1, space: LabelSpace | None = None) -> ClipSet:
    """The clips of a data argument, in memory, `frames` at most of each, `size` pixels square.

    `part` chooses among the parts of data that has them; other data is taken whole. `space` is the
    data's own where None is given.
    """
    kind, _ = parse(spec)
    if kind == "fer2013":
        return _archive(spec, part, size, space)
    if kind == "packed":
        from mimica.data.packed import packed

        return packed(parse(spec)[1], part=part, size=size)
    space = space or space_of(spec)
    listed = items(spec, space=space)
    found = [item for item in listed if item.part in ("", part)]
    if not found:
        there = ", ".join(sorted({item.part for item in listed}))
        raise InputError(f"{spec} has no clip of the part {part}; it has {there}")
    return _files(spec, found, part, size, frames, space)


def load_held(spec: str, *, size: int, frames: int = 1, space: LabelSpace | None = None) -> ClipSet | None:
    """The part of the data that is kept for calibration, or None where the data has no such part."""
    kind, _ = parse(spec)
    if kind == "fer2013":
        return _archive(spec, "calibration", size, space)
    if kind == "packed":
        from mimica.data.packed import packed_parts

        return packed_parts(parse(spec)[1], size=size).get("calibration")
    if kind == "folder":
        return None
    space = space or space_of(spec)
    kept = [item for item in items(spec, space=space) if item.part == "calibration"]
    return _files(spec, kept, "calibration", size, frames, space) if kept else None


def from_actor(clips: ActorClips, *, size: int) -> ClipSet:
    """Clips of the synthetic actor, in memory, `size` pixels square: those that its files on disk would give."""
    from mimica.data.files import fitted

    frames = [np.stack([fitted(image, size) for image in clip]) for clip in clips.face.permute(0, 1, 3, 4, 2).numpy()]
    labels = clips.labels.numpy()
    names = [f"actor clip {i:06d}" for i in range(len(labels))]
    stated = manifest(f"actor, part {clips.facts['part']}", names, labels, clips.space)
    return ClipSet(frames=frames, labels=labels, names=names, space=clips.space, manifest={**clips.facts, **stated})


def _archive(spec: str, part: str, size: int, space: LabelSpace | None) -> ClipSet:
    from mimica.data.fer2013 import load_fer2013

    return load_fer2013(parse(spec)[1], part=part, size=size, space=space or EXPRESSIONS)


def _files(spec: str, found: Sequence[Item], part: str, size: int, frames: int, space: LabelSpace) -> ClipSet:
    from mimica.data.files import load_files

    kind, path = parse(spec)
    clips = load_files(found, size=size, frames=frames, space=space, origin=f"{path.name}, part {part}")
    return replace(clips, manifest={**_stated(path.parent), **clips.manifest}) if kind == "table" else clips


def _stated(folder: Path) -> Mapping[str, object]:
    """What an `about.json` of ours says of clips; a file of this name may as well be about something else."""
    try:
        facts = _json(folder / ABOUT_FILE)["facts"]
    except (InputError, KeyError, TypeError, IndexError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {file} as JSON: {error}") from None


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
