"""A table of clips: CSV or Parquet with the columns `path` and `label`, and `part` if there are parts."""

from __future__ import annotations

import csv
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
    for needed in ("path", "label"):
        if needed not in rows[0]:
            raise InputError(f"{path} has no column '{needed}'; it has {', '.join(rows[0])}")
    found = []
    for number, row in enumerate(rows, start=2):
        file = path.parent / row["path"]
        if not file.exists():
            raise InputError(f"{path}, row {number}: there is no {file}")
        try:
            found.append(Item(path=file, label=space.index(row["label"]), part=row.get("part") or ""))
        except UsageError as error:
            raise InputError(f"{path}, row {number}: {error}") from None
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            return [{k: str(v) for k, v in row.items()} for row in parquet.read_table(path).to_pylist()]
        except (ArrowException, OSError) as error:
            raise InputError(f"cannot read {path} as Parquet: {error}") from None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path} as CSV: {error}") from None
