"""Agreement of two coders said slowly: moment by moment."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def observed(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def by_chance(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """How often both say the same if every moment of one is held against every moment of the other."""
    return sum(a == b for a in one for b in other) / (len(one) * len(other))


def kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """Cohen 1960, equation 1; None where chance leaves nothing."""
    if len({*one, *other}) == 1:
        return None
    chance = by_chance(one, other)
    return (observed(one, other) - chance) / (1 - chance)


def kappa_of_class(one: Sequence[Hashable], other: Sequence[Hashable], label: Hashable) -> float | None:
    """Kappa where all that counts is whether this class is said."""
    return kappa([a == label for a in one], [b == label for b in other])


def at(windows: Sequence[tuple[float, float, str]], time: float) -> str | None:
    """What the window (start, end, word) says whose middle is nearest of those that hold a time.

    Of two that are as near it is the one with the later middle, of two with one middle that with the later start.
    """
    holding = [
        (abs((start + end) / 2 - time), -(start + end), -start, word)
        for start, end, word in windows if start <= time < end
    ]  # fmt: skip
    return min(holding)[-1] if holding else None
