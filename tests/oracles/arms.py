"""How arms of an augmentation are held to each other, a clip at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def tail_recall(truth: Sequence[int], guess: Sequence[int], scarce: Sequence[int]) -> float:
    """Of each scarce class that has clips, the share that is recognised; the mean of these, each class alike."""
    shares = []
    for c in scarce:
        own = [g for t, g in zip(truth, guess, strict=True) if t == c]
        if own:
            shares.append(sum(g == c for g in own) / len(own))
    return sum(shares) / len(shares) if shares else 0.0


def war(truth: Sequence[int], guess: Sequence[int]) -> float:
    return sum(t == g for t, g in zip(truth, guess, strict=True)) / len(truth)


def ahead(
    truth: Sequence[int], ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]],
    figure: Callable[[Sequence[int], Sequence[int]], float],
) -> float:  # fmt: skip
    """How much larger a figure is for one arm than for another, seed by seed, and the mean of that."""
    gaps = [figure(truth, a) - figure(truth, b) for a, b in zip(ours, theirs, strict=True)]
    return sum(gaps) / len(gaps)
