"""The loss of face-language pretraining said slowly: faces, captions and classes one by one, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from oracles.duse import unit


def class_shares(face: np.ndarray, captions: np.ndarray, classes: Sequence[int], scale: float) -> list[float]:
    """The share of exp(s cos) that falls on each class's captions, each class's captions averaged first."""
    on_class: list[list[float]] = [[] for _ in range(max(classes) + 1)]
    for caption, c in zip(captions, classes, strict=True):
        on_class[c].append(math.exp(scale * float(unit(face) @ unit(caption))))
    mean = [sum(values) / len(values) for values in on_class]
    return [value / sum(mean) for value in mean]


def loss(shares: Sequence[Sequence[float]], labels: Sequence[int], smoothing: float) -> float:
    """Cross-entropy with label smoothing: a share `smoothing` of the target is spread over all classes."""
    total = 0.0
    for share, label in zip(shares, labels, strict=True):
        for c, value in enumerate(share):
            wanted = (1 - smoothing) * (c == label) + smoothing / len(share)
            total -= wanted * math.log(value)
    return total / len(labels)
