"""Readings back from the tables that `mimica predict` wrote: Parquet, JSON lines and CSV."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mimica.clips import READING_COLUMNS, STATUSES, UNIT_COLUMNS, Reading
from mimica.errors import InputError

_FIXED = tuple(column.name for column in READING_COLUMNS)
_NO_CLASSES = (*_FIXED, "probabilities", "views", "units", *(column.name for column in UNIT_COLUMNS))


def holds_readings(file: Path) -> bool:
    """Whether a table has the columns of readings."""
    return set(_FIXED) <= set(_columns(file))


def stored(file: Path) -> tuple[tuple[str, ...], list[Reading]]:
    """The classes and the readings of a file, in its order; further views are left out.

    Raises InputError that names the row where it is not of that form.
    """
    columns = _columns(file)
    named = _classes(columns)
    readings = []
    for number, row in _rows(file):
        try:
            given = row["probabilities"] if "probabilities" in row else {name: row.get(name) for name in named}
            readings.append(_reading(row, {name: float(p) for name, p in given.items() if p not in (None, "")}))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(f"{file}, row {number}: this is no reading as mimica predict writes it") from None
    seen = dict.fromkeys(name for reading in readings for name in reading.probabilities)
    return named or tuple(seen), readings


def _reading(row: Mapping[str, Any], probabilities: Mapping[str, float]) -> Reading:
    person, confidence = row["person"], row["confidence"]
    start, end, status = float(row["start"]), float(row["end"]), row["status"]
    if status not in STATUSES or not -math.inf < start <= end < math.inf:
        raise ValueError
    return Reading(
        source=str(row["source"]), person=None if person in (None, "") else int(person),
        start=start, end=end, label=row["label"] or None,
        confidence=None if confidence in (None, "") else float(confidence), probabilities=probabilities, status=status,
    )  # fmt: skip


def _classes(columns: list[str]) -> tuple[str, ...]:
    """The columns of classes: not those that are fixed or of units, nor another column with a view's name before it."""
    free = [name for name in columns if name not in _NO_CLASSES]
    return tuple(name for name in free if not any(name.endswith(f"_{other}") for other in free))


def _columns(file: Path) -> list[str]:
    if file.suffix.lower() == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            return list(parquet.read_schema(file).names)
        except (ArrowException, OSError) as error:
            raise InputError(f"cannot read {file} as Parquet: {error}") from None
    if file.suffix.lower() == ".jsonl":
        return next((list(row) for _, row in _lines(file)), [])
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            return next(csv.reader(opened), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # if it is anything, it is an annotation, which is read with more care


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every row with its number as an editor shows it."""
    if file.suffix.lower() == ".jsonl":
        yield from _lines(file)
        return
    if file.suffix.lower() == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            yield from enumerate(parquet.read_table(file).to_pylist(), start=1)
        except (ArrowException, OSError) as error:
            raise InputError(f"cannot read {file} as Parquet: {error}") from None
        return
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            yield from enumerate(csv.DictReader(opened), start=2)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {file} as CSV: {error}") from None


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    number = 1
    try:
        with file.open(encoding="utf-8") as opened:
            for number, line in enumerate(opened, start=1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("it is not an object")
                    yield number, row
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {file}, line {number}, as JSON: {error}") from None
