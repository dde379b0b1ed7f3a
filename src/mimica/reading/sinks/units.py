"""Units over time as lines of text: a row a face and frame."""

from __future__ import annotations

import csv
from typing import ClassVar, TextIO

import numpy as np

from mimica.clips import SIGHTING_COLUMNS
from mimica.reading.events import Seen
from mimica.reading.sinks.base import FileSink, Wants


class UnitsSink(FileSink):
    """A table with a header and the columns of `clips.SIGHTING_COLUMNS`; what is not seen is empty.

    Times have three decimals, strengths four. A frame without a face has no row.
    """

    wants: ClassVar[Wants] = "read"

    _file: TextIO | None = None

    def _begin(self) -> None:
        self._file = self.part.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow([column.name for column in SIGHTING_COLUMNS])

    def _seen(self, event: Seen) -> None:
        for person, strengths in sorted(event.units.items()):
            told = ["" if np.isnan(value) else f"{value:.4f}" for value in strengths.tolist()]
            self._writer.writerow([self.opened.source, person, f"{event.frame.time:.3f}", *told])

    def _finish(self) -> None:
        if self._file is not None:
            self._file.close()

    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()
