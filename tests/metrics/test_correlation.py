from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.metrics.correlation import correlations
from oracles.units import correlation


@given(st.integers(0, 2**32 - 1))
def test_each_column_is_pearsons_r_of_the_pairs_that_are_whole(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.random((9, 3)), random.random((9, 3))
    a[random.random((9, 3)) < 0.2] = np.nan
    expected = [correlation(a[:, k].tolist(), b[:, k].tolist()) for k in range(3)]
    assert correlations(a, b) == pytest.approx(expected, abs=1e-9)


def test_what_does_not_vary_has_no_correlation() -> None:
    found = correlations(np.ones((4, 2)), np.arange(8.0).reshape(4, 2))
    assert np.isnan(found).all()
