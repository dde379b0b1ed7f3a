"""Rewards of clips said slowly: a clip, a unit, a frame at a time, in plain Python. Curves are lists of frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Curves = Sequence[Sequence[float]]


def column(curves: Curves, a: int) -> list[float]:
    return [frame[a] for frame in curves]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def ccc(x: Sequence[float], y: Sequence[float]) -> float:
    """Lin 1989."""
    mx, my = mean(x), mean(y)
    cov = mean([(a - mx) * (b - my) for a, b in zip(x, y, strict=True)])
    vx, vy = mean([(a - mx) ** 2 for a in x]), mean([(b - my) ** 2 for b in y])
    low = vx + vy + (mx - my) ** 2
    return 2 * cov / max(low, 1e-8)


def weights(units: Curves, plan: Curves) -> dict[int, float]:
    known = [a for a in range(len(plan[0])) if not any(math.isnan(u) for u in column(units, a))]
    counted = {a: 0.2 + max(column(plan, a)) for a in known if max(column(plan, a)) > 0.05}
    return counted or dict.fromkeys(known, 1.0)


def moves(units: Curves, plan: Curves) -> bool:
    return any(max(column(plan, a)) > 0.05 for a in weights(units, plan))


def unit_agreement(units: Curves, plan: Curves) -> float:
    weight = weights(units, plan)
    error, agreed = 0.0, 0.0
    for a, w in weight.items():
        u, p = column(units, a), column(plan, a)
        error += w * mean([abs(x - y) for x, y in zip(u, p, strict=True)])
        agreed += w * ccc(u, p)
    near = 1 - error / sum(weight.values())
    return near + (agreed / sum(weight.values()) if moves(units, plan) else near)


def motion(units: Curves, plan: Curves) -> float:
    found = wanted = 0.0
    if not moves(units, plan):
        return math.inf
    for a in weights(units, plan):
        u, p = column(units, a), column(plan, a)
        found += sum(abs(y - x) for x, y in pairwise(u))
        wanted += sum(abs(y - x) for x, y in pairwise(p))
    return found / wanted


def jerk(units: Curves, plan: Curves) -> float:
    weight, total = weights(units, plan), 0.0
    for a, w in weight.items():
        u = column(units, a)
        thirds = [u[t + 3] - 3 * u[t + 2] + 3 * u[t + 1] - u[t] for t in range(len(u) - 3)]
        total += w * mean([abs(x) for x in thirds])
    return total / sum(weight.values())


def activation(units: Curves, plan: Curves) -> list[float]:
    weight = weights(units, plan)
    return [sum(w * frame[a] for a, w in weight.items()) / sum(weight.values()) for frame in units]


def rise(shown: Sequence[float]) -> tuple[float, float, bool]:
    apex = max(range(len(shown)), key=lambda t: (shown[t], -t))
    up = shown[apex] - min(shown[: apex + 1])
    fastest = max(b - a for a, b in pairwise(shown))
    return up, fastest, up > 0.05 and up > 0.5 * (max(shown) - min(shown))


def naturalness(units: Curves, plan: Curves, scale: float, speed: tuple[float, float], spread: float) -> float:
    steady = math.exp(-jerk(units, plan) / scale)
    if not moves(units, plan):
        return steady
    up, fastest, sets_in = rise(activation(units, plan))
    if not sets_in:
        return 0.0
    return steady * math.exp(-abs(fastest - (speed[0] + speed[1] * up)) / (3 * spread))


def likeness(features: Curves, pool: Curves) -> float:
    def cosine(a: Sequence[float], b: Sequence[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    return mean([max(cosine(frame, one) for one in pool) for frame in features])


def scaled(raw: float, worthless: float, real: float) -> float:
    return min(1.0, max(0.0, 0.7 * (raw - worthless) / (real - worthless)))


def efficiency(asked: int, least: int, most: int) -> float:
    return min(1.0, max(0.0, 1 - (asked - least) / (most - least)))


def advantages(
    rewards: dict[str, list[float]], passed: Sequence[bool], groups: Sequence[int], weights: dict[str, float],
    tail: Sequence[bool], more: float, bound: float,
) -> list[float]:  # fmt: skip
    """Each reward less its group's mean, by the deviation of the batch; then weighed, summed, bounded."""
    out = [0.0] * len(groups)
    for name, own in rewards.items():
        values = [r if ok else -1.0 for r, ok in zip(own, passed, strict=True)]
        middle = mean(values)
        deviation = math.sqrt(mean([(v - middle) ** 2 for v in values]))
        for i, group in enumerate(groups):
            same = mean([v for v, g in zip(values, groups, strict=True) if g == group])
            by = weights[name] * (more if tail[i] and name in ("units", "expression", "natural") else 1.0)
            out[i] += by * (values[i] - same) / (deviation + 1e-4)
    return [min(bound, max(-bound, a)) for a in out]


def wholeness(clip: Sequence[Sequence[Sequence[Sequence[float]]]], period: int) -> float:
    """Of frames of three planes of rows: how even steps are inside blocks and across, and how much detail is kept."""

    def lines(frame: Sequence[Sequence[Sequence[float]]]) -> tuple[list[Sequence[float]], list[Sequence[float]]]:
        rows = [row for plane in frame for row in plane]
        return rows, [[row[x] for row in plane] for plane in frame for x in range(len(plane[0]))]

    def of(frame: Sequence[Sequence[Sequence[float]]]) -> tuple[float, float, float]:
        inside, border, detail = [], [], []
        for way in lines(frame):
            pairs = [(i, abs(line[i + 1] - line[i])) for line in way for i in range(len(line) - 1)]
            border.append(mean([step for i, step in pairs if (i + 1) % period == 0]))
            inside.append(mean([step for i, step in pairs if (i + 1) % period]))
            bends = [line[i] - 2 * line[i + 1] + line[i + 2] for line in way for i in range(len(line) - 2)]
            detail.append(mean([abs(bend) for bend in bends]))
        return mean(inside), mean(border), mean(detail)

    told = [of(frame) for frame in clip]
    first = told[0][2] + 1e-4
    found = []
    for inside, border, detail in told:
        kept = (detail + 1e-4) / first
        found.append(min(1.0, (inside + 1e-4) / (border + 1e-4)) * min(kept, 1 / kept))
    return mean(found)


def same_person(features: Curves, people: Sequence[int], temperature: float) -> float:
    """Khosla et al. 2020, equation 2: a frame, another of the same person, all others in the denominator."""
    found = []
    for i, own in enumerate(features):
        others = [j for j in range(len(features)) if j != i]
        alike = {j: math.exp(sum(a * b for a, b in zip(own, features[j], strict=True)) / temperature) for j in others}
        same = [j for j in others if people[j] == people[i]]
        if same:
            found.append(-mean([math.log(alike[j] / sum(alike.values())) for j in same]))
    return mean(found)
