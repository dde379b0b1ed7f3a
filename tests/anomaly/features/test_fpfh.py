"""FPFH on the organised grid is Rusu's, pair by pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mimica.anomaly.features.fpfh import Fpfh, fpfh
from mimica.anomaly.samples import Sample
from oracles import cif_features as oracle


@pytest.mark.parametrize("step", [1, 2])
def test_histograms_are_those_of_the_pairs(step: int) -> None:
    chance = np.random.default_rng(0)
    v, u = np.mgrid[:9, :9] * 0.01
    points = np.stack([u, v, 0.5 + 0.1 * u**2 + chance.normal(0, 0.002, u.shape)], -1)
    normals = chance.normal((0, 0, -1), 0.4, points.shape)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    there = chance.random(u.shape) < 0.8
    points[~there] = np.nan
    found = fpfh(points, normals, there, step)
    wanted = oracle.fpfh(points, normals, there, step)
    assert np.allclose(found[there], wanted[there], atol=1e-9)
    assert len(np.unique(wanted[there].round(3))) > 50


def test_the_part_may_turn_and_move_without_another_feature(make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    assert part.xyz is not None
    turn = np.array([[0.96, 0.28, 0], [-0.28, 0.96, 0], [0, 0, 1]])
    one, two = (
        Fpfh(side=112, cells=14)(Sample(name="a", xyz=xyz.astype(np.float32)))
        for xyz in (part.xyz, part.xyz @ turn + (0.0, 0.0, 0.05))
    )
    assert np.abs(one - two).mean() < 0.01


def test_each_histogram_sums_to_one_and_to_nothing_where_nothing_was_measured(make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    assert part.xyz is not None
    xyz = part.xyz.copy()
    xyz[:16, :16] = np.nan
    found = Fpfh(side=112, cells=14)(Sample(name="a", xyz=xyz)).reshape(196, 6, 11)
    assert not found[0].any()
    assert np.allclose(found[100:].sum(-1), 1, atol=1e-5)
