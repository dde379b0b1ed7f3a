"""Retrieval said slowly: BM25 from its definition, the weighted cosine, and choosing one card after another."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence


def bm25(query: str, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> list[float]:
    split = [re.findall(r"\w+", text.lower()) for text in texts]
    mean = sum(len(words) for words in split) / len(split)
    found = []
    for words in split:
        score = 0.0
        for term in set(re.findall(r"\w+", query.lower())):
            holding = sum(term in other for other in split)
            rare = math.log(1 + (len(split) - holding + 0.5) / (holding + 0.5))
            often = words.count(term)
            score += rare * often * (k1 + 1) / (often + k1 * (1 - b + b * len(words) / mean))
        found.append(score)
    return found


def weighted_cosine(one: Sequence[float], other: Sequence[float], weight: Sequence[float]) -> float:
    top = sum(w * x * y for w, x, y in zip(weight, one, other, strict=True))
    low = math.sqrt(sum(w * x * x for w, x in zip(weight, one, strict=True)))
    low *= math.sqrt(sum(w * y * y for w, y in zip(weight, other, strict=True)))
    return top / low if low else 0.0


def chosen(
    scores: Sequence[float], like: Callable[[int, int], float], people: Sequence[str], count: int, least: int
) -> list[int]:
    """One card after another by 0.7 score − 0.3 likeness to those chosen, which is 0 at least.

    Only somebody new may come once there are no more places than people lacking, as long as somebody new is there.
    """
    taken: list[int] = []
    while len(taken) < min(count, len(scores)):
        left = [i for i in range(len(scores)) if i not in taken]
        here = {people[i] for i in taken}
        new = [i for i in left if people[i] not in here]
        if new and min(least, count) - len(here) >= count - len(taken):
            left = new
        worth = {i: 0.7 * scores[i] - 0.3 * max([0.0, *(like(i, j) for j in taken)]) for i in left}
        taken.append(max(left, key=lambda i: (worth[i], -i)))
    return taken
