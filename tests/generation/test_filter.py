from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mimica.errors import UsageError
from mimica.generation.filter import Seen, accepted, filtered, nearest, soft_labels
from mimica.generation.loop_settings import FilterSettings
from oracles import allocation as slow

GOOD = Seen(
    labels=np.array([1]), consistency=np.array([0.1]), probabilities=np.array([[0.2, 0.5, 0.3]]),
    identity=np.array([0.4]), nearest=np.array([0.98]), passed=np.array([True]),
)  # fmt: skip


def test_a_clip_on_the_edge_of_every_bound_is_kept() -> None:
    (verdict,) = filtered(GOOD)
    assert verdict.kept
    assert verdict.reasons == ()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("consistency", 0.0, "units speak for another class"),
        ("probabilities", [0.2, 0.49, 0.31], "recognisers give its class 0.49"),
        ("identity", 0.39, "the face is another"), ("nearest", 0.981, "a clip to train on once more"),
        ("passed", False, "frozen"), ("identity", float("nan"), "the face is another"),
    ],
)  # fmt: skip
def test_a_clip_beyond_any_bound_is_not_and_the_reason_is_said(name: str, value: object, why: str) -> None:
    (verdict,) = filtered(replace(GOOD, **{name: np.array([value])}))
    assert not verdict.kept
    assert len(verdict.reasons) == 1
    assert why in verdict.reasons[0]


def test_a_label_is_seven_tenths_what_was_asked_for_and_the_rest_what_is_seen() -> None:
    (verdict,) = filtered(GOOD)
    assert verdict.label == pytest.approx((0.3 * 0.2, 0.7 + 0.3 * 0.5, 0.3 * 0.3))
    assert soft_labels(np.array([0]), np.array([[0.0, 1.0]]), 0.6)[0].tolist() == pytest.approx([0.6, 0.4])
    with pytest.raises(UsageError):
        FilterSettings(own=0.5)


def test_the_nearest_clip_is_found_by_cosine() -> None:
    random = np.random.default_rng(0)
    features, known = random.standard_normal((4, 6)), random.standard_normal((9, 6))
    alike, place = nearest(features, known)
    for n in range(4):
        expected = [slow.cosine(features[n].tolist(), one.tolist()) for one in known]
        assert alike[n] == pytest.approx(max(expected))
        assert place[n] == int(np.argmax(expected))
    assert nearest(features, known[:0])[0].tolist() == [-1.0] * 4


def test_counts_of_judged_and_kept_are_by_class() -> None:
    seen = Seen(
        labels=np.array([0, 2, 2]), consistency=np.array([1.0, 1.0, -1.0]), probabilities=np.eye(3)[[0, 2, 2]],
        identity=np.ones(3), nearest=np.zeros(3), passed=np.ones(3, bool),
    )  # fmt: skip
    assert accepted(seen.labels, filtered(seen), 3) == ((1, 0, 2), (1, 0, 1))
    with pytest.raises(UsageError):
        replace(seen, identity=np.ones(2))
