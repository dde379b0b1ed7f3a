"""The tables of a folder of cut faces: a row a clip to train on, and a row a source to see what was found."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mimica.data.clipset import SPACE_FILE, space_of
from mimica.data.faces_labels import Label
from mimica.data.faces_people import LOW_QUALITY, OTHERS, SHORT, SMALL
from mimica.data.faces_record import Outcome, Record
from mimica.data.whole import whole
from mimica.errors import InputError
from mimica.video.sources import natural

TABLE, REPORT = "clips.csv", "faces.csv"

COLUMNS = {
    "path": "the folder with the faces of the clip, from the table's own",
    "scene": "the folder with the whole frames behind them, a picture for each face",
    "label": "its class; empty where nobody has said it",
    "part": "the part of the data that it belongs to, where there are parts",
    "group": "the source that it was cut from",
    "person": "who, numbered from 0 within the source",
    "start": "time of its first frame in seconds of the source's own clock",
    "end": "time of its last frame",
    "fps": "frames a second that were looked at; empty for a photo",
    "frames": "how many pictures it has",
    "quality": "how well the face can be read, 0 to 1, the median of its frames",
}
"""The columns of the table of clips, and what they say."""

LEFT = {OTHERS: "not_largest", SHORT: "too_short", SMALL: "too_small", LOW_QUALITY: "low_quality"}

REPORTED = {
    "source": "the file or folder that was read",
    "state": "done or failed",
    "frames": "in how many frames faces were looked for",
    "persons": "how many persons were found",
    "clips": "how many of them have a clip",
    **{column: f"how many do not, {reason}" for reason, column in LEFT.items()},
    "why": "where no person has a clip: none found, or what was wrong with the largest; or why the source failed",
    "notes": "what went wrong part way",
}
"""The columns of the report on sources, and what they say."""


def write_tables(out: Path, record: Record, labels: Mapping[str, Label]) -> None:
    """Write both tables anew, each whole; `labels` are by the absolute path of a source.

    A label, a part and further columns that someone has put into the table of clips stay as they are, unless
    `labels` says otherwise.
    """
    entries = sorted(record.entries.items(), key=lambda pair: natural(pair[1].outcome.source))
    columns, before = written(out)
    rows = []
    for source, entry in entries:
        given = labels.get(source, Label(label=""))
        for clip in entry.outcome.clips:
            old = before.get(clip["path"], {})
            known = {"label": given.label or old.get("label", ""), "part": given.part or old.get("part", "")}
            rows.append({**old, **clip, **known})
    _write(out / TABLE, [*COLUMNS, *(column for column in columns if column not in COLUMNS)], rows)
    _write(out / REPORT, list(REPORTED), (_reported(entry.outcome) for _, entry in entries))


def _reported(outcome: Outcome) -> dict[str, Any]:
    return {
        "source": outcome.source,
        "state": outcome.state,
        "frames": outcome.looked,
        "persons": outcome.persons,
        "clips": len(outcome.clips),
        **{column: outcome.left.get(reason, 0) for reason, column in LEFT.items()},
        "why": outcome.error or outcome.why,
        "notes": "; ".join(outcome.notes),
    }


def written(out: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The columns of the table of clips as it is now, and its rows by path; nothing where there is none.

    Raises InputError if it is no such table any more, as after a spreadsheet has saved it in its own way.
    """
    table = out / TABLE
    if not table.exists():
        return [], {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {table} as CSV: {error}") from None
    if "path" not in columns:
        raise InputError(
            f"{table} has no column 'path' any more; save it as CSV with commas, or move it away and give labels anew"
        )
    return columns, {row["path"]: {name: row[name] or "" for name in columns} for row in rows}


def summary(out: Path, outcomes: Sequence[Outcome]) -> list[str]:
    """What a run came to, in sentences: clips, sources without one and why, and what their labels lack."""
    ended = [outcome for outcome in outcomes if outcome.state in ("done", "skipped")]
    left = sum((Counter(outcome.left) for outcome in ended), Counter[str]())
    without = Counter(outcome.why for outcome in ended if outcome.why)
    clips = sum(len(outcome.clips) for outcome in ended)
    said = [f"{_number(clips, 'clip')} of {_number(len(ended), 'source')}"]
    if without:
        said.append(f"no clip of {_number(without.total(), 'source')}: {_counted(without)}")
    if left:
        said.append(f"{_number(left.total(), 'person')} without a clip: {_counted(left)}")
    return said + _lacking(out)


def _lacking(out: Path) -> list[str]:
    """What has to be done about the labels of the table before it can be learned from."""
    labels = Counter(row.get("label", "") for row in written(out)[1].values())
    space = space_of(f"table:{out / TABLE}")
    known = {word.lower() for word in (*space.names, *space.aliases)}
    strange = sorted(label for label in labels if label and label.lower() not in known)
    said = []
    if labels[""]:
        said.append(
            f"{_number(labels[''], 'clip')} without a label: write it into {out / TABLE}, or run this again with "
            "--labels FILE or --classes-by-folder"
        )
    if strange:
        said.append(
            f"not among the classes {', '.join(space.names)}: {', '.join(strange)}; classes of your own are stated in "
            f"{out / SPACE_FILE}"
        )
    return said


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
