"""`mimica evaluate`: how right a recogniser is on labelled files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.reading.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.reading.evaluate import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Measure a recogniser on labelled files: WAR, UAR, recall by class, confusion, calibration."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """folder:PATH with a folder a class, or table:FILE with the columns path and label."""
    model: str = "duse-compact"
    """A recogniser by name (mimica models list) or the path that training wrote."""
    settings: Settings = field(default_factory=Settings)
    json: Path | None = None
    """Write the figures to this file; fractions, not percent."""

    def run(self) -> int:
        """Print the figures; 1 if some files could not be read."""
        from rich.console import Console
        from rich.progress import Progress

        from mimica.data.clipset import items
        from mimica.reading.evaluate import evaluate
        from mimica.reading.reader import Reader
        from mimica.recognition.registry import load

        recogniser = load(self.model, device=self.settings.device)
        found = items(self.data, space=recogniser.space)
        reader = Reader(recogniser, self.settings)
        console = Console()
        with Progress(console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("reading", total=len(found))
            result = evaluate(reader, found, progress=lambda done: bar.update(task, completed=done))
        _print(result, console)
        if self.json:
            facts = {**result.facts(), "data": self.data, "model": self.model, "settings": asdict(self.settings)}
            _write(self.json, facts)
        return int(bool(result.unread))


def _write(path: Path, facts: dict[str, object]) -> None:
    from mimica.errors import InputError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another place with --json") from None


def _print(result: Evaluation, console: Console) -> None:
    from rich.table import Table

    for name, figure in (("WAR", result.war), ("UAR", result.uar)):
        console.print(
            f"{name} {figure.value:.3f} (95 % interval {figure.low:.3f} to {figure.high:.3f})", highlight=False
        )
    ece = "" if result.ece is None else f"ECE {result.ece:.3f}, "
    console.print(f"{ece}{result.n} files, {len(result.unread)} not read", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("truth \\ read as")
    for label in (*result.labels, "recall"):
        table.add_column(label[:4] if label != "recall" else label, justify="right")
    for label, row in zip(result.labels, result.confusion, strict=True):
        recall = result.per_class[label]
        table.add_row(label, *map(str, row), "" if recall is None else f"{recall:.3f}")
    console.print(table)
    for path, why in list(result.unread.items())[:10]:
        console.print(f"not read: {path}: {why}", soft_wrap=True, markup=False)
