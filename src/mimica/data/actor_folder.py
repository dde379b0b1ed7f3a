"""Synthetic clips of the actor on disk: a folder of numbered pictures a clip, and a table of what each shows.

    about.json         what this is: synthetic, and how drawn; with which settings, by which version
    label_space.json   the classes, and what they look like in words
    clips/000000/…     the frames of a clip as PNG, without loss, so that a reversed clip is exactly reversed
    scenes/000000/…    the same frames with the scene around the actor, where scenes are asked for
    clips.csv          a row a clip; written after them, so that all are there when it is
    sheet.png          some of the clips, to look at

T frames of a clip, S side in pixels.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mimica import __version__
from mimica.data.actor import UNIT_ORDER, ActorClips, space_of, together
from mimica.data.actor_renders import render_of
from mimica.data.actor_settings import ActorSettings
from mimica.data.clipset import ABOUT_FILE, SPACE_FILE
from mimica.data.own_folder import refuse_foreign, state, writing
from mimica.data.pictures import PICTURES, has_frames, save_frames
from mimica.data.whole import whole
from mimica.errors import UsageError
from mimica.labels import EXPRESSIONS

CLIPS, SCENES, TABLE, SHEET = "clips", "scenes", "clips.csv", "sheet.png"

COLUMNS = {
    "path": "the folder of the clip, from the table's own",
    "label": "its class, of those in label_space.json",
    "part": "whose faces and scenes these are: those to train on or those to test on",
    "expression": "the expression that is drawn",
    "scene_polarity": "what stands behind: 1 bright and warm, 0 even and grey, -1 dark and cold",
    "actor": "the number of the actor, among those of this part and seed",
} | {f"AU{unit}": "how strong this Action Unit is, 0 to 1, frame by frame" for unit in UNIT_ORDER}
"""The columns of every table, and what they say; a way to draw may add its own."""

_SCENE = {"scene": "the folder of the scene beside the face, from the table's own"}
_SECOND = {"also_shown": "the other expression that the face shows as strongly, in a blend"}

_SHOWN = 8


def write_actor(out: Path, settings: ActorSettings, *, progress: Callable[[int], None] = lambda done: None) -> Path:
    """Draw synthetic clips into a folder, as the top of this file lists it, and give the path of their table.

    Clips that are there already are left as they are, so the same call again goes on where one was
    stopped. `progress` is told how many are there. No more than a few clips are ever in memory.
    Raises UsageError where the folder holds something else, InputError where it cannot be written to.
    """
    render_of(settings).ready()
    with writing(out):
        _begin(out, settings)
        with whole(out / TABLE) as path, path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(columns_of(settings))
            at_once = 2 * together(settings.frames)
            for first in range(0, settings.clips, at_once):
                numbers = range(first, min(first + at_once, settings.clips))
                table.writerows(_rows(numbers, _written(out, settings, numbers), settings))
                progress(numbers.stop)
        with whole(out / SHEET) as path:
            every = _SHOWN if settings.task == "emotion" and settings.clips > _SHOWN**2 else 1
            _look(out, path, how=render_of(settings).how, every=every, views=1 + settings.scenes)
    return out / TABLE


def columns_of(settings: ActorSettings) -> dict[str, str]:
    """The columns of the table that these settings give, in order, and what they say."""
    asked = (_SCENE if settings.scenes else {}) | (_SECOND if settings.blend else {})
    return {**COLUMNS, **render_of(settings).columns, **asked}


def _begin(out: Path, settings: ActorSettings) -> None:
    """Say what the folder is going to hold, unless it holds something else."""
    way = render_of(settings)
    facts = {"synthetic": True, "render": settings.render, "reversed_pairs": settings.paired, **settings.drawing()}
    made = {"mimica": __version__, "clips": settings.clips, "facts": facts}
    said = {"what": way.what, "synthetic": True, "licence": way.licence}
    about = {**said, **made, "columns": columns_of(settings)}
    if (out / ABOUT_FILE).exists():
        _compare(out, json.loads(json.dumps(made)))
        return
    refuse_foreign(out, (TABLE, SPACE_FILE, CLIPS, SCENES, SHEET))
    state(out, about, space_of(settings.task, settings.part))


def _compare(out: Path, made: dict[str, Any]) -> None:
    try:
        about = json.loads((out / ABOUT_FILE).read_text(encoding="utf-8"))
        # Before there was a second way to draw, blends and scenes beside the face, nothing was said of them.
        usual = {"render": "formula", "blend": 0.0, "scenes": False}
        there = {"mimica": about["mimica"], "clips": about["clips"], **usual, **about["facts"]}
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{out / ABOUT_FILE} is not what this command writes; choose another place with --out"
        ) from None
    asked = {"mimica": made["mimica"], "clips": made["clips"], **made["facts"]}
    other = [f"{name} {there.get(name)}, not {value}" for name, value in asked.items() if there.get(name) != value]
    if other:
        raise UsageError(
            f"{out} holds clips drawn with {'; '.join(other)}. Give the same settings again to go on with them, or "
            "choose another place with --out"
        )


def _written(out: Path, settings: ActorSettings, numbers: range) -> ActorClips:
    """These clips, every one of them on disk; without pictures if all of them were."""
    views = [CLIPS, *([SCENES] if settings.scenes else [])]
    folders = [[out / view / f"{number:06d}" for view in views] for number in numbers]
    missing = [i for i, each in enumerate(folders) if not all(has_frames(folder, settings.frames) for folder in each)]
    how = settings.drawing() | {"size": settings.size if missing else 0}
    way = render_of(settings)
    if settings.paired:
        drawn = way.reversed_pairs(way.clips(len(numbers) // 2, first=numbers.start // 2, **how))
    else:
        drawn = way.clips(len(numbers), first=numbers.start, **how)
    for i in missing:
        for folder, seen in zip(folders[i], (drawn.face, drawn.behind), strict=False):
            assert seen is not None
            save_frames(folder, seen[i].permute(0, 2, 3, 1).numpy(), f"synthetic face, {way.how}; no photograph")
    return drawn


def _rows(numbers: range, drawn: ActorClips, settings: ActorSettings) -> Iterator[list[Any]]:
    more = render_of(settings).values
    for i, number in enumerate(numbers):
        label, expression = drawn.space.names[drawn.labels[i]], EXPRESSIONS.names[drawn.expressions[i]]
        curves = [" ".join(f"{value:.3f}" for value in curve) for curve in drawn.units[i].T.tolist()]
        behind, actor = int(drawn.scene[i]), int(drawn.identity[i])
        own = [f"{CLIPS}/{number:06d}", label, settings.part, expression, behind, actor]
        asked = [f"{SCENES}/{number:06d}"] if drawn.behind is not None else []
        if drawn.second is not None:
            asked.append("" if drawn.second[i] < 0 else EXPRESSIONS.names[drawn.second[i]])
        yield [*own, *curves, *more(drawn, i), *asked]


def _look(out: Path, path: Path, *, how: str, every: int, views: int) -> None:
    """A sheet of some clips, each in one or both views: the first, or every so many, that not all show one actor."""
    from mimica.data.actor_sheet import save_clips

    shown = []
    with (out / TABLE).open(newline="", encoding="utf-8") as file:
        for row in islice(csv.DictReader(file), 0, every * _SHOWN, every):
            texts = dict.fromkeys((row["label"], row["expression"], f"scene {row['scene_polarity']}"))
            for text, folder in zip(("\n".join(texts), "its scene"), ("path", "scene")[:views], strict=False):
                pictures = sorted((out / row[folder]).glob(PICTURES))
                shown.append((text, np.stack([np.asarray(Image.open(picture)) for picture in pictures])))
    save_clips(path, shown, how=how)
