from __future__ import annotations

import math

import pytest

from mimica.errors import UsageError
from mimica.reading.settings import Settings


@pytest.mark.parametrize("name", ["fps", "window", "stride", "min_face", "frame_rate"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_numbers_that_must_be_above_zero_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{name} must be a number above 0, got {value}"):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("smooth", -0.1), ("smooth", math.nan), ("smooth", math.inf), ("unsure_below", 1.1), ("unsure_below", math.nan),
     ("unsure_below", -0.1), ("faces", "find")],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_what_it_was(name: str, value: float | str) -> None:
    with pytest.raises(UsageError, match=rf"{name} .*got '?{value}"):
        Settings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, None])
def test_the_threshold_may_be_any_confidence_or_the_models_own(value: float | None) -> None:
    assert Settings(unsure_below=value).unsure_below == value
