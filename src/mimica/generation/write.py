"""Plans and prompts as files: what `mimica augment plan` and `mimica augment prompt` write and read.

plans.json       plans with their curves, and the alignment that they were sampled from
knowledge.jsonl  the cards that prompts are written from
plans.png        the curves, to look at
prompts.json     a prompt for each plan, and how they came about
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mimica import __version__
from mimica.checkpoint import put_at
from mimica.errors import InputError, UsageError, unknown
from mimica.facs import CAVEAT
from mimica.generation.alignment import Alignment, align
from mimica.generation.knowledge import KnowledgeBase, build
from mimica.generation.measured import measured_clips
from mimica.generation.plan import Plan, plan
from mimica.generation.prompts import Report, Writer, Written
from mimica.generation.settings import PlanSettings, PromptSettings
from mimica.look import picture

PLANS, CARDS, PICTURE, PROMPTS = "plans.json", "knowledge.jsonl", "plans.png", "prompts.json"
_PICTURED = 14


def write_plans(
    spec: str,
    out: Path,
    *,
    classes: Sequence[str] = (),
    number: int = 1,
    units: Sequence[int] = (),
    settings: PlanSettings | None = None,
) -> tuple[list[Plan], Alignment]:
    """Align what is known with the training clips of `table:FILE`, and write so many plans a class into a folder.

    `classes` are all of the data's where none is named, `units` wanted in every plan. Raises UsageError for a class or
    unit that there is not, for antagonists, and for data without unit curves.
    """
    settings = settings or PlanSettings()
    if number < 1:
        raise UsageError(f"plan one clip a class or more, got {number}")
    picture.check(out / PICTURE)
    clips = measured_clips(spec)
    names = _named(classes, clips.space.names, clips.space)
    known = align(clips.curves, clips.labels, clips.space, order=clips.order)
    plans = [plan(known, name, i, units=units, settings=settings) for name in names for i in range(number)]
    base = build(known, clips)
    facts = {
        "mimica": __version__, "what": "plans of clips to be generated", "caveat": CAVEAT, "data": spec,
        "knowledge": {"file": CARDS, "version": base.version, "sha256": base.sha256, "cards": len(base.cards)},
        "plans": [one.facts() | {"curves": _curves(one, known.units)} for one in plans],
        "alignment": known.facts(),
    }  # fmt: skip
    put(out / CARDS, base.text())
    put(out / PLANS, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    picture.save(out / PICTURE, lambda: draw(plans[:_PICTURED], known.units))
    return plans, known


def _named(classes: Sequence[str], names: Sequence[str], space: Any) -> list[str]:
    for name in classes:
        if name not in space:
            raise unknown("class", name, names)
    return [names[space.index(name)] for name in classes] or list(names)


def _curves(one: Plan, units: Sequence[int]) -> dict[str, list[float]]:
    return {
        f"AU{unit}": [round(float(value), 4) for value in column]
        for unit, column in zip(units, one.curves(units).T, strict=True)
    }


def put(path: Path, text: str) -> None:
    """Write a text file whole. Raises InputError where it cannot be written."""
    put_at(path, text.encode(), "--out")


def read_plans(path: Path) -> tuple[list[Plan], Alignment, KnowledgeBase]:
    """The plans of a `plans.json`, or of the folder that it is in, and what they were sampled from.

    Raises InputError where it is not what `mimica augment plan` writes, or the cards beside it are of something else.
    """
    path = path / PLANS if path.is_dir() else path
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        plans, told = [Plan.from_facts(one) for one in stated["plans"]], stated["alignment"]
        cards, sha256 = path.parent / str(stated["knowledge"]["file"]), str(stated["knowledge"]["sha256"])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; mimica augment plan writes it") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is not what mimica augment plan writes; write it again") from None
    base = KnowledgeBase.read(cards)
    if base.sha256 != sha256:
        raise InputError(f"{cards} is not what {path} was written with; run mimica augment plan again")
    return plans, Alignment.from_facts(told), base


def write_prompts(
    plans: Path, out: Path, settings: PromptSettings, *, image: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Written], Report]:  # fmt: skip
    """Put the plans of a file or folder into words, and write them; see `prompts.Writer`.

    What passed is kept in the cache beside `out` as it comes, so that nothing is asked for twice.
    """
    listed, known, base = read_plans(plans)
    settings = settings if settings.cache else replace(settings, cache=out.parent / "prompts.cache")
    writer = Writer(known, base, settings, image=image)
    written = []
    for one in listed:
        written.append(writer(one))
        progress(len(written), len(listed))
    report = writer.report(written)
    facts = {
        "mimica": __version__, "what": "prompts for plans of clips to be generated", "backend": settings.backend,
        "language_model": settings.language_model, "knowledge": base.sha256,
        "report": asdict(report) | {"accept_rate": report.accept_rate, "fallback_rate": report.fallback_rate},
        "prompts": [
            one.prompt.facts() | {"retries": one.retries, "fallback": one.fallback, "cards": list(one.cards)}
            for one in written
        ],
    }  # fmt: skip
    put(out, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    return written, report


def draw(plans: Sequence[Plan], units: Sequence[int]) -> Any:
    """A figure with the curves of plans, one below the other."""
    from matplotlib.figure import Figure

    from mimica.look.curves import draw_units

    columns = 2 if len(plans) > 1 else 1
    rows = -(-len(plans) // columns)
    figure = Figure(figsize=(5.6 * columns, 2.7 * rows), layout="constrained")
    for place, one in enumerate(plans):
        seconds = [frame / one.settings.fps for frame in range(one.settings.frames)]
        draw_units(figure.add_subplot(rows, columns, place + 1), seconds, _curves(one, units), title=one.name)
    return figure


def summary(plans: Sequence[Plan], known: Alignment) -> list[Mapping[str, str]]:
    """What is known of each class that was planned: its clips, its core, and what else it often shows."""
    rows: list[Mapping[str, str]] = []
    for label in dict.fromkeys(one.label for one in plans):
        c, core = known.index(label), known.core(label)
        likely = sorted(zip(known.probability[c], known.units, strict=True), reverse=True)
        also = [f"{unit} ({share:.0%})" for share, unit in likely if unit not in core and share >= 0.2]
        rows.append({
            "class": label, "clips": str(known.clips[c]), "core": "+".join(map(str, core)) or "at rest",
            "also": ", ".join(also), "plans": str(sum(one.label == label for one in plans)),
        })  # fmt: skip
    return rows
