"""Logit adjustment (Menon et al., arXiv 2007.07314), eq. 10, a clip and a class at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def loss(logits: Sequence[Sequence[float]], labels: Sequence[int], shares: Sequence[float], tau: float) -> float:
    """The mean over clips of log(1 + sum over other classes of (share' / share)^tau * exp(logit' - logit))."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        rivals = sum(
            (shares[other] / shares[label]) ** tau * math.exp(row[other] - row[label])
            for other in range(len(row))
            if other != label
        )
        total += math.log(1 + rivals)
    return total / len(labels)
