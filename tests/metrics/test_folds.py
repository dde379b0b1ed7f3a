from __future__ import annotations

import numpy as np
import pytest

from mimica.metrics.classification import bootstrap, confusion, uar, war
from mimica.metrics.folds import over_folds
from oracles import figures as oracle

C = 4


def folds(seed: int, sizes: tuple[int, ...] = (40, 60, 25)) -> list[tuple[list[int], list[int]]]:
    """The truth and the guesses of folds of unlike sizes; a class is rare, and the second fold lacks it."""
    random = np.random.default_rng(seed)
    found = []
    for k, size in enumerate(sizes):
        truth = random.choice(C, size, p=[0.5, 0.3, 0.2, 0] if k == 1 else [0.4, 0.3, 0.2, 0.1])
        guess = np.where(random.random(size) < 0.3 + 0.2 * k, truth, random.integers(0, C, size))
        found.append((truth.tolist(), guess.tolist()))
    return found


def tables(given: list[tuple[list[int], list[int]]]) -> list[np.ndarray]:
    return [confusion(np.array(truth), np.array(guess), C) for truth, guess in given]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("figure", "slow"), [(war, oracle.war), (uar, oracle.uar)])
def test_mean_deviation_and_pooled_are_those_of_the_oracle(seed, figure, slow) -> None:
    given = folds(seed)
    found, values = over_folds(tables(given), figure), [slow(*fold) for fold in given]
    assert [fold.value for fold in found.folds] == pytest.approx(values)
    assert found.mean.value == pytest.approx(oracle.mean(values))
    assert found.deviation == pytest.approx(oracle.deviation(values))
    assert found.pooled.value == pytest.approx(slow(*oracle.pooled(given)))


def test_the_mean_of_folds_is_no_pooled_figure() -> None:
    found = over_folds(tables(folds(0)), war)
    assert abs(found.mean.value - found.pooled.value) > 0.01


@pytest.mark.parametrize(("figure", "slow"), [(war, oracle.war), (uar, oracle.uar)])
def test_the_interval_of_the_mean_is_that_of_folds_resampled_in_themselves(figure, slow) -> None:
    given = folds(1)
    found = over_folds(tables(given), figure, draws=4000)
    drawn = oracle.mean_of_resampled_folds(given, slow, draws=2000)
    assert [found.mean.low, found.mean.high] == pytest.approx([drawn[50], drawn[1950]], abs=0.015)


def test_folds_are_resampled_by_luck_of_their_own() -> None:
    one = tables(folds(2))[0]
    alone, five = over_folds([one], war), over_folds([one] * 5, war)
    assert (five.mean.high - five.mean.low) < 0.6 * (alone.mean.high - alone.mean.low)


def test_a_single_fold_has_no_deviation_and_its_own_figure_for_mean_and_pool() -> None:
    [table] = tables(folds(0))[:1]
    found = over_folds([table], uar)
    assert found.deviation is None
    assert found.mean == found.pooled == found.folds[0] == bootstrap(table, uar)
