"""Cut the views that a recogniser looks at out of a frame: the face, and the scene around it.

Axes: H rows and W columns of a frame, S side of a view in pixels.
"""

from __future__ import annotations

import math

import numpy as np

FER_MARGIN = -0.05
"""The margin at which a view shows as much as FER-2013's pictures do: 0.95 of the longer side of MTCNN's box.

Measured on 600 of its training pictures, enlarged to 144 and 192 px on grey and on replicated
ground: 81 to 84 in 100 were found, their side over the box's longer side was 0.95 in the median (half of
them 0.87 to 1.04), and the centres lay within 0.003 of a side of each other vertically, so that
no shift is needed.
"""


_MOST_PIXELS = 2**24
"""Pixels under a box beyond which only every n-th is looked at: the square around a panorama may be past all memory."""


def square(box: np.ndarray, margin: float = 0.0, shift: float = 0.0) -> np.ndarray:
    """The square around the centre of each box [..., 4]: its longer side, grown by the fraction `margin`.

    `shift` moves it down by that fraction of its own side.
    """
    box = np.asarray(box, dtype=np.float64)
    side = (box[..., 2:] - box[..., :2]).max(axis=-1, keepdims=True) * (1 + margin)
    centre = (box[..., :2] + box[..., 2:]) / 2 + side * np.array([0.0, shift])
    return np.concatenate([centre - side / 2, centre + side / 2], axis=-1)


def cut(image: np.ndarray, box: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """What is inside a box [4] of a picture uint8 [H, W, 3], resized to `size` (one side, or rows and columns).

    Box edges may be fractions of a pixel. Shrinking weighs every pixel that falls under a new one
    (no aliasing). Where the box leaves the picture, the picture's edge pixels are repeated.
    """
    from PIL import Image

    rows, columns = (size, size) if isinstance(size, int) else size
    x0, y0, x1, y1 = (float(edge) for edge in box)
    x1, y1 = max(x1, x0 + 1e-3), max(y1, y0 + 1e-3)
    if (x1 - x0) * (y1 - y0) > _MOST_PIXELS:
        step = math.ceil(math.sqrt((x1 - x0) * (y1 - y0) / _MOST_PIXELS))
        return cut(image[::step, ::step], np.array([x0, y0, x1, y1]) / step, size)
    # One pixel more on each side: the filter reaches past the box.
    left, top = math.floor(x0) - 1, math.floor(y0) - 1
    region = _region(image, left, top, math.ceil(x1) + 1, math.ceil(y1) + 1)
    picture = Image.fromarray(np.ascontiguousarray(region))
    inside = (x0 - left, y0 - top, x1 - left, y1 - top)
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR, box=inside, reducing_gap=3.0))


def _region(image: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """Whole pixels of a picture; where it ends, its edge is repeated."""
    padding = []
    for axis, (low, high) in enumerate(((top, bottom), (left, right))):
        side = image.shape[axis]
        first, last = min(max(low, 0), side - 1), min(max(high, 1), side)
        image = image[first:last] if axis == 0 else image[:, first:last]
        before = min(max(-low, 0), high - low - (last - first))
        padding.append((before, high - low - (last - first) - before))
    return np.pad(image, (*padding, (0, 0)), "edge") if any(map(any, padding)) else image


def face_view(image: np.ndarray, box: np.ndarray, *, size: int, margin: float = 0.0, shift: float = 0.0) -> np.ndarray:
    """The face in a box [4] as a square picture uint8 [size, size, 3]; see `square` for `margin` and `shift`.

    With FER_MARGIN it shows what the pictures of FER-2013 show.
    """
    return cut(image, square(box, margin, shift), size)


def scene_view(image: np.ndarray, *, size: int, hidden: np.ndarray | None = None) -> np.ndarray:
    """The frame as a square picture uint8 [size, size, 3]: its short side fitted, its middle kept, as CLIP does.

    Nothing is squeezed or padded, so a scene tower sees pictures like those it was trained on; the
    price is what lies at the far ends of the long side. What lies in the box `hidden` [4], a face, is black.
    """
    H, W = image.shape[:2]
    if hidden is not None:
        x0, y0, x1, y1 = (max(0, round(edge)) for edge in hidden.tolist())
        image = image.copy()
        image[y0:y1, x0:x1] = 0
    side = min(H, W)
    middle = np.array([(W - side) / 2, (H - side) / 2, (W + side) / 2, (H + side) / 2])
    return cut(image, middle, size)
