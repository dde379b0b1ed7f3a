"""Figures of a classifier said slowly: sample by sample."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence


def war(truth: Sequence[int], guess: Sequence[int]) -> float:
    return sum(t == g for t, g in zip(truth, guess, strict=True)) / len(truth)


def uar(truth: Sequence[int], guess: Sequence[int]) -> float:
    """The mean of the recalls of the classes that occur."""
    recalls = []
    for c in sorted(set(truth)):
        of_class = [g for t, g in zip(truth, guess, strict=True) if t == c]
        recalls.append(sum(g == c for g in of_class) / len(of_class))
    return sum(recalls) / len(recalls)


def ece(confidence: Sequence[float], right: Sequence[bool], bins: int) -> float:
    """The gap between confidence and accuracy in each bin, weighted by the samples in it."""
    total = 0.0
    for b in range(bins):
        inside = [
            (p, r) for p, r in zip(confidence, right, strict=True)
            if b / bins <= p < (b + 1) / bins or (p == 1.0 and b == bins - 1)
        ]  # fmt: skip
        if inside:
            mean = sum(p for p, _ in inside) / len(inside)
            accuracy = sum(r for _, r in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(mean - accuracy)
    return total


def risk_coverage(confidence: Sequence[float], right: Sequence[bool], points: int) -> list[tuple[float, float]]:
    """For each coverage the share that is wrong among so many of the most confident."""
    ranked = sorted(zip(confidence, right, strict=True), key=lambda pair: -pair[0])
    curve = []
    for point in range(1, points + 1):
        answered = ranked[: max(1, round(len(ranked) * point / points))]
        curve.append((len(answered) / len(ranked), sum(not r for _, r in answered) / len(answered)))
    return curve


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample: by the number of values less one."""
    middle = mean(values)
    return (sum((value - middle) ** 2 for value in values) / (len(values) - 1)) ** 0.5


def pooled(folds: Sequence[tuple[Sequence[int], Sequence[int]]]) -> tuple[list[int], list[int]]:
    """The truth and the guesses of all folds, one after the other."""
    return [t for truth, _ in folds for t in truth], [g for _, guess in folds for g in guess]


def mean_of_resampled_folds(
    folds: Sequence[tuple[Sequence[int], Sequence[int]]],
    figure: Callable[[Sequence[int], Sequence[int]], float],
    draws: int,
) -> list[float]:
    """The mean over folds, again and again, each time of as many samples of each fold drawn with replacement."""
    chance = random.Random(5)
    means = []
    for _ in range(draws):
        values = []
        for truth, guess in folds:
            drawn = [chance.randrange(len(truth)) for _ in truth]
            values.append(figure([truth[i] for i in drawn], [guess[i] for i in drawn]))
        means.append(mean(values))
    return sorted(means)
