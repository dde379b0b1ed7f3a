"""Small files in which people annotate and in which readings stand, drawn by the tests themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from mimica.clips import Reading, Status
from mimica.labels import EXPRESSIONS
from mimica.reading.events import Closed, Opened
from mimica.reading.sinks import open_sink

Said = Sequence[tuple[float, float, str]]
"""Start and end in seconds, and the word."""


def reading(
    start: float, end: float, label: str | None, *, person: int | None = 0, status: Status = "ok", source: str = "v.mp4"
) -> Reading:
    shares = dict.fromkeys(EXPRESSIONS.names, 0.05) | {label: 0.7} if label else {}
    return Reading(
        source=source, person=person, start=start, end=end, label=label, confidence=0.7 if label else None,
        probabilities=shares, views={"raw": shares} if label else {}, status=status,
    )  # fmt: skip


def readings(said: Said, *, person: int = 0, source: str = "v.mp4") -> list[Reading]:
    return [reading(start, end, word, person=person, source=source) for start, end, word in said]


def written(path: Path, rows: Sequence[Reading], source: str = "v.mp4") -> Path:
    """Readings in the format that the path's ending names."""
    with open_sink(path.suffix[1:], path) as sink:
        sink.append(Opened(source=source, kind="video", width=8, height=8, rate=25.0, duration=None,
                           labels=EXPRESSIONS.names, views=("raw",)))  # fmt: skip
        for row in rows:
            sink.append(row)
        sink.append(Closed(frames=1, read=1, last_time=0.0))
    return path


def table(path: Path, said: Said, header: str = "start,end,label") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in said)]) + "\n", encoding="utf-8")
    return path


def slots(times: Sequence[int | None]) -> str:
    """Time slots ts0, ts1, ... in milliseconds; those that are None have no value."""
    told = ("" if time is None else f' TIME_VALUE="{time}"' for time in times)
    return "".join(f'<TIME_SLOT TIME_SLOT_ID="ts{i}"{value}/>' for i, value in enumerate(told))


def aligned(name: str, first: int, last: int, word: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="ts{first}" '
        f'TIME_SLOT_REF2="ts{last}"><ANNOTATION_VALUE>{escape(word)}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
        "</ANNOTATION>"
    )


def referring(name: str, to: str, word: str, after: str = "") -> str:
    previous = f' PREVIOUS_ANNOTATION="{after}"' if after else ""
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{to}"{previous}>'
        f"<ANNOTATION_VALUE>{escape(word)}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


def document(
    path: Path,
    times: Sequence[int | None],
    tiers: dict[str, str],
    *,
    media: str = "",
    after: str = "",
    before: str = "",
) -> Path:
    """A document of ELAN: its time slots, and what stands in each tier."""
    inside = "".join(
        f"<TIER TIER_ID={quoteattr(name)} LINGUISTIC_TYPE_REF='t'>{all_}</TIER>" for name, all_ in tiers.items()
    )
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<ANNOTATION_DOCUMENT AUTHOR="" FORMAT="3.0" VERSION="3.0">'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">{media}</HEADER><TIME_ORDER>{slots(times)}</TIME_ORDER>'
        f"{inside}{after}</ANNOTATION_DOCUMENT>", encoding="utf-8",
    )  # fmt: skip
    return path


def elan(path: Path, tiers: dict[str, Said], **more: str) -> Path:
    """A document of ELAN with what is said on each tier."""
    times: list[int | None] = []
    inside: dict[str, str] = {}
    for name, said in tiers.items():
        for start, end, word in said:
            times += [round(1000 * start), round(1000 * end)]
            inside[name] = inside.get(name, "") + aligned(f"a{len(times)}", len(times) - 2, len(times) - 1, word)
        inside.setdefault(name, "")
    return document(path, times, inside, **more)


def medium(url: str, origin: int | None = None) -> str:
    at = "" if origin is None else f' TIME_ORIGIN="{origin}"'
    return f'<MEDIA_DESCRIPTOR MEDIA_URL="{url}" MIME_TYPE="video/mp4"{at}/>'
