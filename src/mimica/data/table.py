"""A table of clips: CSV or Parquet with the columns `path` and `label`, and `part` if there are parts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from mimica.data.clipset import Item
from mimica.errors import InputError, UsageError
from mimica.labels import LabelSpace


def table_items(path: Path, space: LabelSpace) -> list[Item]:
    """Every row of a table; paths are relative to the table's own folder.

    Raises InputError that names the row where a column, a file or a class is wrong.
    """
    rows = _rows(path)
    if not rows:
        raise InputError(f"{path} has no rows")
    for column in ("path", "label"):
        if column not in rows[0]:
            raise InputError(f"{path} has no column '{column}'; it has {', '.join(rows[0])}")
    needed = ("path", "label", "part") if any(row.get("part") for row in rows) else ("path", "label")
    return [_item(path, number, row, needed, space) for number, row in enumerate(rows, start=2)]


def _item(table: Path, number: int, row: dict[str, str], needed: Sequence[str], space: LabelSpace) -> Item:
    for column in needed:
        if not row[column]:
            also = ", though other rows have one" if column == "part" else ""
            raise InputError(f"{table}, row {number}: it has no {column}{also}")
    file = table.parent / row["path"]
    if not file.exists():
        raise InputError(f"{table}, row {number}: there is no {file}")
    try:
        return Item(path=file, label=space.index(row["label"]), part=row.get("part", ""))
    except UsageError as error:
        raise InputError(f"{table}, row {number}: {error}") from None


def _rows(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            rows = parquet.read_table(path).to_pylist()
            return [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
        except (ArrowException, OSError) as error:
            raise InputError(f"cannot read {path} as Parquet: {error}") from None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [{k: v or "" for k, v in row.items() if k is not None} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None
