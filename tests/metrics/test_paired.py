from __future__ import annotations

import numpy as np
import pytest

from mimica.errors import UsageError
from mimica.metrics.classification import uar, war
from mimica.metrics.paired import paired_difference, paired_gain


def guesses(truth: np.ndarray, right: float, seeds: int, seed: int) -> np.ndarray:
    """Guesses [S, N] over 3 classes of which about a share is right."""
    random = np.random.default_rng(seed)
    wrong = (truth + random.integers(1, 3, size=(seeds, len(truth)))) % 3
    return np.where(random.random((seeds, len(truth))) < right, truth, wrong)


TRUTH = np.arange(300) % 3


def test_the_difference_is_that_of_the_figures_mean_over_seeds() -> None:
    one, other = guesses(TRUTH, 0.9, 3, 0), guesses(TRUTH, 0.7, 3, 1)
    found = paired_difference(TRUTH, one, other, war, classes=3, draws=50)
    assert found.value == pytest.approx((one == TRUTH).mean() - (other == TRUTH).mean())
    assert found.low < found.value < found.high


def test_a_clear_difference_has_an_interval_above_zero_and_turned_round_below() -> None:
    one, other = guesses(TRUTH, 0.9, 3, 0), guesses(TRUTH, 0.6, 3, 1)
    assert paired_difference(TRUTH, one, other, uar, classes=3).low > 0
    assert paired_difference(TRUTH, other, one, uar, classes=3).high < 0


def test_equal_methods_have_an_interval_around_zero() -> None:
    one, other = guesses(TRUTH, 0.8, 3, 0), guesses(TRUTH, 0.8, 3, 1)
    found = paired_difference(TRUTH, one, other, war, classes=3)
    assert found.low < 0 < found.high


def test_the_same_guesses_differ_by_nothing_in_every_resample() -> None:
    one = guesses(TRUTH, 0.8, 2, 0)
    found = paired_difference(TRUTH, one, one, war, classes=3, draws=20)
    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_pairing_narrows_the_interval_where_both_fail_on_the_same_samples() -> None:
    one = guesses(TRUTH, 0.6, 1, 0)
    other = one.copy()
    other[0, :30] = (TRUTH[:30] + 1) % 3
    shuffled = np.random.default_rng(0).permuted(np.arange(100)) * 3
    apart = other.reshape(1, 100, 3)[:, shuffled // 3].reshape(1, 300)
    together = paired_difference(TRUTH, one, other, war, classes=3)
    unpaired = paired_difference(TRUTH, one, apart, war, classes=3)
    assert together.high - together.low < unpaired.high - unpaired.low


def test_samples_of_a_group_are_drawn_together_which_widens_the_interval() -> None:
    groups = np.arange(300) // 30
    one, other = np.tile(TRUTH, (1, 1)), np.where(groups < 3, (TRUTH + 1) % 3, TRUTH)[None]
    alone = paired_difference(TRUTH, one, other, war, classes=3)
    grouped = paired_difference(TRUTH, one, other, war, classes=3, groups=groups)
    assert alone.value == grouped.value == pytest.approx(0.3)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_seeds_that_disagree_widen_the_interval() -> None:
    steady = np.where(np.arange(300) % 2, TRUTH, (TRUTH + 1) % 3)
    other = np.tile((TRUTH + 1) % 3, (2, 1))
    agree = np.stack([steady, steady])
    differ = np.stack([TRUTH, (TRUTH + 1) % 3])
    narrow = paired_difference(TRUTH, agree, other, war, classes=3)
    wide = paired_difference(TRUTH, differ, other, war, classes=3)
    assert narrow.value == wide.value == pytest.approx(0.5)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_guesses_of_another_number_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\[S, 300\].*got \[1, 300\] and \[1, 299\]"):
        paired_difference(TRUTH, TRUTH[None], TRUTH[None, :-1], war, classes=3)


def test_the_gain_of_figures_is_the_mean_of_their_differences_where_both_are_known() -> None:
    one, other = np.array([0.5, 0.7, np.nan, 0.9]), np.array([0.4, 0.4, 0.1, np.nan])
    found = paired_gain(one, other)
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.3)


def test_samples_that_belong_together_widen_the_interval_of_a_gain() -> None:
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(8), 10)
    one, other = np.repeat(random.normal(size=8), 10), np.zeros(80)
    alone, together = paired_gain(one, other), paired_gain(one, other, groups=people)
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.value == alone.value


def test_a_gain_of_other_samples_or_of_none_is_refused() -> None:
    for one, other in ((np.zeros(3), np.zeros(4)), (np.full(3, np.nan), np.zeros(3))):
        with pytest.raises(UsageError):
            paired_gain(one, other)
