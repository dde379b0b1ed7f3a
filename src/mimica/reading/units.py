"""How strong Action Units look over time: videos in, one table out, and curves to look at.

U units in the order of `facs.UNITS`, N frames of one person.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mimica.clips import SIGHTING_COLUMNS
from mimica.data.whole import whole
from mimica.errors import InputError, UsageError
from mimica.faces.detect import Detector
from mimica.reading.events import Event, Opened
from mimica.reading.settings import Settings
from mimica.reading.sightings import Sightings, faces_of
from mimica.reading.sinks import UNITS
from mimica.units.detect import UnitDetector
from mimica.video.read import open_video
from mimica.video.sources import resolve

if TYPE_CHECKING:
    from mimica.reading.job import Job
    from mimica.reading.record import Outcome

_HEADER = [column.name for column in SIGHTING_COLUMNS]


class UnitReader:
    """Follows every person in a source and says how strong the units of their faces look; reads no expression."""

    def __init__(
        self, units: UnitDetector, settings: Settings | None = None, *, detector: Detector | None = None
    ) -> None:
        self.units, self.settings = units, settings or Settings()
        self.alone = self.settings.faces == "none"
        self.detector = detector or faces_of(self.settings, alone=self.alone)

    def read(
        self, source: str | Path, *, every_frame: bool = False, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[Event]:
        """The events of a source, as `Reader.read` gives them, without readings."""
        with open_video(source, frame_rate=self.settings.frame_rate) as video:
            yield self._opened(str(source), video.info)
            sightings = Sightings(video, self.settings, self.detector, alone=self.alone, units=self.units)
            for batch in sightings.batches(every_frame, stopped):
                yield from sightings.seen(batch)
            yield from sightings.ending(not stopped())

    def _opened(self, source: str, info: Any) -> Opened:
        return Opened(
            source=source, kind=info.kind, width=info.width, height=info.height, rate=info.rate,
            duration=info.duration, labels=(), settings=asdict(self.settings), units=self.units.card,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCurves:
    """One person of a source over time: `times` [N] in seconds, `strengths` [N, U], NaN where a unit is not seen."""

    source: str
    person: int
    times: np.ndarray
    strengths: np.ndarray


def unit_job(out: Path, detector: str, settings: Settings) -> Job:
    """The job whose outcomes `put_together` makes the table `out` of. Raises UsageError where that is no CSV."""
    from mimica.reading.job import Job

    if out.suffix.lower() != ".csv":
        raise UsageError(f"{out} is no name of a CSV table; let --out end in .csv")
    if out.is_dir():
        raise UsageError(f"{out} is a folder; choose another name with --out")
    return Job(model=None, out=out.parent / f".{out.name}.parts", formats=(UNITS,), settings=settings, units=detector)


def put_together(out: Path, outcomes: Iterable[Outcome], sources: Sequence[str]) -> None:
    """One table of what was written of each source; failed ones have no rows.

    Sources stand in the order in which they were named, whichever was read first. Raises InputError where the table
    cannot be written.
    """
    order = {source: place for place, (source, _) in enumerate(resolve(sources))}
    outcomes = sorted(outcomes, key=lambda outcome: order.get(outcome.source, len(order)))
    try:
        with whole(out) as part, part.open("w", newline="", encoding="utf-8") as file:
            file.write(",".join(_HEADER) + "\n")
            for path in (path for outcome in outcomes for path in outcome.outputs):
                with Path(path).open(encoding="utf-8", newline="") as rows:
                    next(rows)
                    file.writelines(rows)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}; choose another place with --out") from None


def unit_curves(table: Path) -> list[UnitCurves]:
    """Everyone in a table that `put_together` wrote, in its order. Raises InputError for another table."""
    rows: dict[tuple[str, int], list[list[float]]] = {}
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            if next(reader, None) != _HEADER:
                raise InputError(f"{table} is no table of units; mimica units writes one")
            for row in reader:
                numbers = [float(text) if text else float("nan") for text in row[2:]]
                rows.setdefault((row[0], int(row[1])), []).append(numbers)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {table}: {error}") from None
    return [_curves(source, person, of) for (source, person), of in rows.items()]


def _curves(source: str, person: int, rows: Sequence[Sequence[float]]) -> UnitCurves:
    whole_of = np.array(rows)
    return UnitCurves(source=source, person=person, times=whole_of[:, 0], strengths=whole_of[:, 1:])
