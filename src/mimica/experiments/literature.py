"""Published figures of DFEW, FERV39k and MAFW, as their authors printed them; `published.csv` says from where and when.

`source` is where a row was read: the paper or repository itself, or, as `secondary`, in what others print of it.
Protocols differ more than the rows tell: some choose the epoch on the test part, some use audio.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

DATA = {"dfew": "DFEW", "ferv39k": "FERV39k", "mafw": "MAFW"}
"""The data sets of which there are published figures, by their kind, and as they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method's UAR and WAR in percent, None where none is printed; `gathered` is when it was looked up."""

    method: str
    backbone: str
    audio: bool
    uar: float | None
    war: float | None
    source: str
    gathered: str
    remark: str


def published_figures(kind: str) -> list[Row]:
    """What is published of a data set, by its kind such as dfew, in the order of WAR; nothing for other data."""
    if kind not in DATA:
        return []
    text = resources.files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    rows = [
        Row(
            method=row["method"], backbone=row["backbone"], audio=row["audio"] == "yes",
            uar=_number(row[f"{kind}_uar"]), war=_number(row[f"{kind}_war"]), source=row["source"],
            gathered=row["gathered"], remark=row["remark"],
        )
        for row in csv.DictReader(text.splitlines())
    ]  # fmt: skip
    return sorted((row for row in rows if row.war is not None), key=lambda row: row.war or 0.0)


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
