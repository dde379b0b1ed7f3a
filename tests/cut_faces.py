"""Drawn videos cut into a folder of faces, and what lies there afterwards, in the folder that one is in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from drawn import Squares
from mimica.data.faces_folder import write_faces
from mimica.data.faces_record import RECORD, Outcome
from mimica.data.faces_settings import FacesSettings

SMALL = FacesSettings(size=24, format="png", min_frames=4)
TWO = [{"a": (10 + i, 20), "b": (90, 20)} for i in range(6)]
"""Where two people are who are seen together."""


def faces(
    *sources: str, settings: FacesSettings = SMALL, detector: Squares | None = None, out: str = "out", **how: Any
) -> list[Outcome]:
    """Cut all that is in `in`, or these sources, to the end."""
    return list(write_faces(Path(out), sources or ("in",), settings, detector=detector or Squares(), **how))


def states(outcomes: list[Outcome]) -> dict[str, str]:
    """How each source went, by its name."""
    return {Path(outcome.source).name: outcome.state for outcome in outcomes}


def rows(name: str = "clips.csv", out: str = "out") -> list[dict[str, str]]:
    with (Path(out) / name).open(newline="") as file:
        return list(csv.DictReader(file))


def report() -> dict[str, dict[str, str]]:
    """The rows of faces.csv by the names of their sources."""
    return {Path(row["source"]).name: row for row in rows("faces.csv")}


def contents(out: str = "out") -> dict[str, bytes]:
    """Everything but the record, whose lines stand in the order of the work."""
    files = (path for path in Path(out).rglob("*") if path.is_file() and path.name != RECORD)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def clips() -> list[str]:
    """What lies in the folder of clips, hidden or not."""
    return sorted(path.name for path in Path("out/clips").iterdir())


def labelled(text: str) -> Path:
    """A table of labels with these rows."""
    path = Path("labels.csv")
    path.write_text(f"source,label,part\n{text}")
    return path


def column(name: str) -> list[str]:
    """A column of clips.csv."""
    return [row[name] for row in rows()]


class Stop(BaseException):
    """What a kill is to the program: nothing that it is asked to handle."""
