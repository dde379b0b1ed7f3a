"""A table of clips: CSV or Parquet with the columns `path` and `label`, and `part` if there are parts.

A column `group`, of whatever people or recordings are parted by, is for figures of each group. Other
columns are passed over. Classes other than the seven expressions are stated in a file beside the
table (`clipset.SPACE_FILE`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from mimica.data.clipset import SPACE_FILE, Item
from mimica.errors import InputError, UsageError
from mimica.labels import LabelSpace

_READ = ("path", "label", "part", "group")

_ALSO = {
    "part": ", though other rows have one",
    "label": "; write its class there, or, where mimica data faces has cut the clips, run that again with --labels "
    "FILE or --classes-by-folder",
}
"""What is to be said of a column that is empty."""


def table_items(path: Path, space: LabelSpace) -> list[Item]:
    """Every row of a table; paths are relative to the table's own folder.

    Raises InputError that names the row where a column, a file or a class is wrong.
    """
    columns, rows = read_rows(path, _READ)
    for column in ("path", "label"):
        if columns and column not in columns:
            raise InputError(f"{path} has no column '{column}'; it has {', '.join(columns)}")
    if not rows:
        raise InputError(f"{path} has no rows")
    needed = ("path", "label", "part") if any(row["part"] for row in rows) else ("path", "label")
    return [_item(path, number, row, needed, space) for number, row in enumerate(rows, start=2)]


def _item(table: Path, number: int, row: dict[str, str], needed: Sequence[str], space: LabelSpace) -> Item:
    for column in needed:
        if not row[column]:
            raise InputError(f"{table}, row {number}: it has no {column}{_ALSO.get(column, '')}")
    file = table.parent / row["path"]
    if not file.exists():
        raise InputError(f"{table}, row {number}: there is no {file}")
    try:
        return Item(path=file, label=space.index(row["label"]), part=row["part"], group=row["group"])
    except UsageError as error:
        stated = (table.parent / SPACE_FILE).exists()
        hint = "" if stated else f". Classes of your own are stated in {SPACE_FILE} beside the table"
        raise InputError(f"{table}, row {number}: {error}{hint}") from None


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
