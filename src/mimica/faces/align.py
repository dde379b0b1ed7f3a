"""Turn faces upright: squares that lean as heads do, steady over a track, and the pictures inside them.

Axes: N frames of a track, S side of a view in pixels. Places in a picture are continuous: pixel i
reaches from i to i + 1. Angles are in radians, positive clockwise as seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mimica.faces.boxes import overlap
from mimica.faces.crop import cut, square

STEADY = 0.1
"""Seconds over which places are evened out: the standard deviation of the weights of neighbours in time.

In two sample videos (faces of 210 and 290 px, 21 November 2026) MTCNN's boxes tremble by up to 0.7 in 100 of
their side, its line of the eyes by up to 0.3 degrees; at 24 frames a second a third of that is left. A head that
nods once a second is followed to four fifths.
"""

_FAR = 5
"""Standard deviations beyond which a neighbour has no weight."""

_JUMP = 0.3
"""Boxes of two frames in a row that share less than this of both are two places, and nothing is evened out between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upright:
    """A square in a picture in which a face stands upright: its `centre` [2], its `side`, both in pixels, its `roll`.

    With a `roll` above 0 the square leans to the right, as the head in it does.
    """

    centre: np.ndarray
    side: float
    roll: float


def uprights(
    times: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray | None = None, *, margin: float = 0.0
) -> list[Upright]:
    """The square of each face of a track, without the tremble of the detector.

    `times` [N] in seconds, `boxes` [N, 4], `landmarks` [N, 5, 2] as `Face` has them; without them nothing
    leans. Each square is that of its box (`square`, with `margin`), turned by the line of the eyes. Centre, side and
    the line, in sides, are those of a straight line fitted to the neighbours in time, weighted by a Gaussian of
    STEADY seconds: what moves evenly stays where it is, also at the ends of a track. Where eyes lie close
    together, as in a head that is turned aside, their line is unsure and counts for less beside its neighbours.
    """
    around = square(boxes, margin)
    side = around[:, 2] - around[:, 0]
    eyes = np.tile([1.0, 0.0], (len(side), 1)) if landmarks is None else landmarks[:, 1] - landmarks[:, 0]
    values = np.column_stack([(around[:, :2] + around[:, 2:]) / 2, side, eyes / side[:, None]])
    steady = np.concatenate([_steady(times[run], values[run]) for run in _runs(boxes)]) if len(side) else values
    return [Upright(centre=row[:2], side=max(float(row[2]), 1.0), roll=math.atan2(row[4], row[3])) for row in steady]


def similarity(place: Upright, size: int) -> np.ndarray:
    """What takes a point of the picture to its place in the view of `size` pixels: [2, 3], times (x, y, 1)."""
    scale = size / place.side
    cos, sin = scale * math.cos(place.roll), scale * math.sin(place.roll)
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, size / 2 - turn @ place.centre])


def upright_view(image: np.ndarray, place: Upright, *, size: int) -> np.ndarray:
    """What is inside a square of a picture uint8 [H, W, 3], upright: uint8 [size, size, 3].

    As in `cut`, shrinking weighs every pixel, and where the square leaves the picture its edge is repeated.
    """
    from PIL import Image

    half = place.side / 2
    if place.roll == 0:
        return cut(image, np.concatenate([place.centre - half, place.centre + half]), size)
    # A face larger than its view is first shrunk, to no less than twice the view, and turned at that size.
    fine = 2 * size if place.side > size else size
    shrink = max(1.0, place.side / fine)
    reach = half * (abs(math.cos(place.roll)) + abs(math.sin(place.roll))) + 3 * shrink
    low, high = np.floor(place.centre - reach), np.ceil(place.centre + reach)
    columns, rows = np.ceil((high - low) / shrink).astype(int)
    part = cut(image, np.concatenate([low, high]), (int(rows), int(columns)))
    back = _inverse(similarity(place, fine))
    back[:, 2] -= low
    back *= (np.array([columns, rows]) / (high - low))[:, None]
    turned = Image.fromarray(part).transform(
        (fine, fine), Image.Transform.AFFINE, tuple(back.ravel().tolist()), resample=Image.Resampling.BICUBIC
    )
    return np.asarray(turned if fine == size else turned.reduce(2))


def _inverse(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]


def _runs(boxes: np.ndarray) -> list[slice]:
    """The parts of a track between its jumps, such as the cuts of a film."""
    jumps = [i for i in range(1, len(boxes)) if overlap(boxes[i - 1 : i], boxes[i : i + 1])[0, 0] < _JUMP]
    return [slice(low, high) for low, high in zip([0, *jumps], [*jumps, len(boxes)], strict=True)]


def _steady(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Local linear regression of each column of `values` [N, K] on `times` [N], with Gaussian weights."""
    fitted = np.empty_like(values)
    first = np.searchsorted(times, times - _FAR * STEADY)
    last = np.searchsorted(times, times + _FAR * STEADY, side="right")
    for i, (low, high) in enumerate(zip(first, last, strict=True)):
        away = (times[low:high] - times[i]) / STEADY
        weight = np.exp(-(away**2) / 2)
        mean, spread = weight @ away, weight @ away**2
        # The fitted line at time i is a weighted mean of the values, with these weights.
        share = weight * (spread - mean * away) if weight.sum() * spread - mean**2 > 1e-9 else weight
        fitted[i] = share @ values[low:high] / share.sum()
    return fitted
