import numpy as np
import pytest

from mimica.faces.boxes import keep_best, overlap

OUTER = np.array([[0.0, 0, 10, 10]])
INNER = np.array([[0.0, 0, 5, 10]])


def test_overlap_by_union_is_the_shared_part_of_both():
    assert overlap(OUTER, INNER)[0, 0] == pytest.approx(0.5)


def test_overlap_by_min_counts_a_box_inside_another_as_whole():
    assert overlap(OUTER, INNER, "min")[0, 0] == pytest.approx(1)


def test_boxes_apart_and_boxes_without_area_share_nothing():
    assert overlap(OUTER, OUTER + 20)[0, 0] == 0
    assert overlap(OUTER, np.array([[5.0, 5, 5, 5]]), "min")[0, 0] == 0


def test_a_box_that_was_dropped_drops_no_other():
    chain = np.array([[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])
    assert keep_best(chain, np.array([0.9, 0.8, 0.7]), 0.4).tolist() == [0, 2]


def test_equal_scores_keep_their_order():
    apart = OUTER + np.array([[0.0], [20], [40]])
    assert keep_best(apart, np.ones(3), 0.5).tolist() == [0, 1, 2]


def test_nothing_in_nothing_out():
    assert len(keep_best(np.empty((0, 4)), np.empty(0), 0.5)) == 0


@pytest.mark.parametrize("mode", ["union", "min"])
@pytest.mark.parametrize("seed", range(5))
def test_suppression_equals_the_slow_definition(mode, seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (40, 2))
    boxes, scores = np.hstack([corner, corner + rng.uniform(5, 40, (40, 2))]), rng.uniform(size=40)
    kept: list[int] = []
    for i in sorted(range(40), key=lambda i: -scores[i]):
        if all(overlap(boxes[i : i + 1], boxes[j : j + 1], mode)[0, 0] <= 0.3 for j in kept):
            kept.append(i)
    assert keep_best(boxes, scores, 0.3, mode).tolist() == kept
