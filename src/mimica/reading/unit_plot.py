"""Curves of units over time, everyone's: as a picture, or as a page that needs nothing else.

U units in the order of `facs.UNITS`, N frames of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path, PurePath
from typing import Any

from mimica.data.whole import whole
from mimica.errors import InputError, UsageError
from mimica.look import picture
from mimica.look.page import figure_scripts, page
from mimica.notice import SHORT
from mimica.reading.sinks.unit_figure import UNIT_HINT, unit_timeline
from mimica.reading.units import UnitCurves
from mimica.units.registry import card

MOST = 12
"""How many people are drawn at most: those seen in most frames."""


def check(path: Path) -> None:
    """Raise UsageError for an ending that nothing is drawn for, MissingExtra without what draws it."""
    if path.suffix.lower() == ".html":
        return
    try:
        picture.check(path)
    except UsageError:
        endings = ", ".join([*picture.ENDINGS, ".html"])
        raise UsageError(f"curves are drawn to {endings}, not to '{path.suffix}'; choose another --plot") from None


def draw(path: Path, curves: Sequence[UnitCurves], *, detector: str) -> None:
    """Draw the curves of those seen in most frames to a picture or a page, by the ending of the path.

    `detector` is the name of what saw them. Raises InputError where the file cannot be written.
    """
    shown = sorted(sorted(curves, key=lambda one: -len(one.times))[:MOST], key=lambda one: (one.source, one.person))
    left = f"{len(curves) - len(shown)} more people, seen in fewer frames, are not drawn." if curves[MOST:] else ""
    if path.suffix.lower() == ".html":
        _write_page(path, shown, detector, left)
    else:
        picture.save(path, lambda: _figure(shown, detector, left), flag="--plot")


def heading(one: UnitCurves) -> str:
    """Who and where, in one line."""
    return f"{PurePath(one.source).name or one.source} · person {one.person}"


def _figure(shown: Sequence[UnitCurves], detector: str, left: str) -> Any:
    from matplotlib.figure import Figure

    from mimica.look.curves import draw_unit_rows

    rows = max(1, len(shown))
    figure = Figure(figsize=(11, 0.5 + 5.6 * rows), layout="constrained")
    for axes, one in zip(figure.subplots(rows, 1, squeeze=False)[:, 0], shown, strict=False):
        draw_unit_rows(axes, one.times.tolist(), one.strengths, title=heading(one))
    said = f"Strength of Action Units, 0 to 1, by {detector}. {SHORT}"
    figure.supxlabel(f"{said} {left}".strip(), fontsize=9, color=picture.PALE, x=0.01, ha="left", wrap=True)
    return figure


def _write_page(path: Path, shown: Sequence[UnitCurves], detector: str, left: str) -> None:
    figures = {f"figure-{i}": unit_timeline(one.times, one.strengths) for i, one in enumerate(shown)}
    sections = "".join(
        f'<section class="person"><h3>{escape(heading(one))}</h3><div class="figure" id="figure-{i}" role="img" '
        f'aria-label="Strength of each Action Unit over time."></div></section>'
        for i, one in enumerate(shown)
    )
    hint = f"{UNIT_HINT} By {escape(detector)}: {escape(str(card(detector).get('limits', '')))}. {escape(left)}"
    inside = sections or '<p class="empty">No face was seen.</p>'
    text = page(
        "Action Units over time", f'<div class="card timelines">{inside}<p class="hint">{hint}</p></div>',
        facts=[f"by {escape(detector)}"], scripts=figure_scripts(figures),
    )  # fmt: skip
    try:
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another place with --plot") from None
