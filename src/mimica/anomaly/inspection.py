"""Many parts judged by one bank, into a folder: a table, pictures, coloured points and a page.

scores.csv     a row for each part, in the order they were given; written when all are done or it was stopped
index.html     the same to look through, worst first
heat/NAME.png  a part with its heat over it, of the size it was seen in
seen/NAME.png  the part itself
points/NAME.ply  where there is depth: its measured points in metres, coloured, with `heat` in thresholds
scores.jsonl   what is done, a line for each part as it was: what a second run goes on from
about.json     the bank that judged
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mimica.anomaly.detector import Detector
from mimica.anomaly.overlay import coloured_ply, heated, seen_picture, warmth
from mimica.anomaly.pictures import png
from mimica.anomaly.scans.scan import Scan, Source
from mimica.checkpoint import put
from mimica.errors import CheckpointError, InputError, UsageError

TABLE, PAGE, DONE, ABOUT = "scores.csv", "index.html", "scores.jsonl", "about.json"
DEFECTIVE, GOOD, FAILED = "defective", "good", "failed"
"""Verdicts; a part that failed could not be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the table says of a part: `defect` is what its folder says, `score` and `false_alarm` are a Finding's."""

    part: str
    category: str
    split: str
    defect: str
    score: float | None
    false_alarm: float | None
    verdict: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All rows in the order of their parts, where they lie, how many were judged before, and whether it was stopped."""

    out: Path
    rows: tuple[Row, ...]
    before: int
    stopped: bool

    @property
    def failed(self) -> tuple[Row, ...]:
        """Those that could not be judged."""
        return tuple(row for row in self.rows if row.verdict == FAILED)


def inspect(
    detector: Detector, source: Source, out: Path, *, bank: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None, stop: Callable[[], bool] = lambda: False,
) -> Inspection:  # fmt: skip
    """Judge every part of a source, each by itself, into a folder as the top of this file lists it.

    What was judged there before by the same bank and has not changed is not judged again; what failed is tried again.
    Raises UsageError where the folder is of another bank or of something else, InputError where it cannot be written.
    """
    from mimica.anomaly.page import parts_page

    try:
        before = _begin(out, detector)
        rows: list[Row] = []
        known = 0
        for number, scan in enumerate(source.scans, 1):
            if stop():
                break
            stamp = _stamp(scan)
            kept = before.get(scan.name, {})
            if kept.get("stamp") == stamp and kept["row"]["verdict"] != FAILED and (out / _heat(scan.name)).is_file():
                row, known = Row(**kept["row"]), known + 1
            else:
                row = _judged(detector, scan, out)
                _note(out / DONE, {"row": asdict(row), "stamp": stamp})
            rows.append(row)
            progress(number, len(source.scans))
        found = Inspection(out=out, rows=tuple(rows), before=known, stopped=len(rows) < len(source.scans))
        put(out / TABLE, table(found.rows).encode())
        put(out / PAGE, parts_page(found, detector, source.name, bank).encode())
    except (OSError, CheckpointError) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        raise InputError(f"cannot write to {out}: {why}; choose another place with --out") from None
    return found


def table(rows: Sequence[Row]) -> str:
    """Rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {k: "" if v is None else repr(v) if isinstance(v, float) else v for k, v in asdict(row).items()}
        )
    return text.getvalue()


def fingerprint(detector: Detector) -> str:
    """What tells one bank from another: its nodes, its choices, its features and its threshold."""
    told = hashlib.sha256()
    told.update(json.dumps(detector.config.facts(), sort_keys=True).encode())
    told.update(json.dumps([maker.facts for maker in detector.makers], sort_keys=True, default=str).encode())
    told.update(json.dumps([list(own) for own in detector.calibration.scores]).encode())
    for name, view in sorted(detector.bank.views.items()):
        told.update(name.encode() + np.ascontiguousarray(view.nodes).tobytes())
    return told.hexdigest()


def _begin(out: Path, detector: Detector) -> dict[str, dict[str, Any]]:
    """What was done there before, by part. Raises UsageError for a folder of another bank or of something else."""
    about = {"what": "parts judged by a bank of good parts", "bank": fingerprint(detector)}
    path = out / ABOUT
    if not path.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} holds something that is not of this command; choose another place with --out")
        put(path, (json.dumps(about, indent=1) + "\n").encode())
        return {}
    try:
        there = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        there = {}
    if there.get("bank") is None:
        raise UsageError(f"{path} is not what this command writes; choose another place with --out")
    if there["bank"] != about["bank"]:
        raise UsageError(f"{out} holds parts that another bank judged; choose another place with --out")
    return _noted(out / DONE)


def _noted(path: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:  # the last line is torn where the machine stopped while it was written
            told = json.loads(line)
            found[str(told["row"]["part"])] = told
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _note(path: Path, told: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        if file.tell() and path.read_bytes()[-1:] != b"\n":
            file.write("\n")
        file.write(json.dumps(told) + "\n")


def _judged(detector: Detector, scan: Scan, out: Path) -> Row:
    words = {"part": scan.name, "category": scan.category, "split": scan.split or "", "defect": scan.defect or ""}
    try:
        sample = scan.read()
        finding = detector.score(sample)
    except InputError as error:
        return Row(**words, score=None, false_alarm=None, verdict=FAILED, error=str(error))
    picture, warm = seen_picture(sample), warmth(finding, detector)
    hot = heated(picture, warm)
    if sample.xyz is not None:
        put(out / _points(scan.name), coloured_ply(sample, hot, warm))
    put(out / _seen(scan.name), png(picture))
    put(out / _heat(scan.name), png(hot))
    return Row(
        **words, score=finding.score, false_alarm=finding.false_alarm,
        verdict=DEFECTIVE if finding.defective else GOOD, error="",
    )  # fmt: skip


def _stamp(scan: Scan) -> list[list[int]]:
    """What changes when a file of a scan does."""
    stats = [file.stat() for file in scan.files if file.is_file()]
    return [[stat.st_size, stat.st_mtime_ns] for stat in stats]


def _heat(name: str) -> str:
    return f"heat/{name}.png"


def _seen(name: str) -> str:
    return f"seen/{name}.png"


def _points(name: str) -> str:
    return f"points/{name}.ply"
