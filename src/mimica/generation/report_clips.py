"""Generated clips on a page: strips of their pictures above the curves of their units, a few of each class."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mimica.errors import InputError, MimicaError
from mimica.facs import CAVEAT
from mimica.generation.report_figures import PICTURES, Figure, shown_units, unit_colour, unit_name, unit_rows
from mimica.generation.report_files import Clip, Loop
from mimica.look.page import DOT, number, place
from mimica.look.palette import class_colours

if TYPE_CHECKING:
    from PIL.Image import Image

Item = TypeVar("Item")
KEPT, REFUSED = 3, 2
"""Clips of a class that are shown at most, kept and refused."""
_SIDE = 96
_SCORES = {
    "units": "units as planned", "identity": "identity", "expression": "expression", "natural": "natural",
    "consistency": "units speak for its class", "probability": "held-out recognisers", "nearest": "nearest real clip",
}  # fmt: skip


def chosen(loop: Loop) -> dict[str, list[Clip]]:
    """The clips that are shown of each class: kept ones evenly from best to worst, and refused for different reasons.

    How good a clip is says its reward for units; one that has none comes last.
    """
    found = {}
    for label in dict.fromkeys((*loop.classes, *(clip.label for clip in loop.clips))):
        of = sorted((clip for clip in loop.clips if clip.label == label), key=_worse)
        kept, refused = ([clip for clip in of if clip.kept is kind] for kind in (True, False))
        of = [*_evenly(kept, KEPT), *_different(refused, REFUSED)]
        if of:
            found[label] = of
    return found


def _worse(clip: Clip) -> float:
    score = clip.scores.get("units", math.nan)
    return math.inf if math.isnan(score) else -score


def _evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def _different(clips: Sequence[Clip], most: int) -> list[Clip]:
    """Clips whose first reasons differ, and others where there are too few of those."""
    first: dict[str, Clip] = {}
    for clip in clips:
        first.setdefault(" ".join(clip.reasons).partition(":")[0], clip)
    return [*first.values(), *(clip for clip in clips if clip not in first.values())][:most]


def clips_section(loop: Loop, folder: Path) -> tuple[str, dict[str, Figure]]:
    """The clips that are shown, and the figures of their curves by the ids of their places; nothing where none are."""
    shown, parts, figures = chosen(loop), [], dict[str, Figure]()
    colours = class_colours(loop.classes)
    for label, clips in shown.items():
        items = []
        for clip in clips:
            name = f"units-{len(figures)}"
            item, figure = _clip(clip, folder, name)
            items.append(item)
            figures |= {name: figure} if figure else {}
        parts.append(
            f'<h3 class="name"><span><i style="background:{colours.get(label, "#888")}"></i>{escape(label)}</span>'
            f'<span class="sub">{_count(loop, label)}</span></h3><ul class="made">{"".join(items)}</ul>'
        )
    return (_legend(shown) + "".join(parts) if parts else ""), figures


def _count(loop: Loop, label: str) -> str:
    kept = [clip.kept for clip in loop.clips if clip.label == label]
    return f"{sum(kept)} kept, {len(kept) - sum(kept)} refused"


def _legend(shown: dict[str, list[Clip]]) -> str:
    numbers = {clip.units[a] for clips in shown.values() for clip in clips for a in shown_units(clip)}
    chips = "".join(
        f'<li><i class="chip" style="background:{unit_colour(number)}"></i>{escape(unit_name(number))}</li>'
        for number in sorted(numbers)
    )
    return (
        f'<p class="hint above">Of each class at most {KEPT} clips that were kept, from the one that did most nearly '
        f"what was planned to the one that did least, and {REFUSED} that were refused, with the reasons. Below each "
        "strip, under the picture of the moment: how strong each Action Unit was planned (dashed) and measured "
        f"(solid), from its line, 0, up to the next, 1. {escape(CAVEAT)}</p>"
        f'<ul class="legend" aria-label="Action Units">{_WAYS}{chips}</ul>'
    )


_WAYS = '<li><i class="dash"></i>planned</li><li><i class="solid"></i>measured</li>'


def _clip(clip: Clip, folder: Path, name: str) -> tuple[str, Figure]:
    try:
        pictures, times, lacking = *strip(_inside(folder, clip.path)), ""
    except MimicaError as error:
        pictures, times, lacking = [], [], f'<p class="hint">{escape(str(error))}</p>'
    figure = unit_rows(clip, times)
    units = ", ".join(unit_name(clip.units[a]) for a in shown_units(clip))
    plot = (
        place(name, f"Planned and measured over time: {units}.")
        if figure
        else '<p class="hint">A face at rest was planned, and none of its units was seen to move.</p>'
    )
    reasons = "".join(f"<li>{escape(one)}</li>" for one in clip.reasons)
    verdict = "kept" if clip.kept else "refused"
    facts = [f"person {escape(clip.person)}", f"round {clip.round + 1}", f"{number(clip.steps, '.0f')} steps",
             f"{number(clip.seconds, '.2g')} s"]  # fmt: skip
    scores = "".join(f"<li>{said} <b>{number(clip.scores[key])}</b></li>" for key, said in _SCORES.items()
                     if key in clip.scores)  # fmt: skip
    return (
        f'<li class="{verdict}"><div class="told"><b>{escape(Path(clip.path).stem)}</b>'
        f'<span class="verdict">{verdict}</span></div>{_strip(clip, pictures)}{lacking}{plot}'
        f'<ul class="reasons">{reasons}</ul><ul class="scores">{scores}</ul>'
        f'<div class="soft">{f" {DOT} ".join(facts)}</div></li>'
    ), figure


def _strip(clip: Clip, pictures: Sequence[bytes]) -> str:
    told = "".join(
        f'<img loading="lazy" width="{_SIDE}" height="{_SIDE}" alt="{escape(clip.label)}, picture {i + 1}" '
        f'src="data:image/png;base64,{base64.b64encode(picture).decode("ascii")}">'
        for i, picture in enumerate(pictures)
    )
    return f'<div class="strip" style="--pictures:{len(pictures)}">{told}</div>' if pictures else ""


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{name} lies outside of {folder}, so it is not shown")
    return path


def strip(path: Path) -> tuple[list[bytes], list[float]]:
    """Pictures of a film as PNG, evenly from its first frame to its last, and the times of all frames in seconds.

    Raises InputError where it cannot be read.
    """
    from PIL.Image import Resampling, fromarray

    from mimica.video.read import open_video

    small, times = [], []
    with open_video(path) as video:
        for frame in video:
            picture = fromarray(frame.image)
            picture.thumbnail((_SIDE, _SIDE), Resampling.LANCZOS)
            small.append(picture)
            times.append(frame.time)
    return [_png(picture) for picture in _evenly(small, PICTURES)], times


def _png(picture: Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
