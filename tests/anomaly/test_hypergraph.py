"""Hyperedges: who belongs where, as a slow restatement has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.config import default, reference
from mimica.anomaly.hypergraph import OUTSIDE, centroids_of, connect, edge_features, one_hot
from mimica.errors import InputError
from oracles import cif as oracle


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


@pytest.fixture
def inside() -> np.ndarray:
    return np.random.default_rng(1).random(40) < 0.7


def test_incidence_and_hyperedge_features_are_those_of_the_formula(features: np.ndarray, inside: np.ndarray) -> None:
    centroids = centroids_of(features[inside], 4, "a part")
    found = connect(features, inside, centroids, replace(reference(), membership=0.6)).incidence
    wanted = oracle.incidence(features, centroids, inside, 0.6)
    assert (found == wanted).all()
    assert (wanted.sum(1) > 1).any(), "no node is in several hyperedges: the test says little"
    assert np.allclose(edge_features(found, features), oracle.edge_features(wanted, features), atol=1e-6)


def test_every_patch_of_the_part_has_a_hyperedge_and_no_other_has(features: np.ndarray, inside: np.ndarray) -> None:
    for config in (reference(), default()):
        graph = connect(features, inside, centroids_of(features[inside], 4, "a part"), config)
        assert (graph.incidence[inside].sum(1) >= 1).all()
        assert not graph.incidence[~inside].any()
        assert ((graph.hard == OUTSIDE) == ~inside).all()


def test_the_strictest_membership_leaves_each_patch_its_best_hyperedge(
    features: np.ndarray, inside: np.ndarray
) -> None:
    config = replace(default(), membership=1.0)
    graph = connect(features, inside, centroids_of(features[inside], 4, "a part"), config)
    assert (graph.incidence.sum(1) == inside).all()
    assert (graph.incidence.argmax(1) == graph.hard)[inside].all()


def test_the_hard_hyperedge_is_the_most_similar_or_as_in_the_code_the_first() -> None:
    centroids = np.array([[1.0, 0.05], [1.0, 0.0], [0.0, 1.0]])
    node = np.array([[1.0, 0.0]])
    there = np.ones(1, bool)
    assert connect(node, there, centroids, default()).hard[0] == 1
    assert connect(node, there, centroids, reference()).hard[0] == 0


def test_soft_members_count_by_their_similarity(features: np.ndarray, inside: np.ndarray) -> None:
    config = replace(default(), incidence="soft", membership=0.5)
    found = connect(features, inside, centroids_of(features[inside], 4, "a part"), config).incidence
    assert ((found == 0) | ((found >= 0.5) & (found <= 1))).all()
    assert ((found > 0.5) & (found < 1)).any()


def test_one_hyperedge_holds_the_whole_part(features: np.ndarray, inside: np.ndarray) -> None:
    graph = connect(features, inside, centroids_of(features[inside], 1, "a part"), default())
    assert (graph.incidence[:, 0] == inside).all()


def test_what_is_not_part_changes_no_hyperedge(features: np.ndarray, inside: np.ndarray) -> None:
    other = np.where(inside[:, None], features, 100.0).astype(np.float32)
    for config in (reference(), default()):
        first, second = (connect(f, inside, centroids_of(f[inside], 4, "a part"), config) for f in (features, other))
        assert (first.incidence == second.incidence).all()
        assert (edge_features(first.incidence, features) == edge_features(second.incidence, other)).all()


def test_one_hot_leaves_out_what_is_outside() -> None:
    assert one_hot(np.array([1, OUTSIDE, 0]), 2).tolist() == [[0, 1], [0, 0], [1, 0]]


def test_a_part_that_is_not_there_or_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="cup shows no part"):
        centroids_of(np.zeros((0, 3)), 4, "cup")
    with pytest.raises(InputError, match="cup has 3 patches of the part, fewer than its 4 hyperedges"):
        centroids_of(np.zeros((3, 3)), 4, "cup")
