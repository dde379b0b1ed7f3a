"""What is wrong with a data set as it lies on disk, found before a night is spent on it.

Label files are held to the published counts, to each other and to the clips; of clips, the frames are
counted. No picture is opened unless that is asked for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimica.data.published import LabelFile, Published, Row, inside, read
from mimica.errors import InputError
from mimica.labels import LabelSpace
from mimica.video.sources import PICTURES

SHORT = 16
"""Frames that a clip has where published methods sample their 16; one with fewer is short, which is no fault."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of thing in one place: how many there are and which. What is not `wrong` is only worth knowing."""

    what: str
    where: str
    number: int
    which: tuple[str, ...] = ()
    wrong: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many clips of each class a part has by its label file, and by the authors; None where they do not say."""

    part: str
    found: tuple[int, ...]
    published: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found."""

    name: str
    classes: tuple[str, ...]
    tallies: tuple[Tally, ...]
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that are faults."""
        return tuple(finding for finding in self.findings if finding.wrong)

    def facts(self) -> dict[str, Any]:
        """The check as JSON, with every clip by name."""
        told = {
            kind: [
                {"what": one.what, "where": one.where, "number": one.number, "which": list(one.which)}
                for one in self.findings
                if one.wrong == (kind == "wrong")
            ]
            for kind in ("wrong", "notes")
        }
        counts = [
            {
                "part": tally.part,
                "found": dict(zip(self.classes, tally.found, strict=True)),
                "published": tally.published and dict(zip(self.classes, tally.published, strict=True)),
            }
            for tally in self.tallies
        ]
        return {"data": self.name, "ok": not self.wrong, "counts": counts, **told}


def checked(data: Published, *, decode: bool = False, progress: Progress = lambda done, total: None) -> Checked:
    """Look for all that is wrong with a data set; `decode` opens one frame of every clip as well.

    `progress` is told how many clips were looked at, and of how many. Raises InputError only for a label file
    of another form than it should have.
    """
    there = [file for file in data.files if file.path.exists()]
    labels = {file: file.rows() for file in there}
    rows = [row for each in labels.values() for row in each]
    findings = [
        *_absent(data.files, labels),
        *_unknown(rows, data.space),
        *_folders(rows, data.space),
        *_twice(labels),
        *_across(labels, data.folds),
        *_differing(labels, data.space),
        *_counted(labels, data),
        *(one for other in data.others for one in _compared(other, labels, data.space)),
        *_on_disk(rows, data, decode, progress),
    ]
    published = data.counts.clips if data.counts else {}
    tallies = [
        Tally(
            part=file.where or file.path.name, found=_by_class(each, data.space),
            published=published.get((file.fold, file.part)),
        )
        for file, each in labels.items()
    ]  # fmt: skip
    return Checked(name=data.name, classes=data.space.names, tallies=tuple(tallies), findings=tuple(findings))


Labels = Mapping[LabelFile, Sequence[Row]]


def found(what: str, where: str, which: Sequence[str], *, wrong: bool = True) -> Iterator[Finding]:
    """A finding, where there is anything."""
    if which:
        yield Finding(what=what, where=where, number=len(which), which=tuple(which), wrong=wrong)


def _absent(files: Sequence[LabelFile], labels: Labels) -> Iterator[Finding]:
    for file in files:
        if not labels.get(file):
            what = "label file without a clip" if file in labels else "no label file"
            yield from found(what, file.where, [str(file.path)])


def _classes(space: LabelSpace, labels: Iterable[str]) -> dict[str, int | str]:
    """The place of every label's class, or the label as it is where it is of no class."""
    return {label: space.index(label) if label in space else label for label in set(labels)}


def _by_class(rows: Sequence[Row], space: LabelSpace) -> tuple[int, ...]:
    """Clips of each class; one that is named twice counts once."""
    said = {row.clip: row.label for row in rows}
    places = _classes(space, said.values())
    number = Counter(places[label] for label in said.values())
    return tuple(number[place] for place in range(len(space)))


def _unknown(rows: Sequence[Row], space: LabelSpace) -> Iterator[Finding]:
    places = _classes(space, (row.label for row in rows))
    lost: dict[Path, list[str]] = {}
    for row in rows:
        if isinstance(places[row.label], str):
            lost.setdefault(row.file, []).append(f"line {row.line}: '{row.label}'")
    for file, which in lost.items():
        yield from found("unknown class", str(file), which)


def _folders(rows: Sequence[Row], space: LabelSpace) -> Iterator[Finding]:
    places = _classes(space, (word for row in rows for word in (row.label, row.shown)))
    apart = {
        f"{row.clip} is labelled {row.label}": None
        for row in rows
        if row.shown and places[row.shown] != places[row.label]
    }
    yield from found("label is not what the folder says", "", list(apart))


def _twice(labels: Labels) -> Iterator[Finding]:
    for file, rows in labels.items():
        number = Counter(row.clip for row in rows)
        yield from found("listed twice", file.where, [clip for clip, times in number.items() if times > 1])


def _across(labels: Labels, folds: int) -> Iterator[Finding]:
    """Clips that are in train and in test of one fold, tested in two folds, or not in a fold that others have."""
    clips = {(file.fold, file.part): {row.clip for row in rows} for file, rows in labels.items()}
    for fold in dict.fromkeys(fold for fold, _ in clips):
        both = clips.get((fold, "train"), set()) & clips.get((fold, "test"), set())
        yield from found("in train and in test", f"fold {fold}" if fold else "", sorted(both))
    tested = Counter(clip for (_, part), there in clips.items() if part == "test" for clip in there)
    yield from found("tested in two folds", "", sorted(clip for clip, times in tested.items() if times > 1))
    everywhere = set().union(*clips.values())
    for fold in range(1, folds + 1):
        if (fold, "train") in clips and (fold, "test") in clips:
            left = everywhere - clips[fold, "train"] - clips[fold, "test"]
            yield from found("in other folds, not in this", f"fold {fold}", sorted(left))


