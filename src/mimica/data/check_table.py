"""What is wrong with a table of clips as it lies on disk, the scene beside each face among it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mimica.data.check import SHORT, Checked, Finding, Progress, Tally, found, frames_of, undecodable
from mimica.data.table import COLUMNS, read_rows
from mimica.errors import InputError
from mimica.labels import LabelSpace

Row = tuple[int, dict[str, str]]


def checked_table(
    table: Path, space: LabelSpace, *, decode: bool = False, progress: Progress = lambda done, total: None
) -> Checked:
    """Look for all that is wrong with a table: columns, classes, rows that name a clip again, both views of each clip.

    `decode` opens one frame of every view as well. Raises InputError where it is no table or lacks a column.
    """
    columns, read = read_rows(table, COLUMNS)
    for column in ("path", "label"):
        if column not in columns:
            raise InputError(f"{table} has no column '{column}'; it has {', '.join(columns)}")
    rows = list(enumerate(read, start=2))
    there = [row for row in rows if row[1]["path"] and (table.parent / row[1]["path"]).exists()]
    frames = [_frames(table, row, progress, done, len(there)) for done, (_, row) in enumerate(there, start=1)]
    findings = [
        *_of_rows(table, rows, space),
        *_of_scenes(table, rows),
        *_of_frames(there, frames),
        *(found("cannot be opened", "", _broken(table, there)) if decode else ()),
    ]
    parts = dict.fromkeys(row["part"] for _, row in rows)
    tallies = [_tally(part, [row for _, row in rows if row["part"] == part], space) for part in parts]
    return Checked(name=table.name, classes=space.names, tallies=tuple(tallies), findings=tuple(findings))


def _tally(part: str, rows: Sequence[dict[str, str]], space: LabelSpace) -> Tally:
    number = Counter(space.index(row["label"]) for row in rows if row["label"] in space)
    return Tally(part=part or "all", found=tuple(number[i] for i in range(len(space))), published=None)


def _of_rows(table: Path, rows: Sequence[Row], space: LabelSpace) -> Iterator[Finding]:
    def told(wrong: Callable[[dict[str, str]], bool], column: str) -> list[str]:
        return [f"row {number}: {row[column]}" for number, row in rows if wrong(row)]

    yield from found("no clip in the table", "", [] if rows else [str(table)])
    yield from found("unknown class", "", told(lambda row: row["label"] not in space, "label"))
    named = Counter(row["path"] for _, row in rows)
    yield from found("listed twice", "", [path for path, times in named.items() if times > 1])
    for column, what in (("path", "no such clip"), ("scene", "no such scene")):
        lost = told(lambda row: bool(row[column]) and not (table.parent / row[column]).exists(), column)  # noqa: B023
        yield from found(what, "", lost)
    yield from found("row without a path", "", told(lambda row: not row["path"], "label"))


def _of_scenes(table: Path, rows: Sequence[Row]) -> Iterator[Finding]:
    """Clips without a scene where others have one: a recogniser that reads both could learn from none of them."""
    lacking = [f"row {number}: {row['path']}" for number, row in rows if not row["scene"]]
    if len(lacking) < len(rows):
        yield from found("no scene beside the face, where other clips have one", "", lacking)


def _frames(
    table: Path, row: dict[str, str], progress: Progress, done: int, total: int
) -> tuple[int | None, int | None]:
    """How many pictures the face and the scene of a clip hold, None where that is not seen from outside."""
    scene = table.parent / row["scene"] if row["scene"] else None
    of = frames_of(table.parent / row["path"]), frames_of(scene) if scene and scene.exists() else None
    progress(done, total)
    return of


def _of_frames(rows: Sequence[Row], frames: Sequence[tuple[int | None, int | None]]) -> Iterator[Finding]:
    of = list(zip(rows, frames, strict=True))
    yield from found("no frame in the clip", "", [f"row {n}: {row['path']}" for (n, row), (F, _) in of if F == 0])
    yield from found("no frame in the scene", "", [f"row {n}: {row['scene']}" for (n, row), (_, S) in of if S == 0])
    apart = [f"row {n}: {F} of the face, {S} of the scene" for (n, _), (F, S) in of if F and S and F != S]
    yield from found("not as many frames in both views", "", apart)
    short = [row["path"] for (_, row), (F, _) in of if F is not None and 0 < F < SHORT]
    yield from found(f"fewer than {SHORT} frames", "", short, wrong=False)


def _broken(table: Path, rows: Sequence[Row]) -> list[str]:
    paths = [table.parent / row[view] for _, row in rows for view in ("path", "scene") if row[view]]
    return [why for path in paths if path.exists() and frames_of(path) != 0 and (why := undecodable(path))]
