"""Labelled clips of faces, already cropped: what training and evaluation read.

N clips, T frames of a clip, S side in pixels, G channels: 3, or 1 where the data is grey.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mimica.errors import InputError, UsageError, unknown
from mimica.labels import EXPRESSIONS, MAFW, ORDERS, LabelSpace, ordered

if TYPE_CHECKING:
    from mimica.data.actor import ActorClips
    from mimica.data.published import Published

PUBLISHED = ("dfew", "ferv39k", "mafw", "list")
"""Kinds of data that are as their authors give them out, with label files of their own."""

KINDS = ("folder", "table", "fer2013", "packed", *PUBLISHED)

HELD = ("validation", "calibration")
"""Parts that are measured on while a recogniser learns and calibrated on at the end; of both, the first is taken."""

SPACE_FILE = "label_space.json"
"""Beside a table, or in a folder of class folders: the label space of the data, if it is not the seven expressions."""

ABOUT_FILE = "about.json"
"""Beside a table: what its clips are, and under `facts` what a checkpoint that learned from them should state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One labelled file: where it lies, which class it shows, which part of the data it belongs to.

    `group` is whatever the data parts people or recordings by, where it says. `scene` is the file of the whole
    frames that the faces of `path` were cut out of, and `caption` what someone wrote of the clip, where there is any.
    """

    path: Path
    label: int
    part: str = ""
    group: str = ""
    scene: Path | None = None
    caption: str = ""


class Frames(Protocol):
    """The frames of a clip, uint8 [T, S, S, G], in memory or in a file: what they share of an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """T, S, S and G."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSet:
    """Clips: `frames` N arrays uint8 [T, S, S, G], `labels` int [N], `names` [N] for messages.

    Frames are in memory, or in files that are read when they are indexed (`data.stored`). `scenes` are the
    same clips' scenes, where they are had. `groups` [N] is what the data parts people or recordings by, where it
    says. `manifest` states where they came from, so that a checkpoint can say what it saw.
    """

    frames: Sequence[Frames]
    labels: np.ndarray
    names: Sequence[str]
    space: LabelSpace = EXPRESSIONS
    manifest: Mapping[str, object] = field(default_factory=dict)
    scenes: Sequence[Frames] | None = None
    groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, places: Sequence[int]) -> ClipSet:
        """Some of the clips, by their places; what is stated of all of them stays."""
        return replace(
            self, frames=[self.frames[i] for i in places], labels=self.labels[list(places)],
            names=[self.names[i] for i in places],
            scenes=None if self.scenes is None else [self.scenes[i] for i in places],
            groups=None if self.groups is None else [self.groups[i] for i in places],
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """How many clips each class has, in the order of the label space."""
        number = np.bincount(self.labels, minlength=len(self.space))
        return dict(zip(self.space.names, number.tolist(), strict=True))


def parse(spec: str) -> tuple[str, Path]:
    """The kind and the path of a data argument such as `folder:faces`, `dfew:PATH` or `list:ORDER:FILE`."""
    kind, colon, path = spec.partition(":")
    if not colon or kind not in KINDS:
        raise unknown("kind of data", kind, [f"{k}:PATH" for k in KINDS])
    if order := order_of(spec):
        path = path.removeprefix(f"{order}:")
    if not Path(path).exists():
        raise InputError(f"there is no {path} (given as {spec})")
    return kind, Path(path)


def order_of(spec: str) -> str | None:
    """The order in which a list numbers its classes, where `list:ORDER:FILE` names one; a path may hold colons too."""
    kind, _, given = spec.partition(":")
    order, colon, _ = given.partition(":")
    if kind != "list" or not colon or order in ORDERS:
        return order if kind == "list" and colon else None
    if not Path(given).exists():
        raise unknown("order of classes", order, ORDERS)
    return None


def space_of(spec: str) -> LabelSpace:
    """The label space of data: its own by what it is, or that of its `label_space.json`, or the seven expressions.

    The file holds `names` and `descriptions`, the sentences that a recogniser with a text tower reads
    (`LabelSpace.from_facts`). Raises InputError where it is not of that form.
    """
    kind, path = parse(spec)
    if kind == "packed":
        from mimica.data.packed import packed_parts

        return next(iter(packed_parts(path).values())).space
    if kind == "mafw":
        return MAFW
    if order := order_of(spec):
        return ordered(order)
    file = (path.parent if kind in ("table", "list") else path) / SPACE_FILE
    if kind in ("fer2013", "dfew", "ferv39k") or not file.is_file():
        return EXPRESSIONS
    return stated_space(file)


def stated_space(file: Path) -> LabelSpace:
    """The label space that a `label_space.json` states. Raises InputError where it states none."""
    try:
        return LabelSpace.from_facts(_json(file))
    except UsageError as error:
        raise InputError(f"{file}: {error}") from None


def published(spec: str) -> Published:
    """A data set as it lies on disk: `dfew:PATH`, `ferv39k:PATH`, `mafw:PATH` or `list:FILE`.

    Raises UsageError for data of another kind, InputError where there is no such data set.
    """
    kind, path = parse(spec)
    if kind == "dfew":
        from mimica.data.dfew import read_dfew

        return read_dfew(path)
    if kind == "ferv39k":
        from mimica.data.ferv39k import read_ferv39k

        return read_ferv39k(path)
    if kind == "mafw":
        from mimica.data.mafw import read_mafw

        return read_mafw(path)
    if kind == "list":
        from mimica.data.lists import read_list

        return read_list(path, space_of(spec), order_of(spec))
    raise UsageError(f"{spec} is no data set with label files of its own; those are {', '.join(PUBLISHED)}")


def items(spec: str, *, space: LabelSpace | None = None, fold: int | None = None) -> list[Item]:
    """The labelled files of data that consists of files: any kind but `fer2013` and `packed`.

    `space` is the data's own where None is given; `fold`, from 1, is one of those that the data has. Raises
    UsageError for a fold that there is not, InputError where nothing is found, a column is absent, a class
    is not in the space, or a clip is not there.
    """
    kind, path = parse(spec)
    space = space or space_of(spec)
    if kind in PUBLISHED:
        return published(spec).items(fold=fold, space=space)
    if kind == "table":
        from mimica.data.table import table_items

        return table_items(path, space, fold=fold)
    _no_folds(spec, fold)
    if kind == "folder":
        from mimica.data.folder import folder_items

        return folder_items(path, space)
    raise InputError(f"{spec} holds pictures in an archive, which only train and pretrain read; use folder:PATH")


def measured(
    spec: str, *, space: LabelSpace | None = None, fold: int | None = None, part: str | None = None
) -> list[Item]:
    """The labelled files to measure on: those of a part.

    Where None is given that is `test` of data sets that publish a split and of folds, and all of other data.
    """
    found = items(spec, space=space, fold=fold)
    asked = part or ("test" if fold is not None or parse(spec)[0] in PUBLISHED else None)
    return _of_part(spec, found, asked) if asked else found


def _of_part(spec: str, listed: Sequence[Item], part: str) -> list[Item]:
    found = [item for item in listed if item.part in ("", part)]
    if not found:
        there = ", ".join(sorted({item.part for item in listed}))
        raise InputError(f"{spec} has no clip of the part {part}; it has {there}")
    return found


def _no_folds(spec: str, fold: int | None) -> None:
    if fold is not None:
        raise UsageError(f"{spec} has no folds; leave out --fold")


def load(
    spec: str,
    *,
    part: str = "train",
    size: int,
    frames: int | None = 1,
    space: LabelSpace | None = None,
    fold: int | None = None,
    stored: bool | None = None,
    scenes: bool = False,
    hold: float = 0.0,
) -> ClipSet:
    """The clips of a data argument, `frames` at most of each (None: all), `size` pixels square.

    `part` chooses among the parts of data that has them; other data is taken whole. `space` is the
    data's own where None is given; `fold` is one of those that the data has. Files are read into memory, or with
    `stored` when their frames are asked for; None leaves them in their files where they would take more than 2 GiB
    (`files.IN_MEMORY`). The frames are the same either way, but for the shades of large jpegs and for damaged
    pictures (`StoredClip`). With `scenes` each clip has its scene beside it, if the data has any.

    Where the data has a part to test on and none to validate on, `hold` is the share of `train` that is taken
    out of it for that (`data.validation`).
    """
    kind, _ = parse(spec)
    if kind in ("fer2013", "packed"):
        _no_folds(spec, fold)
    if kind == "fer2013":
        return _archive(spec, part, size, space)
    if kind == "packed":
        from mimica.data.packed import packed

        return packed(parse(spec)[1], part=part, size=size)
    space = space or space_of(spec)
    found = _of_part(spec, _parted(spec, items(spec, space=space, fold=fold), hold), part)
    return _files(spec, found, _said(part, fold), space, size=size, frames=frames, stored=stored, scenes=scenes)


def load_held(
    spec: str,
    *,
    size: int,
    frames: int | None = 1,
    space: LabelSpace | None = None,
    fold: int | None = None,
    stored: bool | None = None,
    scenes: bool = False,
    hold: float = 0.0,
) -> ClipSet | None:
    """The part to validate and calibrate on, the data's own or held out, or None where there is none; see `load`."""
    kind, _ = parse(spec)
    if kind == "fer2013":
        return _archive(spec, "calibration", size, space)
    if kind == "packed":
        from mimica.data.packed import packed_parts

        return packed_parts(parse(spec)[1], size=size).get("calibration")
    if kind == "folder" or (kind in PUBLISHED and not hold):
        return None
    space = space or space_of(spec)
    listed = _parted(spec, items(spec, space=space, fold=fold), hold)
    for part in HELD:
        if kept := [item for item in listed if item.part == part]:
            return _files(spec, kept, _said(part, fold), space, size=size, frames=frames, stored=stored, scenes=scenes)
    return None


