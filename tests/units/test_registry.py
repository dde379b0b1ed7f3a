from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimica.checkpoint import SHIPPED
from mimica.errors import CheckpointError, UsageError
from mimica.units.registry import NAMES, card, identity, load, locate


def test_an_unknown_detector_is_met_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown detector of units 'blendshape'; did you mean 'blendshapes'"):
        load("blendshape")


def test_a_recogniser_is_no_detector_of_units(tiny_model: Path) -> None:
    with pytest.raises(CheckpointError, match="is of the kind 'recogniser', not a detector of units"):
        load(str(tiny_model))


@pytest.mark.parametrize("name", NAMES)
def test_every_detector_says_its_limits_without_being_loaded(name: str) -> None:
    assert len(str(card(name)["limits"])) > 40
    assert identity(name)


def test_what_ships_states_how_well_it_follows_units_and_that_no_person_was_measured() -> None:
    facts = json.loads((SHIPPED / "compact-units.json").read_text())
    assert locate("compact-units").stat().st_size < 2 * 2**20
    assert facts["metrics"]["formula_r"] > 0.6
    assert "not measured on people" in facts["limits"]
