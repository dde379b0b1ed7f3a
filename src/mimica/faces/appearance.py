"""What someone looks like, cheaply: enough to tell two people of one scene apart, not to know anyone.

No identity is learned or kept on disk; the look is a thumbnail of head and shoulders and its colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.faces.crop import cut

_THUMB = 16
_BINS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`pattern` [192] is where light and dark lie, of length 1; `colours` [64] how common each colour is, sum 1."""

    pattern: np.ndarray
    colours: np.ndarray

    def blend(self, newer: Look, weight: float) -> Look:
        """This look moved towards a newer one by `weight`, 0 to 1."""
        pattern = (1 - weight) * self.pattern + weight * newer.pattern
        colours = (1 - weight) * self.colours + weight * newer.colours
        return Look(pattern=pattern / max(float(np.linalg.norm(pattern)), 1e-9), colours=colours)


def surroundings(box: np.ndarray) -> np.ndarray:
    """The box [4] of head and shoulders around a face box: what a look is taken from."""
    w, h = box[2] - box[0], box[3] - box[1]
    return np.array([box[0] - 0.3 * w, box[1] - 0.15 * h, box[2] + 0.3 * w, box[3] + 0.7 * h])


def look(image: np.ndarray, box: np.ndarray) -> Look:
    """The look of whoever has the face box [4], in a picture uint8 [H, W, 3]: the face and the chest below it."""
    body = surroundings(box)
    # Every n-th pixel is enough for a thumbnail of 16, and a large face costs no more than a small one.
    step = max(1, int((body[2] - body[0]) // (6 * _THUMB)))
    return _described(cut(image[::step, ::step], body / step, _THUMB))


def overview(image: np.ndarray) -> Look:
    """The look of a whole picture, from a coarse grid of its pixels."""
    H, W = image.shape[:2]
    rows, columns = (np.arange(4 * _THUMB) * side // (4 * _THUMB) for side in (H, W))
    points = image[rows[:, None], columns].reshape(_THUMB, 4, _THUMB, 4, 3)
    return _described(points.mean(axis=(1, 3)))


def likeness(a: Look, b: Look) -> float:
    """How alike two looks are, 0 to 1: the mean of what pattern and colours say.

    The pattern's part is its correlation, the colours' part the Bhattacharyya coefficient.
    """
    pattern = max(float(a.pattern @ b.pattern), 0.0)
    colours = float(np.sqrt(a.colours * b.colours).sum())
    return (pattern + colours) / 2


def _described(thumb: np.ndarray) -> Look:
    pixels = thumb.astype(np.float64)
    small = pixels.reshape(_THUMB // 2, 2, _THUMB // 2, 2, 3).mean(axis=(1, 3)).ravel()
    small -= small.mean()
    return Look(pattern=small / max(float(np.linalg.norm(small)), 1e-9), colours=_colours(pixels.reshape(-1, 3)))


def _colours(pixels: np.ndarray) -> np.ndarray:
    """A histogram of colours [64]; each pixel is shared between near bins, so a little light moves it little."""
    place = np.clip(pixels / 256 * _BINS - 0.5, 0, _BINS - 1 - 1e-6)
    low = place.astype(int)
    share = place - low
    counts = np.zeros(_BINS**3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, share, 1 - share).prod(axis=1)
        bins = (low + corner) @ (_BINS**2, _BINS, 1)
        counts += np.bincount(bins, weights=weight, minlength=_BINS**3)
    return np.asarray(counts / counts.sum())
