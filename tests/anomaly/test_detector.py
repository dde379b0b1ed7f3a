"""The inspector on drawn parts: every kind of defect is found, and the same part always gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.bank import fill
from mimica.anomaly.config import CifConfig, default, nearest, reference
from mimica.anomaly.detector import Detector, good_part
from mimica.anomaly.features.maker import make
from mimica.anomaly.samples import Sample
from mimica.errors import InputError, UsageError

Maker = Callable[..., Sample]
SMALL = {"side": 112, "cells": 14, "augmentations": 2}
MAKERS = make("colour", "normals", side=112, cells=14)


@pytest.fixture(scope="module")
def detector(make_part: Maker) -> Detector:
    return Detector.fit([make_part(i) for i in range(3)], MAKERS, replace(default(), **SMALL))


@pytest.mark.parametrize("defect", ["colour", "dent", "missing", "hole", "beside"])
def test_a_defect_is_found_and_the_heat_map_says_where(detector: Detector, make_part: Maker, defect: str) -> None:
    good, bad = detector.score(make_part(50)), make_part(50, defect)
    found = detector.score(bad)
    assert found.score > 1.2 * good.score
    assert found.false_alarm < 0.1 < good.false_alarm
    assert found.heat.shape == bad.size
    row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
    place = np.argwhere(bad.mask).mean(0)
    assert np.hypot(row - place[0], column - place[1]) < 12


@pytest.mark.parametrize(("rgb", "xyz", "defect"), [("colour", "none", "colour"), ("none", "normals", "dent")])
def test_one_modality_alone_finds_what_it_can_see(make_part: Maker, rgb: str, xyz: str, defect: str) -> None:
    makers = make(rgb, xyz, side=112, cells=14)
    detector = Detector.fit([make_part(i) for i in range(2)], makers, replace(default(), **SMALL))
    assert detector.score(make_part(50, defect)).score > 1.2 * detector.score(make_part(50)).score


def test_the_reference_does_not_see_what_lies_beside_the_part_and_the_default_does(make_part: Maker) -> None:
    shots = [make_part(i) for i in range(2)]
    for config, seen in ((reference(), False), (default(), True)):
        # Two millimetres more than the public code's mask: a crumb that is no part to it.
        detector = Detector.fit(shots, MAKERS, replace(config, **SMALL))
        more = detector.score(make_part(50, "beside")).score / detector.score(make_part(50)).score
        assert (more > 1.2) == seen


def the_same(a: Detector, b: Detector, sample: Sample) -> bool:
    one, two = a.score(sample), b.score(sample)
    return one.score == two.score and one.false_alarm == two.false_alarm and (one.heat == two.heat).all()


@pytest.mark.parametrize("config", [default(), reference(), nearest()])
def test_the_same_shots_give_the_same_bytes(make_part: Maker, config: CifConfig) -> None:
    config = replace(config, **SMALL)
    shots = [make_part(i) for i in range(2)]
    assert the_same(*(Detector.fit(shots, MAKERS, config) for _ in range(2)), make_part(50))


def test_neither_the_order_of_shots_nor_what_was_judged_before_changes_a_byte(make_part: Maker) -> None:
    config = replace(default(), **SMALL)
    shots = [make_part(i) for i in range(2)]
    one, two = Detector.fit(shots, MAKERS, config), Detector.fit(shots[::-1], MAKERS, config)
    one.score(make_part(51, "colour"))
    Detector.fit([make_part(7)], MAKERS, config)
    assert the_same(one, two, make_part(50))


def test_looking_first_and_judging_later_is_the_same(detector: Detector, make_part: Maker) -> None:
    config = detector.config
    parts = [good_part(make_part(i), MAKERS, config) for i in range(3)]
    assert the_same(detector, Detector.of(parts, MAKERS, config), make_part(50, "dent"))


def test_one_shot_is_enough_and_calibrated_by_its_copies(make_part: Maker) -> None:
    detector = Detector.fit([make_part(0)], MAKERS, replace(default(), **SMALL))
    assert [len(own) for own in detector.calibration.scores] == [2]
    bare = Detector.fit([make_part(0)], MAKERS, replace(default(), side=112, cells=14, augmentations=0))
    assert bare.score(make_part(50, "colour")).false_alarm == 1


def test_a_part_that_was_given_twice_counts_twice(make_part: Maker) -> None:
    part = good_part(make_part(0), MAKERS, replace(default(), **SMALL))
    assert Detector.of([part, part], MAKERS, replace(default(), **SMALL)).calibration.shots == 2


def test_shots_are_left_out_one_by_one_to_calibrate(detector: Detector) -> None:
    assert [len(own) for own in detector.calibration.scores] == [3, 3, 3]


def test_many_shots_are_left_out_an_eighth_at_a_time(make_part: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    filled: list[int] = []
    monkeypatch.setattr(
        "mimica.anomaly.detector.fill", lambda shots, config: filled.append(len(shots)) or fill(shots, config)
    )
    config = replace(default(), **{**SMALL, "augmentations": 0})
    parts = [good_part(make_part(i), MAKERS, config) for i in range(3)]
    detector = Detector.of([parts[i % 3] for i in range(11)], MAKERS, config)
    assert filled == [11, 9, 9, 9, 10, 10, 10, 10, 10]
    assert [len(own) for own in detector.calibration.scores] == [1] * 11


def test_features_of_another_grid_are_refused(make_part: Maker) -> None:
    with pytest.raises(UsageError, match="the rgb features have 196 patches a part, the settings 28² = 784"):
        Detector.fit([make_part(0)], MAKERS)


def test_a_shot_is_added_without_fitting_anew(make_part: Maker) -> None:
    detector = Detector.fit([make_part(i) for i in range(2)], MAKERS, replace(default(), **SMALL))
    before = {m: view.nodes for m, view in detector.bank.views.items()}
    odd = make_part(50, "colour")
    first = detector.score(odd)
    detector.add_shot(make_part(50, "colour"))
    assert detector.calibration.shots == 3
    assert all((detector.bank.views[m].nodes[: len(nodes)] == nodes).all() for m, nodes in before.items())
    assert detector.score(odd).score < first.score
    assert detector.bank.shots[-1] == "colour-50"


def test_bad_samples_are_refused_in_one_sentence(detector: Detector, make_part: Maker) -> None:
    whole = make_part(50)
    with pytest.raises(InputError, match="good-50 has no depth"):
        detector.score(replace(whole, xyz=None))
    with pytest.raises(InputError, match="good-50 has no colour"):
        detector.score(replace(whole, rgb=None))
    with pytest.raises(InputError, match="good-50 has depth in which not one point was measured"):
        detector.score(replace(whole, xyz=np.full_like(whole.xyz, np.nan)))
    flat = whole.xyz.copy()  # type: ignore[union-attr]
    flat[..., 2] = 0.5
    with pytest.raises(InputError, match="good-50 shows no part"):
        detector.score(replace(whole, xyz=flat))
    with pytest.raises(InputError, match="at least one good part"):
        Detector.fit([], MAKERS)
