"""Normals and curvature on the organised grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mimica.anomaly.features.normals import Normals, eigen, planes, thinned
from mimica.anomaly.samples import Sample
from oracles import cif_features as oracle

SMALL = {"side": 56, "cells": 7}


def surface(depth: Callable[[np.ndarray, np.ndarray], np.ndarray], size: int = 56) -> np.ndarray:
    v, u = np.mgrid[:size, :size] / size - 0.5
    z = depth(v, u)
    return np.stack([u * 0.2, v * 0.2, z], -1).astype(np.float32)


def bumpy(v: np.ndarray, u: np.ndarray) -> np.ndarray:
    return 0.5 - 0.02 * np.exp(-(u**2 + v**2) / 0.02) + np.random.default_rng(0).normal(0, 1e-4, u.shape)


@pytest.mark.parametrize("window", [3, 5])
def test_planes_are_those_of_the_points_one_by_one(window: int) -> None:
    points = surface(bumpy, 12)
    points[np.random.default_rng(1).random((12, 12)) < 0.2] = np.nan
    found = planes(points, window)
    for row in range(12):
        for column in range(12):
            wanted = oracle.plane(points, row, column, window)
            assert found.there[row, column] == (wanted is not None)
            if wanted is not None:
                assert np.abs(found.normals[row, column] - wanted[0]).max() < 1e-5
                assert found.offsets[row, column] == pytest.approx(wanted[1], abs=1e-5)
                assert found.rough[row, column] == pytest.approx(wanted[2], abs=1e-5)


def test_eigenvalues_in_closed_form_are_the_librarys() -> None:
    chance = np.random.default_rng(0)
    roots = chance.normal(size=(50, 3, 3)) * (1, 0.1, 0.001)
    spread = roots @ roots.transpose(0, 2, 1)
    values, vectors = eigen(spread)
    wanted, frame = np.linalg.eigh(spread)
    assert np.allclose(values, wanted, atol=1e-9)
    assert np.allclose(np.abs((vectors * frame[..., 0]).sum(-1)), 1, atol=1e-6)
    assert np.isfinite(eigen(np.zeros((3, 3)))[1]).all()


def test_a_tilted_plane_has_one_normal_and_no_relief() -> None:
    found = Normals(**SMALL)(Sample(name="a", xyz=surface(lambda v, u: 0.5 + 0.04 * u)))
    normal = np.array([0.2, 0, -1]) / np.hypot(0.2, 1)
    assert np.allclose(found[8:-8, :3], 0.5 * normal, atol=1e-3)
    assert np.abs(found[24, 3:9]).max() < 0.02


def test_a_bump_and_a_dent_are_told_apart_where_they_are() -> None:
    plane = Normals(**SMALL)(Sample(name="a", xyz=surface(lambda v, u: 0.5 + 0 * u)))
    for sign in (1, -1):
        bump = surface(lambda v, u: 0.5 - sign * 0.004 * np.exp(-(u**2 + v**2) / 0.002))  # noqa: B023 - used at once
        found = Normals(**SMALL)(Sample(name="a", xyz=bump))
        assert np.sign(found[24, 5 + 9]) == sign, "the offset at the middle scale"
        assert np.linalg.norm(found - plane, axis=1).argmax() in (16, 17, 18, 23, 24, 25, 30, 31, 32)


def test_where_nothing_was_measured_there_are_zeros_and_its_neighbours_keep_their_normals() -> None:
    points = surface(lambda v, u: 0.5 + 0 * u)
    points[:16, :16] = np.nan
    found = Normals(**SMALL)(Sample(name="a", xyz=points))
    assert not found[0].any()
    assert found[3 * 7 + 1, 2] == pytest.approx(-0.5, abs=1e-3)


def test_the_unit_of_length_changes_nothing(make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    assert part.xyz is not None
    metres, millimetres = (Normals(**SMALL)(Sample(name="a", xyz=part.xyz * scale)) for scale in (1, 1000))
    assert np.allclose(metres, millimetres, atol=1e-3)


def test_points_are_thinned_only_where_the_cells_allow_it() -> None:
    assert thinned(np.zeros((224, 224, 3)), 28).shape == (112, 112, 3)
    assert thinned(np.zeros((63, 63, 3)), 7).shape == (63, 63, 3)
