"""Readings as one page that needs nothing else: a table, a timeline a person, faces at the peaks, what was left out."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from mimica.clips import Reading
from mimica.look.palette import STATUS
from mimica.reading.events import Closed, Seen, Settled
from mimica.reading.sinks import page
from mimica.reading.sinks.base import FileSink, Wants, target, version
from mimica.reading.sinks.figures import LEFT, bars, timeline
from mimica.reading.sinks.series import Series, Summary
from mimica.reading.sinks.thumbnails import Thumbnails
from mimica.reading.sinks.unit_figure import UNIT_LEFT, UnitSeries

MOST_PERSONS = 12
"""Persons shown at most: those seen longest."""

_PLAYED = (".mp4", ".m4v", ".webm", ".mov", ".ogv")


class HtmlSink(FileSink):
    """A page to read and to keep: works offline, light or dark as the reader's system is.

    Of a model that reads the scene too, each person has three rows, and marks where the scene changes the answer.
    Memory: some 60 bytes a reading, twice as much with three rows, a few small pictures a person; where units
    are looked for, 72 bytes a face and frame more. With `blur_faces`
    the pictures are unrecognisable and the source is not played on the page.
    """

    wants: ClassVar[Wants] = "read"

    def _begin(self) -> None:
        self._series: dict[int, Series] = {}
        self._gaps: list[tuple[float, float]] = []
        self._counts: Counter[str] = Counter()
        self._units: dict[int, UnitSeries] = {}
        self._thumbnails = Thumbnails(blur_faces=self.options.blur_faces)
        self._until = 0.0

    def _seen(self, event: Seen) -> None:
        self._until = max(self._until, event.frame.time)
        self._thumbnails.see(event)
        for person, strengths in event.units.items():
            self._units.setdefault(person, UnitSeries()).append(event.frame.time, strengths)

    def _reading(self, event: Reading) -> None:
        self._counts[event.status] += 1
        self._until = max(self._until, event.end)
        if event.person is None:
            self._gaps.append((event.start, event.end))
            return
        views = tuple(view for view in self.opened.views if view in ("face", "scene"))
        self._series.setdefault(event.person, Series(self.opened.labels, views)).append(event)
        self._thumbnails.read(event)

    def _settled_to(self, event: Settled) -> None:
        self._thumbnails.settle(event.time)

    def _ended(self, event: Closed) -> None:
        self._until = max(self._until, event.last_time, (self.opened.duration or 0.0) if event.finished else 0.0)

    def _finish(self) -> None:
        self.part.write_text(page.render(self._contents()), encoding="utf-8")

    def _contents(self) -> page.Contents:
        about = self.opened
        names = {name: name.replace("_", " ") for name in (*about.labels, *STATUS)}
        still = about.kind == "photo"
        summaries = {person: series.summary() for person, series in self._series.items()}
        longest = sorted(summaries, key=lambda person: (-summaries[person].seen, person))
        shown = sorted(longest[:MOST_PERSONS])
        units = {p: self._units[p].figure(until=self._until, still=still) for p in shown if p in self._units}
        left = UNIT_LEFT if any(units.values()) else LEFT  # what is of one moment stands one below the other
        persons = [self._person(p, summaries[p], names, units.get(p, {}), still=still, left=left) for p in shown]
        hidden = [summaries[p].seen for p in longest[MOST_PERSONS:]]
        return page.Contents(
            opened=about, closed=self.closed, persons=persons, hidden=hidden, still=still, names=names,
            counts=self._counts, until=self._until, link=self._link(), plays=self._plays(), version=version(),
            written=datetime.now().astimezone(),
        )  # fmt: skip

    def _person(
        self, person: int, summary: Summary, names: dict[str, str], units: dict[str, Any], *, still: bool, left: int
    ) -> page.Person:
        series = self._series[person]
        figure = (
            bars(series, names) if still
            else timeline(series, until=self._until, gaps=self._gaps, names=names, left=left)
        )  # fmt: skip
        return page.Person(
            person=person, summary=summary, figure=figure, thumbnails=self._thumbnails.of(person),
            counts=series.counts(), last=series.last(), changes=series.changes(), units=units,
        )  # fmt: skip

    def _link(self) -> str | None:
        assert self.path is not None
        return target(self.path, self.options.link, self.opened.source)

    def _plays(self) -> bool:
        link = self._link()
        return link is not None and not self.options.blur_faces and Path(link).suffix.lower() in _PLAYED
