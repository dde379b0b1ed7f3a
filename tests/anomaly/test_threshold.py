"""A threshold from good parts alone."""

from __future__ import annotations

import numpy as np
import pytest

from mimica.anomaly.threshold import LEARNING, MILDER, PRIOR_SPREAD, Calibration


def test_a_higher_score_is_a_rarer_false_alarm() -> None:
    calibration = Calibration(scores=((1.0, 1.1), (0.9, 1.0)))
    shares = [calibration.false_alarm(score) for score in (0.5, 1.0, 1.5, 3.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert shares[-1] < 0.01


def test_a_threshold_has_the_false_alarms_that_it_was_asked_for() -> None:
    calibration = Calibration(scores=((1.0, 1.1), (0.9, 1.3), (2.0,)))
    for rate in (0.5, 0.05, 0.001):
        assert calibration.false_alarm(calibration.threshold(rate)) == pytest.approx(rate)


def test_with_one_shot_it_is_the_prior_and_the_copies() -> None:
    mean, scale, freedom = Calibration(scores=((1.0, 1.0, 1.0),))._fitted()
    assert (mean, freedom) == (MILDER, 3)
    assert scale == pytest.approx(PRIOR_SPREAD * 2**0.5)


def test_scores_from_fewer_shots_are_taken_for_higher_than_those_to_come() -> None:
    two, four = (Calibration(scores=((1.0,),) * k)._fitted()[0] for k in (2, 4))
    assert two == pytest.approx(-LEARNING * np.log(2))
    assert two < four < 0


def test_many_shots_outweigh_the_prior() -> None:
    logs = np.random.default_rng(0).normal(0.5, 0.4, 4000)
    calibration = Calibration(scores=tuple((float(np.exp(x)),) for x in logs))
    over = np.exp(np.random.default_rng(1).normal(0.5, 0.4, 4000)) > calibration.threshold(0.05)
    assert over.mean() == pytest.approx(0.05, abs=0.01)


def test_copies_of_one_part_do_not_count_as_parts() -> None:
    few = Calibration(scores=((1.0,), (1.5,)))
    copied = Calibration(scores=((1.0,) * 50, (1.5,) * 50))
    assert copied.threshold(0.05) == pytest.approx(few.threshold(0.05))


def test_without_anything_calibrated_nothing_is_called_defective() -> None:
    empty = Calibration(scores=((),))
    assert empty.false_alarm(1e9) == 1
    assert empty.threshold(0.05) == float("inf")


def test_a_score_of_zero_is_no_error() -> None:
    assert Calibration(scores=((0.0, 0.0),)).false_alarm(0.0) <= 1
