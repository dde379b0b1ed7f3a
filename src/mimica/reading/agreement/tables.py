"""Annotations in tables: a CSV of one's own, and what ELAN exports as tab-delimited text.

Three forms are told apart by their first line. A header with `start`, `end` and `label` is a table of one's own. A
header with columns such as `Begin Time - ss.msec` is ELAN's export with a column for each tier; such headers are in
the user's language, but the form of time at their end is not. No header, but times in the same columns of every
row, is ELAN's export with a row for each annotation: tier, participant, times, value.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mimica.errors import InputError
from mimica.reading.agreement.coding import Recording, Stretch, file_name

Rows = list[tuple[int, list[str]]]
"""The cells of each row that has any, with its number in the file."""

Said = dict[str, dict[str, list[Stretch]]]
"""What is said, by source and person."""

OWN = ("start", "end", "label")
ALSO = ("person", "source")
"""The columns of a table of one's own: those that are needed, and those that may be there."""

_FORMS = {"hh:mm:ss.ms": r"\d+:\d\d?:\d\d?[.,]\d+", "ss.msec": r"\d+[.,]\d+", "msec": r"\d+"}
"""How ELAN writes a time, by the name it gives to that."""

_MOST = 0.002
"""Seconds by which a duration may differ from the times that it lies between, all of them rounded."""


def read_table(file: Path) -> list[Recording]:
    """The recordings of a table: one for each name in its column `source`, or for each file that ELAN exported.

    Times of one's own tables are in seconds, or hours:minutes:seconds. Raises InputError that names the row
    where a time, an order of times or a label is wrong, or where the form is none of the three.
    """
    rows = rows_of(file)
    if not rows:
        raise InputError(f"{file} is empty")
    header = [cell.strip().lower() for cell in rows[0][1]]
    timed = [place for place, name in enumerate(header) if name.rpartition(" - ")[2] in _FORMS]
    if set(OWN) <= set(header):
        said = _own(file, header, rows[1:])
    elif timed and "tier" not in header:
        said = _columns(file, rows[0][1], timed, rows[1:])
    else:
        said = _by_row(file, rows[1:] if timed else rows)
    return [
        Recording(
            file=file, source=source, also=() if source else (file.stem,),
            people={who: tuple(each) for who, each in people.items()},
        )
        for source, people in said.items()
    ]  # fmt: skip


def rows_of(file: Path) -> Rows:
    """The rows of a table in UTF-8, parted by commas, semicolons or tabs. Raises InputError for what is none."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip() and not _remark(line)), "")
        cells = csv.reader(io.StringIO(text, newline=""), delimiter=max("\t;,", key=first.count))
        return [(cells.line_num, row) for row in cells if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {file} as a table in UTF-8: {error}") from None


def _remark(line: str) -> bool:
    """Whether a line is one about files and media, which ELAN begins with #."""
    return line.lstrip('"').startswith("#")


def _own(file: Path, header: Sequence[str], rows: Rows) -> Said:
    place = {name: header.index(name) for name in (*OWN, *ALSO) if name in header}
    said = _nothing()
    for number, row in rows:
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in place.items()}
        start, end = (_time(file, number, cells[name]) for name in ("start", "end"))
        _say(said[cells.get("source", "")][cells.get("person", "")], file, number, start, end, cells["label"])
    return said


def _columns(file: Path, header: Sequence[str], timed: Sequence[int], rows: Rows) -> Said:
    """ELAN's export with a header: a column for each tier, after those of the times."""
    by_form: dict[str, list[int]] = defaultdict(list)
    for place in timed:
        by_form[header[place].strip().lower().rpartition(" - ")[2]].append(place)
    # Begin comes before end, and end before duration.
    form = next((form for form in ("ss.msec", "msec", "hh:mm:ss.ms") if len(by_form[form]) > 1), None)
    if form is None:
        raise InputError(f"{file} has no times of both begin and end; export it from ELAN with both")
    begin, end, *_ = by_form[form]
    tiers = [(place, name.strip()) for place, name in enumerate(header) if place not in timed]
    said = _nothing()
    for number, source, row in _filed(rows):
        start, stop = (_time(file, number, row[place] if place < len(row) else "", form) for place in (begin, end))
        for place, tier in tiers:
            if place < len(row) and row[place].strip():
                _say(said[source][tier], file, number, start, stop, row[place])
    return said


