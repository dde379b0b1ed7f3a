from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from mimica.errors import InputError
from mimica.metrics.detection import LIMITS, aupro, auroc, average_precision, detection_figures
from oracles import detection as oracle


def scored(seed: int, number: int = 40, levels: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Parts with scores of which many are the same."""
    random = np.random.default_rng(seed)
    defective = random.random(number) < 0.4
    return defective, (random.integers(0, levels, number) + 2 * defective) / levels


def mapped(seed: int, levels: int = 9) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Masks of some regions, those of two parts touching at a corner alone, and heat maps with ties of two sizes."""
    random = np.random.default_rng(seed)
    masks, maps = [], []
    for size in ((9, 12), (9, 12), (7, 5), (6, 6)):
        mask = random.random(size) < 0.12
        mask[2, 2] = mask[3, 3] = len(masks) < 2
        masks.append(mask if len(masks) < 3 else np.zeros(size, bool))
        maps.append((random.integers(0, levels, size) + 3 * masks[-1]).astype(np.float32) / levels)
    return masks, maps


@pytest.mark.parametrize("seed", range(6))
def test_auroc_counts_pairs_and_ties_half(seed: int) -> None:
    defective, scores = scored(seed)
    assert auroc(defective, scores) == pytest.approx(oracle.auroc(defective.tolist(), scores.tolist()), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_takes_ties_together(seed: int) -> None:
    defective, scores = scored(seed)
    expected = oracle.average_precision(defective.tolist(), scores.tolist())
    assert average_precision(defective, scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_both_are_those_of_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    defective, scores = scored(seed, number=300)
    assert auroc(defective, scores) == pytest.approx(sklearn.roc_auc_score(defective, scores))
    assert average_precision(defective, scores) == pytest.approx(sklearn.average_precision_score(defective, scores))


@pytest.mark.parametrize("levels", [2, 9, 10_000])
@pytest.mark.parametrize("seed", range(3))
def test_aupro_is_that_of_every_threshold_by_hand(seed: int, levels: int) -> None:
    masks, maps = mapped(seed, levels)
    expected = [oracle.aupro(masks, maps, limit) for limit in LIMITS]
    assert list(aupro(masks, maps)) == pytest.approx(expected, abs=1e-9)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    mask, apart = np.zeros((6, 6), bool), np.zeros((6, 6), bool)
    mask[1, 1] = mask[2, 2] = mask[2, 3] = apart[1, 1] = apart[4, 3] = apart[4, 4] = True
    for each, expected in ((mask, 1 / 3), (apart, 1 / 2)):
        heat = np.zeros((6, 6))
        heat[1, 1] = 1
        found = aupro([each], [heat], [0.3])[0]
        # Nothing else is told apart, so that the rest is found along one straight line to everything.
        assert found == pytest.approx(expected + (1 - expected) * 0.3 / 2)


def test_small_regions_weigh_as_much_as_large_ones() -> None:
    mask = np.zeros((10, 20), bool)
    mask[1:9, 1:9] = mask[4, 15] = True
    only_large, only_small = np.where(mask, 0.0, -1.0), np.where(mask, 0.0, -1.0)
    only_large[1:9, 1:9] = only_small[4, 15] = 1
    only_large[4, 15] = only_small[1:9, 1:9] = -2
    assert aupro([mask], [only_large]) == pytest.approx(aupro([mask], [only_small]))


def test_a_perfect_map_has_aupro_1_and_a_useless_one_half_the_limit() -> None:
    masks, _ = mapped(0)
    assert aupro(masks, [mask.astype(float) for mask in masks]) == pytest.approx([1, 1, 1, 1])
    assert aupro(masks, [np.ones(mask.shape) for mask in masks]) == pytest.approx([limit / 2 for limit in LIMITS])


def test_figures_do_not_change_under_a_rising_transform() -> None:
    masks, maps = mapped(1)
    bent = [np.exp(3 * heat.astype(float)) for heat in maps]
    assert aupro(masks, bent) == pytest.approx(aupro(masks, maps))


def test_all_figures_at_once_are_those_one_by_one() -> None:
    masks, maps = mapped(2)
    defective = np.array([mask.any() for mask in masks])
    scores = np.array([heat.max() for heat in maps])
    flat = np.concatenate([m.ravel() for m in masks]), np.concatenate([m.ravel() for m in maps])
    assert dataclasses.astuple(detection_figures(defective, scores, masks, maps)) == pytest.approx((
        auroc(defective, scores), average_precision(defective, scores), auroc(*flat), average_precision(*flat),
        *aupro(masks, maps),
    ))  # fmt: skip


def test_no_array_that_is_given_is_changed() -> None:
    masks, maps = mapped(3)
    before = [heat.copy() for heat in maps]
    aupro(masks, maps)
    auroc(masks[0], maps[0])
    assert all((a == b).all() for a, b in zip(before, maps, strict=True))


def test_where_only_one_kind_is_there_nothing_can_be_told() -> None:
    good = np.zeros((4, 4), bool)
    assert math.isnan(auroc(good, np.ones((4, 4))))
    assert math.isnan(auroc(~good, np.ones((4, 4))))
    assert math.isnan(average_precision(good, np.ones((4, 4))))
    assert all(map(math.isnan, aupro([good], [np.ones((4, 4))])))
    assert all(map(math.isnan, aupro([], [])))


def test_a_score_that_is_no_number_and_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="not a finite number"):
        auroc(np.array([True, False]), np.array([np.nan, 1]))
    with pytest.raises(InputError, match="2 masks and 1 heat maps"):
        aupro([np.zeros((2, 2), bool)] * 2, [np.zeros((2, 2))])
    with pytest.raises(InputError, match="one size"):
        aupro([np.zeros((2, 2), bool)], [np.zeros((2, 3))])
