"""The loss of clips that count differently and are in part of several classes, a clip and a class at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def cross_entropy(
    logits: Sequence[Sequence[float]], shares: Sequence[Sequence[float]], weight: Sequence[float]
) -> float:
    """The sum over clips of weight times the sum over classes of -share * log softmax, divided by how many clips."""
    total = 0.0
    for row, of, counts in zip(logits, shares, weight, strict=True):
        whole = math.log(sum(math.exp(value) for value in row))
        total += counts * sum(share * (whole - value) for share, value in zip(of, row, strict=True))
    return total / len(logits)


def soft(label: int, ensemble: Sequence[float]) -> list[float]:
    """0.7 of the label and 0.3 of what an ensemble says (SynFER, arXiv 2410.09865)."""
    return [0.7 * (place == label) + 0.3 * share for place, share in enumerate(ensemble)]
