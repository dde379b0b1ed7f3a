"""Draw a face that goes from rest to a smile and back, as an mp4: something to read without a real person.

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

SIDE, SECONDS, RATE = 240, 8, 25


def face(smile: float, wide: float) -> np.ndarray:
    """One picture [SIDE, SIDE, 3]; `smile` -1 to 1 bends the mouth, `wide` 0 to 1 opens eyes and mouth."""
    scale = 3
    picture = Image.new("RGB", (SIDE * scale, SIDE * scale), (92, 104, 112))
    draw = ImageDraw.Draw(picture)

    def ellipse(x: float, y: float, rx: float, ry: float, colour: tuple[int, int, int]) -> None:
        draw.ellipse([scale * (x - rx), scale * (y - ry), scale * (x + rx), scale * (y + ry)], fill=colour)

    def curve(points: list[tuple[float, float]], colour: tuple[int, int, int], width: float) -> None:
        draw.line([(scale * x, scale * y) for x, y in points], fill=colour, width=int(scale * width), joint="curve")

    ellipse(120, 92, 94, 96, (66, 50, 44))
    ellipse(120, 126, 80, 104, (206, 166, 142))
    ellipse(120, 62, 46, 22, (214, 176, 152))
    for side in (-1, 1):
        x, squint = 120 + side * 35, 2 * max(smile, 0)
        ellipse(x, 106, 22, 13, (190, 150, 128))
        ellipse(x, 107, 15, 6.5 + 5 * wide - squint, (232, 226, 220))
        ellipse(x, 107, 7, min(7, 6.5 + 5 * wide - squint), (52, 46, 42))
        curve([(x - 16, 101 - 4 * wide + squint / 2), (x + 16, 101 - 4 * wide + squint / 2)], (92, 64, 54), 3)
        brow = 91 - 12 * wide - 1.5 * smile
        curve([(x - 20, brow + 2), (x - 8, brow - 1), (x + 8, brow - 1), (x + 20, brow + 2)], (78, 58, 50), 7)
        # Cheeks rise and fold towards the corners of the mouth.
        if smile > 0.1:
            ellipse(x + side * 12, 146 - 6 * smile, 20, 13 * smile, (220, 178, 154))
            fold = [(120 + side * (22 + 9 * i), 146 + 9 * i - 4 * smile) for i in range(4)]
            curve(fold, (176, 134, 114), 1 + 3 * smile)
    ellipse(120, 146, 15, 8, (188, 146, 124))
    ellipse(112, 149, 4, 2.5, (128, 90, 78))
    ellipse(128, 149, 4, 2.5, (128, 90, 78))
    across = [-1 + i / 12 for i in range(25)]
    wider, drop = 27 + 15 * max(smile, 0) - 6 * wide, 20 * wide + 14 * max(smile, 0)
    upper = [(120 + wider * a, 186 - 15 * smile * a * a + 5 * smile - 3 * wide) for a in across]
    lower = [(x, y + drop * (1 - a * a)) for (x, y), a in zip(upper, across, strict=True)]
    teeth = (244, 240, 234) if smile > wide else (74, 40, 38)
    draw.polygon([(scale * x, scale * y) for x, y in [*upper, *lower[::-1]]], fill=teeth)
    curve(upper, (150, 84, 76), 5)
    curve(lower, (158, 92, 84), 6)
    curve([(108, 205 + drop), (132, 205 + drop)], (184, 142, 122), 3)
    small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(0.8)))


def main() -> None:
    """Write the video to the path that the command line names."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "drawn.mp4")
    with VideoWriter(path, width=SIDE, height=SIDE, rate=RATE) as video:
        for i in range(SECONDS * RATE):
            t = i / RATE
            smile = math.sin(math.pi * min(max((t - 1) / 4, 0), 1))
            wide = math.sin(math.pi * min(max((t - 5.5) / 2.5, 0), 1))
            video.write(face(smile, wide), t)
    print(path)


if __name__ == "__main__":
    main()
