"""The bank: what a few good parts share, as the nodes of their hyperedges. Filled, grown, written, read.

N patches, k shots, K hyperedges, A nodes of a modality, C channels. A node's hyperedge is 0 to K-1 for the part and K
for the background; a silenced background is not in the bank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.features.maker import Modality
from mimica.anomaly.hypergraph import OUTSIDE, connect, edge_features, one_hot, unit
from mimica.anomaly.memory import coreset
from mimica.anomaly.seen import Seen
from mimica.anomaly.silhouette import Outline, outlines_of
from mimica.anomaly.structure import behind, hard_edges, mapped
from mimica.errors import InputError

LEAST_SPREAD = 0.1
"""A channel's spread counts as no less than this share of the mean spread: nearly constant ones would be all noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The bank's nodes in one modality: `nodes` float32 [A, C] divided by `spread` [C], `hard` int [A]."""

    nodes: np.ndarray
    hard: np.ndarray
    spread: np.ndarray
    unit: np.ndarray
    """The nodes at unit length."""
    edges: np.ndarray
    """Hyperedge features [M, C] of the part's hyperedges that have nodes."""
    edge_ids: np.ndarray
    """Their numbers [M]."""

    @classmethod
    def of(cls, nodes: np.ndarray, hard: np.ndarray, spread: np.ndarray, count: int) -> View:
        """A view with what search needs made once; `count` is K."""
        ids = np.unique(hard[hard < count])
        edges = edge_features(one_hot(hard, count)[:, ids], nodes)
        return cls(nodes=nodes, hard=hard, spread=spread, unit=unit(nodes), edges=edges, edge_ids=ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """What was kept of the shots: views by modality, `centroids` [K, C] of the guide, `parts` bool [k, N]."""

    config: CifConfig
    views: Mapping[Modality, View]
    centroids: np.ndarray
    parts: np.ndarray
    outlines: tuple[Outline, ...]
    """Those parts' outlines at every turn, made once."""
    shots: tuple[str, ...]

    @property
    def guide(self) -> Modality:
        """The modality that the hypergraph is built on."""
        return "rgb" if "rgb" in self.views else "xyz"


def fill(shots: Sequence[Seen], config: CifConfig) -> Bank:
    """A bank of a few good parts. Raises InputError where one shows no part, or too little for its hyperedges."""
    if not shots:
        raise InputError("a bank is filled from at least one good part; none was given")
    if config.shot_order == "content":
        shots = sorted(shots, key=lambda seen: seen.content)
    modalities = list(shots[0].features)
    spread = {m: _spread([seen.features[m] for seen in shots], shots, config) for m in modalities}
    scaled = [{m: seen.features[m] / spread[m] for m in modalities} for seen in shots]
    hard, centroids = hard_edges(shots, scaled, config)
    views = {}
    for m in modalities:
        nodes = np.concatenate([features[m] for features in scaled])
        ids = np.concatenate(hard[m])
        kept = _kept(nodes, ids, len(shots), config)
        views[m] = View.of(nodes[kept], ids[kept], spread[m], config.edges)
    parts = np.stack([seen.part for seen in shots])
    return Bank(
        config=config, views=views, centroids=centroids, parts=parts, outlines=outlines_of(parts),
        shots=tuple(seen.name for seen in shots),
    )  # fmt: skip


def grown(bank: Bank, shot: Seen) -> Bank:
    """The bank with one more good part; hyperedges and what was kept stay as they are, nothing is fitted anew."""
    config = bank.config
    scaled = {m: shot.features[m] / view.spread for m, view in bank.views.items()}
    hard = _hard_of_new(bank, shot, scaled)
    views = {}
    for m, view in bank.views.items():
        kept = _kept(scaled[m], hard[m], 1, config, view)
        nodes, ids = np.concatenate([view.nodes, scaled[m][kept]]), np.concatenate([view.hard, hard[m][kept]])
        views[m] = View.of(nodes, ids, view.spread, config.edges)
    parts = np.concatenate([bank.parts, shot.part[None]])
    return replace(bank, views=views, parts=parts, outlines=outlines_of(parts), shots=(*bank.shots, shot.name))


def _hard_of_new(bank: Bank, shot: Seen, scaled: Mapping[Modality, np.ndarray]) -> dict[Modality, np.ndarray]:
    if bank.config.clusters == "by_shot":
        known = {m: (view.edges, view.edge_ids) for m, view in bank.views.items()}
        return mapped(shot, scaled, known, bank.config)
    found = connect(scaled[bank.guide], shot.part, bank.centroids, bank.config).hard
    return dict.fromkeys(bank.views, behind(found, shot, bank.config))


def _spread(features: Sequence[np.ndarray], shots: Sequence[Seen], config: CifConfig) -> np.ndarray:
    """What each channel is divided by [C]: its deviation over the patches of the part in all shots."""
    if config.scaling == "none":
        return np.ones(features[0].shape[1], np.float32)
    part = np.concatenate([rows[seen.part] for rows, seen in zip(features, shots, strict=True)])
    deviation = part.std(0, dtype=np.float64) if len(part) else np.ones(features[0].shape[1])
    return np.asarray(np.maximum(deviation, max(LEAST_SPREAD * deviation.mean(), 1e-12)), np.float32)


def _kept(nodes: np.ndarray, hard: np.ndarray, shots: int, config: CifConfig, view: View | None = None) -> np.ndarray:
    """Which of the shots' patches go into the bank, ascending."""
    total = max(1, int(config.ratio * shots * config.cells**2))
    old = (None, None) if view is None else (view.nodes, view.hard)
    there = np.flatnonzero(hard != OUTSIDE)
    if config.memory == "plain" or config.quota == "coverage":
        plain = config.memory == "plain"
        ids = np.zeros(len(there), np.int64) if plain else hard[there]
        old_ids = None if old[1] is None else old[1] * (not plain)
        chosen = coreset(nodes[there], ids, min(total, len(there)), config, kept=old[0], kept_hard=old_ids)
        return np.asarray(there[chosen])
    part, rest = there[hard[there] < config.edges], there[hard[there] == config.edges]
    for_rest = min(round(config.background_share * total), len(rest)) if len(rest) else 0
    found = []
    for members, count in ((part, min(total - for_rest, len(part))), (rest, for_rest)):
        if count:
            chosen = coreset(nodes[members], hard[members], count, config, kept=old[0], kept_hard=old[1])
            found.append(members[chosen])
    return np.asarray(np.sort(np.concatenate(found)))
