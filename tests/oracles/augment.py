"""What happens to one frame before it is learned from, step by step with Pillow, or one pixel at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageEnhance


def window(d: Sequence[float], crop: tuple[float, float], ratio: tuple[float, float]) -> tuple[float, ...]:
    """Left, top, right and bottom, as shares of the side, of what is cut out by four draws."""
    area = crop[0] + d[0] * (crop[1] - crop[0])
    wide = ratio[0] * (ratio[1] / ratio[0]) ** d[1]
    width, height = min(1.0, math.sqrt(area * wide)), min(1.0, math.sqrt(area / wide))
    left, top = d[2] * (1 - width), d[3] * (1 - height)
    return left, top, left + width, top + height


def cropped(picture: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """The window of a picture [S, S, G] enlarged to the whole by Pillow, channel by channel."""
    S = len(picture)
    edges = tuple(S * edge for edge in box)
    channels = [
        Image.fromarray(picture[..., g].astype(np.float32)).resize((S, S), Image.Resampling.BILINEAR, box=edges)
        for g in range(picture.shape[2])
    ]
    return np.stack([np.asarray(channel) for channel in channels], -1)


def coloured(picture: np.ndarray, brightness: float, contrast: float, saturation: float) -> np.ndarray:
    """A picture uint8 [S, S, 3] with three factors, as Pillow applies them one after the other."""
    image = Image.fromarray(picture)
    image = ImageEnhance.Brightness(image).enhance(brightness)
    image = ImageEnhance.Contrast(image).enhance(contrast)
    return np.asarray(ImageEnhance.Color(image).enhance(saturation))


def moved(
    picture: np.ndarray, *, degrees: float, scale: float, shift: Sequence[float], mirrored: bool, box: Sequence[float]
) -> np.ndarray:
    """A picture [S, S, G] cut, moved, scaled, turned and mirrored, by asking of each place where it came from."""
    S = len(picture)
    out = np.zeros(picture.shape)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for row in range(S):
        for column in range(S):
            x, y = (column + 0.5) / S * 2 - 1, (row + 0.5) / S * 2 - 1
            x = -x if mirrored else x
            x, y = (cos * x - sin * y) / scale + shift[0], (sin * x + cos * y) / scale + shift[1]
            x, y = box[0] + (x + 1) / 2 * (box[2] - box[0]), box[1] + (y + 1) / 2 * (box[3] - box[1])
            out[row, column] = _between(picture, x * S - 0.5, y * S - 0.5)
    return out


def _between(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """The value between four pixels, whose nearest stand for what lies outside."""
    S = len(picture)
    x, y = min(max(x, 0.0), S - 1.0), min(max(y, 0.0), S - 1.0)
    left, top = math.floor(x), math.floor(y)
    right, bottom = min(left + 1, S - 1), min(top + 1, S - 1)
    above = (left + 1 - x) * picture[top, left] + (x - left) * picture[top, right]
    below = (left + 1 - x) * picture[bottom, left] + (x - left) * picture[bottom, right]
    return np.asarray((top + 1 - y) * above + (y - top) * below)
