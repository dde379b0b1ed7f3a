"""Figures of detection said slowly: pair by pair, and threshold by threshold over every score that occurs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np


def auroc(defective: Sequence[bool], scores: Sequence[float]) -> float:
    """Of all pairs of something defective and something good, how many stand right; a tie is half of one."""
    pairs = [
        (a > b) + (a == b) / 2
        for a, bad in zip(scores, defective, strict=True) if bad
        for b, other in zip(scores, defective, strict=True) if not other
    ]  # fmt: skip
    return sum(pairs) / len(pairs) if pairs else math.nan


def average_precision(defective: Sequence[bool], scores: Sequence[float]) -> float:
    """The sum over falling thresholds of (recall - recall before) * precision."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [bad for bad, score in zip(defective, scores, strict=True) if score >= threshold]
        recall = sum(taken) / sum(defective)
        total += (recall - before) * sum(taken) / len(taken)
        before = recall
    return total


def regions(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """The sets of defective pixels that hang together, corners included, grown one pixel at a time."""
    left = {(int(i), int(j)) for i, j in np.argwhere(mask)}
    found = []
    while left:
        region, edge = set(), [left.pop()]
        while edge:
            i, j = edge.pop()
            region.add((i, j))
            near = {(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= near
            edge += near
        found.append(region)
    return found


def aupro(masks: Sequence[np.ndarray], maps: Sequence[np.ndarray], limit: float) -> float:
    """The area under mean overlap of regions over the share of good pixels found, up to a limit, over that limit."""
    thresholds = sorted({float(v) for heat in maps for v in heat.ravel()}, reverse=True)
    areas = [(number, region) for number, mask in enumerate(masks) for region in regions(mask)]
    normal = sum(int((~mask).sum()) for mask in masks)
    points = [(0.0, 0.0)]
    for threshold in thresholds:
        false = sum(int(((heat >= threshold) & ~mask).sum()) for mask, heat in zip(masks, maps, strict=True))
        overlaps = [sum(maps[n][at] >= threshold for at in region) / len(region) for n, region in areas]
        points.append((false / normal, sum(overlaps) / len(overlaps)))
    points.append((1.0, 1.0))
    total = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x1 <= limit:
            total += (y0 + y1) / 2 * (x1 - x0)
        elif x0 < limit:
            y = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            total += (y0 + y) / 2 * (limit - x0)
    return total / limit
