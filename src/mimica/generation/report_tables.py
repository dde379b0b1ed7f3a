"""The tables of an augmentation loop's report, and the answer above them: arms, classes, refusals, cost.

C classes, S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from mimica.generation.report_figures import Figure, lead
from mimica.generation.report_files import MADE_BY, TABLE, Arm, Loop, Table
from mimica.look.page import Words, number, place, table, table_row
from mimica.look.palette import class_colours

FULL = "full"
"""The arm in which everything of the loop is in."""
_FEWEST_SEEDS = 3


def answer(loop: Loop, found: Table | None) -> str:
    """Whether it helped, in a sentence, above a few figures."""
    if found is None:
        said = (
            "It is not known whether these clips help a recogniser: no table of arms was run here; "
            f"{MADE_BY[TABLE]} runs it ({TABLE})."
        )
    else:
        said = escape(found.sentence)
        if found.seeds < _FEWEST_SEEDS:
            said += f" That is of {found.seeds} seed{'' if found.seeds == 1 else 's'}, which is too few to rely on."
    boxes = [_box(*one) for one in (*_gains(found), *_made(loop))]
    return f'<p class="answer">{said}</p><div class="headline">{"".join(boxes)}</div>'


def _gains(found: Table | None) -> list[tuple[str, str, str]]:
    ours, theirs = _arm(found, FULL), _arm(found, found.reference if found else "")
    if found is None or ours is None or theirs is None:
        return []
    boxes = []
    tail = f"tail recall, {' and '.join(found.tail)}"
    for what, own, other in (
        (tail, ours.tail, theirs.tail), ("UAR", ours.uar, theirs.uar), ("WAR", ours.war, theirs.war),
    ):  # fmt: skip
        gap = number(100 * (mean(own) - mean(other)), "+.1f")
        boxes.append((escape(what), _share(own), f"{gap} to {escape(found.reference)}"))
    return boxes


def _made(loop: Loop) -> list[tuple[str, str, str]]:
    made, kept = loop.asked.sum(), loop.accepted.sum()
    rate = number(100 * kept / made if made else math.nan, ".0f")
    return [("clips kept", f"{kept:,.0f}", f"of {made:,.0f} made, {rate} %")]


def _box(what: str, figure: str, under: str) -> str:
    return f"<div><span>{what}</span><b>{figure}</b><span>{under}</span></div>"


def arms(found: Table | None) -> tuple[str, dict[str, Figure]]:
    """The table of arms, and the figure of how far each is ahead, by the id of its place."""
    if found is None:
        return f'<p class="empty">No arms were trained here; {MADE_BY[TABLE]} trains them ({TABLE}).</p>', {}
    places = [found.classes.index(name) for name in found.tail if name in found.classes]
    rows = []
    for arm in found.arms:
        ahead = _ahead(*arm.ahead) if arm.ahead else "–"
        cells = [
            f"{escape(arm.name)}{_unfinished(arm, found)}", *map(_share, (arm.uar, arm.war, arm.tail)),
            *(_share(arm.recall[:, c]) for c in places),
            "reference" if arm.name == found.reference else ahead,
        ]  # fmt: skip
        rows.append(table_row(cells, "ours" if arm.name == FULL else ""))
    heads = ["arm", "UAR %", "WAR %", "tail recall %", *(escape(found.classes[c]) for c in places), "ahead, points"]
    figure = lead(found)
    return table(heads, rows) + (
        f'<p class="hint">Means over {found.seeds} seed{"" if found.seeds == 1 else "s"} ± standard deviation. Tail '
        f"recall is that of {escape(' and '.join(found.tail))}. Ahead: by how much tail recall is above that of "
        f"{escape(found.reference)}, with its paired 95 % interval; where that holds 0, the arm is not shown to be "
        "better.</p>"
    ) + (place("lead", "Tail recall above the reference.") if figure else ""), {"lead": figure} if figure else {}


def _unfinished(arm: Arm, found: Table) -> str:
    done = len(arm.uar)
    return f' <span class="lost">{done} of {found.seeds} seeds</span>' if done < found.seeds else ""


def _ahead(value: float, low: float, high: float) -> str:
    bounds = f"{number(100 * low, '.1f')} to {number(100 * high, '.1f')}"
    return f'{number(100 * value, "+.1f")} <span class="interval">{bounds}</span>'


def _arm(found: Table | None, name: str) -> Arm | None:
    return next((arm for arm in found.arms if arm.name == name), None) if found else None


def classes(loop: Loop) -> str:
    """What was there, wanted, made and kept of each class, and its recall of validation before and after each round."""
    colours, made, kept = class_colours(loop.classes), loop.asked, loop.accepted
    rows = []
    for c, name in enumerate(loop.classes):
        label = f'<span class="name"><i style="background:{colours[name]}"></i>{escape(name)}</span>'
        label += ' <span class="lost">given up</span>' if name in loop.given_up else ""
        recalls = [loop.recall[c], *(one.recall[c] for one in loop.rounds)]
        counts = _counts(loop.counts[c], loop.wanted[c], made[c], kept[c])
        rows.append(table_row([label, *counts, *map(_percent, recalls)]))
    total = [loop.counts.sum(), loop.wanted.sum(), made.sum(), kept.sum()]
    means = [mean(loop.recall), *(mean(one.recall) for one in loop.rounds)]
    rows.append(table_row(["all, mean recall", *_counts(*total), *map(_percent, means)], "sum"))
    heads = ["class", "real clips", "wanted", "made", "kept", "kept %", "recall before",
             *(f"after round {r + 1}" for r in range(len(loop.rounds)))]  # fmt: skip
    said = [f"{escape(name)} was given up: it needs real clips, as next to nothing made for it is accepted."
            for name in loop.given_up]  # fmt: skip
    said += [f"The loop stopped: {escape(loop.stop.rstrip('.'))}."] if loop.stop else []
    told = "".join(f"<li>{one}</li>" for one in said)
    return (
        table(heads, rows)
        + '<p class="hint">Recall in %, of clips of validation that nothing was made from.</p>'
        + (f'<ul class="notes">{told}</ul>' if told else "")
    )


def _counts(real: float, wanted: float, made: float, kept: float) -> list[str]:
    whole = [number(one, ",.0f") for one in (real, wanted, made, kept)]
    return [*whole, number(100 * kept / made if made else math.nan, ".0f")]


def refusals(loop: Loop) -> str:
    """How many clips were refused for what, with bars."""
    counts = loop.refused()
    if not counts:
        return '<p class="empty">No clip was refused, or none was judged.</p>'
    lost = loop.asked.sum() - loop.accepted.sum()
    return _bars(["reason", "clips", "% of those refused"], counts, ",.0f", of=lost) + (
        f'<p class="hint">{lost:,.0f} of {loop.asked.sum():,.0f} clips were refused; one may be refused for several '
        "reasons.</p>"
    )


def costs(loop: Loop, found: Table | None) -> str:
    """Seconds by stage, a clip, and a point of tail recall that was gained."""
    if math.isnan(loop.seconds):
        return '<p class="empty">What this cost was not measured.</p>'
    total, made, kept = loop.seconds, loop.asked.sum(), loop.accepted.sum()
    said = [f"{duration(total)} in all: {number(total / made if made else math.nan, ',.2g')} s a clip made, "
            f"{number(total / kept if kept else math.nan, ',.2g')} s a clip kept."]  # fmt: skip
    ours, theirs = _arm(found, FULL), _arm(found, found.reference if found else "")
    if found and ours and theirs:
        gain = 100 * (mean(ours.tail) - mean(theirs.tail))
        if gain > 0:
            said.append(f"Tail recall is {gain:.1f} points above {escape(found.reference)}: {duration(total / gain)} a "
                        "point.")  # fmt: skip
            if ours.ahead and not ours.ahead[1] > 0:
                said.append("The interval of that gain holds 0, so it may have bought nothing.")
        else:
            said.append(f"Not a point of tail recall was gained over {escape(found.reference)} for it.")
    return f"<p>{' '.join(said)}</p>{_bars(['stage', 'seconds', '% of all'], loop.cost, ',.1f', of=total)}"


def _bars(head: Sequence[str], counts: Mapping[str, float], form: str, *, of: float) -> str:
    most = max([one for one in counts.values() if one > 0], default=1.0)
    rows = []
    for name, value in counts.items():
        known = 0.0 if math.isnan(value) else value
        bar = Words(f'<span class="bar"><i style="width:{100 * known / most:.1f}%"></i></span>')
        share = number(100 * value / of if of else math.nan, ".0f")
        rows.append(table_row([escape(name), number(value, form), share, bar]))
    return table([*head, ""], rows, "share")


def mean(values: Sequence[float] | np.ndarray) -> float:
    """The mean of what is known, NaN where nothing is."""
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else math.nan


def _share(values: np.ndarray) -> str:
    """Shares [S] in percent: their mean ± their standard deviation, where there are several."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "–"
    spread = f' <small class="lost">± {100 * known.std(ddof=1):.1f}</small>' if len(known) > 1 else ""
    return f"{100 * known.mean():.1f}{spread}"


def _percent(share: float) -> str:
    return number(100 * share, ".1f")


def duration(seconds: float) -> str:
    """Seconds as one says them.

    >>> duration(58.04), duration(640), duration(7500)
    ('58 s', '11 min', '2 h 5 min')
    """
    if math.isnan(seconds) or seconds < 120:
        return f"{number(seconds, '.2g' if seconds < 10 else '.0f')} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
