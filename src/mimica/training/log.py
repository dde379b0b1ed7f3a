"""The log of a run: a row of JSON for each epoch or iteration, which a run that is resumed goes on with."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mimica import checkpoint


def append(log: Path, row: Mapping[str, Any], *, digits: int) -> None:
    """Put a row at the end, and have it on the disk; numbers to so many digits behind the point."""
    told = {key: round(value, digits) if isinstance(value, float) else value for key, value in row.items()}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(json.dumps(told) + "\n")
        file.flush()
        os.fsync(file.fileno())


def cut(log: Path, number: str, before: int) -> None:
    """Take out what a killed run wrote after it was last saved, and half a line if it ends in one.

    Rows stay whose `number`, an epoch or iteration, is below `before`.
    """
    if log.exists():
        kept = [line for line in log.read_text(errors="replace").splitlines() if _at(line, number) < before]
        checkpoint.put(log, "".join(f"{line}\n" for line in kept).encode())


def _at(line: str, number: str) -> float:
    try:
        return float(json.loads(line)[number])
    except (ValueError, TypeError, KeyError):
        return math.inf
