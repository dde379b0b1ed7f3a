"""What all pages share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from mimica.notice import NOTICE, SHORT

DOT = '<span class="dot">·</span>'
"""Between facts on one line."""


def page(
    title: str, inside: str, *, facts: Sequence[str], banner: str = "", style: str = "", scripts: str = "",
    notice: bool = True,
) -> str:  # fmt: skip
    """A whole page: its title with facts below it, a banner, what is inside, and the notice of what readings are.

    All but the title is HTML already. `style` is what it has beside the style sheet of every page.
    """
    above = f'<p class="short">{escape(SHORT)}</p>\n{banner}' if notice else banner
    footer = f'\n<footer class="notice"><p><b>{escape(SHORT)}</b> {escape(NOTICE)}</p></footer>' if notice else ""
    return Template(_read("page.html")).substitute(
        title=escape(title), facts=f" {DOT} ".join(facts), above=above, inside=inside + footer,
        style=page_style() + style, scripts=scripts,
    )  # fmt: skip


def page_style() -> str:
    """The style sheet of every page that is written: light or dark as the reader's own machine has it."""
    return _read("page.css")


def card(title: str, inside: str, sub: str = "") -> str:
    """A part of a page below a heading, with a word beside it; nothing where there is nothing inside."""
    told = f'<span class="sub">{escape(sub)}</span>' if sub else ""
    return f'<section class="card"><h2>{escape(title)}{told}</h2>{inside}</section>' if inside else ""


class Words(str):
    """A cell of a table, in HTML, that is read as words: from the left, over several lines where it is long."""


def table(head: Sequence[str], rows: Sequence[str], kind: str = "") -> str:
    """A table of the cells of its head and of `table_row`s, all HTML; it scrolls by itself where the page is narrow."""
    cells = "".join(f'<th scope="col"{_left(name)}>{name}</th>' for name in head)
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def table_row(cells: Sequence[str], kind: str = "") -> str:
    """A row of a table, in HTML; its first cell says what the others are of."""
    first, *others = cells
    told = "".join(f"<td{_left(cell)}>{cell}</td>" for cell in others)
    return f'<tr class="{kind}"><th scope="row">{first}</th>{told}</tr>'


def _left(cell: str) -> str:
    return ' class="words"' if isinstance(cell, Words) else ""


def number(value: float, form: str = ".2f") -> str:
    """A number in a form, or a dash where it is not known.

    >>> number(0.756), number(float("nan"))
    ('0.76', '–')
    """
    return "–" if math.isnan(value) else format(value, form)


def place(name: str, says: str) -> str:
    """The place of a figure of `figure_scripts`: the id that it has there, and what it shows for who cannot see it."""
    return f'<div class="figure" id="{name}" role="img" aria-label="{escape(says)}"></div>'


def figure_scripts(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The scripts at a page's end that draw each figure of plotly into the element of its id, and draw it offline.

    A figure has `data` and `layout`, whose colours of ground, grid and words are the page's. Where there are no figures
    plotly, some 5 MB, is left out.
    """
    from plotly.offline import get_plotlyjs

    told = json.dumps(figures, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="figures">{told}</script>\n'
        f"<script>{get_plotlyjs() if figures else ''}</script>\n<script>\n{_read('figures.js')}</script>\n"
    )


def definitions(facts: Mapping[str, object]) -> str:
    """Facts as a list of terms and what they are, inner ones nested; nothing where there are none."""
    items = "".join(f"<dt>{escape(str(k).replace('_', ' '))}</dt><dd>{_value(v)}</dd>" for k, v in facts.items())
    return f"<dl>{items}</dl>" if items else ""


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return definitions(value) or "–"
    if isinstance(value, (list, tuple)):
        return escape(", ".join(map(str, value))) or "–"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return escape(str(value))
