"""The report of a protocol as one page that needs no other file. Whatever comes from outside is escaped here."""

from __future__ import annotations

import base64
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from mimica import __version__
from mimica.data.sampling import SAMPLINGS
from mimica.experiments.literature import DATA
from mimica.experiments.results import Part, Results
from mimica.look.page import Words, card, definitions, page, table, table_row
from mimica.look.palette import class_colours
from mimica.metrics.classification import Interval

if TYPE_CHECKING:
    from mimica.experiments.evaluate import Report

_HEAT = "47,111,159"
_MOST_UNREAD = 20


def render(report: Report) -> str:
    """The whole page."""
    found = report.found
    sections = [
        card("Result", _headline(found) + _folds(found)),
        card("Recall by class", _recalls(found)),
        card("Confusion", _confusion(found), "labelled in rows, read as in columns; % of the row, and clips"),
        card("How far confidence can be trusted", _picture(report, "confidence.png", _CONFIDENCE)),
        card("Video features", _picture(report, "tsne.png", _about_features(report))),
        card("By group", _groups(found), "such as the scenes of FERV39k") if found.groups else "",
        _beside(report),
        card("LaTeX", f"<pre>{escape(report.latex.rstrip())}</pre>"),
        _models(report),
        card("Not read", _unread(found), "each counts as wrong") if found.unread else "",
    ]
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return page(report.title, "".join(sections), facts=_facts(report), banner=_banner(report), style=style)


_CONFIDENCE = (
    "Left: where bars reach the line, confidence is what it says. Right: what is wrong among the clips that are kept."
)


def _facts(report: Report) -> list[str]:
    found = report.found
    return [
        f"{found.n:,} test clips, each read once",
        f"{len(found.labels)} classes",
        f"protocol {escape(report.protocol)}",
        f"selected on: {escape(report.selected_on)}",
        f"measured on {report.written:%d %B %Y} with Mimica {escape(__version__)}",
    ]


def _banner(report: Report) -> str:
    told = []
    if any(str(one.facts.get("selected_on", "")).startswith("test") for one in report.tested):
        told.append("<b>Selected on test.</b> These very clips chose the epoch, so that all figures are too high.")
    if absent := [part for part in report.found.folds if part.absent]:
        parts = "; ".join(f"{_fold(part.name)}: {_absent(part)}" for part in absent)
        told.append(f"<b>Classes without a clip</b> are left out of UAR: {parts}.")
    if report.found.unread:
        lost = len(report.found.unread)
        many = (
            "1 clip could not be read</b> and counts" if lost == 1 else f"{lost} clips could not be read</b> and count"
        )
        told.append(f"<b>{many} as wrong.")
    if report.lacking:
        told.append(escape(report.lacking.capitalize()) + ".")
    return "".join(f'<p class="banner">{one}</p>' for one in told)


def _headline(found: Results) -> str:
    boxes = []
    for name, figure in (("UAR", found.uar), ("WAR", found.war)):
        spread = "" if figure.deviation is None else f" <small>± {100 * figure.deviation:.2f}</small>"
        under = f"95 % {_between(figure.mean)}"
        under += "" if len(found.folds) == 1 else f", pooled {_percent(figure.pooled.value)}"
        boxes.append(f"<div><span>{name}</span><b>{_percent(figure.mean.value)}{spread}</b><span>{under}</span></div>")
    error = "–" if found.ece is None else f"{found.ece:.3f}"
    boxes.append(f"<div><span>ECE</span><b>{error}</b><span>confidence against being right</span></div>")
    return f'<div class="headline">{"".join(boxes)}</div>'


def _folds(found: Results) -> str:
    rows = []
    for part, uar, war in zip(found.folds, found.uar.folds, found.war.folds, strict=True):
        error = "–" if part.ece is None else f"{part.ece:.3f}"
        rows.append(table_row([part.name, f"{part.n:,}", *_with(uar), *_with(war), error]))
    if len(found.folds) > 1:
        rows.append(table_row(["mean", "", *_with(found.uar.mean), *_with(found.war.mean), ""], "sum"))
        spread = [f"{100 * (figure.deviation or 0):.2f}" for figure in (found.uar, found.war)]
        rows.append(table_row(["standard deviation", "", spread[0], "", spread[1], "", ""], "sum"))
        error = "–" if found.ece is None else f"{found.ece:.3f}"
        pooled = [*_with(found.uar.pooled), *_with(found.war.pooled)]
        rows.append(table_row(["pooled", f"{found.n:,}", *pooled, error], "sum"))
    head = ["fold", "clips", "UAR %", "95 %", "WAR %", "95 %", "ECE"]
    return table(head, rows) + (
        '<p class="hint">UAR is the mean of the classes\' recalls, WAR the share of clips that is right. Published '
        "figures are means over folds. Intervals are of resampled test clips; they do not tell what another training "
        "seed would give. The standard deviation is over folds.</p>"
    )


def _recalls(found: Results) -> str:
    colours, many = class_colours(found.labels), len(found.folds) > 1
    head = ["class", "clips", "recall %", "95 %", *([f"fold {part.name}" for part in found.folds] if many else []), ""]
    rows = []
    for name, recall in found.recall.items():
        label = f'<span class="name"><i style="background:{colours[name]}"></i>{escape(name)}</span>'
        folds = [_percent(part.per_class[name]) for part in found.folds] if many else []
        style = f"width:{100 * (recall.value if recall else 0):.1f}%;background:{colours[name]}"
        bar = f'<span class="bar"><i style="{style}"></i></span>'
        rows.append(table_row([label, f"{found.clips[name]:,}", *_with(recall), *folds, bar]))
    return table(head, rows, "recall")


