"""`mimica units`: how strong Action Units look over time, as a table and as curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mimica.cli.progress import console_of_tables, plain, read_all, speak_of_any_name
from mimica.errors import UsageError
from mimica.reading.settings import Settings
from mimica.units.registry import DEFAULT

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.reading.record import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Write how strong Action Units look in every person of videos, photos, folders of frames or a camera."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...")]
    """Files, folders, globs, camera:0, or asset:NAME."""
    out: Path = Path("units.csv")
    """The table: source, person, time and a column a unit, a row a face and frame."""
    detector: str = DEFAULT
    """compact-units, blendshapes (extra [units]), the path that training wrote, or actor:TABLE, the truth of clips that
    mimica data actor drew."""
    plot: Path | None = None
    """Draw everyone's curves too: .png, .svg, .pdf (extra [train]) or .html."""
    faces: Literal["detect", "none"] = "detect"
    """Find faces, or take each picture as one face that is already cropped."""
    fps: float = 8.0
    """Frames a second that are looked at; the rest are passed over, true times stay."""
    min_face: float | None = None
    """Smallest side in pixels of a face that is looked for; by default a fifteenth of the picture, at least 20."""
    frame_rate: float = 25.0
    """Frames a second of a folder of pictures, which has no clock of its own."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:1, mps."""
    jobs: int = 1
    """How many sources to read at once, each in its own process."""
    again: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Read again what an earlier run into the same table has finished."""

    def run(self) -> int:
        """Read all sources; 0 if all went well, 1 if some failed."""
        from mimica.reading.unit_plot import check, draw
        from mimica.reading.units import put_together, unit_curves, unit_job

        if not self.sources:
            raise UsageError("name at least one file, folder, glob or camera:0 to read")
        speak_of_any_name(False)
        how = {name: getattr(self, name) for name in ("faces", "fps", "min_face", "frame_rate", "device")}
        job = unit_job(self.out, self.detector, Settings(**how))
        if self.plot:
            check(self.plot)
        console = console_of_tables()
        quiet = not console.is_terminal
        outcomes, code = read_all(job, self.sources, jobs=self.jobs, again=self.again, quiet=quiet)
        if any(outcome.outputs for outcome in outcomes):
            put_together(self.out, outcomes, self.sources)
            if self.plot:
                draw(self.plot, unit_curves(self.out), detector=self.detector)
        self._tell(outcomes, console)
        return code

    def _tell(self, outcomes: list[Outcome], console: Console) -> None:
        from rich.table import Table

        table = Table("source", "state", "people", "time", box=None, pad_edge=False, header_style="bold")
        for outcome in outcomes:
            told = "" if outcome.state == "failed" else f"{outcome.seconds:.1f} s"
            people = "" if outcome.state == "failed" else str(outcome.people)
            table.add_row(plain(Path(outcome.source).name), outcome.state, people, told)
        console.print(table)
        written = [self.out, self.plot] if any(outcome.outputs for outcome in outcomes) else []
        for path in (path for path in written if path):
            console.print(plain(str(path)), soft_wrap=True, highlight=False)
        console.print("How a face looks to a trained model, not what someone feels.", style="dim")
