"""Affective knowledge alignment said slowly: a class, a unit, a clip at a time, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

Table = list[list[float]]


def prior_share(unit: int, core: Sequence[int], sources: Sequence[tuple[Sequence[int], dict[int, float]]]) -> float:
    """How likely a unit is before any clip; a source is its core and its optional units with their shares."""
    if unit in core:
        return 0.9
    said = []
    for own, optional in sources:
        if unit in own:
            said.append(0.85)
        elif unit in optional:
            said.append(optional[unit])
        else:
            said.append(0.05)
    return sum(said) / len(said)


def peak(clip: Table, weight: Sequence[float]) -> list[float]:
    """Mean of the three frames in which the weighted sum of units is largest, the earlier of equal ones."""
    activation = [sum(w * u for w, u in zip(weight, frame, strict=True)) for frame in clip]
    chosen = sorted(range(len(clip)), key=lambda t: (-activation[t], t))[:3]
    return [sum(clip[t][a] for t in chosen) / len(chosen) for a in range(len(weight))]


def probability(shown: int, clips: int, prior: float, kappa: float) -> float:
    return (shown + kappa * prior) / (clips + kappa)


def intensity(strengths: Sequence[float], prior: float, kappa: float) -> float:
    """The strengths are those of clips of the class in which the unit is shown."""
    mean = sum(strengths) / len(strengths) if strengths else 0.0
    return (len(strengths) * mean + kappa * prior) / (len(strengths) + kappa)


def spread(by_class: Sequence[Sequence[float]]) -> float:
    """The deviation of shown strengths pooled over classes, 0.1 at least, 0.15 where there is no freedom."""
    squares, free = 0.0, 0
    for strengths in by_class:
        if strengths:
            mean = sum(strengths) / len(strengths)
            squares += sum((s - mean) ** 2 for s in strengths)
            free += len(strengths) - 1
    return max(0.1, math.sqrt(squares / free)) if free else 0.15


def lift(likely: Sequence[float], c: int) -> float:
    """How far class c is above the mean of all, of one unit."""
    return min(3.0, max(-3.0, math.log(likely[c]) - math.log(sum(likely) / len(likely))))


def term(strength: float, likely: float, base: float) -> float:
    """What a unit says for a class, in nats."""
    seen = 1 / (1 + math.exp(-10 * (strength - 0.3)))
    return seen * math.log(likely / base) + (1 - seen) * math.log((1 - likely) / (1 - base))


def together(by_class: Sequence[Table]) -> Table:
    """Correlation of normal scores within classes, halved off the diagonal; classes of fewer than three say nothing."""
    A = len(by_class[0][0])
    scores: Table = []
    for clips in by_class:
        if len(clips) < 3:
            continue
        columns = []
        for a in range(A):
            values = [clip[a] for clip in clips]
            ranks = [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]
            normal = [NormalDist().inv_cdf((rank - 0.5) / len(values)) for rank in ranks]
            mean = sum(normal) / len(normal)
            columns.append([n - mean for n in normal])
        scores += [[column[i] for column in columns] for i in range(len(clips))]
    out = [[1.0 if a == b else 0.0 for b in range(A)] for a in range(A)]
    for a in range(A):
        for b in range(A):
            if a != b:
                top = sum(row[a] * row[b] for row in scores)
                low = math.sqrt(sum(row[a] ** 2 for row in scores) * sum(row[b] ** 2 for row in scores))
                out[a][b] = 0.5 * top / low if low > 1e-9 else 0.0
    return out
