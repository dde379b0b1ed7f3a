from __future__ import annotations

import numpy as np
import pytest

from mimica.errors import UsageError
from mimica.facs import (
    ANTAGONISTS,
    COMPOUNDS,
    CORES,
    EVERY_UNIT,
    LETTERS,
    PRIOR_CORES,
    PROTOTYPES,
    SOURCES,
    UNITS,
    caption,
    curve,
    letter,
    of_blendshape,
    prototypes,
)
from mimica.facs.units import known_unit
from mimica.labels import EXPRESSIONS


def test_every_class_of_expression_has_a_core() -> None:
    assert set(CORES) == set(EXPRESSIONS.names)


def test_cores_consist_of_known_units_in_order_and_no_two_are_alike() -> None:
    assert all(unit in UNITS for core in CORES.values() for unit in core)
    assert all(core == tuple(sorted(set(core))) for core in CORES.values())
    assert len(set(CORES.values())) == len(CORES)


def test_units_are_kept_by_their_own_number_and_have_their_own_words() -> None:
    assert all(number == unit.number for number, unit in UNITS.items())
    assert len({unit.name for unit in UNITS.values()}) == len({unit.look for unit in UNITS.values()}) == len(UNITS)


@pytest.mark.parametrize(
    ("units", "names", "sentence"),
    [
        ((), False, "a face at rest, no part of it moved"),
        ((12,), False, "a face on which the corners of the lips are pulled up"),
        ((6, 12), True, "a face with cheek raiser and lip corner puller"),
        ((1, 4, 15), True, "a face with inner brow raiser, brow lowerer and lip corner depressor"),
    ],
)
def test_a_caption_is_a_sentence(units: tuple[int, ...], names: bool, sentence: str) -> None:
    assert caption(units, names=names) == sentence


def test_the_tables_of_facts_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        CORES["joy"] = (12,)  # type: ignore[index]


def test_a_curve_sets_in_stays_and_goes() -> None:
    time = np.linspace(0, 1, 101)
    value = curve(time, onset=0.1, apex=0.3, release=0.6, offset=0.9)
    assert (value[(time <= 0.1) | (time >= 0.9)] == 0).all()
    assert (value[(time >= 0.3) & (time <= 0.6)] == 1).all()
    assert (np.diff(value[10:31]) > 0).all()
    assert (np.diff(value[60:91]) < 0).all()


def test_curves_of_many_units_are_made_at_once() -> None:
    onsets = np.array([0.0, 0.2])
    both = curve(np.linspace(0, 1, 5)[:, None], onset=onsets, apex=onsets + 0.3, release=0.7, offset=0.9)
    alone = curve(np.linspace(0, 1, 5), onset=0.2, apex=0.5, release=0.7, offset=0.9)
    assert both.shape == (5, 2)
    assert both[:, 1].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("onset", "apex", "release", "offset"), [(0.5, 0.5, 0.6, 0.7), (0, 0.5, 0.4, 0.7), (0, 0.1, 0.5, 0.5)]
)
def test_times_out_of_order_are_no_curve(onset: float, apex: float, release: float, offset: float) -> None:
    with pytest.raises(UsageError, match="onset < apex <= release < offset"):
        curve(np.zeros(2), onset=onset, apex=apex, release=release, offset=offset)


def test_the_units_that_are_drawn_and_their_order_stay_as_models_have_learned_them() -> None:
    assert tuple(UNITS) == (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 16, 17, 20, 23, 24, 25, 26)
    assert CORES["disgust"] == (9, 15, 16)
    assert CORES["fear"] == (1, 2, 4, 5, 7, 20, 26)
    assert {"disgust": CORES["disgust"], "fear": CORES["fear"]}.items() <= {
        one.label: one.core for one in PROTOTYPES if one.source == "emfacs"
    }.items()


def test_every_unit_has_its_own_number_name_and_look_and_those_drawn_are_among_them() -> None:
    assert list(EVERY_UNIT) == sorted(EVERY_UNIT)
    assert all(EVERY_UNIT[number] is unit for number, unit in UNITS.items())
    for what in ("name", "look"):
        assert len({getattr(unit, what) for unit in EVERY_UNIT.values()}) == len(EVERY_UNIT) >= 46
    assert all(unit.muscle and unit.arkit for unit in UNITS.values())


def test_the_units_that_sources_and_blendshapes_speak_of_are_known() -> None:
    for one in PROTOTYPES + COMPOUNDS:
        assert {*one.core, *one.optional, *one.letters, *one.one_side} <= set(EVERY_UNIT)
        assert not {*one.core} & {*one.optional}
        assert set(one.letters.values()) <= set(LETTERS)
        assert one.source in SOURCES


def test_of_du_a_core_is_what_more_than_seven_in_ten_show_and_what_is_optional_fewer() -> None:
    assert all(0.2 <= share <= 0.7 for one in COMPOUNDS + PROTOTYPES for share in one.optional.values())
    assert prototypes("sadness")[-1].optional == {1: 0.60, 6: 0.50, 11: 0.26, 17: 0.67}


def test_sources_do_not_agree_and_all_are_kept() -> None:
    assert [one.source for one in prototypes("disgust")] == ["emfacs", "facs-11-1", "du2014"]
    assert len({one.core for one in prototypes("disgust")}) == 3
    assert prototypes("boredom") == ()


def test_our_choice_of_a_core_is_of_units_that_a_source_names() -> None:
    for label, core in PRIOR_CORES.items():
        named = {unit for one in prototypes(label) for unit in (*one.core, *one.optional)}
        assert set(core) <= named


@pytest.mark.parametrize(
    ("shape", "units"),
    [("mouthSmileLeft", (12,)), ("eyeBlinkRight", (43, 45)), ("jawOpen", (25, 26, 27)), ("browInnerUp", (1,)),
     ("mouthPressLeft", (23, 24)), ("mouthRollUpper", (28,)), ("cheekSquintRight", (6,)), ("_neutral", ())],
)  # fmt: skip
def test_blendshapes_lead_to_units(shape: str, units: tuple[int, ...]) -> None:
    assert of_blendshape(shape) == units


def test_letters_grow_and_every_letter_is_that_of_its_own_strength() -> None:
    assert list(LETTERS.values()) == sorted(LETTERS.values())
    assert all(letter(strength) == name for name, strength in LETTERS.items())
    assert letter(0.04) == ""


def test_antagonists_clash_above_their_strength_and_not_in_classes_that_show_both() -> None:
    smile_and_frown, pressed_and_open, brows, _ = ANTAGONISTS
    assert smile_and_frown.clash({12: 0.5, 15: 0.5})
    assert not smile_and_frown.clash({12: 0.5, 15: 0.4})
    assert pressed_and_open.clash({24: 0.1, 26: 0.1})
    assert not pressed_and_open.clash({24: 0.1, 23: 0.1})
    assert brows.clash({1: 0.6, 2: 0.6, 4: 0.6}, "surprise")
    assert not brows.clash({1: 0.6, 4: 0.6}, "surprise")
    assert not brows.clash({1: 0.6, 2: 0.6, 4: 0.6}, "fear")


def test_a_unit_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no Action Unit 3 here"):
        known_unit(3)
    with pytest.raises(UsageError, match="choose from 1, 2, 4"):
        caption((3,))
