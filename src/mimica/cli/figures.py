"""How every verb that measures prints its figures and writes them down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.reading.evaluate import Evaluation

_SHOWN = 10
"""So many of the files that could not be read are named."""


def print_scores(result: Evaluation, console: Console) -> None:
    """WAR and UAR, each with its interval."""
    for name, figure in (("WAR", result.war), ("UAR", result.uar)):
        console.print(
            f"{name} {figure.value:.3f} (95 % interval {figure.low:.3f} to {figure.high:.3f})", highlight=False
        )


def print_unread(result: Evaluation, console: Console) -> None:
    """The first of the files that could not be read, and why."""
    for path, why in list(result.unread.items())[:_SHOWN]:
        console.print(f"not read: {path}: {why}", soft_wrap=True, markup=False)


def write_figures(path: Path, facts: Mapping[str, Any]) -> None:
    """Write figures to the file that `--json` names. Raises InputError where it cannot be written."""
    from mimica.checkpoint import put_at

    put_at(path, (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode(), "--json")