def _by_row(file: Path, rows: Rows) -> Said:
    """ELAN's export without a header: tier, participant, then begin, end and duration in each form, then the value."""
    filed = list(_filed(rows))
    first, each, form = _times([row for _, _, row in filed])
    if not each:
        raise InputError(
            f"{file} is no annotation: it has neither the columns {', '.join(OWN)} (and perhaps {', '.join(ALSO)}) "
            "nor the times of begin and end of ELAN's tab-delimited text"
        )
    timed = [[_time(file, n, row[first + i * each], form) for i in (0, 1)] for n, _, row in filed]
    value = first + 2 * each
    lasts = value + each < min(len(row) for _, _, row in filed) and all(
        re.fullmatch(_FORMS[form], row[value].strip()) and abs(_time(file, n, row[value], form) - (end - start)) < _MOST
        for (n, _, row), (start, end) in zip(filed, timed, strict=True)
    )
    said = _nothing()
    for (number, source, row), (start, end) in zip(filed, timed, strict=True):
        tier = row[0].strip() if first else ""
        _say(said[source][tier], file, number, start, end, row[value + each if lasts else value])
    return said


def _times(rows: Sequence[Sequence[str]]) -> tuple[int, int, str]:
    """The column where times begin, how many forms each is in, and the first form; 0 forms where there are no times."""
    forms = [_form([row[place] for row in rows]) for place in range(min(map(len, rows), default=0))]
    for first in range(len(forms)):
        for each in (1, 2, 3):
            begin, end = forms[first : first + each], forms[first + each : first + 2 * each]
            if begin == end and None not in begin and first + 2 * each < len(forms):
                return first, each, str(begin[0])
    return 0, 0, ""


def _form(cells: Iterable[str]) -> str | None:
    """The form of time that a whole column has, if it is one of times."""
    there = [cell.strip() for cell in cells]
    return next((form for form, like in _FORMS.items() if all(re.fullmatch(like, cell) for cell in there)), None)


def _filed(rows: Rows) -> Iterator[tuple[int, str, list[str]]]:
    """Rows of ELAN with the file that they are of, which stands in their last cells, or in a row before them."""
    current = ""
    for number, row in rows:
        if len(row) == 1 or _remark(row[0]):
            name = row[0].strip().lstrip("#")
            current = file_name(name) if name.lower().endswith(".eaf") else current
            continue
        cells = list(row)
        source = current
        while cells and cells[-1].strip().lower().endswith(".eaf"):
            source = file_name(cells.pop().strip())
        yield number, source, cells


def _nothing() -> Said:
    return defaultdict(lambda: defaultdict(list))


def _say(stretches: list[Stretch], file: Path, number: int, start: float, end: float, label: str) -> None:
    if end < start:
        raise InputError(f"{file}, row {number}: it ends at {end:g} s, before it starts at {start:g} s")
    stretches.append(Stretch(start=start, end=end, word=label.strip()))


def _time(file: Path, number: int, cell: str, form: str = "") -> float:
    """Seconds: of `hh:mm:ss.ms`, `mm:ss.ms`, or a number, in thousandths where the form is msec; a comma is a point."""
    text = cell.strip().replace(",", ".")
    if not re.fullmatch(r"-?\d{1,12}(\.\d+)?(e-?\d)?|(\d{1,6}:){1,2}\d\d?(\.\d+)?", text):
        raise InputError(f"{file}, row {number}: '{cell}' is no time; write seconds, such as 12.5")
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds / 1000 if form == "msec" else seconds
