"""Data sets as their authors give them out: what the label files say, and which clips lie beside them.

An adapter (`dfew`, `ferv39k`, `mafw`, `lists`) reads one data set into a `Published`. `items` is what
training and evaluation take of it; `check.checked` is what is wrong with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mimica.data.clipset import Item
from mimica.errors import InputError, MimicaError, UsageError
from mimica.labels import LabelSpace
from mimica.video.sources import is_media

PARTS = ("train", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a label file: the clip it is about and the class it gives it, a name where the adapter knows one.

    `shown` is the class that the clip's own path is named after, where there is one, `frames` how many
    frames the line says the clip has, and `group` what the data set parts its clips by.
    """

    clip: str
    label: str
    file: Path
    line: int
    group: str = ""
    caption: str = ""
    shown: str = ""
    frames: int | None = None

    @property
    def where(self) -> str:
        """The file and the line, for a message."""
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """What labels the clips of one part, or, with no `part`, of any: where it lies and how to read it.

    `fold` counts from 1 and is None where a data set has one split. `whole` says that the file should name
    exactly the clips of its part, which a file that is only compared with need not.
    """

    path: Path
    rows: Callable[[], list[Row]]
    part: str = ""
    fold: int | None = None
    whole: bool = True

    @property
    def where(self) -> str:
        """Which clips these are, for a message: `fold 2, test`."""
        return ", ".join([*([f"fold {self.fold}"] if self.fold else []), *([self.part] if self.part else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many clips a data set has by the word of its authors: by fold and part, in the order of its label space.

    `groups` is how many clips to train on each group has.
    """

    clips: Mapping[tuple[int | None, str], tuple[int, ...]]
    groups: Mapping[str, int] = field(default_factory=dict)


def dealt(totals: Sequence[int], folds: int) -> Counts:
    """The counts of folds that the clips of each class were dealt to evenly, one more each to the first for the rest.

    >>> dealt([7, 4], folds=3).clips[1, "test"], dealt([7, 4], folds=3).clips[3, "train"]
    ((3, 2), (5, 3))
    """
    tests = {fold: tuple(n // folds + (fold <= n % folds) for n in totals) for fold in range(1, folds + 1)}
    trains = {fold: tuple(n - t for n, t in zip(totals, tests[fold], strict=True)) for fold in tests}
    return Counts(clips={(f, part): by[f] for f in tests for part, by in zip(PARTS, (trains, tests), strict=True)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A data set on disk.

    `files` are its label files, those that are not there included; `others` say something of the same clips
    too and are compared with them. `clips` and `scenes` are where the face view and the scene view of a clip
    lie, by its name, as far as they are there; `place` is where face views belong. `folds` is 0 where there
    is one split.
    """

    name: str
    space: LabelSpace
    files: Sequence[LabelFile]
    clips: Mapping[str, Path]
    place: Path
    scenes: Mapping[str, Path] = field(default_factory=dict)
    others: Sequence[LabelFile] = ()
    folds: int = 0
    counts: Counts | None = None

    def items(
        self, *, fold: int | None = None, space: LabelSpace | None = None, wrong: Callable[[str], None] | None = None
    ) -> list[Item]:
        """The labelled clips of a fold, by name, each of the part `train` or `test` where the data set has these.

        What cannot be used is told to `wrong` in a sentence and left out, a clip of both parts from `train`;
        without it, the first such thing raises InputError. Raises UsageError for a fold that does not exist.
        """
        self._refuse(fold)
        rows = [(file.part, row) for file in self.files if file.fold == fold for row in read(file)]
        return list(self._usable(rows, space, wrong or _refused).values())

    def tested(
        self, *, space: LabelSpace | None = None, wrong: Callable[[str], None] | None = None
    ) -> list[tuple[Item, int]]:
        """Every labelled clip, of no part, with the fold that tests it; `wrong` is as for `items`.

        Raises InputError where a fold is not trained on all that the others test: then there is no such list.
        """
        rows = {(file.fold or 0, file.part): read(file) for file in self.files}
        tests = {row.clip: (fold, row) for (fold, part), there in rows.items() if part == "test" for row in there}
        whole = {clip: row.label for clip, (_, row) in tests.items()}
        for fold in range(1, self.folds + 1):
            train = {row.clip: row.label for row in rows[fold, "train"]}
            test = {row.clip: row.label for row in rows[fold, "test"]}
            if train.keys() & test.keys() or train | test != whole or any(tests[clip][0] != fold for clip in test):
                raise InputError(
                    f"fold {fold} of {self.name} is not all that the other folds test beside what it tests itself; "
                    "mimica data check says where, and --fold takes one fold alone"
                )
        items = self._usable([("", row) for _, row in tests.values()], space, wrong or _refused)
        return [(item, tests[clip][0]) for clip, item in items.items()]

    def _refuse(self, fold: int | None) -> None:
        if not self.folds and fold is not None:
            raise UsageError(f"{self.name} has one split and no folds; leave out --fold")
        if self.folds and fold is None:
            raise UsageError(f"{self.name} has folds 1 to {self.folds}; choose one with --fold")
        if self.folds and fold not in range(1, self.folds + 1):
            raise UsageError(f"{self.name} has folds 1 to {self.folds} and no fold {fold}")

    def _usable(
        self, rows: Sequence[tuple[str, Row]], space: LabelSpace | None, tell: Callable[[str], None]
    ) -> dict[str, Item]:
        """Items by the names of their clips, in their order."""
        tested = {row.clip for part, row in rows if part == "test"}
        found: dict[str, Item] = {}
        for part, row in sorted(rows, key=lambda one: one[1].clip):
            try:
                if part == "train" and row.clip in tested:
                    raise InputError(f"the clip {row.clip} is in train and in test")
                if row.clip in found:
                    raise InputError(f"the clip {row.clip} is there twice")
                found[row.clip] = self._item(part, row, space or self.space)
            except MimicaError as error:
                tell(f"{row.where}: {error}")
        if not found:
            raise InputError(f"{self.name} has no clip that can be used; mimica data check says why")
        return found

    def _item(self, part: str, row: Row, space: LabelSpace) -> Item:
        label = space.index(row.label)
        if row.shown and space.index(row.shown) != label:
            raise InputError(f"the clip {row.clip} is labelled {row.label}, but its folder says {row.shown}")
        if row.clip not in self.clips:
            raise InputError(f"there is no clip {self.place / row.clip}")
        return Item(
            path=self.clips[row.clip], label=label, part=part, group=row.group, scene=self.scenes.get(row.clip),
            caption=row.caption,
        )  # fmt: skip


def _refused(why: str) -> None:
    raise InputError(f"{why}; mimica data check lists all that is wrong")


def read(file: LabelFile) -> list[Row]:
    """The rows of a label file. Raises InputError where it is not there or holds none."""
    if not file.path.exists():
        where = f"{file.where} is not there: " if file.where else ""
        raise InputError(f"{where}no label file {file.path}")
    rows = file.rows()
    if not rows:
        raise InputError(f"{file.path} labels no clip")
    return rows


def first_there(candidates: Sequence[LabelFile]) -> tuple[LabelFile, list[LabelFile]]:
    """Of the places where a label file may lie, the first that is there (or the first at all), and the others there."""
    there = [file for file in candidates if file.path.exists()]
    return (there[0], there[1:]) if there else (candidates[0], [])


def inside(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies directly in a folder, without what is hidden; nothing where the folder is not there."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InputError(f"cannot look into the folder {folder}: {error.strerror}") from None


def by_number(folder: Path, name: Callable[[int], str], *, grouped: str = "") -> dict[str, Path]:
    """Clips whose folder or file is named by a number, such as `00012` or `12.mp4`.

    `name` makes a clip's name of its number; `grouped` is a pattern of folders that hold such clips too.
    """
    found: dict[str, Path] = {}
    deeper = []
    for entry in inside(folder):
        stem = entry.name if entry.is_dir() else Path(entry.name).stem if is_media(entry.name) else ""
        if stem.isdecimal():
            found[name(int(stem))] = Path(entry.path)
        elif grouped and entry.is_dir() and re.fullmatch(grouped, entry.name):
            deeper.append(Path(entry.path))
    for group in sorted(deeper):
        found = by_number(group, name) | found
    return found


def text_of(path: Path) -> str:
    """A label file's text: UTF-8, or else GBK, which Chinese captions are in; bytes that are neither become a sign."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")  # GBK, and all that was added to it later


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a label file that say anything, with their numbers, without the space around them."""
    # Not splitlines: a caption may hold a sign that it takes for the end of a line.
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            yield number, line.strip()
