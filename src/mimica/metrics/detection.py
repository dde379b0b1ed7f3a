"""How well scores tell defective parts, and heat maps defective pixels, from good ones: AUROC, AP and AUPRO, exact.

Every figure is one walk down all scores that occur, ties taken together. Between two scores of something
defective a curve is level, so that only those scores need to be visited: the good ones are sorted once, in
place, and counted by bisection. Hundreds of heat maps need little more memory than they take themselves.

N samples, H x W pixels of a map, D defective among all that is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mimica.errors import InputError

LIMITS = (0.30, 0.10, 0.05, 0.01)
"""Up to which share of good pixels falsely found AUPRO is taken: the usual limit, and stricter ones."""

_EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner are of one region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """What was found at each score of something defective, from the highest down.

    `above` and `reached` count the good that score strictly more and at least as much [S], of `good` in all;
    `weight` is what the defective of this very score weigh [S], and `total` what all of them do.
    """

    above: np.ndarray
    reached: np.ndarray
    weight: np.ndarray
    good: int
    total: float

    def area(self, limit: float = 1.0) -> float:
        """The area under the found weight over the share of good falsely found, up to `limit`, as a share of it."""
        if not self.good or not len(self.weight):
            return float("nan")
        found = np.cumsum(self.weight) / self.total
        # A score is a straight piece from what is above it to what it reaches; between two the curve is level.
        rates = np.stack([self.above, self.reached], 1).ravel() / self.good
        heights = np.stack([np.concatenate([[0.0], found[:-1]]), found], 1).ravel()
        x, y = np.concatenate([[0.0], rates, [1.0]]), np.concatenate([[0.0], heights, [1.0]])
        inside = int(np.searchsorted(x, limit, side="right"))
        if inside < len(x):
            share = (limit - x[inside - 1]) / (x[inside] - x[inside - 1])
            end = y[inside - 1] + share * (y[inside] - y[inside - 1])
            x, y = np.append(x[:inside], limit), np.append(y[:inside], end)
        return float(np.clip(np.trapezoid(y, x) / limit, 0, 1))


def auroc(defective: np.ndarray, scores: np.ndarray) -> float:
    """How often something defective scores higher than something good, a tie counting half; nan without both.

    `defective` bool and `scores` of one shape, whatever it is. Raises InputError for a score that is no number.
    """
    chosen = np.asarray(defective, bool)
    finite = _finite(scores)
    return _walk(finite[~chosen], finite[chosen]).area()


def average_precision(defective: np.ndarray, scores: np.ndarray) -> float:
    """The mean, over the defective, of how many are truly so among all that score at least as much; nan without any.

    This is the step-wise area under precision over recall, without interpolation.
    """
    chosen = np.asarray(defective, bool)
    finite = _finite(scores)
    return _precision(_walk(finite[~chosen], finite[chosen]))


def aupro(
    masks: Sequence[np.ndarray], maps: Sequence[np.ndarray], limits: Sequence[float] = LIMITS
) -> tuple[float, ...]:
    """How much of each defective region is found, in the mean over regions, for few false alarms: one for each limit.

    `masks` bool [H, W] and `maps` [H, W] may differ in size from part to part. A region is what touches, corners
    included; the curve of mean overlap over the share of good pixels falsely found runs over all scores that
    occur and is straight between them; its area up to each limit is divided by the limit. nan where nothing is
    defective, or everything. Bergmann et al., "The MVTec 3D-AD dataset" (2022), section 4.1, and the evaluation
    that was published with it.
    """
    good, bad, weight = _pixels(masks, maps)
    walk = _walk(good, bad, weight)
    return tuple(walk.area(limit) for limit in limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionFigures:
    """What is told of a detector on some parts: i_ of whole parts, p_ of pixels; nan where it cannot be told."""

    i_auroc: float
    i_ap: float
    p_auroc: float
    p_ap: float
    aupro30: float
    aupro10: float
    aupro05: float
    aupro01: float


def detection_figures(
    defective: np.ndarray, scores: np.ndarray, masks: Sequence[np.ndarray], maps: Sequence[np.ndarray]
) -> DetectionFigures:
    """All figures of N parts at once: `defective` bool [N] and `scores` [N], masks and heat maps one for each part."""
    good, bad, weight = _pixels(masks, maps)
    walk = _walk(good, bad)
    # The good ones are sorted by now, and sorting what is sorted costs nothing to speak of.
    pro = _walk(good, bad, weight)
    at = dict(zip(("aupro30", "aupro10", "aupro05", "aupro01"), (pro.area(limit) for limit in LIMITS), strict=True))
    return DetectionFigures(
        i_auroc=auroc(defective, scores), i_ap=average_precision(defective, scores),
        p_auroc=walk.area(), p_ap=_precision(walk), **at,
    )  # fmt: skip


def _finite(scores: np.ndarray) -> np.ndarray:
    found = np.asarray(scores)
    if not np.isfinite(found).all():
        raise InputError("a score is not a finite number; nothing can be told of how good such scores are")
    return found


def _walk(good: np.ndarray, bad: np.ndarray, weight: np.ndarray | None = None) -> _Walk:
    """The walk down the scores of the good, which are sorted in place, and of the defective."""
    good.sort()
    values, place = np.unique(bad, return_inverse=True)
    weights = np.bincount(place.ravel(), weights=weight, minlength=len(values))
    above = len(good) - np.searchsorted(good, values, side="right")
    reached = len(good) - np.searchsorted(good, values, side="left")
    total = float(len(bad) if weight is None else weight.sum())
    return _Walk(above=above[::-1], reached=reached[::-1], weight=weights[::-1], good=len(good), total=total)


def _precision(walk: _Walk) -> float:
    if not len(walk.weight):
        return float("nan")
    found = np.cumsum(walk.weight)
    return float((walk.weight * (found / (found + walk.reached))).sum() / walk.total)


def _pixels(masks: Sequence[np.ndarray], maps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scores of all good pixels, those of all defective ones, and what each of these weighs in its region."""
    from scipy import ndimage

    if len(masks) != len(maps):
        raise InputError(f"there are {len(masks)} masks and {len(maps)} heat maps; give one of each for every part")
    good, bad, weight = [], [], []
    for number, (mask, heat) in enumerate(zip(masks, maps, strict=True)):
        if mask.shape != heat.shape:
            raise InputError(f"mask {number} is {mask.shape} and its heat map {heat.shape}; they must have one size")
        chosen, finite = np.asarray(mask, bool), _finite(heat)
        labels, _ = ndimage.label(chosen, _EIGHT)
        of = labels[chosen]
        good.append(finite[~chosen])
        bad.append(finite[chosen])
        weight.append(1 / np.bincount(of, minlength=1)[of])
    if not good:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    return np.concatenate(good), np.concatenate(bad), np.concatenate(weight)
