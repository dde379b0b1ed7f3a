"""Where a part should be, however it lies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import rotate, shift

from mimica.anomaly.silhouette import ENOUGH, expected, outlines_of

CELLS = 28


def wrench(turn: float = 0, down: int = 0, right: int = 0) -> np.ndarray:
    """A bar with a head: no turn maps it onto itself."""
    picture = np.zeros((CELLS, CELLS))
    picture[11:17, 5:23] = 1
    picture[8:20, 5:11] = 1
    turned = rotate(picture, turn, reshape=False, order=1)
    return np.asarray(shift(turned, (down, right), order=0) > 0.5).ravel()


@pytest.mark.parametrize(("turn", "down", "right"), [(0, 0, 0), (0, 3, -2), (90, 0, 0), (130, -2, 3), (-47, 1, 1)])
def test_a_bite_is_expected_however_the_part_lies(turn: float, down: int, right: int) -> None:
    whole = wrench(turn, down, right)
    square = whole.reshape(CELLS, CELLS)
    middle = np.argwhere(square).mean(0).round().astype(int)
    bitten = square.copy()
    bitten[middle[0] - 2 : middle[0] + 2, middle[1] - 2 : middle[1] + 2] = False
    lost = expected(bitten.ravel(), outlines_of(wrench()[None])) & ~bitten.ravel()
    assert lost.reshape(CELLS, CELLS)[middle[0] - 1 : middle[0] + 1, middle[1] - 1 : middle[1] + 1].sum() >= 3
    assert not (lost & ~whole).any()


def test_a_whole_part_lacks_nothing() -> None:
    for turn in (0, 25, 185):
        whole = wrench(turn, 1, -1)
        assert not (expected(whole, outlines_of(np.stack([wrench(), wrench(90)]))) & ~whole).any()


def test_one_shot_in_four_may_be_larger_and_two_may_not() -> None:
    small = wrench()
    large = small.copy().reshape(CELLS, CELLS)
    large[2:26, 2:26] = True
    three = np.stack([small, small, small, large.ravel()])
    assert not (expected(small, outlines_of(three)) & ~small).any()
    assert (expected(small, outlines_of(np.stack([large.ravel()] * 3))) & ~small).any()


def test_nothing_is_expected_of_a_part_that_is_everywhere_or_nowhere() -> None:
    for part in (np.ones(CELLS**2, bool), np.zeros(CELLS**2, bool)):
        assert not expected(part, outlines_of(wrench()[None])).any()
    assert not expected(wrench(), outlines_of(np.zeros((1, CELLS**2), bool))).any()


def test_no_more_outlines_are_kept_than_tell_anything() -> None:
    assert len(outlines_of(np.stack([wrench()] * (ENOUGH + 5)))) == ENOUGH
