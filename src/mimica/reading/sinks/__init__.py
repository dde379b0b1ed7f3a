"""Where readings go: tables, subtitles, annotations, an annotated video, a page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mimica.errors import UsageError, unknown

if TYPE_CHECKING:
    from mimica.reading.sinks.base import Sink, SinkOptions

__all__ = ["FORMATS", "STREAMED", "UNITS", "open_sink"]

FORMATS: tuple[str, ...] = ("csv", "parquet", "jsonl", "eaf", "vtt", "mp4", "html")
"""The formats that readings can be written in; each is also the ending of its files."""

UNITS = "units"
"""The table of units over time that `mimica units` is put together from, a source each."""

STREAMED: tuple[str, ...] = ("csv", "jsonl")
"""The formats that can be written to standard output as readings come."""


def open_sink(format: str, path: Path | Literal["-"], options: SinkOptions | None = None) -> Sink:
    """The sink that writes one source's readings to `path`; enter it before the first event.

    `path` is the final name of the file, or "-" for standard output. Raises UsageError for an
    unknown format, and for "-" with a format that is not a stream of lines.
    """
    from mimica.reading.sinks.base import SinkOptions

    if format not in _SINKS:
        raise unknown("format", format, FORMATS)
    if path == "-" and format not in STREAMED:
        raise UsageError(
            f"the format '{format}' needs a file, not standard output; name one, or use {' or '.join(STREAMED)}"
        )
    module, _, name = _SINKS[format].partition(":")
    sink: type[Sink] = getattr(import_module(f"mimica.reading.sinks.{module}"), name)
    return sink(None if path == "-" else Path(path).expanduser(), options or SinkOptions())


_SINKS = {
    "csv": "tables:CsvSink",
    "jsonl": "tables:JsonlSink",
    "parquet": "parquet:ParquetSink",
    "eaf": "eaf:EafSink",
    "vtt": "vtt:VttSink",
    "mp4": "mp4:Mp4Sink",
    "html": "html:HtmlSink",
    UNITS: "units:UnitsSink",
}
