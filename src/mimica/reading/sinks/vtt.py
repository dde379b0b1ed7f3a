"""Readings as subtitles (WebVTT): a cue for each stretch of time, to be shown over the source."""

from __future__ import annotations

from html import escape

from mimica.clips import Reading
from mimica.notice import NOTICE
from mimica.reading.sinks.base import FileSink, version
from mimica.reading.sinks.spans import Span, Spans


class VttSink(FileSink):
    """A cue a person and stretch, such as `Person 1: happiness (0.83)`; the notice stands in a NOTE.

    Cues of one person do not overlap; those of two persons may. Time in which no face was seen has no cue.
    """

    def _begin(self) -> None:
        self._spans = Spans()

    def _reading(self, event: Reading) -> None:
        self._spans.append(event)

    def _finish(self) -> None:
        notes = [f"{NOTICE} Where there is no cue, no face was seen.", f"Source: {self.opened.source}"]
        notes.append(f"Model: {self.opened.model.get('name', 'unknown')}; Mimica {version()}")
        notes += self.closed.notes if self.closed else ()
        if not self.complete:
            notes.append("INCOMPLETE: reading stopped before the end of the source.")
        spans = [span for who in self._spans.persons() if who is not None for span in self._spans.of(who)]
        spans.sort(key=lambda span: (span.start, span.person))
        blocks = ["WEBVTT", *(f"NOTE\n{_line(note)}" for note in notes), *map(_cue, spans)]
        self.part.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _cue(span: Span) -> str:
    confidence = f" ({span.confidence:.2f})" if _sure(span) else ""
    text = escape(f"Person {span.person}: {span.says.replace('_', ' ')}{confidence}", quote=False)
    return f"{_clock(span.start)} --> {_clock(span.end)}\n{_line(text)}"


def _sure(span: Span) -> bool:
    return span.confidence is not None and span.says not in ("unsure", "low_quality", "no_face")


def _line(text: str) -> str:
    """Text that cannot end a block or be taken for a cue's times."""
    return " ".join(text.split()).replace("-->", "→")


def _clock(seconds: float) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
