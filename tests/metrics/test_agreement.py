from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimica.metrics.agreement import FEWEST_BLOCKS, Figure, by_chance, kappa, observed, one_against_rest, over_blocks
from mimica.metrics.classification import confusion
from oracles import agreement as oracle

C = 4
coders = st.lists(st.tuples(st.integers(0, C - 1), st.integers(0, C - 1)), min_size=1, max_size=60)
some = settings(max_examples=60, deadline=None)


def table(said: list[tuple[int, int]]) -> np.ndarray:
    one, other = np.array(said).T
    return confusion(one, other, C)[:, :C]


def told(value: np.ndarray) -> float | None:
    return None if np.isnan(value) else pytest.approx(float(value))


@some
@given(coders)
def test_the_figures_are_those_of_the_oracle(said: list[tuple[int, int]]) -> None:
    one, other = zip(*said, strict=True)
    counts = table(said)
    assert oracle.observed(one, other) == told(observed(counts))
    assert oracle.by_chance(one, other) == told(by_chance(counts))
    assert oracle.kappa(one, other) == told(kappa(counts))
    for c in range(C):
        assert oracle.kappa_of_class(one, other, c) == told(kappa(one_against_rest(counts, c)))


@some
@given(coders)
def test_kappa_lies_between_minus_one_and_one_and_is_the_same_for_the_coders_turned_round(
    said: list[tuple[int, int]],
) -> None:
    counts = table(said)
    value = kappa(counts)
    assert np.isnan(value) or -1 <= value <= 1
    np.testing.assert_equal(kappa(counts.T), value)


@some
@given(coders, st.permutations(range(C)))
def test_kappa_does_not_know_the_order_of_the_classes(said: list[tuple[int, int]], order: list[int]) -> None:
    np.testing.assert_equal(kappa(table([(order[a], order[b]) for a, b in said])), kappa(table(said)))


@some
@given(coders, st.integers(1, 50))
def test_kappa_does_not_know_how_fine_time_is_cut(said: list[tuple[int, int]], finer: int) -> None:
    np.testing.assert_allclose(kappa(finer * table(said)), kappa(table(said)), atol=1e-12)


@some
@given(coders)
def test_kappa_is_one_exactly_where_all_moments_agree_on_more_than_one_class(said: list[tuple[int, int]]) -> None:
    same = all(a == b for a, b in said)
    several = len({c for pair in said for c in pair}) > 1
    assert (kappa(table(said)) == 1) == (same and several)


def test_a_coder_who_says_whatever_comes_agrees_by_chance_alone() -> None:
    shares = np.outer([10, 20, 70], [30, 50, 20])
    assert kappa(shares) == 0
    assert observed(shares) == pytest.approx(by_chance(shares))


@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_that_of_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    one, other = np.random.default_rng(seed).integers(0, C, (2, 200))
    other[::2] = one[::2]
    assert kappa(confusion(one, other, C)[:, :C]) == pytest.approx(sklearn.cohen_kappa_score(one, other))


def test_kappa_is_undefined_where_both_know_one_class_and_nothing_where_only_one_of_them_does() -> None:
    assert np.isnan(kappa(np.array([[7, 0], [0, 0]])))
    assert kappa(np.array([[7, 3], [0, 0]])) == 0
    assert np.isnan(kappa(np.zeros((2, 2), dtype=int)))
    assert np.isnan(observed(np.zeros((2, 2), dtype=int)))


def test_whole_stacks_of_tables_are_measured_at_once() -> None:
    stack = np.random.default_rng(0).integers(0, 9, (5, 3, C, C))
    assert kappa(stack).tolist() == [[float(kappa(t)) for t in row] for row in stack]
    assert one_against_rest(stack, 2)[4, 1].tolist() == one_against_rest(stack[4, 1], 2).tolist()


def test_one_class_against_the_rest_keeps_every_moment() -> None:
    counts = np.array([[5, 1, 0], [2, 7, 3], [0, 6, 9]])
    assert one_against_rest(counts, 1).tolist() == [[7, 5], [7, 14]]


def blocks(number: int, seed: int = 0, length: int = 1) -> np.ndarray:
    """Tables of blocks of `length` moments that say the same all through, right in about three of four."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, number)
    guess = np.where(random.random(number) < 0.75, truth, random.integers(0, 3, number))
    return np.stack([length * confusion(t[None], g[None], 3)[:, :3] for t, g in zip(truth, guess, strict=True)])


def test_the_interval_holds_the_figure_and_narrows_with_more_blocks() -> None:
    widths = []
    for number in (30, 3000):
        found = over_blocks(blocks(number), kappa)
        assert found.value == pytest.approx(float(kappa(blocks(number).sum(0))))
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 5


def test_moments_that_hang_together_in_a_block_do_not_narrow_the_interval() -> None:
    assert over_blocks(blocks(40, length=100), kappa) == over_blocks(blocks(40), kappa)


def test_the_interval_is_that_of_resampled_blocks() -> None:
    counts = blocks(50, seed=3)
    found = over_blocks(counts, kappa, draws=2000)
    random = np.random.default_rng(11)
    drawn = [float(kappa(counts[random.integers(0, 50, 50)].sum(0))) for _ in range(2000)]
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, (0.025, 0.975)).tolist(), abs=0.02)


def test_the_interval_depends_on_its_seed_alone() -> None:
    counts = blocks(40)
    assert over_blocks(counts, kappa, seed=3) == over_blocks(counts, kappa, seed=3)
    assert over_blocks(counts, kappa, seed=3) != over_blocks(counts, kappa, seed=4)


def test_too_few_blocks_have_a_figure_without_an_interval() -> None:
    few = over_blocks(blocks(FEWEST_BLOCKS - 1), kappa)
    assert few.value is not None
    assert (few.low, few.high) == (None, None)
    assert over_blocks(blocks(FEWEST_BLOCKS), kappa).low is not None


def test_a_class_that_a_single_block_shows_has_no_interval() -> None:
    counts = np.zeros((20, 2, 2), dtype=int)
    counts[:, 1, 1], counts[0] = 10, [[8, 1], [1, 0]]
    found = over_blocks(counts, kappa)
    assert found.value is not None
    assert found.low is None


def test_what_is_undefined_is_nothing_and_never_nan() -> None:
    assert over_blocks(np.tile([[4, 0], [0, 0]], (20, 1, 1)), kappa) == Figure(value=None)
