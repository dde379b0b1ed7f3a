"""Hyperedge-guided search: how far each patch of a part is from what the bank holds.

N patches, K hyperedges of the part, A nodes of the bank, M of its hyperedges, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mimica.anomaly.bank import Bank, View
from mimica.anomaly.config import CifConfig
from mimica.anomaly.features.maker import Modality
from mimica.anomaly.hypergraph import Hypergraph, centroids_of, connect, cosines, edge_features
from mimica.anomaly.passing import propagate
from mimica.anomaly.seen import Seen
from mimica.anomaly.silhouette import expected
from mimica.errors import InputError

NOWHERE = 1e6
"""The public code's distance where none of the searched hyperedges has a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found in one view: `patches` [N] scores, the node `nearest` [N] to each, the re-weighted `peak`."""

    patches: np.ndarray
    nearest: np.ndarray
    peak: float


def examine(bank: Bank, seen: Seen) -> dict[str, Found]:
    """The scores of a part's patches by view: each modality, and `missing` where unmeasured depth counts.

    Raises InputError where the part was seen in other modalities than the bank, or shows no part.
    """
    config = bank.config
    if set(seen.features) != set(bank.views):
        raise InputError(f"{seen.name} was seen by {_listed(seen.features)}, the bank by {_listed(bank.views)}")
    features = {m: seen.features[m] / view.spread for m, view in bank.views.items()}
    guide = features[bank.guide]
    graph = connect(guide, seen.part, centroids_of(guide[seen.part], config.edges, seen.name), config)
    rest = ~seen.part & seen.within
    lost = rest & expected(seen.part, bank.outlines) if config.silhouette else np.zeros_like(rest)
    found: dict[str, Found] = {}
    for m, view in bank.views.items():
        found[m] = _search(features[m], graph, rest, lost, view, config)
    if config.missing and "xyz" in bank.views:
        found["missing"] = _missing(seen, lost)
    return found


def _search(
    raw: np.ndarray, graph: Hypergraph, rest: np.ndarray, lost: np.ndarray, view: View, config: CifConfig
) -> Found:
    scored = config.background == "scored"
    # The background is one more hyperedge, on both sides, where it is scored.
    incidence = np.concatenate([graph.incidence, (rest & scored)[:, None]], 1)
    features = propagate(
        raw, view.nodes, incidence, view.hard, layers=config.layers, alpha=config.alpha, bank_unit=view.unit
    )
    part = graph.hard >= 0
    rows = np.flatnonzero(part | (rest & scored))
    of_part = view.hard < config.edges
    searched_part = part | lost
    everywhere = np.where(searched_part[rows, None], of_part[None], True)
    distances = squared(features[rows], view.nodes)
    overall, nearest = _least(features[rows], view.nodes, distances, everywhere)
    score = np.zeros(len(raw))
    if config.search == "nearest":
        score[rows] = overall if config.patch_score == "geometric" else overall**2
    else:
        allowed = _allowed(features, graph, view, config)
        edge = np.where(part, graph.hard, len(allowed))[rows]
        near = np.concatenate([allowed, np.ones((1, len(view.hard)), bool)])[edge] & everywhere
        inside, _ = _least(features[rows], view.nodes, distances, near)
        score[rows] = np.sqrt(inside * overall) if config.patch_score == "geometric" else inside * overall
    at = np.zeros(len(raw), np.int64)
    at[rows] = nearest
    return Found(patches=score, nearest=at, peak=_peak(raw, score, rows, nearest, view.nodes, config.neighbours))


def _allowed(features: np.ndarray, graph: Hypergraph, view: View, config: CifConfig) -> np.ndarray:
    """Bool [K, A]: the bank's nodes that the patches of each hyperedge of the part may be compared with."""
    similar = cosines(edge_features(graph.incidence, features), view.edges)
    best = np.argsort(-similar, 1, kind="stable")[:, : config.nearest_edges]
    return np.stack([np.isin(view.hard, view.edge_ids[row]) for row in best])


def nearest_nodes(view: View, features: np.ndarray) -> np.ndarray:
    """The bank's node nearest to each patch [N] of features [N, C] as they were made."""
    return np.asarray(squared(features / view.spread, view.nodes).argmin(1))


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances float32 [n, m] between rows, by a matrix product: good enough to find the nearest."""
    return np.asarray((a**2).sum(1)[:, None] - 2 * (a @ b.T) + (b**2).sum(1)[None])


def _least(
    rows: np.ndarray, nodes: np.ndarray, distances: np.ndarray, allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The distance of each row to its nearest allowed node, exact, and which it is; NOWHERE without one."""
    if not len(rows):
        return np.zeros(0), np.zeros(0, np.int64)
    nearest = np.where(allowed, distances, np.inf).argmin(1)
    away = np.sqrt(((rows - nodes[nearest]).astype(np.float64) ** 2).sum(1))
    return np.where(allowed.any(1), away, NOWHERE), nearest


def _peak(
    raw: np.ndarray, score: np.ndarray, rows: np.ndarray, nearest: np.ndarray, nodes: np.ndarray, neighbours: int
) -> float:
    """PatchCore's re-weighted maximum (arXiv 2106.08265, eq. 7), from features before any message, as in the code."""
    if not len(rows):
        return 0.0
    top = int(score[rows].argmax())
    away = np.sqrt(((nodes - nodes[nearest[top]]).astype(np.float64) ** 2).sum(1))
    around = np.argsort(away, kind="stable")[:neighbours]
    reach = np.sqrt(((nodes[around] - raw[rows[top]]).astype(np.float64) ** 2).sum(1))
    weight = 1 - np.exp(reach[0] - reach.max()) / np.exp(reach - reach.max()).sum()
    return float(weight * score[rows[top]])


def _missing(seen: Seen, lost: np.ndarray) -> Found:
    """How much depth is unmeasured in and around each patch where the part is or should be."""
    from scipy.ndimage import binary_fill_holes, uniform_filter

    cells = round(len(seen.part) ** 0.5)
    square = (cells, cells)
    where = binary_fill_holes((seen.part | lost).reshape(square)) & seen.within.reshape(square)
    share = uniform_filter(np.where(where, seen.unmeasured.reshape(square), 0.0), 3, mode="constant").ravel()
    share = np.maximum(share, 0.0)  # running sums leave a little less than nothing
    return Found(patches=share, nearest=np.zeros(len(share), np.int64), peak=float(share.max()))


def _listed(views: Mapping[Modality, object]) -> str:
    return " and ".join(sorted(views))
