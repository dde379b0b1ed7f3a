"""Readings as lines of text: CSV and JSON lines, to a file or to standard output."""

from __future__ import annotations

import csv
import json
import sys
from abc import ABC, abstractmethod
from typing import Any, TextIO

from mimica.clips import Reading, reading_columns, reading_record, reading_row
from mimica.reading.sinks.base import FileSink, rounded


class _LineSink(FileSink, ABC):
    """A sink that writes a line a reading; to standard output each line is passed on at once."""

    _file: TextIO | None = None

    @property
    def file(self) -> TextIO:
        """The open file."""
        if self._file is None:
            self._file = sys.stdout if self.path is None else self.part.open("w", encoding="utf-8", newline="")
        return self._file

    def _reading(self, event: Reading) -> None:
        self._write(event)
        if self.path is None:
            self.file.flush()

    @abstractmethod
    def _write(self, reading: Reading) -> None:
        """Write the line of one reading."""

    def _finish(self) -> None:
        if self.path is None:
            self.file.flush()
        else:
            self.file.close()

    def _abandon(self) -> None:
        if self.path is not None and self._file is not None:
            self._file.close()


class CsvSink(_LineSink):
    """A table with a header: one row a reading, the columns of `clips.reading_columns`.

    Times have three decimals, other numbers six significant digits; what is absent is empty.
    """

    def _begin(self) -> None:
        about = self.opened
        columns = reading_columns(about.labels, about.views, units=bool(about.units))
        self._columns = [column.name for column in columns]
        self._writer = csv.writer(self.file, lineterminator="\n")
        self._writer.writerow(self._columns)
        if self.path is None:
            self.file.flush()

    def _write(self, reading: Reading) -> None:
        row = reading_row(reading)
        self._writer.writerow([_cell(name, row.get(name)) for name in self._columns])


class JsonlSink(_LineSink):
    """One JSON object a line and reading, as `clips.reading_record` gives it."""

    def _write(self, reading: Reading) -> None:
        record = {name: _plain(name, value) for name, value in reading_record(reading).items()}
        self.file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _cell(name: str, value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if name == "person":
        return str(int(value))
    return f"{float(value):.3f}" if name in ("start", "end") else f"{float(value):.6g}"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(key if isinstance(inner, dict) else "", inner) for key, inner in value.items()}
    if value is None or isinstance(value, str):
        return value
    return int(value) if name == "person" else rounded(name, value)
