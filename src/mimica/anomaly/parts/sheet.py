"""A sheet to look at: of every category two good parts and one of each defect, in colour and by shape."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw

from mimica.anomaly.parts.part import part
from mimica.anomaly.parts.settings import PartSettings
from mimica.anomaly.pictures import shaded
from mimica.anomaly.samples import GOOD
from mimica.checkpoint import put

_SIDE, _LEFT, _ABOVE = 128, 84, 44


def save_sheet(path: Path, settings: PartSettings) -> None:
    """Rows of drawn parts; the shape is shaded, dark blue where nothing was measured, red around what is wrong."""
    columns = [(GOOD, 0), (GOOD, 1), *((defect, 0) for defect in settings.defects)]
    kinds = settings.chosen
    page = Image.new("RGB", (_LEFT + len(columns) * _SIDE, _ABOVE + 2 * len(kinds) * _SIDE), "white")
    pen = ImageDraw.Draw(page)
    pen.text((8, 3), "parts drawn by formula, in colour and by shape; no photographs", "black", font_size=14)
    for c, (defect, _) in enumerate(columns):
        pen.text((_LEFT + c * _SIDE + 4, 24), defect, "black", font_size=13)
    for r, kind in enumerate(kinds):
        above = _ABOVE + 2 * r * _SIDE
        pen.text((8, above + _SIDE), kind.name, "black", font_size=15, anchor="lm")
        for c, (defect, number) in enumerate(columns):
            drawn = part(
                kind.name, number=number, split="test", defect=defect, size=max(_SIDE, 128), seed=settings.seed
            )
            for below, image in enumerate((drawn.rgb, shaded(drawn))):
                assert image is not None
                page.paste(Image.fromarray(image), (_LEFT + c * _SIDE, above + below * _SIDE))
    file = io.BytesIO()
    page.save(file, "PNG")
    put(path, file.getvalue())
