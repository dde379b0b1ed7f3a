"""A scan as groups and back: exact, whatever is done to be quick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimica.anomaly.features import cloud
from oracles import cif_features as oracle


@settings(max_examples=12)
@given(st.integers(1, 300), st.integers(1, 12), st.integers(0, 1000), st.booleans())
def test_farthest_points_are_the_plain_ones(size: int, count: int, seed: int, level: bool) -> None:
    points = np.random.default_rng(seed).normal(size=(size, 3)).astype(np.float32)
    if level:
        points = np.round(points)  # many ties and many equal points
    wanted = oracle.farthest_points(points.astype(np.float64), min(count, size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloud, "BUCKET", 8)  # many buckets, so that equal points lie in several
        assert list(cloud.farthest_points(points, count)) == wanted


def test_neighbours_are_the_nearest() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    found = cloud.neighbours(points, points[:7], 12)
    for centre, own in zip(points[:7], found, strict=True):
        distance = np.linalg.norm(points - centre, axis=1)
        assert set(own) == set(np.argsort(distance)[:12])


def test_a_small_cloud_fills_its_groups_with_what_it_has() -> None:
    points = np.random.default_rng(0).normal(size=(5, 3))
    found = cloud.neighbours(points, points[:2], 8)
    assert found.shape == (2, 8)
    assert set(found[0]) == set(range(5))
    assert cloud.neighbours(points[:1], points[:1], 3).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(("side", "cells"), [(32, 4), (30, 4), (16, 4)])
def test_one_sparse_map_is_interpolation_scatter_and_both_poolings(side: int, cells: int) -> None:
    chance = np.random.default_rng(0)
    where = np.flatnonzero(chance.random(side * side) < 0.7)
    points = chance.normal(size=(len(where), 3)) * 0.1
    centres = points[::9]
    features = chance.normal(size=(len(centres), 5))
    found = cloud.to_patches(points, where, centres, side, cells) @ features
    assert np.abs(found - oracle.to_patches(features, points, where, centres, side, cells)).max() < 1e-9


def test_a_cloud_of_two_points_is_a_cloud() -> None:
    points = np.array([[0.0, 0, 1], [0.1, 0, 1]])
    weights, nearest = cloud.interpolation(points, points)
    assert weights.shape == nearest.shape == (2, 2)
    assert weights[0, 0] > 0.99
