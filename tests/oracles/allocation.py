"""How many clips of which classes, said slowly, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence


def deficit(n: int, n_max: int, q: float, most: float, most_scarce: float) -> int:
    wanted = round(n_max ** (1 - q) * n**q)
    bound = math.floor((most_scarce if n < 30 else most) * n)
    return max(0, min(wanted - n, bound))


def shares(
    deficits: Sequence[int], recall: Sequence[float], rates: Sequence[float], gamma: float, limit: float
) -> list[float]:
    """Water is poured in proportion to the weights until a class is full; the rest goes to the others."""
    weight = [d * (1 - r) ** gamma / math.sqrt(a) for d, r, a in zip(deficits, recall, rates, strict=True)]
    active = [i for i, w in enumerate(weight) if w > 0]
    if not active:
        return [0.0] * len(weight)
    limit = max(limit, 1 / len(active))
    full: list[int] = []
    while True:
        free = [i for i in active if i not in full]
        left = 1 - limit * len(full)
        total = sum(weight[i] for i in free)
        out = [limit if i in full else left * weight[i] / total if i in free else 0.0 for i in range(len(weight))]
        over = [i for i in free if out[i] > limit + 1e-12]
        if not over:
            return out
        full += over


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def shrunk(right: int, clips: int) -> float:
    """Laplace's rule of succession: what to expect of the next clip where so many of so many were recognised."""
    return (right + 1) / (clips + 2)
