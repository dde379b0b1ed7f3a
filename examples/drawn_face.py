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

    ellipse(120, 96, 98, 100, (58, 42, 36))
    ellipse(120, 126, 84, 106, (214, 172, 146))
    for side in (-1, 1):
        x = 120 + side * 36
        ellipse(x, 104, 17, 8 + 5 * wide - 2 * max(smile, 0), (246, 244, 240))
        ellipse(x, 104, 7, 7, (56, 70, 62))
        brow = 82 - 9 * wide - 3 * smile
        curve([(x - 20, brow + 4), (x, brow - 3), (x + 20, brow + 4)], (70, 50, 42), 5)
        if smile > 0.2:
            ellipse(x + side * 14, 146 - 6 * smile, 20 * smile, 12 * smile, (224, 182, 156))
    curve([(116, 106), (108, 144), (122, 150)], (180, 136, 112), 4)
    across = [-1 + i / 12 for i in range(25)]
    lips = [(120 + (30 + 10 * smile) * a, 184 - 16 * smile * a * a + 4 * smile) for a in across]
    opened = [(x, y + (14 * wide + 12 * max(smile, 0)) * (1 - a * a)) for (x, y), a in zip(lips, across, strict=True)]
    draw.polygon([(scale * x, scale * y) for x, y in [*lips, *opened[::-1]]], fill=(240, 236, 228))
    curve(lips, (150, 70, 66), 5)
    curve(opened, (158, 78, 72), 6)
    small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(0.6)))


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