def _differing(labels: Labels, space: LabelSpace) -> Iterator[Finding]:
    """Clips that two label files, or two lines of one, give different classes."""
    places = _classes(space, (row.label for rows in labels.values() for row in rows))
    said: dict[str, dict[int | str, str]] = {}
    for rows in labels.values():
        for row in rows:
            said.setdefault(row.clip, {})[places[row.label]] = row.label
    apart = [f"{clip}: {' and '.join(names.values())}" for clip, names in sorted(said.items()) if len(names) > 1]
    yield from found("labelled differently", "", apart)


def _counted(labels: Labels, data: Published) -> Iterator[Finding]:
    """Where the number of clips is not the published one."""
    if not data.counts:
        return
    for file, rows in labels.items():
        found, published = _by_class(rows, data.space), data.counts.clips[file.fold, file.part]
        apart = {name: (n, p) for name, n, p in zip(data.space.names, found, published, strict=True) if n != p}
        yield from _off("not the published number", file.where, apart)
        if data.counts.groups and file.part == "train":
            group = Counter({row.clip: row.group for row in rows}.values())
            names = dict.fromkeys((*data.counts.groups, *group))
            several = {name: (group[name], data.counts.groups.get(name, 0)) for name in names}
            apart = {name: pair for name, pair in several.items() if pair[0] != pair[1]}
            yield from _off("not the published number by scene", file.where, apart)


def _off(what: str, where: str, apart: Mapping[str, tuple[int, int]]) -> Iterator[Finding]:
    """A finding that counts the clips by which numbers are off."""
    if apart:
        which = tuple(f"{name} {n}, published {p}" for name, (n, p) in apart.items())
        yield Finding(what=what, where=where, number=sum(abs(n - p) for n, p in apart.values()), which=which)


def _compared(other: LabelFile, labels: Labels, space: LabelSpace) -> Iterator[Finding]:
    """What another file says of the same clips, held to the label files."""
    try:
        theirs = {row.clip: row.label for row in read(other)}
    except InputError as error:
        yield from found("not compared with", other.path.name, [str(error)], wrong=False)
        return
    same = [file for file in labels if other.fold in (None, file.fold) and other.part in ("", file.part)]
    ours = {row.clip: row.label for file in same for row in labels[file]}
    places = _classes(space, (*ours.values(), *theirs.values()))
    apart = [
        f"{clip}: {ours[clip]} and {label}"
        for clip, label in sorted(theirs.items())
        if clip in ours and places[ours[clip]] != places[label]
    ]
    where = str(other.path)
    yield from found("another label file says otherwise", where, apart)
    apart_from = [file for file in labels if file.fold == other.fold and file not in same]
    moved = {row.clip for file in apart_from for row in labels[file]} & theirs.keys() - ours.keys()
    yield from found("another label file has it in another part", where, sorted(moved))
    if other.whole and ours:
        odd = (theirs.keys() ^ ours.keys()) - moved
        yield from found("another label file lists other clips", where, sorted(odd))


def _on_disk(rows: Sequence[Row], data: Published, decode: bool, progress: Progress) -> Iterator[Finding]:
    """What of the labelled clips is not there, empty, short, without a scene view or not to be opened."""
    stated = {row.clip: row.frames for row in rows}
    labelled = sorted(stated)
    yield from found("no such clip", str(data.place), [clip for clip in labelled if clip not in data.clips])
    there = {clip: data.clips[clip] for clip in labelled if clip in data.clips}
    frames: dict[str, int | None] = {}
    broken = []
    for done, (clip, path) in enumerate(there.items(), start=1):
        frames[clip] = frames_of(path)
        if decode and frames[clip] != 0 and (why := undecodable(path)):
            broken.append(why)
        progress(done, len(there))
    counted = {clip: number for clip, number in frames.items() if number is not None}
    yield from found("no frame in the clip", str(data.place), [clip for clip, number in frames.items() if number == 0])
    yield from found("cannot be opened", str(data.place), broken)
    off = [f"{clip}: {n}, listed {stated[clip]}" for clip, n in counted.items() if n and stated[clip] not in (None, n)]
    yield from found("not the listed number of frames", str(data.place), off)
    short = [clip for clip, number in counted.items() if 0 < number < SHORT]
    yield from found(f"fewer than {SHORT} frames", str(data.place), short, wrong=False)
    if data.scenes:
        yield from found("no scene view", "", [clip for clip in there if clip not in data.scenes], wrong=False)
    yield from found("in no label file", str(data.place), sorted(data.clips.keys() - stated.keys()), wrong=False)


def frames_of(path: Path) -> int | None:
    """How many pictures the folder of a clip holds; of a file 0 where it is empty, else None: it stays shut."""
    if path.is_dir():
        return sum(os.path.splitext(entry.name)[1].lower() in PICTURES for entry in inside(path))
    return None if path.stat().st_size else 0


def undecodable(path: Path) -> str:
    """Why the first frame of a clip cannot be read, or nothing."""
    from mimica.video.read import open_video

    try:
        with open_video(path) as video:
            return "" if next(iter(video), None) is not None else f"{path} holds no frame"
    except InputError as error:
        return str(error)
