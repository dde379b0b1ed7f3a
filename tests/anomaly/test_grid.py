"""From pixels to patches."""

from __future__ import annotations

import numpy as np
import pytest

from mimica.anomaly.grid import finite, nearest_pixels, stretch_colour, stretch_points, to_cells
from mimica.errors import InputError


def test_a_stretched_picture_covers_the_whole_of_it() -> None:
    picture = np.zeros((30, 60, 3), np.uint8)
    picture[:, 30:] = 255
    found = stretch_colour(picture, 16)
    assert found.shape == (16, 16, 3)
    assert found[:, :7].max() < 0.01
    assert found[:, 9:].min() > 0.99


def test_points_are_never_made_up_between_two() -> None:
    points = np.random.default_rng(0).normal(size=(30, 50, 3)).astype(np.float32)
    points[3:5, 7:9] = np.nan
    found = stretch_points(points, 16)
    there = {tuple(p) for p in points.reshape(-1, 3) if np.isfinite(p).all()}
    assert {tuple(p) for p in found.reshape(-1, 3) if np.isfinite(p).all()} <= there


def test_the_nearest_pixel_is_the_one_below_the_middle() -> None:
    assert nearest_pixels(np.arange(4)[:, None] * np.ones((4, 4)), 4)[:, 0].tolist() == [0, 1, 2, 3]
    assert nearest_pixels(np.arange(6)[:, None] * np.ones((6, 6)), 2)[:, 0].tolist() == [1, 4]


def test_cells_go_row_by_row() -> None:
    image = np.arange(16.0).reshape(4, 4)
    assert to_cells(image, 2).tolist() == [2.5, 4.5, 10.5, 12.5]
    assert to_cells(np.stack([image, -image], -1), 2).shape == (4, 2)


def test_features_that_are_no_numbers_are_refused_with_the_part() -> None:
    with pytest.raises(InputError, match="cup: the features colour are not finite"):
        finite(np.array([[np.nan]]), "colour", "cup")
