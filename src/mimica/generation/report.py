"""The report of an augmentation loop as one page: whether it helped, what was made, what it cost, what leaked.

Whatever comes from outside is escaped here. C classes, S seeds.
"""

from __future__ import annotations

from html import escape
from importlib import resources
from math import isnan, nan
from pathlib import Path
from typing import Any

from mimica.checkpoint import put_at
from mimica.generation.report_clips import clips_section
from mimica.generation.report_figures import Figure, by_iteration, quality
from mimica.generation.report_files import (
    MADE_BY,
    STEPS,
    TUNING,
    Loop,
    Steps,
    read_loop,
    read_steps,
    read_table,
    read_tuning,
)
from mimica.generation.report_tables import answer, arms, classes, costs, duration, refusals
from mimica.look.page import card, definitions, figure_scripts, number, page, place, table, table_row

REPORT = "report.html"
_ABOUT_JUDGES = (
    "Where judges that reward find clips better and held-out judges do not, tuning fools its judges: only the held-out "
    "judge counts."
)


def write_report(folder: Path) -> Path:
    """Write `folder/report.html`, one page that needs nothing else, of all that a loop has left in the folder so far.

    What is not there yet is said in a sentence, with the command that makes it. Raises InputError in one sentence
    where there is no `loop.json`, where a file is not what the loop writes, and where the page cannot be written.
    """
    loop, found = read_loop(folder), read_table(folder)
    shown, figures = clips_section(loop, folder)
    rows, steps = read_tuning(folder), read_steps(folder)
    told, drawn = arms(found)
    sections = [
        card("Did it help?", answer(loop, found)),
        card("The arms", told),
        card("Class by class", classes(loop)),
        card("Clips", shown or '<p class="empty">No clip was made yet.</p>'),
        card("Tuning by rewards", _tuning(rows)),
        card("Steps against quality", _steps(steps)),
        card("Why clips were refused", refusals(loop)),
        card("Cost", costs(loop, found)),
        card("Leakage audit", _audit(loop)),
        card("Settings and provenance", _settings(loop)),
    ]
    figures |= drawn | _tuning_figures(rows) | ({"quality": quality(steps)} if steps and steps.rows else {})
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    text = page(
        "Synthetic clips for scarce expressions", "".join(sections), facts=_facts(loop), banner=_banner(loop),
        style=style, scripts=figure_scripts(figures),
    )  # fmt: skip
    put_at(folder / REPORT, text.encode(), "--out")
    return folder / REPORT


def _facts(loop: Loop) -> list[str]:
    made, kept, rounds = int(loop.asked.sum()), int(loop.accepted.sum()), len(loop.rounds)
    return [
        f"{made:,} clips made, {kept:,} kept",
        f"{rounds} round{'' if rounds == 1 else 's'}",
        escape(str(loop.data.get("spec", "data not stated"))),
        "cost not stated" if isnan(loop.seconds) else f"{duration(loop.seconds)} of computing",
        f"Mimica {escape(loop.version)}",
    ]


def _banner(loop: Loop) -> str:
    told = [_sentence(loop.what)]
    if loop.leaks:
        told.append(f"<b>Leaks.</b> {_sentence(loop.audit or '')} See the audit below, and train on none of them.")
    return "".join(f'<p class="banner">{one}</p>' for one in told)


_FIGURES = {
    "rewards": "What rewards said of clips to learn from",
    "judges": "Judges that reward, and held-out judges",
    "kl": "How far clips are from the model before (KL)",
    "diversity": "How much clips of one plan differ",
}


def _tuning_figures(rows: list[dict[str, Any]] | None) -> dict[str, Figure]:
    if not rows:
        return {}
    terms = dict.fromkeys(name for row in rows for name in row if name.startswith("reward_"))
    names = {
        "rewards": {"reward": "total", **{name: name.removeprefix("reward_") for name in terms}},
        "judges": {"rewarding": "rewarding", "held_out": "held out"},
        "kl": {"kl": "KL"},
        "diversity": {"diversity": "diversity"},
    }
    heavy = {"rewards": "total", "judges": "held out"}
    found = {key: by_iteration(rows, of, heavy=heavy.get(key, "")) for key, of in names.items()}
    return {key: figure for key, figure in found.items() if figure["data"]}


def _tuning(rows: list[dict[str, Any]] | None) -> str:
    if not rows:
        return _missing("No generator was tuned here", TUNING, "tunes one")
    drawn = _tuning_figures(rows)
    places = "".join(
        f"<div><h3>{title}</h3>{place(key, f'{title}, by iteration.')}</div>"
        for key, title in _FIGURES.items()
        if key in drawn
    )
    held, apart = ([row[name] for row in rows if name in row] for name in ("held_out", "diversity"))
    said = []
    if len(held) > 1:
        said.append(f"Held-out judges gave clips {number(held[0], '.3f')} before tuning and {number(held[-1], '.3f')} "
                    "after it.")  # fmt: skip
    if len(apart) > 1 and apart[0]:
        said.append(f"Clips of one plan differ by {number(100 * apart[-1] / apart[0], '.0f')} % of what they did.")
    stopped = [str(row["stopped"]) for row in rows if row.get("stopped")]
    said += [f"Tuning stopped by itself: {escape(stopped[-1])}."] if stopped else []
    lines = f"<p>{' '.join(said)}</p>" if said else ""
    return f'{lines}<div class="beside">{places}</div><p class="hint">{_ABOUT_JUDGES}</p>'


def _steps(steps: Steps | None) -> str:
    if steps is None or not steps.rows:
        return _missing("How few steps a clip needs was not measured here", STEPS, "measures it")
    last = steps.rows[-1]
    rows = []
    for row in steps.rows:
        reward, units, identity, seconds = (row.get(name, nan) for name in ("reward", "units", "identity", "seconds"))
        share = 100 * reward / last["reward"] if last.get("reward") else nan
        rows.append(table_row([
            number(row["steps"], ".0f"), number(reward, ".3f"), number(share, ".1f"), number(units, ".3f"),
            number(identity, ".3f"), number(seconds),
        ]))  # fmt: skip
    of = f"% of that at {number(last['steps'], '.0f')}"
    return (
        f'<div class="beside"><div>{table(["steps", "reward", of, "units", "identity", "s a clip"], rows)}'
        f'<p class="hint">Means over {number(steps.clips, ",.0f")} clips.</p></div>'
        f"<div>{place('quality', 'Rewards by the number of steps.')}</div></div>"
    )


def _audit(loop: Loop) -> str:
    if loop.audit is None:
        return '<p class="empty">No audit was made, so nothing is known of leaks; mimica augment audit makes it.</p>'
    rows = [f"<li>{escape(one.clip)}: {escape(one.what)}</li>" for one in loop.leaks]
    return f"<p>{_sentence(loop.audit)}</p>" + (f'<ul class="notes">{"".join(rows)}</ul>' if rows else "")


def _sentence(said: str) -> str:
    said = said.strip().rstrip(".")
    return escape(f"{said[:1].upper()}{said[1:]}.")


def _settings(loop: Loop) -> str:
    facts = {"data": loop.data, "generator": loop.generator, "Mimica": loop.version}
    return definitions(facts) + (
        '<p class="hint">Beside each clip lies a record of what it was made from, as JSON of the same name; people are '
        "named by a digest. generated.csv has the clips that were kept, for mimica train --generated.</p>"
    )


def _missing(what: str, name: str, does: str) -> str:
    return f'<p class="empty">{what}; {MADE_BY[name]} {does} ({name}).</p>'
