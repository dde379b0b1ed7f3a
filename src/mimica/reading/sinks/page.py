"""The page's words and tables: contents in, HTML out. Whatever comes from outside is escaped here."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from importlib import resources
from pathlib import PurePath
from string import Template
from typing import Any
from urllib.parse import quote

from mimica.clips import STATUSES
from mimica.look.page import DOT, definitions, figure_scripts, page
from mimica.look.palette import STATUS, class_colours, person_colour
from mimica.reading.events import Closed, Opened
from mimica.reading.sinks.figures import CHANGED
from mimica.reading.sinks.series import Change, Summary
from mimica.reading.sinks.thumbnails import SIDE, Thumbnail
from mimica.reading.sinks.trust import trust_figures, trust_section, without_curves
from mimica.reading.sinks.unit_figure import UNIT_HINT

_MOST_CHANGES = 6
_MEANS = {
    "ok": "a face was seen well and a class reached the threshold",
    "unsure": "a face was seen, but no class reached the threshold",
    "no_face": "no face was seen",
    "low_quality": "the face was too small, blurred or turned away",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person's part of the page; `last` is what the last reading says, and its confidence.

    `changes` is when the scene changes the answer, of a model that reads it; `units` the figure of Action Units, where
    they were looked for.
    """

    person: int
    summary: Summary
    figure: Mapping[str, Any]
    thumbnails: Sequence[Thumbnail]
    counts: Counter[str]
    last: tuple[str, float]
    changes: Sequence[Change] = ()
    units: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that the page says. `hidden` are the seconds that persons who are not shown were seen; `still` is a photo."""

    opened: Opened
    closed: Closed | None
    persons: Sequence[Person]
    hidden: Sequence[float]
    still: bool
    names: Mapping[str, str]
    counts: Counter[str]
    until: float
    link: str | None
    plays: bool
    version: str
    written: datetime


def render(contents: Contents) -> str:
    """The whole page."""
    title = f"Apparent expression in {PurePath(contents.opened.source).name or contents.opened.source}"
    inside = Template(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")).substitute(
        player=_player(contents),
        summary=_photo_table(contents) if contents.still else _table(contents),
        legend=_legend(contents),
        wide=" wide" if any(person.units for person in contents.persons) else "",
        persons="".join(_section(person, contents) for person in contents.persons),
        left_out=_left_out(contents),
        trust=trust_section(contents.opened.model) if contents.persons else "",
        model=definitions(without_curves(contents.opened.model)) or "<p>The model says nothing of itself.</p>",
        settings=definitions({"source": contents.opened.source, **contents.opened.settings, **_frames(contents)}),
    )
    scripts = figure_scripts(_figures(contents))
    return page(title, inside, facts=_facts(contents), banner=_banner(contents), scripts=scripts)


def _figures(contents: Contents) -> dict[str, Any]:
    figures = {f"figure-{p.person}": p.figure for p in contents.persons}
    figures |= {f"units-{p.person}": p.units for p in contents.persons if p.units}
    return figures | (trust_figures(contents.opened.model) if contents.persons else {})


def clock(seconds: float, decimals: int = 0) -> str:
    """Seconds as minutes and seconds, with hours where there are any.

    >>> clock(83.4), clock(3671), clock(83.46, 1)
    ('1:23', '1:01:11', '1:23.5')
    """
    scale = 10**decimals
    ticks = round(max(seconds, 0.0) * scale)
    minutes, rest = divmod(ticks, 60 * scale)
    hours, minutes = divmod(minutes, 60)
    width = 2 + (decimals + 1 if decimals else 0)
    tail = f"{rest / scale:0{width}.{decimals}f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def _facts(contents: Contents) -> list[str]:
    about = contents.opened
    facts = []
    if contents.link is not None:
        facts.append(f'<a href="{escape(_href(contents.link))}">open the source</a>')
    if not contents.still and contents.until:
        facts.append(clock(contents.until))
    facts.append(f"{about.width} × {about.height}")
    if about.rate:
        facts.append(f"{about.rate:.4g} frames a second")
    shown, hidden = len(contents.persons), len(contents.hidden)
    facts.append(f"{shown + hidden} {'person' if shown + hidden == 1 else 'people'}")
    facts.append(f"read on {contents.written:%d %B %Y} with Mimica {escape(contents.version)}")
    return facts


def _href(link: str) -> str:
    return link if link.startswith(("http://", "https://", "file://")) else quote(link)


def _banner(contents: Contents) -> str:
    closed = contents.closed
    if closed is not None and closed.finished:
        return ""
    place = f" at {clock(closed.last_time, 1)}" if closed is not None else ""
    return f'<p class="banner" role="status"><b>Incomplete.</b> Reading stopped{place}; what came before is here.</p>'


def _player(contents: Contents) -> str:
    if not contents.plays or contents.still or contents.link is None:
        return ""
    hint = '<p class="hint">Click into a timeline to go to that moment.</p>' if contents.persons else ""
    return f'<video id="player" controls preload="metadata" src="{escape(_href(contents.link))}"></video>{hint}'


def _table(contents: Contents) -> str:
    if not contents.persons:
        return '<p class="empty">No person was read.</p>'
    labels = contents.opened.labels
    colours = class_colours(labels)
    heads = ["seen", *(contents.names[label] for label in labels), "confidence", "unsure", "low quality"]
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    rows = []
    for p in contents.persons:
        s = p.summary
        shares = "".join(_share(s.shares[label], colours[label], s.confidence is not None) for label in labels)
        confidence = "–" if s.confidence is None else f"{s.confidence:.2f}"
        rows.append(
            f'<tr><th scope="row">{_who(p.person)}</th><td>{clock(s.seen, 1)}</td>{shares}<td>{confidence}</td>'
            f"<td>{_percent(s.unsure)}</td><td>{_percent(s.low_quality)}</td></tr>"
        )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Summary table"><table><thead><tr>'
        f'<th scope="col">person</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="hint">Shares of classes and the mean confidence are of the time with status <i>ok</i>; '
        f"<i>unsure</i> and <i>low quality</i> are shares of the time seen.{_hidden(contents)}</p>"
    )


def _frames(contents: Contents) -> dict[str, object]:
    closed = contents.closed
    return {} if closed is None or contents.still else {"frames decoded": closed.frames, "frames read": closed.read}


def _photo_table(contents: Contents) -> str:
    rows = []
    for p in contents.persons:
        said, confidence = p.last
        status = said if said in STATUSES else "ok"
        label = contents.names[said] if status == "ok" else "–"
        number = f"{confidence:.2f}" if confidence == confidence else "–"
        rows.append(
            f'<tr><th scope="row">{_who(p.person)}</th><td class="words">{escape(label)}</td><td>{number}</td>'
            f'<td class="words">{escape(_MEANS[status])}</td></tr>'
        )
    return (
        '<table><thead><tr><th scope="col">person</th><th scope="col" class="words">apparent expression</th>'
        '<th scope="col">confidence</th><th scope="col" class="words">status</th></tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table><p class="hint">{_hidden(contents)}</p>'
    )


def _share(share: float, colour: str, known: bool) -> str:
    if not known:
        return "<td>–</td>"
    bar = f'<span class="bar"><i style="width:{100 * share:.1f}%;background:{colour}"></i></span>'
    return f'<td class="share{" zero" if share < 0.005 else ""}">{_percent(share)}{bar}</td>'


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _who(person: int) -> str:
    return f'<span class="who"><i style="background:{person_colour(person)}"></i>Person {person}</span>'


def _hidden(contents: Contents) -> str:
    if not contents.hidden:
        return ""
    many, longest = len(contents.hidden), max(contents.hidden)
    people = "1 more person" if many == 1 else f"{many} more people"
    seen = "" if contents.still else f", each seen for {clock(longest, 1)} or less"
    return f" {people}{seen}, {'is' if many == 1 else 'are'} not shown here; the CSV and Parquet tables hold everyone."


def _legend(contents: Contents) -> str:
    told = _of_rows(contents) if contents.persons else ""
    if not contents.persons or contents.still:
        return told
    chips = [(c, contents.names[label], "") for label, c in class_colours(contents.opened.labels).items()]
    chips += [(STATUS[s], contents.names[s], f" {s}") for s in ("unsure", "low_quality", "no_face")]
    chips += [(CHANGED, "the scene changes the answer", "")] if told else []
    items = "".join(
        f'<li><i class="chip{kind}" style="background-color:{c}"></i>{escape(n)}</li>' for c, n, kind in chips
    )
    return f'{told}<ul class="legend" aria-label="Colours">{items}</ul>'


def _of_rows(contents: Contents) -> str:
    """What the rows of a model are that reads the scene too, or nothing."""
    if "face" not in contents.opened.views:
        return ""
    smoothed = "" if "raw" not in contents.opened.views else " Only the reading is smoothed."
    return (
        '<p class="hint rows">This model reads the scene behind each face as well. The rows say what it makes of the '
        "face alone, of the scene alone and of both together; the last is the reading, of apparent expression. The "
        f"scene changes the answer where both together show another class most than the face alone.{smoothed}</p>"
    )


def _section(p: Person, contents: Contents) -> str:
    s = p.summary
    top = max(s.shares, key=lambda label: s.shares[label]) if s.confidence is not None else None
    spoken = f"mostly {contents.names[top]}" if top else "no clear expression"
    what = "Probability of each class" if contents.still else "Probability of each class over time"
    what += " by the face alone, by the scene alone and by both" if "face" in contents.opened.views else ""
    facts = "" if contents.still else f'<span class="sub">seen for {clock(s.seen, 1)}, {escape(spoken)}</span>'
    thumbs = "".join(_thumbnail(t, p.person, contents) for t in p.thumbnails)
    gallery = f'<ul class="faces" aria-label="Faces at the clearest moments">{thumbs}</ul>' if thumbs else ""
    return (
        f'<section class="person{" still" if contents.still else ""}"><h3>{_who(p.person)}{facts}</h3>'
        f'<div class="figure" id="figure-{p.person}" role="img" '
        f'aria-label="{what} for person {p.person}: {escape(spoken)}."></div>{_changes(p, contents)}{gallery}'
        f"{_units(p, contents)}</section>"
    )


def _units(p: Person, contents: Contents) -> str:
    """The place of the figure of units, and by what they were seen."""
    if not p.units:
        return ""
    by, limits = (escape(str(contents.opened.units.get(key, ""))) for key in ("name", "limits"))
    return (
        f'<div class="figure units" id="units-{p.person}" role="img" '
        f'aria-label="Strength of each Action Unit of person {p.person} over time."></div>'
        f'<p class="hint">{UNIT_HINT} By {by}{f": {limits}" if limits else ""}.</p>'
    )


def _changes(p: Person, contents: Contents) -> str:
    """Where the scene changes the answer, and from what to what: the longest stretches of time."""
    if "face" not in contents.opened.views:
        return ""
    if not p.changes:
        return '<p class="changes">The scene changes no answer.</p>'
    longest = sorted(sorted(p.changes, key=lambda c: c.start - c.end)[:_MOST_CHANGES])
    told = "; ".join(
        ("" if contents.still else f"{clock(c.start, 1)} to {clock(c.end, 1)} ")
        + f"{contents.names[c.by_face_alone]} → {contents.names[c.answer]}"
        for c in longest
    )
    more = len(p.changes) - len(longest)
    also = f"; and {more} shorter {'time' if more == 1 else 'times'}" if more else ""
    return f'<p class="changes"><b>The scene changes the answer</b> (face alone → both): {escape(told)}{also}.</p>'


def _thumbnail(t: Thumbnail, person: int, contents: Contents) -> str:
    name = contents.names.get(t.says, t.says)
    colour = {**class_colours(contents.opened.labels), **STATUS}.get(t.says, STATUS["unsure"])
    data = base64.b64encode(t.jpeg).decode("ascii")
    when = "" if contents.still else f"{clock(t.time, 1)} "
    alt = f"Face of person {person} {f'at {when}' if when else ''}— apparent {name}, confidence {t.confidence:.2f}"
    return (
        f'<li><img src="data:image/jpeg;base64,{data}" width="{SIDE}" height="{SIDE}" alt="{escape(alt)}" '
        f'style="border-color:{colour}"><span class="name">{escape(name)}</span>'
        f'<span class="num">{f"{when}{DOT} " if when else ""}{t.confidence:.2f}</span></li>'
    )


def _left_out(contents: Contents) -> str:
    total = sum(contents.counts.values())
    rows = "".join(
        f'<tr><th scope="row">{escape(contents.names.get(s, s))}</th><td>{contents.counts[s]}</td>'
        f"<td>{_percent(contents.counts[s] / total) if total else '–'}</td>"
        f'<td class="words">{escape(_MEANS[s])}</td></tr>'
        for s in STATUSES
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in (contents.closed.notes if contents.closed else ()))
    return (
        '<table><thead><tr><th scope="col">status</th><th scope="col">readings</th><th scope="col">share</th>'
        f'<th scope="col" class="words">meaning</th></tr></thead><tbody>{rows}</tbody></table>'
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
    )
