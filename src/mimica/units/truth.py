"""The ground truth of pictures that the actor drew, in the place of a detector, to test pipelines with exactly."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mimica.errors import InputError
from mimica.units.detect import ORDER, unseen
from mimica.video.pictures import read_picture

_MADE_BY = "mimica data actor writes such a table"


class Truth:
    """Knows the pictures of a table as `mimica data actor` writes it, byte for byte, and their units.

    Of every other picture it knows nothing; so it is for `--faces none` and the folders of the table's own clips.
    """

    margin = 0.0
    units = ORDER

    def __init__(self, table: Path) -> None:
        self.name = f"actor:{table}"
        self.card: dict[str, Any] = {"name": self.name, "what": "the units that the actor was drawn with"}
        self._known: dict[bytes, np.ndarray] = {}
        sides = set()
        for picture, strengths in _frames(table):
            self._known[_digest(picture)] = strengths
            sides.add(picture.shape[:2])
        if len(sides) != 1 or len(set(*sides)) != 1:
            raise InputError(f"{table} has no clips, or not of square pictures of one size; {_MADE_BY}")
        self.size = next(iter(sides))[0]

    def strengths(self, faces: np.ndarray) -> np.ndarray:
        """The units [N, U] that faces uint8 [N, S, S, 3] were drawn with; all NaN for any that the table has not."""
        found = unseen(len(faces))
        for i, face in enumerate(faces):
            found[i] = self._known.get(_digest(face), found[i])
        return found


def _digest(picture: np.ndarray) -> bytes:
    return hashlib.sha256(picture.tobytes()).digest()


def _frames(table: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every picture of the clips of a table, with its strengths [U]. Raises InputError that names the row."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {table} as CSV: {error}") from None
    for number, row in enumerate(rows, start=2):
        try:
            curves = np.array([row[f"AU{unit}"].split() for unit in ORDER], np.float32).T
            pictures = sorted((table.parent / row["path"]).glob("frame_*.png"))
        except (KeyError, ValueError, AttributeError):
            raise InputError(f"{table}, row {number}: it has no path or no curve of every unit; {_MADE_BY}") from None
        if len(pictures) != len(curves):
            raise InputError(f"{table}, row {number}: {len(pictures)} pictures and {len(curves)} numbers a unit")
        for path, strengths in zip(pictures, curves, strict=True):
            yield read_picture(path)[0], strengths
