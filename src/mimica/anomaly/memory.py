"""Structure-guided memory: of every hyperedge that the shots share, the few patches that cover it best.

n patches of the shots, A of them kept, C channels.
"""

from __future__ import annotations

import numpy as np

from mimica.anomaly.config import CifConfig


def coreset(
    features: np.ndarray, hard: np.ndarray, total: int, config: CifConfig, *, kept: np.ndarray | None = None,
    kept_hard: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Which of the patches [n, C] are kept, ascending: from every hyperedge its share of `total`.

    `kept` [m, C] with `kept_hard` [m] are in the bank already, and count as chosen.
    """
    if config.quota == "coverage":
        return _covering(features, hard, total, kept, kept_hard)
    chance = np.random.default_rng(config.seed)
    ids = np.unique(hard)
    sizes = np.array([int((hard == edge).sum()) for edge in ids])
    found: list[np.ndarray] = []
    for edge, count in zip(ids, quotas(sizes, total, config.quota), strict=True):
        members = np.flatnonzero(hard == edge)
        given = None
        if kept is not None and kept_hard is not None and (kept_hard == edge).any():
            given = kept[kept_hard == edge]
        found.append(members[_chosen(features[members], int(count), config.start, chance, given)])
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _covering(
    features: np.ndarray, hard: np.ndarray, total: int, kept: np.ndarray | None, kept_hard: np.ndarray | None
) -> np.ndarray:
    """Greedy centres over all hyperedges at once, ascending: next is what lies farthest from its own hyperedge's.

    So every hyperedge is covered to about the same distance, and one that varies more has more nodes. The first of
    each is the patch nearest to its mean.
    """
    best = np.full(len(features), np.inf)
    chosen: list[int] = []
    members = {edge: np.flatnonzero(hard == edge) for edge in np.unique(hard)}
    for edge, own in members.items():
        given = None if kept is None or kept_hard is None else kept[kept_hard == edge]
        if given is not None and len(given):
            best[own] = _reach(features[own], given)
        else:
            chosen.append(int(own[_squared(features[own], features[own].mean(0)).argmin()]))
            best[own] = _squared(features[own], features[chosen[-1]])
    best[chosen] = -1.0
    while len(chosen) < min(total, len(features)):
        farthest = int(best.argmax())
        own = members[hard[farthest]]
        best[own] = np.minimum(best[own], _squared(features[own], features[farthest]))
        best[farthest] = -1.0
        chosen.append(farthest)
    return np.sort(np.array(chosen, np.int64))


def quotas(sizes: np.ndarray, total: int, rule: str) -> np.ndarray:
    """How many nodes each hyperedge of these sizes may keep: at least one, at most all.

    `size` adds up to `total` by largest remainders wherever that is possible; `truncated` is the public code's
    int(n · (total / n)), then rounding.
    """
    n = int(sizes.sum())
    if not n:
        return np.zeros(len(sizes), np.int64)
    if rule == "truncated":
        wanted = int(n * (total / n))
        return np.array([min(max(round(size / n * wanted), 1), size) for size in sizes], np.int64)
    total = min(max(total, len(sizes)), n)
    share = sizes * total / n
    count = np.minimum(np.maximum(np.floor(share).astype(np.int64), 1), sizes)
    while count.sum() != total:
        step = 1 if count.sum() < total else -1
        room = count < sizes if step > 0 else count > 1
        count[np.where(room, step * (share - count), -np.inf).argmax()] += step
    return np.asarray(count)


def _chosen(
    points: np.ndarray, count: int, start: str, chance: np.random.Generator, given: np.ndarray | None
) -> np.ndarray:
    """Indices of `count` of the points [n, C]: the one in the middle, or greedy k centres."""
    if count >= len(points):
        return np.arange(len(points))
    if given is not None:
        return k_centres(points, count, reach=_reach(points, given))
    if start == "random_dropped":
        if count == 1:
            return np.array([_one_centre(points)])
        return k_centres(points, count, reach=_squared(points, points[int(chance.integers(len(points)))]))
    middle = int(_squared(points, points.mean(0)).argmin())
    return k_centres(points, count, first=middle)


def k_centres(
    points: np.ndarray, count: int, *, first: int | None = None, reach: np.ndarray | None = None
) -> np.ndarray:
    """Indices of `count` points [n, C], each the farthest from all before it; exact distances, ties to the first.

    `first` is kept as the first of them; `reach` [n] are squared distances to points that are there already.
    """
    chosen = [] if first is None else [first]
    best = np.full(len(points), np.inf) if reach is None else reach
    if first is not None:
        best = np.minimum(best, _squared(points, points[first]))
    while len(chosen) < min(count, len(points)):
        farthest = int(best.argmax())
        chosen.append(farthest)
        best = np.minimum(best, _squared(points, points[farthest]))
        best[chosen] = -1.0
    return np.array(chosen, np.int64)


def _squared(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    away = points - centre
    return np.asarray(np.einsum("nc,nc->n", away, away, dtype=np.float64))


def _reach(points: np.ndarray, given: np.ndarray) -> np.ndarray:
    best = np.full(len(points), np.inf)
    for centre in given:
        best = np.minimum(best, _squared(points, centre))
    return best


def _one_centre(points: np.ndarray) -> int:
    """The point whose farthest other point is nearest."""
    farthest = np.zeros(len(points))
    for centre in points:
        farthest = np.maximum(farthest, _squared(points, centre))
    return int(farthest.argmin())
