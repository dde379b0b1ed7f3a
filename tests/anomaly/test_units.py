"""What good parts score, by view and by node of the bank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.bank import Bank, View
from mimica.anomaly.config import CifConfig, default
from mimica.anomaly.search import Found
from mimica.anomaly.seen import Seen
from mimica.anomaly.units import PRIOR, Units, units_of


def bank(config: CifConfig) -> Bank:
    """Two nodes far from each other."""
    view = View.of(np.array([[0.0], [10.0]], np.float32), np.array([0, 1]), np.ones(1, np.float32), 4)
    return Bank(config=config, views={"rgb": view}, centroids=np.zeros((4, 1)), parts=np.ones((1, 4), bool),
                outlines=(), shots=("a",))  # fmt: skip


def good(scores: list[float], at: list[int]) -> tuple[Seen, dict[str, Found]]:
    features = np.array(at, np.float32)[:, None] * 10
    n = len(scores)
    seen = Seen(name="a", size=(2, 2), features={"rgb": features}, part=np.ones(n, bool), unmeasured=np.zeros(n),
                within=np.ones(n, bool))  # fmt: skip
    return seen, {"rgb": Found(patches=np.array(scores), nearest=np.array(at), peak=0.0)}


def test_a_node_where_good_patches_lie_far_has_a_larger_unit() -> None:
    scores, at = [1.0] * 100 + [3.0] * 100, [0] * 100 + [1] * 100
    units = units_of([good(scores, at)], bank(default()))
    wanted = [(100 * 0.5 + PRIOR) / (100 + PRIOR), (100 * 1.5 + PRIOR) / (100 + PRIOR)]
    assert units.nodes["rgb"] == pytest.approx(wanted)
    again = units.apply(good(scores, at)[1])["rgb"]
    assert again[0] == pytest.approx(again[-1], rel=0.15)
    assert again.max() == pytest.approx(1.0)


def test_a_node_that_saw_few_is_as_usual() -> None:
    units = units_of([good([1.0] * 100 + [50.0], [0] * 100 + [1])], bank(default()))
    assert units.nodes["rgb"][1] < 5
    assert units_of([good([1.0], [0])], bank(default())).nodes["rgb"][1] == 1


def test_a_views_unit_is_what_a_share_of_good_patches_is_below() -> None:
    scores = list(np.linspace(0.01, 1, 100))
    units = units_of([good(scores, [0] * 100)], bank(replace(default(), unit=0.75, node_units=False)))
    assert units.nodes == {}
    assert units.views["rgb"] == pytest.approx(0.7525)


def test_a_silent_view_has_a_unit_all_the_same() -> None:
    seen, found = good([0.0] * 4, [0] * 4)
    units = units_of([(seen, {**found, "missing": found["rgb"]})], bank(default()))
    assert units.views["missing"] == 0.25
    assert np.isfinite(units.apply(found)["rgb"]).all()


def test_new_nodes_are_as_usual_and_without_good_parts_nothing_is_divided() -> None:
    units = Units(views={"rgb": 2.0}, nodes={"rgb": np.array([0.5])})
    assert units.grown(bank(default())).nodes["rgb"].tolist() == [0.5, 1]
    _, found = good([4.0], [0])
    assert units_of([], bank(default())).apply(found)["rgb"].tolist() == [4]
