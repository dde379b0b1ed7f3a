"""A sheet to look at: synthetic faces of every class at apex, and one clip over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from mimica.data.actor import clips, draw, unit_curves
from mimica.data.actor_camera import taking
from mimica.data.actor_identity import identities
from mimica.data.actor_settings import Part
from mimica.data.scene import scenes
from mimica.labels import EXPRESSIONS

_COLUMNS = 8


def save_sheet(path: Path, *, size: int, enlarge: int, part: Part, seed: int) -> None:
    """Rows of eight synthetic faces with the name of their class beside them; the last row is one clip's frames."""
    rows = [(name, _apex(k, size, part, seed)) for k, name in enumerate(EXPRESSIONS.names)]
    clip = clips(5, size=size, frames=_COLUMNS, part=part, seed=seed, intensity=(0.9, 1.0)).face[4].numpy()
    rows.append(("one clip", clip.transpose(0, 2, 3, 1)))
    title = f"synthetic faces, drawn by formula, {size} pixels, shown {enlarge} times as large"
    page = _page(rows, side=size * enlarge, title=title)
    page.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def save_clips(path: Path, rows: Sequence[tuple[str, np.ndarray]], *, how: str = "drawn by formula") -> None:
    """Rows of synthetic clips uint8 [T, S, S, 3] over time, with a text beside each: at most eight frames of each."""
    size = rows[0][1].shape[1]
    places = [np.linspace(0, len(clip) - 1, min(_COLUMNS, len(clip))).round().astype(int) for _, clip in rows]
    shown = [(text, clip[at]) for (text, clip), at in zip(rows, places, strict=True)]
    title = f"synthetic clips, {how}, of {size} pixels; a clip a row, over time"
    side = size * (128 // size) if size <= 128 else 128
    _page(shown, side=side, title=title).save(path, "PNG")  # a temporary name has no ending that would say so


def _page(rows: Sequence[tuple[str, np.ndarray]], *, side: int, title: str) -> Image.Image:
    left, above, columns = 110, 24, max(len(faces) for _, faces in rows)
    width = max(left + columns * side, 16 + round(ImageFont.load_default(14).getlength(title)))
    page = Image.new("RGB", (width, above + len(rows) * side), "white")
    pen = ImageDraw.Draw(page)
    pen.text((8, 3), title, "black", font_size=14)
    for r, (text, faces) in enumerate(rows):
        pen.text((8, above + r * side + side // 2), text, "black", font_size=18, anchor="lm")
        for c, face in enumerate(faces):
            picture = Image.fromarray(face)
            filtering = Image.Resampling.NEAREST if side % picture.width == 0 else Image.Resampling.BOX
            page.paste(picture.resize((side, side), filtering), (left + c * side, above + r * side))
    return page


def _apex(label: int, size: int, part: Part, seed: int) -> np.ndarray:
    """One frame of each of eight actors [8, S, S, 3] with units of a class at apex."""
    numbers = np.arange(_COLUMNS) + _COLUMNS * label
    units = unit_curves(
        [label] * _COLUMNS, frames=1, intensity=(0.8, 1.0), seed=seed, part=part, numbers=numbers.tolist()
    )
    behind = scenes([EXPRESSIONS.polarity[label]] * _COLUMNS, size=size, part=part, seed=seed, numbers=numbers)
    pose, light, _ = taking(numbers, 1, part, seed)
    seen = draw(identities(_COLUMNS, part=part, seed=seed), units, pose, light, size=size, scene=behind)
    return np.asarray((seen[:, 0] * 255).round().to(torch.uint8).permute(0, 2, 3, 1))
