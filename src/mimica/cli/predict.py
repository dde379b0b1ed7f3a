"""`mimica predict`: read apparent expressions in videos, photos, folders and cameras."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mimica.cli.progress import console_of_tables, plain, read_all, speak_of_any_name
from mimica.errors import UsageError
from mimica.reading.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.reading.record import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict:
    """Read apparent expressions of every person in videos, photos, folders of frames or a camera."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...")]
    """Files, folders, globs, camera:0, or asset:NAME."""
    out: str = "readings"
    """Folder to write to; - streams JSON lines to standard output."""
    format: tuple[Literal["csv", "parquet", "jsonl", "eaf", "vtt", "mp4", "html"], ...] = ("csv", "html")
    """What to write for each source."""
    model: str = "duse-compact"
    """A recogniser by name (mimica models list) or the path that training wrote."""
    settings: Settings = field(default_factory=Settings)
    units: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="[DETECTOR]")] = None
    """Also say how strong Action Units look, by compact-units unless another detector is named (mimica units --help):
    columns AU1 … in every table, curves on the page, a list in the mp4."""
    blur_faces: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Blur every face in the mp4 and the html beyond recognition."""
    jobs: int = 1
    """How many sources to read at once, each in its own process."""
    again: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Read again what an earlier run into the same folder has finished."""

    def run(self) -> int:
        """Read all sources; 0 if all went well, 1 if some failed."""
        from mimica.reading.job import Job

        if not self.sources:
            raise UsageError("name at least one file, folder, glob or camera:0 to read")
        streamed = self.out == "-"
        speak_of_any_name(streamed)
        job = Job(
            model=self.model, out=None if streamed else Path(self.out), formats=self.format, settings=self.settings,
            blur_faces=self.blur_faces, units=self._detector(),
        )  # fmt: skip
        console = console_of_tables(stderr=streamed)
        quiet = streamed or not console.is_terminal
        outcomes, code = read_all(job, self.sources, jobs=self.jobs, again=self.again, quiet=quiet)
        _table(outcomes, console)
        return code

    def _detector(self) -> str | None:
        from mimica.units.registry import DEFAULT

        if self.units is not None and len(self.units) > 1:
            raise UsageError(f"--units takes one detector, got {' '.join(self.units)}; name sources before it")
        return None if self.units is None else (self.units or (DEFAULT,))[0]


def _table(outcomes: list[Outcome], console: Console) -> None:
    from rich.table import Table

    from mimica.reading.sinks.spans import shares

    table = Table(box=None, pad_edge=False, header_style="bold")
    most = "shown most, or why not" if any(outcome.state == "failed" for outcome in outcomes) else "shown most"
    for name, justify in (("source", "left"), ("state", "left"), ("people", "right"), ("time", "right"),
                          (most, "left"), ("not sure", "right"), ("no face", "right")):  # fmt: skip
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for outcome in outcomes:
        name = Path(outcome.source).name
        if outcome.state == "failed":
            table.add_row(plain(name), "failed", "", "", plain(outcome.error.replace(outcome.source, name)), "", "")
            continue
        told = sum(outcome.statuses.values())
        faces = told - outcome.statuses.get("no_face", 0)
        sure = outcome.statuses.get("ok", 0)
        ranked = sorted(shares(outcome.labels).items(), key=lambda pair: -pair[1])
        shown = ", ".join(f"{label} {share:.0%}" for label, share in ranked if share >= 0.1)
        table.add_row(
            plain(name), outcome.state, str(outcome.people), f"{outcome.seconds:.1f} s", shown,
            f"{1 - sure / faces:.0%}" if faces else "", f"{1 - faces / told:.0%}" if told else "",
        )  # fmt: skip
    console.print(table)
    for outcome in outcomes:
        for line in outcome.outputs if len(outcomes) == 1 else _together(outcome.outputs):
            console.print(plain(line), soft_wrap=True, highlight=False)
    console.print("Apparent expression, not what someone feels.", style="dim")


def _together(outputs: list[str]) -> list[str]:
    """The files of one source on one line: its name with all the endings."""
    if not outputs:
        return []
    first, *others = outputs
    return [", ".join([first, *(Path(path).suffix for path in others)])]
