"""The semantic-aware hypergraph: patches that look alike share a hyperedge.

N nodes (patches), K hyperedges, C channels. An incidence H [N, K] says how much node i belongs to hyperedge e.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

OUTSIDE = -1
"""The hard hyperedge of a node that is in none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypergraph:
    """`incidence` [N, K], `hard` int [N] the one hyperedge of each node or OUTSIDE, `centroids` [K, C]."""

    incidence: np.ndarray
    hard: np.ndarray
    centroids: np.ndarray


def centroids_of(features: np.ndarray, count: int, name: str) -> np.ndarray:
    """The centroids [K, C] of k-means++ over features [n, C]. Raises InputError with fewer patches than hyperedges."""
    if not len(features):
        raise InputError(
            f"{name} shows no part: not one patch stands off the background; look at its depth or its mask"
        )
    if len(features) < count:
        raise InputError(
            f"{name} has {len(features)} patches of the part, fewer than its {count} hyperedges; set edges lower"
        )
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise MissingExtra("scikit-learn", "anomaly") from None
    import warnings

    with _pools().limit(limits=1), warnings.catch_warnings():  # several threads add up in an order of their own
        warnings.simplefilter("ignore")  # fewer kinds of patches than centroids: said by nothing that follows
        found = KMeans(count, n_init="auto", random_state=0).fit(np.asarray(features, np.float64))
    return np.asarray(found.cluster_centers_, np.float32)


@cache
def _pools() -> ThreadpoolController:
    """The thread pools of the libraries that k-means runs in; to find them takes as long as the k-means of a part."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def memberships(features: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine similarity to each centroid [n, K], and the same scaled so that a node's best is 1 and its worst 0."""
    similar = cosines(features, centroids)
    low, high = similar.min(1, keepdims=True), similar.max(1, keepdims=True)
    apart = high > low
    return similar, np.where(apart, (similar - low) / np.where(apart, high - low, 1), 1.0)


def connect(features: np.ndarray, inside: np.ndarray, centroids: np.ndarray, config: CifConfig) -> Hypergraph:
    """The hypergraph of features [N, C] by given centroids; what is not `inside` [N] belongs to no hyperedge."""
    similar, scaled = memberships(features, centroids)
    member = (scaled >= config.membership) & inside[:, None]
    incidence = np.where(member, scaled if config.incidence == "soft" else 1.0, 0.0)
    hard = similar.argmax(1) if config.hard_edge == "most_similar" else member.argmax(1)
    return Hypergraph(incidence=incidence, hard=np.where(inside, hard, OUTSIDE), centroids=centroids)


def edge_features(incidence: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Hyperedge features [K, C]: De⁻¹ Hᵀ Dv^-½ X; zero where a hyperedge is empty (§ the hypergraph)."""
    degree = incidence.sum(1)
    size = incidence.sum(0)
    weights = incidence / np.sqrt(np.maximum(degree, 1e-12))[:, None]
    return np.asarray((weights / np.maximum(size, 1e-12)).T.astype(np.float32) @ features)


def one_hot(hard: np.ndarray, count: int) -> np.ndarray:
    """The incidence [N, count] of hard hyperedges; a node that is OUTSIDE has none."""
    return np.asarray(hard[:, None] == np.arange(count), np.float64)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine similarities [n, m] of rows; 0 with a row of zeros."""
    return np.asarray(unit(a) @ unit(b).T)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows at unit length; a row of zeros stays one."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