def load_whole(spec: str, *, size: int, frames: int | None, space: LabelSpace, scenes: bool = False) -> ClipSet:
    """Every clip of data that consists of files, whatever its part or fold, left in its file; see `load`."""
    kind, path = parse(spec)
    fold = None
    if kind in PUBLISHED:
        fold = 1 if published(spec).folds else None
    elif kind == "table":
        from mimica.data.table import a_fold

        fold = a_fold(path)
    found = items(spec, space=space, fold=fold)
    return _files(spec, found, "all", space, size=size, frames=frames, stored=True, scenes=scenes)


def _parted(spec: str, listed: Sequence[Item], hold: float) -> Sequence[Item]:
    """The same items with a share of `train` in `validation`, where they lack such a part."""
    from mimica.data.validation import held_out, lacks_one

    if not hold or not lacks_one(listed):
        return listed
    return held_out(listed, share=hold, by_group=parse(spec)[0] == "ferv39k")


def _said(part: str, fold: int | None) -> str:
    return part if fold is None else f"{part} of fold {fold}"


def of_classes(clips: ClipSet, names: Sequence[str]) -> ClipSet:
    """The clips of some classes, in a label space of only those. Raises UsageError for a class that there is not."""
    space = clips.space.only(names)
    to = {clips.space.index(name): place for place, name in enumerate(space.names)}
    kept = clips.taken([i for i, label in enumerate(clips.labels.tolist()) if label in to])
    labels = np.array([to[label] for label in kept.labels], dtype=clips.labels.dtype)
    stated = manifest(str(clips.manifest.get("origin", "")), kept.names, labels, space)
    return replace(kept, labels=labels, space=space, manifest={**clips.manifest, **stated})


