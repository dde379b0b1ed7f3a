"""A table of clips: CSV or Parquet with the columns `path` and `label`, and `part` if there are parts.

In a column `fold` instead stands the fold that tests a clip; all other folds train on it. A column `group`,
of whatever people or recordings are parted by, is for figures of each group; `scene` is the path of the
scene view, and `caption` is text. Other columns are passed over. Classes other than the seven expressions
are stated in a file beside the table (`clipset.SPACE_FILE`).
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mimica import checkpoint
from mimica.data.check import frames_of
from mimica.data.clipset import SPACE_FILE, Item, stated_space
from mimica.data.published import Published
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace

COLUMNS = ("path", "label", "part", "fold", "group", "scene", "caption")
"""The columns that are read here; the first two must be there."""

_PERSON = "actor"
"""Who is seen, in tables of synthetic clips, where no column `group` says it; numbers are those of a part's own."""

_ALSO = {
    "part": ", though other rows have one",
    "fold": ", though other rows have one",
    "label": "; write its class there, or, where mimica data faces has cut the clips, run that again with --labels "
    "FILE or --classes-by-folder",
}
"""What is to be said of a column that is empty."""


def table_items(path: Path, space: LabelSpace, *, fold: int | None = None) -> list[Item]:
    """Every row of a table, parted by a fold where one is given; paths are relative to the table's own folder.

    Raises InputError that names the row where a column, a file or a class is wrong, UsageError for a fold
    that the table does not have, or none where it has nothing else that parts it.
    """
    columns, rows = read_rows(path, (*COLUMNS, _PERSON))
    for column in ("path", "label"):
        if columns and column not in columns:
            raise InputError(f"{path} has no column '{column}'; it has {', '.join(columns)}")
    if not rows:
        raise InputError(f"{path} has no rows")
    parted = any(row["part"] for row in rows)
    if fold is not None or not parted:
        _refuse_fold(path, fold, {row["fold"] for row in rows})
    optional = [*(["part"] if parted else []), *(["fold"] if fold is not None else [])]
    return [_item(path, number, row, optional, space, fold) for number, row in enumerate(rows, start=2)]


def a_fold(path: Path) -> int | None:
    """A fold by which every row can be read, whichever: None where a table needs none."""
    _, rows = read_rows(path, ("part", "fold"))
    numbers = sorted({row["fold"] for row in rows if row["fold"].isdecimal()})
    return int(numbers[0]) if numbers and not any(row["part"] for row in rows) else None


def _refuse_fold(path: Path, fold: int | None, there: set[str]) -> None:
    folds = ", ".join(sorted(there - {""}))
    if fold is None and folds:
        raise UsageError(f"{path} has the folds {folds}; choose one with --fold")
    if fold is not None and str(fold) not in there:
        has = f"has the folds {folds} and no fold {fold}" if folds else "has no column 'fold'; leave out --fold"
        raise UsageError(f"{path} {has}")


def _item(
    table: Path, number: int, row: dict[str, str], optional: Sequence[str], space: LabelSpace, fold: int | None
) -> Item:
    for column in ("path", "label", *optional):
        if not row[column]:
            raise InputError(f"{table}, row {number}: it has no {column}{_ALSO.get(column, '')}")
    file = table.parent / row["path"]
    scene = table.parent / row["scene"] if row["scene"] else None
    for one in (file, scene):
        if one and not one.exists():
            raise InputError(f"{table}, row {number}: there is no {one}")
    part = row["part"] if fold is None else "test" if row["fold"] == str(fold) else row["part"] or "train"
    try:
        return Item(
            path=file, label=space.index(row["label"]), part=part, group=row["group"] or _actor(row),
            scene=scene,
            caption=row["caption"],
        )  # fmt: skip
    except UsageError as error:
        stated = (table.parent / SPACE_FILE).exists()
        hint = "" if stated else f". Classes of your own are stated in {SPACE_FILE} beside the table"
        raise InputError(f"{table}, row {number}: {error}{hint}") from None


def _actor(row: Mapping[str, str]) -> str:
    return f"actor {row[_PERSON]} of {row['part'] or 'no part'}" if row[_PERSON] else ""


def read_rows(path: Path, read: Sequence[str]) -> tuple[list[str], list[dict[str, str]]]:
    """The names of all columns of a CSV or Parquet file, and of every row the columns `read`, as text.

    What is absent is empty. Raises InputError where the file is neither.
    """
    if path.suffix == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            columns = parquet.read_schema(path).names
            there = [column for column in read if column in columns]
            return columns, [_row(row, read) for row in parquet.read_table(path, columns=there).to_pylist()]
        except (ArrowException, OSError) as error:
            raise InputError(f"cannot read {path} as Parquet: {error}") from None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            return list(reader.fieldnames or ()), [_row(row, read) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None


def _row(row: Mapping[str, object], read: Sequence[str]) -> dict[str, str]:
    return {column: "" if row.get(column) is None else str(row[column]) for column in read}


def import_table(
    data: Published, out: Path, *, fold: int | None = None, wrong: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:  # fmt: skip
    """Write a data set as a table that reads back as the same items, and give the number of its rows.

    Of data with folds, one `fold` with its parts, or without it all, each clip with the fold that tests it.
    `wrong` is told what cannot be used, which is then left out; without it the first such thing raises
    InputError. Raises UsageError where `out` is no CSV, or something else is there.
    """
    if out.suffix.lower() != ".csv":
        raise UsageError(f"{out} is no name of a CSV table; let --out end in .csv")
    if data.folds and fold is None:
        told = [(item, str(number)) for item, number in data.tested(wrong=wrong)]
    else:
        told = [(item, "") for item in data.items(fold=fold, wrong=wrong)]
    kept = []
    for done, (item, number) in enumerate(told, start=1):
        if frames_of(item.path) != 0:
            kept.append((item, number))
        elif wrong:
            wrong(f"{item.path} holds no frame")
        else:
            raise InputError(f"{item.path} holds no frame; mimica data check lists all that is wrong")
        progress(done, len(told))
    _put(out, kept, data.space)
    return len(kept)


def _put(out: Path, told: Sequence[tuple[Item, str]], space: LabelSpace) -> None:
    rows = [
        {
            "path": _beside(out, item.path), "label": space.names[item.label], "part": item.part, "fold": number,
            "group": item.group, "scene": _beside(out, item.scene) if item.scene else "", "caption": item.caption,
        }
        for item, number in told
    ]  # fmt: skip
    columns = [column for column in COLUMNS if any(row[column] for row in rows)]
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    beside, content = out.parent / SPACE_FILE, text.getvalue().encode()
    stated = stated_space(beside) if beside.is_file() else EXPRESSIONS
    if stated != space and (beside.is_file() or any(out.parent.glob("*.csv"))):
        raise UsageError(f"the tables in {out.parent} are of other classes; choose another folder with --out")
    if out.exists() and out.read_bytes() != content:
        raise UsageError(f"{out} is there already and says something else; choose another place with --out")
    if stated != space:
        facts = json.dumps(space.facts(), indent=1, ensure_ascii=False)
        checkpoint.put(beside, f"{facts}\n".encode())
    checkpoint.put(out, content)


def _beside(table: Path, path: Path) -> str:
    """A path as a table says it: from its own folder where it lies inside that, else whole."""
    whole, folder = Path(os.path.abspath(path)), Path(os.path.abspath(table.parent))
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()
