from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.facs import EVERY_UNIT, UNITS
from mimica.generation.lexicon import demographics, other_classes, units_in
from mimica.generation.template import becoming, graded

IN_THE_FACE = [unit for unit in EVERY_UNIT.values() if unit.region not in ("head", "gaze")]


@pytest.mark.parametrize("unit", IN_THE_FACE, ids=lambda unit: str(unit.number))
def test_what_one_sees_of_a_unit_and_its_name_mean_that_unit_alone(unit: object) -> None:
    assert units_in(unit.look) == units_in(unit.name) == {unit.number}  # type: ignore[attr-defined]


@given(st.sets(st.sampled_from(sorted(UNITS))), st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]))
def test_every_set_of_units_is_read_back_from_its_sentences(units: set[int], strength: float) -> None:
    said = [graded(unit, strength) for unit in sorted(units)]
    assert units_in(", ".join(said)) == units
    assert units_in(" and ".join(becoming(unit) for unit in sorted(units))) == units


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Raised eyebrows, wide eyes and an open mouth", {1, 2, 5, 26}),
        ("The eyebrows furrow; the lips press tightly together", {4, 24}),
        ("inner and outer brows lift", {1, 2}),
        ("the inner brows rise as the mouth corners droop", {1, 15}),
        ("a broad smile with raised cheeks", {6, 12}),
        ("the nose scrunches and the upper lip curls", {9, 10}),
        ("lips parting, jaw dropping", {25, 26}),
        ("the lips stretch sideways", {20}),
        ("the mouth is stretched wide open", {27}),
        ("the lip corners turn upward", {12}),
        ("the brows are lowered and the upper lip is raised", {4, 10}),
        ("a wall of bricks behind a table", set()),
        ("", set()),
    ],
)
def test_plain_words_are_understood(text: str, units: set[int]) -> None:
    assert units_in(text) == units


@pytest.mark.parametrize(
    "text", ["no smile", "the lips do not part", "without raised brows", "the nose isn't wrinkled", "never a frown"]
)
def test_what_is_negated_is_not_there(text: str) -> None:
    assert units_in(text) == set()


def test_a_negation_holds_for_its_clause_alone() -> None:
    assert units_in("without a smile, the nose wrinkles") == {9}


def test_what_may_mean_either_means_what_is_planned() -> None:
    assert units_in("the eyes narrow") == {7}
    assert units_in("the eyes narrow", planned={6, 12}) == {6}
    assert units_in("the mouth opens", planned={25, 26}) == {25, 26}
    assert units_in("a frown", planned={15}) == {15}


def test_words_for_another_class_are_found_and_those_for_its_own_are_not() -> None:
    assert other_classes("a fearful, frightened face", "fear") == []
    assert other_classes("sad and afraid, with joy", "fear") == ["sad", "joy"]
    assert other_classes("before a neutral wall, sadder", "anger") == ["sadder"]
    assert other_classes("happily surprised, not sad", "happily surprised") == ["sad"]


@pytest.mark.parametrize(
    "text", ["a young woman", "an old man", "she smiles", "his brows", "a black person", "elderly", "a child",
             "a 40-year-old", "an Asian face", "a fair-skinned face"],
)  # fmt: skip
def test_words_of_age_race_and_gender_are_found(text: str) -> None:
    assert demographics(text)


@pytest.mark.parametrize(
    "text", ["a white wall, dark background", "the same person", "brown wood", "the old house", "human",
             "the whites of the eyes"],
)  # fmt: skip
def test_colours_and_old_things_say_nothing_of_anyone(text: str) -> None:
    assert demographics(text) == []
