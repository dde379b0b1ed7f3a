"""Readings as a Parquet file, written in row groups as they come."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from mimica.clips import Column, Reading, reading_columns, reading_row
from mimica.notice import NOTICE
from mimica.reading.events import Closed
from mimica.reading.sinks.base import FileSink, as_json, version

_TYPES = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
_GROUP = 4096


class ParquetSink(FileSink):
    """A typed table: the columns of `clips.reading_columns`, each with its meaning in its field's metadata.

    The file's metadata holds `mimica.version`, `mimica.model`, `mimica.settings`, `mimica.labels`,
    `mimica.notice`, and at the end `mimica.complete` and `mimica.notes`, all of them text or JSON.
    """

    _writer: pq.ParquetWriter | None = None

    def _begin(self) -> None:
        about = self.opened
        columns = reading_columns(about.labels, about.views, units=bool(about.units))
        schema = pa.schema([_field(column) for column in columns])
        facts = {
            "mimica.version": version(),
            "mimica.model": str(about.model.get("name", "unknown")),
            "mimica.card": as_json(dict(about.model)),
            "mimica.settings": as_json(dict(about.settings)),
            "mimica.labels": as_json(about.labels),
            "mimica.notice": NOTICE,
        }
        if about.units:
            facts["mimica.units"] = as_json(dict(about.units))
        self._rows: list[dict[str, Any]] = []
        self._schema = schema.with_metadata(facts)
        self._writer = pq.ParquetWriter(self.part, self._schema, compression="zstd")

    def _reading(self, event: Reading) -> None:
        self._rows.append(reading_row(event))
        if len(self._rows) >= _GROUP:
            self._write()

    def _ended(self, event: Closed) -> None:
        if self._writer is not None:
            self._writer.add_key_value_metadata({"mimica.notes": as_json(event.notes)})

    def _finish(self) -> None:
        self._write()
        if self._writer is not None:
            self._writer.add_key_value_metadata({"mimica.complete": as_json(self.complete)})
            self._writer.close()

    def _abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        if self._rows and self._writer is not None:
            names = self._schema.names
            columns = {name: [row.get(name) for row in self._rows] for name in names}
            self._writer.write_table(pa.table(columns, schema=self._schema))
            self._rows.clear()


def _field(column: Column) -> pa.Field:
    return pa.field(
        column.name, _TYPES[column.type], nullable=not column.required, metadata={"meaning": column.meaning}
    )
