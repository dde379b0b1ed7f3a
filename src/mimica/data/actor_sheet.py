"""A sheet to look at: synthetic faces of every class at apex, and one clip over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from mimica.data.actor import clips, draw, taking, unit_curves
from mimica.data.actor_identity import Part, identities
from mimica.data.scene import scenes
from mimica.labels import EXPRESSIONS

_COLUMNS = 8


def save_sheet(path: Path, *, size: int, enlarge: int, part: Part, seed: int) -> None:
    """Rows of eight synthetic faces with the name of their class beside them; the last row is one clip's frames."""
    rows = [(name, _apex(k, size, part, seed)) for k, name in enumerate(EXPRESSIONS.names)]
    clip = clips(5, size=size, frames=_COLUMNS, part=part, seed=seed, intensity=(0.9, 1.0)).face[4].numpy()
    rows.append(("one clip", clip.transpose(0, 2, 3, 1)))
    side, left, above = size * enlarge, 110, 24
    page = Image.new("RGB", (left + _COLUMNS * side, above + len(rows) * side), "white")
    pen = ImageDraw.Draw(page)
    pen.text(
        (8, 3),
        f"synthetic faces, drawn by formula, {size} pixels, shown {enlarge} times as large",
        "black",
        font_size=14,
    )
    for r, (name, faces) in enumerate(rows):
        pen.text((8, above + r * side + side // 2 - 6), name, "black", font_size=18)
        for c, face in enumerate(faces):
            large = Image.fromarray(face).resize((side, side), Image.Resampling.NEAREST)
            page.paste(large, (left + c * side, above + r * side))
    page.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


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
