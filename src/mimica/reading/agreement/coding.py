"""What coders say of people over time, whoever the coder is: someone who annotates, or Mimica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from mimica.clips import Reading, Status
from mimica.errors import InputError

ANNOTATED = (".eaf", ".csv", ".tsv", ".txt")
"""The endings of files in which people annotate."""

READ = (".parquet", ".jsonl", ".csv")
"""The endings of files that hold readings, the fullest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in seconds, from `start` up to `end`, in which a coder says one `word` of a person.

    Of a reading it is the label, None where there is none; `status` is the reading's own.
    """

    start: float
    end: float
    word: str | None
    status: Status = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one coder says of the people in one source.

    `source` is its name or path as the coder's `file` has it, empty where that does not say; `also` are other names
    that it may be known by.
    `people` holds the stretches of each person: by number for readings, by the tier or whatever a table
    names them for an annotation. `unseen` is the seconds in which no face was seen. `offsets` is what has
    to be added to the times to have those of a media file, by its name.
    """

    file: Path
    source: str
    also: tuple[str, ...] = ()
    people: Mapping[str, tuple[Stretch, ...]]
    unseen: float = 0.0
    offsets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """All that one coder says: the `recordings`, and of readings the classes that they choose from."""

    path: Path
    kind: Literal["annotation", "readings"]
    recordings: tuple[Recording, ...]
    labels: tuple[str, ...] = ()


def read_coding(path: Path) -> Coding:
    """Whatever a file or folder holds: readings as `mimica predict` writes them, or an annotation.

    A folder is read for its readings, once for each source, or else for its annotations. Raises InputError
    where there is neither.
    """
    if not path.exists():
        raise InputError(f"there is no {path}; name readings that mimica predict wrote, or an annotation")
    found = _files(path)
    readings = [file for file in found if _holds_readings(file)]
    if readings:
        return _readings(path, _fullest(readings))
    annotated = [file for file in found if file.suffix.lower() in ANNOTATED]
    if not annotated:
        what = "holds neither" if path.is_dir() else "is neither"
        raise InputError(
            f"{path} {what} readings ({', '.join(READ)} of mimica predict) nor an annotation ({', '.join(ANNOTATED)})"
        )
    recordings = [recording for file in annotated for recording in _annotation(file)]
    return Coding(path=path, kind="annotation", recordings=tuple(recordings))


def file_name(source: str) -> str:
    """The last part of a path or address as any system writes it.

    >>> file_name("file:///C:/my%20study/day 1.mp4"), file_name("D:\\\\x\\\\a.mov")
    ('day 1.mp4', 'a.mov')
    """
    return (unquote(source) if "://" in source else source).replace("\\", "/").rstrip("/").rpartition("/")[2]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def _holds_readings(file: Path) -> bool:
    from mimica.reading.agreement.stored import holds_readings

    return file.suffix.lower() in READ and holds_readings(file)


def _fullest(files: Sequence[Path]) -> list[Path]:
    """One file for each name: the same readings may lie there in several formats."""
    best: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: READ.index(file.suffix.lower())):
        best.setdefault(file.stem, file)
    return [best[stem] for stem in sorted(best)]


def _readings(path: Path, files: Sequence[Path]) -> Coding:
    from mimica.reading.agreement.stored import stored

    recordings, labels = [], dict[str, None]()
    for file in files:
        names, readings = stored(file)
        labels |= dict.fromkeys(names)
        recordings += _by_source(file, readings)
    return Coding(path=path, kind="readings", recordings=tuple(recordings), labels=tuple(labels))


def _by_source(file: Path, readings: Sequence[Reading]) -> list[Recording]:
    people: dict[str, dict[str, list[Stretch]]] = {}
    unseen: dict[str, float] = {}
    for reading in readings:
        own = people.setdefault(reading.source, {})
        if reading.person is None:
            unseen[reading.source] = unseen.get(reading.source, 0.0) + reading.end - reading.start
            continue
        said = Stretch(start=reading.start, end=reading.end, word=reading.label, status=reading.status)
        own.setdefault(str(reading.person), []).append(said)
    return [
        Recording(
            file=file, source=source, unseen=unseen.get(source, 0.0),
            people={person: tuple(said) for person, said in own.items()},
        )
        for source, own in people.items()
    ]  # fmt: skip


def _annotation(file: Path) -> Sequence[Recording]:
    if file.suffix.lower() == ".eaf":
        from mimica.reading.agreement.eaf import read_eaf

        return [read_eaf(file)]
    from mimica.reading.agreement.tables import read_table

    return read_table(file)
