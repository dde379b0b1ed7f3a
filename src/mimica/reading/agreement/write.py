"""What comes of a comparison, in files: the figures as JSON, every moment as a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mimica.data.whole import whole
from mimica.errors import InputError, UsageError
from mimica.reading.agreement.coding import Stretch
from mimica.reading.agreement.measure import Agreement
from mimica.reading.agreement.moments import NOTHING

COLUMNS = ("source", "person", "time", "annotation", "other", "annotation_says", "other_says", "status", "block")
"""The columns of the table of moments: `annotation` and `other` are classes, empty where there is none."""


def check(path: Path, read: Sequence[Path]) -> None:
    """Raise UsageError where a file to write is one that is read."""
    if path.resolve() in [each.resolve() for each in read]:
        raise UsageError(f"{path} is read and would be lost; write to another file")


def write_facts(path: Path, found: Agreement) -> None:
    """Write the figures. Raises InputError where that cannot be done."""
    with _framed(path, "--json") as part:
        part.write_text(json.dumps(found.facts(), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def write_moments(path: Path, found: Agreement) -> None:
    """Write a row for each moment in which someone says something. Raises InputError where that cannot be done."""
    with _framed(path, "--csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_rows(found))


def _rows(found: Agreement) -> Iterator[tuple[object, ...]]:
    names = (*found.labels, "")  # the last is that of NOTHING
    for each in found.moments:
        pair, times = each.pair, each.times
        for i in np.flatnonzero((each.one_at != NOTHING) | (each.other_at != NOTHING)).tolist():
            mine, yours = _at(pair.one, int(each.one_at[i])), _at(pair.other, int(each.other_at[i]))
            yield (
                pair.source, pair.person, f"{times[i]:.4f}", names[each.one[i]], names[each.other[i]],
                mine.word if mine else "", (yours.word or "") if yours else "", yours.status if yours else "",
                int(times[i] // found.block),
            )  # fmt: skip


def _at(stretches: Sequence[Stretch], place: int) -> Stretch | None:
    return None if place == NOTHING else stretches[place]


@contextmanager
def _framed(path: Path, flag: str) -> Iterator[Path]:
    """A place to write to; errors of the file system as one sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another place with {flag}") from None