def from_actor(clips: ActorClips, *, size: int) -> ClipSet:
    """Clips of the synthetic actor, in memory, `size` pixels square: those that its files on disk would give."""
    from mimica.data.stored import fitted

    frames = [np.stack([fitted(image, size) for image in clip]) for clip in clips.face.permute(0, 1, 3, 4, 2).numpy()]
    labels = clips.labels.numpy()
    names = [f"actor clip {i:06d}" for i in range(len(labels))]
    stated = manifest(f"actor, part {clips.facts['part']}", names, labels, clips.space)
    actors = [f"actor {number}" for number in clips.identity.tolist()]
    return ClipSet(
        frames=frames, labels=labels, names=names, space=clips.space, manifest={**clips.facts, **stated}, groups=actors
    )


def _archive(spec: str, part: str, size: int, space: LabelSpace | None) -> ClipSet:
    from mimica.data.fer2013 import load_fer2013

    return load_fer2013(parse(spec)[1], part=part, size=size, space=space or EXPRESSIONS)


def _files(spec: str, found: Sequence[Item], part: str, space: LabelSpace, **how: Any) -> ClipSet:
    from mimica.data.files import load_files

    kind, path = parse(spec)
    clips = load_files(found, space=space, origin=f"{path.name}, part {part}", **how)
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
