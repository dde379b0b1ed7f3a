"""The memory: whole numbers of nodes, and centres that cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.anomaly.config import default, reference
from mimica.anomaly.memory import coreset, k_centres, quotas
from oracles import cif as oracle


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(30, 4)).astype(np.float32)


def test_centres_are_the_greedy_ones(points: np.ndarray) -> None:
    assert list(k_centres(points, 8, first=3)) == oracle.k_centres(points, 8, 3, keep=True)


def test_without_its_start_the_bank_has_the_public_codes_hole(points: np.ndarray) -> None:
    start = int(np.random.default_rng(reference().seed).integers(len(points)))
    found = coreset(points, np.zeros(30, int), 6, replace(reference(), quota="size"))
    assert list(found) == sorted(oracle.k_centres(points, 6, start, keep=False))
    assert start not in found


def test_the_default_keeps_what_it_starts_from(points: np.ndarray) -> None:
    middle = int(((points - points.mean(0)) ** 2).sum(1).argmin())
    found = coreset(points, np.zeros(30, int), 6, default())
    assert list(found) == sorted(oracle.k_centres(points, 6, middle, keep=True))


def test_what_is_kept_already_counts_as_a_centre(points: np.ndarray) -> None:
    new = coreset(points[10:], np.zeros(20, int), 1, default(), kept=points[:10], kept_hard=np.zeros(10, int))
    gaps = [min(np.linalg.norm(p - q) for q in points[:10]) for p in points[10:]]
    assert list(new) == [int(np.argmax(gaps))]


def test_equal_points_are_all_chosen_once() -> None:
    assert sorted(k_centres(np.zeros((5, 2)), 5, first=2)) == [0, 1, 2, 3, 4]


def test_equal_patches_are_kept_once_each() -> None:
    hard = np.array([0, 0, 0, 1, 1, 1])
    assert list(coreset(np.zeros((6, 2)), hard, 6, default())) == [0, 1, 2, 3, 4, 5]
    assert len(set(coreset(np.zeros((6, 2)), hard, 4, default()))) == 4


def test_a_single_node_is_the_one_with_the_nearest_farthest_point() -> None:
    line = np.array([[0.0], [1.0], [2.0], [10.0]])
    assert list(coreset(line, np.zeros(4, int), 1, reference())) == [2]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(1, 400))
def test_exact_quotas_add_up_and_leave_no_hyperedge_out(sizes: list[int], total: int) -> None:
    found = quotas(np.array(sizes), total, "size")
    assert found.sum() == min(max(total, len(sizes)), sum(sizes))
    assert ((found >= 1) & (found <= sizes)).all()


@given(st.lists(st.integers(2, 300), min_size=1, max_size=8), st.integers(8, 400))
def test_truncated_quotas_are_the_public_codes(sizes: list[int], total: int) -> None:
    target = min(total, sum(sizes))
    wanted = [min(q, s) for q, s in zip(oracle.truncated_quotas(sizes, target), sizes, strict=True)]
    assert quotas(np.array(sizes), target, "truncated").tolist() == wanted


def test_truncated_quotas_can_lose_a_node_and_exact_ones_cannot() -> None:
    lost = [n for n in range(2, 785) for k in range(1, n, 7) if quotas(np.array([n]), k, "truncated")[0] < k]
    assert lost
    assert all(quotas(np.array([n]), k, "size")[0] == k for n in range(2, 785, 5) for k in range(1, n, 7))
