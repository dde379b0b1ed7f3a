"""`results.json`: what a run came to, epoch by epoch, and all that says how."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from mimica import __version__, checkpoint
from mimica.training.best import LOWEST, RULE

FILE = "results.json"


def made_with(processes: int = 1) -> dict[str, Any]:
    """The versions, the machine and the day, as a checkpoint states them."""
    threads = f"{platform.machine()}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        threads = f"{torch.cuda.get_device_name()}, {threads}"
    return {
        "mimica": __version__,
        "torch": torch.__version__,
        "hardware": threads if processes == 1 else f"{processes} processes of {threads}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def selection(selected_on: str, epoch: int, *, by_loss: bool = False) -> dict[str, Any]:
    """How the epoch that is kept was chosen, and its number, from 1."""
    rule = LOWEST if by_loss else RULE
    return {"selected_on": selected_on, "by": "" if selected_on == "last" else rule, "epoch": epoch + 1}


def write_results(out: Path, facts: Mapping[str, Any]) -> Path:
    """Write `results.json` beside the log: `facts`, and under `epochs` the figures of each, numbered from 1."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    told = {**facts, "epochs": [{**row, "epoch": row["epoch"] + 1} for row in rows]}
    path = out / FILE
    checkpoint.put(path, (json.dumps(told, indent=1, default=str) + "\n").encode())
    return path


def kept(path: Path) -> list[str]:
    """Which epoch the recogniser in a file is of and why, as lines for its user; none where nothing was learned."""
    facts = checkpoint.read_facts(path)
    if "selected_on" not in facts:
        return []
    rows = json.loads((path.parent / FILE).read_text())["epochs"]
    row, on = rows[facts["epoch"] - 1], facts["selected_on"]
    reached = f": WAR {row['war']:.3f}, UAR {row['uar']:.3f}" if "war" in row else ""
    which = "the last" if on == "last" else f"the best on {on}"
    lines = [f"kept: epoch {facts['epoch']} of {len(rows)}, {which}{reached}"]
    if warned := [row["epoch"] for row in rows if "warning" in row]:
        lines.append(f"from epoch {warned[0]} on {rows[warned[0] - 1]['warning']}; look at its validation, not at that")
    if on == "test":
        lines.append("it was chosen on the part that tests it, so say that beside its figures")
    return lines
