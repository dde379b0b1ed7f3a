"""Faces of a data set before drawn scenes: a training set for what reads both, where none with scenes is at hand.

    about.json         what this is, whose faces and how the scenes were drawn
    label_space.json   the classes of the faces
    clips/train/0/…    the frames of a face as PNG, as the data has them
    scenes/train/0/…   the same frames, small, before a drawn scene
    clips.csv          a row a clip; written after them, so that all are there when it is

The polarity of a scene is that of the face's label more often than by chance. The part `test` stands before things
and palettes that no other part has. B clips, T frames of a clip, S side in pixels.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mimica import __version__
from mimica.data.actor_identity import stream
from mimica.data.actor_settings import Part
from mimica.data.actor_shapes import Canvas, ellipse, grid
from mimica.data.clipset import ABOUT_FILE, SPACE_FILE, ClipSet, items, load, parse
from mimica.data.fer2013 import PARTS
from mimica.data.own_folder import refuse_foreign, state, writing
from mimica.data.packed import packed_parts
from mimica.data.pictures import has_frames, save_frames
from mimica.data.scene import scene_polarity, scenes
from mimica.data.scenes_settings import ScenesSettings
from mimica.data.whole import whole
from mimica.errors import UsageError

CLIPS, SCENES, TABLE = "clips", "scenes", "clips.csv"

COLUMNS = {
    "path": "the folder of the face, from the table's own",
    "label": "its class, of those in label_space.json",
    "part": "what it is for, as the data says",
    "scene": "the folder of the scene beside the face, from the table's own",
    "scene_polarity": "what stands behind: 1 bright and warm, 0 even and grey, -1 dark and cold",
    "group": "who or what it is parted by, where the data says it",
}
"""The columns of the table, and what they say."""

_WHAT = (
    "Faces of a data set before scenes drawn by formula. The faces are the data's own; the scenes show no real place, "
    "and agree with the label as often as was asked for: figures on them say nothing of real scenes."
)
_PLACED = "a face of a data set before a drawn scene"
_AT_ONCE = 128
_WIDTH, _ACROSS, _DOWN = (0.45, 0.7), (-0.2, 0.2), (-0.15, 0.1)
"""How wide a face is and where its middle is, in half sides of the scene."""


def write_scenes(
    out: Path, parts: dict[str, ClipSet], settings: ScenesSettings, *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Path:  # fmt: skip
    """Write the clips of these parts before drawn scenes, and give the path of their table.

    Clips that are there already are left as they are, so the same call again goes on where one was stopped.
    `progress` is told how many are there, of how many. Raises UsageError for classes without a polarity and where the
    folder holds something else, InputError where it cannot be written to.
    """
    space = next(iter(parts.values())).space
    if not space.polarity:
        raise UsageError(
            f"the classes {', '.join(space.names)} have no polarity for a scene to agree with; state one as `polarity` "
            f"in their {SPACE_FILE}, 1, 0 or -1 for each"
        )
    done, of = 0, sum(map(len, parts.values()))
    with writing(out):
        _begin(out, parts, settings)
        with whole(out / TABLE) as path, path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            for part, clips in parts.items():
                # Numbers run on from part to part, so that no two clips before one world's scenes share theirs.
                for rows in _placed(out, part, clips, settings, done):
                    table.writerows(rows)
                    done += len(rows)
                    progress(done, of)
    return out / TABLE


def load_parts(spec: str, *, size: int, frames: int, fold: int | None = None) -> dict[str, ClipSet]:
    """Every part of a data argument, by what it is for: `train`, `calibration` or `validation`, `test`."""
    kind, path = parse(spec)
    if kind == "packed":
        return packed_parts(path, size=size)
    if kind == "fer2013":
        named = {part: part for part in PARTS} | {"holdout": "test"}
    else:
        named = {part: part or "train" for part in sorted({item.part for item in items(spec, fold=fold)})}
    of = partial(load, spec, size=size, frames=frames, fold=fold, stored=False)
    return {said: of(part=part or "train") for part, said in named.items()}


def before_scenes(faces: Tensor, behind: Tensor, *, part: Part, seed: int, numbers: range) -> Tensor:
    """Faces [B, T, 3, S, S] small before scenes [B, 3, S, S], all 0 to 1; `numbers` are the clips' own.

    A face lies within a soft oval, above shoulders, and is as dark as the scene makes it by half.
    """
    B, T, _, S, _ = faces.shape
    u = torch.from_numpy(np.stack([stream(part, 12, seed, number).random(4) for number in numbers])).float()
    u = u[:, :, None, None]
    width, across, down = (low + (high - low) * u[:, k] for k, (low, high) in enumerate((_WIDTH, _ACROSS, _DOWN)))
    x, y = grid(S, B)
    x, y = (x - across) / width, (y - down) / width
    pixel = 2 / S / width
    canvas = Canvas(picture=behind.clone(), pixel=pixel)
    light = behind.mean((1, 2, 3))[:, None]
    canvas.paint(ellipse(x, y - 2.1, 1.5, 1.2), (light * (0.3 + 0.9 * u[:, 3, 0])).clamp(0, 1).expand(B, 3))
    place = torch.stack([x, y], -1).repeat_interleave(T, 0)
    # A face shrinks to half and less: what lies between the pixels that are taken is averaged first.
    small = interpolate(faces.flatten(0, 1), scale_factor=0.5, mode="area")
    cut = torch.nn.functional.grid_sample(small, place, align_corners=False, padding_mode="border").view(faces.shape)
    cut = cut * (0.5 + 0.5 * (light / 0.6).clamp(max=1.2))[:, :, None, None, None]
    cover = (0.5 - ellipse(x, y, 0.86, 1.0) / (pixel + 0.12)).clamp(0, 1)
    return canvas.picture[:, None].lerp(cut, cover[:, None, None]).clamp(0, 1)


def _begin(out: Path, parts: dict[str, ClipSet], settings: ScenesSettings) -> None:
    """Say what the folder is going to hold, unless it holds something else."""
    space = next(iter(parts.values())).space
    facts = {"scenes": "drawn", "faces": {part: dict(of.manifest) for part, of in parts.items()}, **asdict(settings)}
    made = json.loads(json.dumps({"mimica": __version__, "facts": facts}))
    if (out / ABOUT_FILE).exists():
        try:
            there = json.loads((out / ABOUT_FILE).read_text(encoding="utf-8"))
            same = all(there[name] == made[name] for name in made)
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise UsageError(
                f"{out} holds something else than these faces before these scenes: {ABOUT_FILE} says what. Give the "
                "same settings again to go on with it, or choose another place with --out"
            )
        return
    refuse_foreign(out, (TABLE, SPACE_FILE, CLIPS, SCENES))
    state(out, {"what": _WHAT, **made, "columns": COLUMNS}, space)


def _placed(
    out: Path, part: str, clips: ClipSet, settings: ScenesSettings, before: int
) -> Iterator[list[list[object]]]:
    """Rows of the table, some clips at a time, once their pictures are on disk; so many clips came before them."""
    drawn: Part = "test" if part == "test" else "train"
    seed = settings.seed
    for first in range(0, len(clips), _AT_ONCE):
        places = range(first, min(first + _AT_ONCE, len(clips)))
        numbers = range(before + first, before + places.stop)
        wanted = [clips.space.polarity[int(clips.labels[i])] for i in places]
        shown = scene_polarity(wanted, settings.polarity_agrees, seed=seed, part=drawn, numbers=numbers)
        folders = [[out / view / part / str(i) for view in (CLIPS, SCENES)] for i in places]
        missing = [
            k for k, i in enumerate(places) if not all(has_frames(one, len(clips.frames[i])) for one in folders[k])
        ]
        behind = (
            scenes(shown, size=settings.size, part=drawn, seed=seed, numbers=numbers) if missing else torch.empty(0)
        )
        for k in missing:
            face = np.asarray(clips.frames[places[k]][:])
            face = np.broadcast_to(face, (*face.shape[:3], 3))
            light = torch.from_numpy(face.transpose(0, 3, 1, 2) / np.float32(255))
            placed = before_scenes(light[None], behind[k : k + 1], part=drawn, seed=seed, numbers=numbers[k : k + 1])[0]
            seen = (placed.permute(0, 2, 3, 1) * 255).round().byte().numpy()
            for folder, frames in zip(folders[k], (face, seen), strict=True):
                save_frames(folder, frames, _PLACED)
        yield [
            [f"{CLIPS}/{part}/{i}", clips.space.names[int(clips.labels[i])], part, f"{SCENES}/{part}/{i}",
             int(shown[k]), clips.groups[i] if clips.groups else ""]
            for k, i in enumerate(places)
        ]  # fmt: skip