def _confusion(found: Results) -> str:
    lost = found.confusion[:, -1].any()
    names = [*found.labels, *(["not read"] if lost else [])]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for name, row in zip(found.labels, found.confusion.tolist(), strict=True):
        total = sum(row)
        cells = "".join(_heat(n, n / total if total else 0.0) for n in (row if lost else row[:-1]))
        rows.append(f'<tr><th scope="row">{escape(name)}<small>{total:,}</small></th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0"><table class="heat"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _heat(number: int, share: float) -> str:
    ink = ";color:#fff" if share > 0.5 else ""
    soft = ' class="zero"' if not number else ""
    style = f"background:rgba({_HEAT},{min(1.0, 0.03 + 0.97 * share):.3f}){ink}"
    return f'<td{soft} style="{style}">{100 * share:.1f}<small>{number:,}</small></td>'


def _groups(found: Results) -> str:
    rows = [
        table_row([escape(part.name), f"{part.n:,}", _percent(part.uar), _percent(part.war), Words(_absent(part))])
        for part in found.groups
    ]
    return table(["group", "clips", "UAR %", "WAR %", Words("classes without a clip, left out of UAR")], rows, "rows")


def _beside(report: Report) -> str:
    if not report.published:
        return ""
    found, data = report.found, DATA[report.kind]
    encoders = ", ".join(dict.fromkeys(str(one.facts.get("encoder", "–")) for one in report.tested))
    ours = table_row(
        [escape(report.model), Words(escape(encoders)), "", _percent(found.uar.mean.value),
         _percent(found.war.mean.value), Words(f"measured here; selected on: {escape(report.selected_on)}")], "ours",
    )  # fmt: skip
    rows: list[tuple[float, str]] = [(100 * found.war.mean.value, ours)]
    for row in report.published:
        remark = f"{escape(row.source)}{f' ({escape(row.remark)})' if row.remark else ''}"
        cells = [
            escape(row.method), Words(escape(row.backbone) or "–"), "yes" if row.audio else "",
            "–" if row.uar is None else f"{row.uar:.2f}", f"{row.war:.2f}", Words(remark),
        ]  # fmt: skip
        rows.append((row.war or 0.0, table_row(cells)))
    dates = sorted({row.gathered for row in report.published})
    ordered = [row for _, row in sorted(rows, key=lambda one: -one[0])]
    head = ["method", Words("backbone"), "audio", "UAR %", "WAR %", Words("where it was read")]
    return card(
        f"Beside published figures of {data}",
        table(head, ordered, "rows")
        + f'<p class="hint">As printed by their authors, gathered {escape(" and ".join(dates))}, in the order of WAR; '
        "<i>secondary</i> is what others print of it. Newer work is not here, and protocols differ more than the table "
        "tells: many choose the epoch on the test part. No rank is claimed.</p>",
    )


def _models(report: Report) -> str:
    rows = []
    for one in report.tested:
        facts = one.facts
        rows.append(table_row([
            one.name, Words(f'<span class="path">{escape(str(one.model))}</span>'),
            Words(escape(one.learned_from) or "not stated"),
            Words(escape(str(facts.get("selected_on") or "not stated"))),
            Words(escape(str(facts.get("encoder", "–")))),
            f'<span class="path whole">{escape(str(facts.get("sha256", "–"))[:12])}</span>',
        ]))  # fmt: skip
    heads = ["file", "learned from", "selected on", "encoder"]
    how = report.how[0]
    reads: dict[str, object] = {
        "data": report.data,
        "clips": "as the data set gives them, cropped to a face; one prediction a clip",
        "sampling": f"{how.sampling}: {SAMPLINGS[how.sampling.partition(':')[0]]}",
        "frames a clip": how.frames,
        "views": "1" if how.views == 1 else f"{how.views}, their logits averaged",
    }
    listed = table(["fold", *map(Words, heads), "sha256"], rows, "rows")
    return card("What was measured, and how", f'{listed}<div class="reads">{definitions(reads)}</div>')


def _picture(report: Report, name: str, hint: str) -> str:
    file = next((path for path in report.pictures if path.name == name), None)
    if file is None:
        return ""
    data = base64.b64encode(Path(file).read_bytes()).decode("ascii")
    return f'<img class="plate" src="data:image/png;base64,{data}" alt="{escape(hint)}"><p class="hint">{hint}</p>'


def _about_features(report: Report) -> str:
    of = "what the logits are made of" if report.features == "feature" else "logits, for the network shows no features"
    fold = (
        f" Fold {report.tested[0].name} alone: each fold's network has a space of its own."
        if len(report.tested) > 1
        else ""
    )
    return f"Points are test clips: {of}, by t-SNE. Right: each class before the others, and its clips.{fold}"


def _unread(found: Results) -> str:
    listed = list(found.unread.items())
    items = "".join(f"<dt>{escape(clip)}</dt><dd>{escape(why)}</dd>" for clip, why in listed[:_MOST_UNREAD])
    more = len(listed) - _MOST_UNREAD
    return f"<dl>{items}</dl>" + (f'<p class="hint">and {more} more, in predictions.csv</p>' if more > 0 else "")


def _with(figure: Interval | None) -> list[str]:
    """A figure in percent and its interval, as two cells."""
    if figure is None:
        return ["–", ""]
    return [_percent(figure.value), f'<span class="interval">{_between(figure)}</span>']


def _between(figure: Interval) -> str:
    return f"{100 * figure.low:.1f} to {100 * figure.high:.1f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"


def _fold(name: str) -> str:
    return f"fold {escape(name)}" if name.isdecimal() else escape(name)


def _absent(part: Part) -> str:
    return ", ".join(map(escape, part.absent))
