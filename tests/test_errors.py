from __future__ import annotations

import pytest

from mimica import errors
from mimica.errors import MimicaError, MissingExtra, UsageError, unknown

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_a_mimica_error_that_a_caller_can_catch_at_once(kind: type[Exception]) -> None:
    assert issubclass(kind, MimicaError)


def test_an_unknown_name_is_met_with_the_nearest_one_and_all_choices() -> None:
    error = unknown("model", "duse-compct", ["linear", "duse-compact"])
    assert isinstance(error, UsageError)
    assert str(error) == "unknown model 'duse-compct'; did you mean 'duse-compact'? Choose from: linear, duse-compact"


def test_a_name_that_is_near_to_nothing_gets_no_guess() -> None:
    assert str(unknown("sink", "zzz", ["csv", "json"])) == "unknown sink 'zzz'. Choose from: csv, json"


def test_choices_may_be_an_iterator_that_is_read_once() -> None:
    assert "Choose from: csv, json" in str(unknown("sink", "cvs", iter(["csv", "json"])))


def test_a_missing_extra_says_what_to_type() -> None:
    error = MissingExtra("accelerate", "train")
    assert str(error) == "this needs accelerate; install it with: pip install 'mimica[train]'"
