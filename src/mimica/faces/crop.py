"""Cut the views that a recogniser looks at out of a frame: the face, and the scene around it.

Axes: H rows and W columns of a frame, S side of a view in pixels.
"""

from __future__ import annotations

import numpy as np

FER_MARGIN = 0.0
FER_SHIFT = 0.0


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
    H, W = image.shape[:2]
    x0, y0, x1, y1 = (float(edge) for edge in box)
    left, top = int(np.floor(x0)) - 1, int(np.floor(y0)) - 1
    right, bottom = max(int(np.ceil(x1)) + 1, left + 3), max(int(np.ceil(y1)) + 1, top + 3)
    if 0 <= left and 0 <= top and right <= W and bottom <= H:
        region = image[top:bottom, left:right]
    else:
        region = image[np.arange(top, bottom).clip(0, H - 1)[:, None], np.arange(left, right).clip(0, W - 1)]
    inside = (x0 - left, y0 - top, max(x1, x0 + 1e-3) - left, max(y1, y0 + 1e-3) - top)
    picture = Image.fromarray(np.ascontiguousarray(region))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR, box=inside, reducing_gap=3.0))


def face_view(image: np.ndarray, box: np.ndarray, *, size: int, margin: float = 0.0, shift: float = 0.0) -> np.ndarray:
    """The face in a box [4] as a square picture uint8 [size, size, 3]; see `square` for `margin` and `shift`.

    With FER_MARGIN and FER_SHIFT it shows what the pictures of FER-2013 show.
    """
    return cut(image, square(box, margin, shift), size)


def scene_view(image: np.ndarray, *, size: int) -> np.ndarray:
    """The frame as a square picture uint8 [size, size, 3]: its short side fitted, its middle kept, as CLIP does.

    Nothing is squeezed or padded, so a scene tower sees pictures like those it was trained on; the
    price is what lies at the far ends of the long side.
    """
    H, W = image.shape[:2]
    side = min(H, W)
    middle = np.array([(W - side) / 2, (H - side) / 2, (W + side) / 2, (H + side) / 2])
    return cut(image, middle, size)
