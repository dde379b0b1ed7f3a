"""A sample says what it is, and refuses views that do not lie on each other."""

from __future__ import annotations

import numpy as np
import pytest

from mimica.anomaly.samples import Sample
from mimica.errors import InputError


def test_a_point_is_measured_where_all_three_coordinates_are_finite() -> None:
    xyz = np.zeros((2, 3, 3), np.float32)
    xyz[0, 1, 2] = np.nan
    assert Sample(name="a", xyz=xyz).measured.sum() == 5


def test_without_depth_nothing_is_measured() -> None:
    sample = Sample(name="a", rgb=np.zeros((4, 5, 3), np.uint8))
    assert sample.size == (4, 5)
    assert sample.measured.shape == (4, 5)
    assert not sample.measured.any()


def test_views_of_other_sizes_are_refused_with_both_sizes() -> None:
    with pytest.raises(InputError, match=r"cup: .*rgb 5x4, xyz 3x2 pixels"):
        Sample(name="cup", rgb=np.zeros((4, 5, 3), np.uint8), xyz=np.zeros((2, 3, 3), np.float32))


def test_a_sample_without_any_view_is_refused() -> None:
    with pytest.raises(InputError, match="cup has neither colour nor depth"):
        Sample(name="cup")
