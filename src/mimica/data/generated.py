"""Generated clips to train on beside real ones: a table of their own, with what each was made from.

G generated clips, C classes. The table is one of `data.table` and may have more columns. One of these two at least:
`made_from`, the clips of the data that its still and its prompt came of, as the data names them, with `;` between; and
`still_part`, the part of the data that its still is from. And one named after each class, which together say what share
of the clip is of which: its label alone where they are absent or empty.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mimica.data.clipset import ClipSet, Item, items, load, parse, space_of
from mimica.data.table import read_rows
from mimica.data.validation import lacks_one
from mimica.errors import InputError, UsageError
from mimica.labels import LabelSpace

ORIGIN = ("made_from", "still_part")
"""The columns that say what a generated clip was made from."""

_HELD = " in this run, which parts the data by --fold or holds a part of train out to validate on"

_ARCHIVES = ("fer2013", "packed")
"""Kinds of data whose clips are no files of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Generated clips, and `shares` [G, C], what share of each is of each class; None where labels are plain."""

    clips: ClipSet
    shares: np.ndarray | None = None

    def facts(self) -> dict[str, Any]:
        """What a checkpoint states of them: as of any clips, the digest over their shares too."""
        told = dict(self.clips.manifest)
        if self.shares is not None:
            digest = hashlib.sha256(str(told.get("digest")).encode() + np.round(self.shares, 6).tobytes())
            told["digest"] = digest.hexdigest()[:16]
        return {**told, "soft_labels": self.shares is not None}


def load_generated(
    spec: str, real: ClipSet, *, data: str, fold: int | None = None, hold: float = 0.0, **how: Any
) -> Generated:
    """The generated clips of `table:FILE` beside `real` ones, those of `data` that are learned from.

    `fold` and `hold` are those by which they were loaded, and `how` is further said to `clipset.load`. Raises
    UsageError for data of another kind, of other classes or that is measured on, InputError that names the row whose
    columns are wrong, and UsageError where a clip was made from anything that is not learned from.
    """
    kind, table = parse(spec)
    if kind != "table":
        raise UsageError(f"generated clips are named as table:FILE, with what each was made from, not as {spec}")
    space = space_of(data)
    _refuse_classes(spec, space_of(spec), data, space)
    columns, rows = read_rows(table, ("path", "part", *ORIGIN, *space.names))
    listed = [] if parse(data)[0] in _ARCHIVES else items(data, space=space, fold=fold)
    parted_here = fold is not None or (hold > 0 and lacks_one(listed))
    _refuse_origin(table, columns, rows, real, data, parted_here=parted_here)
    clips = load(spec, space=space, **how)
    _refuse_same(clips.names, listed, real.names)
    return Generated(clips=clips, shares=_shares(table, columns, rows, clips.labels, space))


def _refuse_classes(spec: str, theirs: LabelSpace, data: str, ours: LabelSpace) -> None:
    if sorted(theirs.names) != sorted(ours.names):
        raise UsageError(
            f"{spec} has the classes {', '.join(theirs.names)}, and {data} has {', '.join(ours.names)}; put the "
            "label_space.json of the data beside the generated clips"
        )


def _refuse_origin(
    table: Path, columns: Sequence[str], rows: Sequence[dict[str, str]], real: ClipSet, data: str, *, parted_here: bool
) -> None:
    """Raise where a clip is not known to be made from clips that are learned from, and from nothing else."""
    there = [column for column in ORIGIN if column in columns]
    if not there or (parted_here and "made_from" not in there):
        why = f"; {data} is parted anew by this run, so that still_part does not tell" if there else ""
        raise UsageError(
            f"{table} does not say what its clips were made from{why}; give it the column made_from, the clips of "
            "the data that each came of, as the data names them"
        )
    learned = {name for one in real.names for name in (one, os.path.realpath(one))}
    roots = (Path(), table.parent, parse(data)[1].parent)
    for number, row in enumerate(rows, start=2):
        where = f"{table}, row {number}"
        if row["part"] not in ("", "train"):
            raise UsageError(f"{where}: generated clips are trained on alone, and this one is of part {row['part']}")
        if row["still_part"] not in ("", "train"):
            raise UsageError(f"{where}: its still is from the part {row['still_part']}; leave the clip out")
        came_of = [one.strip() for one in row["made_from"].split(";") if one.strip()]
        if not came_of and (parted_here or not row["still_part"]):
            raise UsageError(f"{where}: it does not say what the clip was made from, in the column {there[0]}")
        for one in came_of:
            if one not in learned and not any(os.path.realpath(root / one) in learned for root in roots):
                raise UsageError(
                    f"{where}: the clip was made from {one}, which is none of the clips of {data} that are learned "
                    f"from{_HELD if parted_here else ''}; leave it out"
                )


def _refuse_same(names: Sequence[str], listed: Sequence[Item], learned: Sequence[str]) -> None:
    """Raise UsageError where a generated clip is a file of the data too, by whatever name."""
    real = _files([*(item.path for item in listed), *learned])
    for name in names:
        if _files([name]) & real:
            raise UsageError(f"{name} is a clip of the data and of the generated clips; leave it out of one of them")


def _files(names: Iterable[str | Path]) -> set[tuple[int, int]]:
    found = set()
    for name in names:
        try:
            stated = os.stat(name)
        except OSError:  # a clip of an archive is no file
            continue
        found.add((stated.st_dev, stated.st_ino))
    return found


def _shares(
    table: Path, columns: Sequence[str], rows: Sequence[dict[str, str]], labels: np.ndarray, space: LabelSpace
) -> np.ndarray | None:
    """What share of each clip is of each class [G, C], or None where the table does not say."""
    there = [name for name in space.names if name in columns]
    if not there:
        return None
    if lacking := [name for name in space.names if name not in columns]:
        raise InputError(f"{table} has a column {there[0]} and none for {', '.join(lacking)}; give all classes one")
    shares: np.ndarray = np.eye(len(space))[labels]
    for i, row in enumerate(rows):
        if any(row[name] for name in there):
            shares[i] = _row(row, labels[i], space, f"{table}, row {i + 2}")
    return shares


def _row(row: dict[str, str], label: int, space: LabelSpace, where: str) -> np.ndarray:
    try:
        found = np.array([float(row[name]) for name in space.names])
    except ValueError:
        raise InputError(f"{where}: the columns of the classes are numbers from 0 to 1, in all of them") from None
    if not (found >= 0).all() or not abs(found.sum() - 1) < 0.02:
        raise InputError(f"{where}: its shares of the classes are 0 to 1 and 1 together, and not {found.sum():g}")
    if found[label] < found.max():
        likeliest = space.names[int(found.argmax())]
        raise InputError(f"{where}: its label is {space.names[label]}, and its shares speak for {likeliest}")
    return np.asarray(found / found.sum())
