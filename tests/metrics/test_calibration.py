from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from mimica.metrics.calibration import (
    ece,
    fit_temperature,
    fit_temperature_by_quality,
    reliability,
    risk_coverage,
    temperature_at,
    threshold_for,
)
from oracles import figures as oracle


def samples(seed: int, number: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    confidence = np.append(random.uniform(0.2, 1, number), [0.0, 1.0, 1.0, 0.5])
    return confidence, random.random(number + 4) < confidence**2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_that_of_the_oracle(seed: int, bins: int) -> None:
    confidence, right = samples(seed)
    assert ece(confidence, right, bins=bins) == pytest.approx(oracle.ece(confidence.tolist(), right.tolist(), bins))


def test_confidence_that_is_always_right_at_its_word_has_no_error() -> None:
    confidence = np.array([0.75, 0.75, 0.75, 0.75, 1.0])
    assert ece(confidence, np.array([True, True, True, False, True])) == pytest.approx(0)


def test_being_sure_and_always_wrong_is_the_largest_error() -> None:
    assert ece(np.ones(4), np.zeros(4, bool)) == 1.0


def test_every_sample_is_in_one_bin_and_empty_bins_are_left_out() -> None:
    confidence, right = samples(0)
    bars = reliability(confidence, right, bins=20)
    assert sum(bar.number for bar in bars) == len(confidence)
    assert all(bar.number > 0 and 0 <= bar.accuracy <= 1 for bar in bars)
    assert [bar.confidence for bar in bars] == sorted(bar.confidence for bar in bars)
    assert len(reliability(np.array([0.1, 0.9]), np.array([True, True]), bins=10)) == 2


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_samples_were_drawn_at_is_found(temperature: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20000, 4)) * 2
    shares = softmax(logits / temperature, axis=1)
    truth = (shares.cumsum(1) > random.random((20000, 1))).argmax(1)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_the_fitted_temperature_lowers_the_calibration_error_and_moves_no_guess() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 3000)
    logits = 6 * (random.normal(size=(3000, 3)) + 0.8 * np.eye(3)[truth])
    before, after = (softmax(logits / t, axis=1) for t in (1.0, fit_temperature(logits, truth)))
    assert (before.argmax(1) == after.argmax(1)).all()
    errors = [ece(shares.max(1), shares.argmax(1) == truth) for shares in (before, after)]
    assert errors[1] < 0.03 < 0.15 < errors[0]


@pytest.mark.parametrize("coverage", [0.0, 0.5, 0.8, 1.0])
def test_a_share_of_the_samples_lies_above_the_threshold(coverage: float) -> None:
    confidence = np.random.default_rng(0).random(1000)
    assert (confidence >= threshold_for(confidence, coverage)).mean() == pytest.approx(coverage, abs=0.002)


@pytest.mark.parametrize(("temperature", "slope"), [(1.0, 0.0), (0.6, 1.0), (2.0, 0.5)])
def test_the_temperature_and_its_slope_that_samples_were_drawn_at_are_found(temperature: float, slope: float) -> None:
    random = np.random.default_rng(0)
    logits, quality = random.normal(size=(20000, 4)) * 2, random.random(20000)
    shares = softmax(logits / temperature_at(temperature, slope, quality)[:, None], axis=1)
    truth = (shares.cumsum(1) > random.random((20000, 1))).argmax(1)
    found = fit_temperature_by_quality(logits, truth, quality)
    assert found[0] == pytest.approx(temperature, rel=0.08)
    assert found[1] == pytest.approx(slope, abs=0.15)


def test_a_face_of_full_quality_has_the_temperature_itself_and_worse_ones_more() -> None:
    at = temperature_at(1.5, 0.7, np.array([1.0, 0.5, 0.0]))
    assert at.tolist() == pytest.approx([1.5, 1.5 * np.exp(0.35), 1.5 * np.exp(0.7)])


@pytest.mark.parametrize("points", [1, 7, 20])
def test_the_risk_at_each_coverage_is_that_of_the_oracle(points: int) -> None:
    confidence, right = samples(2)
    found = risk_coverage(confidence, right, points=points)
    expected = oracle.risk_coverage(confidence.tolist(), right.tolist(), points)
    assert [(p.coverage, p.risk) for p in found] == [pytest.approx(pair) for pair in expected]
    assert [p.confidence for p in found] == sorted((p.confidence for p in found), reverse=True)


def test_at_full_coverage_the_risk_is_the_share_that_is_wrong() -> None:
    confidence, right = samples(3)
    assert risk_coverage(confidence, right)[-1][:2] == pytest.approx((1.0, 1 - right.mean()))
