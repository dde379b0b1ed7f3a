"""Draw a face that goes from rest to a smile to surprise, as an mp4: something to read without a real person.

What it does not show: that a model trained on photographs reads drawings well. It does not, always.

    python examples/drawn_face.py drawn.mp4
    mimica predict drawn.mp4 --faces none --out readings
"""

import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mimica.video.write import VideoWriter

SIDE, SECONDS, RATE, SCALE = 240, 8, 25, 3


class Pen:
    """Draws on a canvas SCALE times as large as the picture, so that edges come out smooth."""

    def __init__(self) -> None:
        self.canvas = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE), (92, 104, 112))
        self.draw = ImageDraw.Draw(self.canvas)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: tuple[int, int, int]) -> None:
        """A filled ellipse around x, y."""
        self.draw.ellipse([SCALE * v for v in (x - rx, y - ry, x + rx, y + ry)], fill=colour)

    def curve(self, points: list[tuple[float, float]], colour: tuple[int, int, int], width: float) -> None:
        """A line through points."""
        self.draw.line([(SCALE * x, SCALE * y) for x, y in points], colour, round(SCALE * width), joint="curve")


def half(pen: Pen, side: int, smile: float, wide: float) -> None:
    """Eye, brow and cheek of one side, -1 or 1."""
    x, opening = 120 + side * 35, 6.5 + 5 * wide - 2 * smile
    pen.ellipse(x, 106, 22, 13, (190, 150, 128))
    pen.ellipse(x, 107, 15, opening, (232, 226, 220))
    pen.ellipse(x, 107, 7, min(7, opening), (52, 46, 42))
    pen.curve([(x + edge, 101 - 4 * wide + smile) for edge in (-16, 16)], (92, 64, 54), 3)
    brow = 91 - 12 * wide - 1.5 * smile
    pen.curve([(x - 20, brow + 2), (x - 8, brow - 1), (x + 8, brow - 1), (x + 20, brow + 2)], (78, 58, 50), 7)
    if smile > 0.1:
        pen.ellipse(x + side * 12, 146 - 6 * smile, 20, 13 * smile, (220, 178, 154))
        fold = [(120 + side * (22 + 9 * i), 146 + 9 * i - 4 * smile) for i in range(4)]
        pen.curve(fold, (176, 134, 114), 1 + 3 * smile)
    pen.ellipse(120 + side * 8, 149, 4, 2.5, (128, 90, 78))


def mouth(pen: Pen, smile: float, wide: float) -> None:
    """Lips that a smile bends and widens, and that surprise opens."""
    across = [-1 + i / 12 for i in range(25)]
    width, drop = 27 + 15 * smile - 6 * wide, 20 * wide + 14 * smile
    upper = [(120 + width * a, 186 - 15 * smile * a * a + 5 * smile - 3 * wide) for a in across]
    lower = [(x, y + drop * (1 - a * a)) for (x, y), a in zip(upper, across, strict=True)]
    inside = (244, 240, 234) if smile > wide else (74, 40, 38)
    pen.draw.polygon([(SCALE * x, SCALE * y) for x, y in [*upper, *lower[::-1]]], fill=inside)
    pen.curve(upper, (150, 84, 76), 5)
    pen.curve(lower, (158, 92, 84), 6)


def face(smile: float, wide: float) -> np.ndarray:
    """One picture uint8 [SIDE, SIDE, 3]; `smile` and `wide` (surprise) from 0 to 1."""
    pen = Pen()
    pen.ellipse(120, 92, 94, 96, (66, 50, 44))
    pen.ellipse(120, 126, 80, 104, (206, 166, 142))
    pen.ellipse(120, 146, 15, 8, (188, 146, 124))
    for side in (-1, 1):
        half(pen, side, smile, wide)
    mouth(pen, smile, wide)
    return np.asarray(pen.canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.8)))


if __name__ == "__main__":
    with VideoWriter(Path(sys.argv[1]), width=SIDE, height=SIDE, rate=RATE) as video:
        for t in np.arange(0, SECONDS, 1 / RATE):
            video.write(face(*(math.sin(math.pi * np.clip(v, 0, 1)) for v in ((t - 1) / 4, (t - 5.5) / 2.5))), float(t))
