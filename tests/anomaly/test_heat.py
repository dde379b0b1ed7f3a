"""Heat maps and scores of a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.config import default, reference
from mimica.anomaly.grid import enlarge
from mimica.anomaly.heat import heat_map, part_score, resized, smooth
from mimica.anomaly.search import Found
from mimica.anomaly.units import Units
from oracles import cif as oracle

SMALL = {"side": 56, "cells": 8}


def found(patches: np.ndarray, peak: float = 1.0) -> Found:
    return Found(patches=patches, nearest=np.zeros(len(patches), int), peak=peak)


NO_UNITS = Units(views={}, nodes={})


@pytest.fixture
def views() -> dict[str, Found]:
    chance = np.random.default_rng(0)
    return {"rgb": found(chance.random(64), 2.0), "xyz": found(chance.random(64) * 7, 3.0)}


def test_the_reference_heat_map_is_the_public_codes(views: dict[str, Found]) -> None:
    wanted = oracle.heat([one.patches for one in views.values()], 56, 1.5)
    assert np.allclose(heat_map(views, NO_UNITS, replace(reference(), **SMALL)), wanted, atol=1e-12)


def test_the_reference_score_multiplies_the_peaks(views: dict[str, Found]) -> None:
    assert part_score(views, np.zeros((56, 56)), replace(reference(), **SMALL)) == 6.0


def test_one_silent_view_silences_the_reference_but_not_the_default(views: dict[str, Found]) -> None:
    silent = {**views, "xyz": found(np.zeros(64))}
    assert not heat_map(silent, NO_UNITS, replace(reference(), **SMALL)).any()
    assert heat_map(silent, NO_UNITS, replace(default(), **SMALL)).max() > 0.5


def test_views_count_in_their_own_units(views: dict[str, Found]) -> None:
    config = replace(default(), **SMALL)
    tall = {**views, "xyz": found(views["xyz"].patches * 1000)}
    one, two = (
        heat_map(each, Units(views={"rgb": 1.0, "xyz": top}, nodes={}), config)
        for each, top in ((views, 7.0), (tall, 7000.0))
    )
    assert np.allclose(one, two)
    assert not np.allclose(one, heat_map(tall, NO_UNITS, config))


def test_no_score_is_too_large_for_the_norm() -> None:
    config = replace(default(), fusion_power=64.0, **SMALL)
    heat = heat_map({"rgb": found(np.full(64, 1e6)), "xyz": found(np.full(64, 1e6))}, NO_UNITS, config)
    assert np.allclose(heat, 1e6 * 2 ** (1 / 64))


def test_a_spot_is_hottest_where_it_is_and_the_score_is_of_a_patchs_area() -> None:
    config = replace(default(), **SMALL)
    patches = np.zeros(64)
    patches[2 * 8 + 5] = 1
    heat = heat_map({"rgb": found(patches)}, Units(views={"rgb": 1.0}, nodes={}), config)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert (row // 7, column // 7) == (2, 5)
    assert 0 < part_score({}, heat, config) < heat.max()


def test_enlarging_keeps_a_plane_a_plane() -> None:
    down, right = np.mgrid[:8, :8]
    large = enlarge((2.0 * down + right).ravel(), 56, 28)
    assert large.shape == (56, 28)
    assert large[7 * 3 + 3, 14] == pytest.approx(2 * 3 + 14.5 / 3.5 - 0.5)
    aligned = enlarge((2.0 * down + right).ravel(), 15, 15, corners=True)
    assert aligned[0, 0] == 0
    assert aligned[-1, -1] == pytest.approx(21)
    assert aligned[2, 4] == pytest.approx(4)


def test_heat_lies_on_the_samples_own_pixels() -> None:
    heat = np.zeros((56, 56))
    heat[10:14, 40:44] = 1
    own = resized(heat, 112, 28)
    assert own.shape == (112, 28)
    assert own[22:26, 21].min() > 0.5
    assert own.sum() == pytest.approx(16, rel=0.1)


def test_smoothing_can_be_left_out() -> None:
    heat = np.random.default_rng(0).random((56, 56))
    assert (smooth(heat, replace(default(), smoothing="none")) == heat).all()
    assert smooth(heat, default()).std() < 0.3 * heat.std()
