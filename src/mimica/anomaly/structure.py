"""The hyperedges that several shots share: clustered over all of them at once, or shot by shot and then mapped.

N patches, K hyperedges, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.features.maker import Modality
from mimica.anomaly.hypergraph import OUTSIDE, centroids_of, connect, cosines, edge_features, one_hot
from mimica.anomaly.seen import Seen

Hard = dict[Modality, list[np.ndarray]]
"""By modality, for every shot, the hard hyperedge of each patch [N]."""


def hard_edges(
    shots: Sequence[Seen], scaled: Sequence[Mapping[Modality, np.ndarray]], config: CifConfig
) -> tuple[Hard, np.ndarray]:
    """The hard hyperedges of all shots' patches, and the centroids [K, C] of the guide that tell them apart."""
    guide = shots[0].guide
    if config.clusters == "joint":
        part = np.concatenate([features[guide][seen.part] for features, seen in zip(scaled, shots, strict=True)])
        centroids = centroids_of(part, config.edges, ", ".join(seen.name for seen in shots))
        found = [
            behind(connect(features[guide], seen.part, centroids, config).hard, seen, config)
            for features, seen in zip(scaled, shots, strict=True)
        ]
        return {m: list(found) for m in scaled[0]}, centroids
    first = scaled[0][guide]
    centroids = centroids_of(first[shots[0].part], config.edges, shots[0].name)
    graph = connect(first, shots[0].part, centroids, config)
    hard: Hard = {m: [behind(graph.hard, shots[0], config)] for m in scaled[0]}
    edges = {m: (edge_features(graph.incidence, scaled[0][m]), np.arange(config.edges)) for m in scaled[0]}
    for number in range(1, len(shots)):
        for m, ids in mapped(shots[number], scaled[number], edges, config).items():
            hard[m].append(ids)
            edges[m] = _means(np.concatenate([features[m] for features in scaled[: number + 1]]),
                              np.concatenate(hard[m]), config.edges)  # fmt: skip
    return hard, centroids


def mapped(
    shot: Seen, scaled: Mapping[Modality, np.ndarray], edges: Mapping[Modality, tuple[np.ndarray, np.ndarray]],
    config: CifConfig,
) -> dict[Modality, np.ndarray]:  # fmt: skip
    """A shot's own hyperedges, each under the number of the most similar that is there, in every modality by itself.

    `edges` are features [M, C] and numbers [M]. Several may come under one number.
    """
    own = scaled[shot.guide]
    graph = connect(own, shot.part, centroids_of(own[shot.part], config.edges, shot.name), config)
    found = {}
    for m, (known, ids) in edges.items():
        nearest = ids[cosines(edge_features(graph.incidence, scaled[m]), known).argmax(1)]
        found[m] = behind(np.where(graph.hard == OUTSIDE, OUTSIDE, nearest[graph.hard]), shot, config)
    return found


def behind(hard: np.ndarray, shot: Seen, config: CifConfig) -> np.ndarray:
    """Hard hyperedges [N] in which the background has the number K, where it is scored."""
    if config.background == "silenced":
        return hard
    return np.where(~shot.part & shot.within, config.edges, hard)


def _means(nodes: np.ndarray, hard: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    ids = np.unique(hard[(hard >= 0) & (hard < count)])
    return edge_features(one_hot(hard, count)[:, ids], nodes), ids
