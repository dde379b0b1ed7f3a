"""What was found of many parts, as a page to look through: worst first. Whatever comes from outside is escaped here."""

from __future__ import annotations

from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mimica import __version__
from mimica.anomaly.detector import Detector
from mimica.look.page import DOT, card, definitions, page

if TYPE_CHECKING:
    from mimica.anomaly.inspection import Inspection, Row

MOST = 400
"""Parts shown at most: those that score highest; the table has them all."""
_MOST_WRONG = 50


def parts_page(found: Inspection, detector: Detector, source: str, bank: str) -> str:
    """The whole page, which refers to the pictures that lie beside it."""
    judged = sorted((row for row in found.rows if row.score is not None), key=lambda row: -(row.score or 0.0))
    defective = sum(row.verdict == "defective" for row in judged)
    told = [_count(len(judged), "part"), f"{defective} defective", f"{len(found.failed)} not judged",
            f"{escape(Path(bank).name) or 'a bank'} of {_count(len(detector.bank.shots), 'good part')}"]  # fmt: skip
    sections = [
        card("Parts that could not be judged", _wrong(found)), card("Parts, worst first", _parts(judged, found)),
        card("The bank", definitions(_about(detector, source))),
    ]  # fmt: skip
    stopped = '<p class="banner">Stopped before all parts were judged; the same command goes on.</p>'
    return page(
        "Parts and what is wrong with them", "\n".join(filter(None, sections)), facts=told, notice=False,
        banner=stopped if found.stopped else "",
        style=resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8"),
    )  # fmt: skip


def _wrong(found: Inspection) -> str:
    items = [f"<li>{escape(row.part)}: {escape(row.error)}</li>" for row in found.failed[:_MOST_WRONG]]
    more = len(found.failed) - len(items)
    items += [f"<li>and {more} more, in scores.csv</li>"] if more else []
    return f'<ul class="wrong">{"".join(items)}</ul>' if items else ""


def _parts(judged: list[Row], found: Inspection) -> str:
    if not judged:
        return ""
    scale = (
        '<p class="scale"><span>as usual</span><i></i><span>2.4 times the threshold; half orange at it</span>'
        '</p><p class="hint above">False alarms: how many good parts are expected to score as high.</p>'
    )
    hidden = len(judged) - MOST
    note = f'<p class="hint">{hidden} more that score lower are in scores.csv.</p>' if hidden > 0 else ""
    return f'{scale}<ol class="parts">{"".join(_part(row, found.out) for row in judged[:MOST])}</ol>{note}'


def _part(row: Row, out: Path) -> str:
    name, link = escape(row.part), quote(row.part)
    pair = "".join(
        f'<a href="{folder}/{link}.png"><img loading="lazy" src="{folder}/{link}.png" alt="{alt} {name}"></a>'
        for folder, alt in (("seen", "the part"), ("heat", "the heat of"))
    )
    cloud = f' {DOT} <a href="points/{link}.ply">points</a>' if (out / "points" / f"{row.part}.ply").is_file() else ""
    return (
        f'<li><div class="pair">{pair}</div><div class="told"><b>{name}</b>'
        f'<span class="verdict {row.verdict}">{row.verdict}</span></div>'
        f'<div class="soft">score {row.score:.3g} {DOT} {_alarm(row)}{cloud}</div></li>'
    )


def _alarm(row: Row) -> str:
    rate = row.false_alarm or 0.0
    shown = "under 0.01 %" if rate < 1e-4 else f"{100 * rate:.2g} %" if rate < 0.995 else "100 %"
    return f"false alarms {shown}"


def _about(detector: Detector, source: str) -> dict[str, object]:
    config = detector.config
    return {
        "features": " and ".join(maker.facts["name"] for maker in detector.makers),
        "good parts": detector.bank.shots,
        "nodes": {name: len(view.nodes) for name, view in detector.bank.views.items()},
        "threshold": detector.calibration.threshold(config.false_alarms),
        "good parts that may be called defective": f"{100 * config.false_alarms:g} %",
        "parts from": source,
        "Mimica": __version__,
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
