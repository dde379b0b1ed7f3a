from __future__ import annotations

import numpy as np
import pytest

from mimica.metrics.classification import bootstrap, confusion, recall_intervals, recalls, uar, war
from oracles import figures as oracle


def samples(seed: int, classes: int = 5, number: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Truth over some of the classes, guesses over all of them and over none (`classes`)."""
    random = np.random.default_rng(seed)
    return random.choice([0, 1, 3], number), random.integers(0, classes + 1, number)


def test_rows_are_the_truth_columns_the_guess_and_the_last_column_those_without_one() -> None:
    table = confusion(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 1]), 2)
    assert table.tolist() == [[1, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_war_and_uar_are_those_of_the_oracle(seed: int) -> None:
    truth, guess = samples(seed)
    table = confusion(truth, guess, 5)
    assert war(table) == pytest.approx(oracle.war(truth.tolist(), guess.tolist()))
    assert uar(table) == pytest.approx(oracle.uar(truth.tolist(), guess.tolist()))


@pytest.mark.parametrize("seed", range(5))
def test_uar_is_the_balanced_accuracy_of_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    truth, _ = samples(seed)
    guess = np.random.default_rng(seed).choice(np.unique(truth), len(truth))
    assert uar(confusion(truth, guess, 5)) == pytest.approx(sklearn.balanced_accuracy_score(truth, guess))


def test_a_class_without_samples_has_no_recall_and_no_say() -> None:
    table = confusion(np.array([0, 0, 2]), np.array([0, 1, 2]), 3)
    assert recalls(table).tolist() == pytest.approx([0.5, np.nan, 1.0], nan_ok=True)
    assert uar(table) == 0.75


def test_a_sample_without_a_guess_is_wrong() -> None:
    table = confusion(np.array([0, 0]), np.array([0, 2]), 2)
    assert war(table) == uar(table) == 0.5


def test_an_interval_holds_the_figure_and_narrows_with_more_samples() -> None:
    widths = []
    for number in (50, 5000):
        truth, guess = samples(0, number=number)
        interval = bootstrap(confusion(truth, guess, 5), war)
        assert interval.low <= interval.value <= interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 5


def test_an_interval_is_that_of_resampled_samples() -> None:
    truth, guess = samples(1, number=200)
    interval = bootstrap(confusion(truth, guess, 5), uar, draws=2000)
    random = np.random.default_rng(7)
    drawn = [uar(confusion(truth[i], guess[i], 5)) for i in random.integers(0, 200, (2000, 200))]
    assert [interval.low, interval.high] == pytest.approx(np.quantile(drawn, (0.025, 0.975)).tolist(), abs=0.01)


def test_an_interval_depends_on_its_seed_alone() -> None:
    table = confusion(*samples(2), 5)
    assert bootstrap(table, uar, seed=3) == bootstrap(table, uar, seed=3)
    assert bootstrap(table, uar, seed=3) != bootstrap(table, uar, seed=4)


def test_a_perfect_table_has_no_doubt() -> None:
    interval = bootstrap(confusion(np.arange(5), np.arange(5), 5), war)
    assert (interval.low, interval.value, interval.high) == (1.0, 1.0, 1.0)


def test_a_recalls_interval_is_wilsons_and_a_class_without_samples_has_none() -> None:
    table = np.array([[3, 1, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0]])
    first, second, third = recall_intervals(table)
    z = 1.959963985
    for found, right, n in ((first, 3, 4), (second, 5, 5)):
        assert found is not None
        p = right / n
        middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
        expected = [p, (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]
        assert [found.value, found.low, found.high] == pytest.approx(expected, abs=1e-6)
    assert third is None
