from __future__ import annotations

import re
from pathlib import Path

import pytest

from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.reading.agreement.words import classes, meanings, space_of

OWN = LabelSpace.from_facts({"names": ["calm", "tense"], "descriptions": ["a", "b"]})


def test_words_are_classes_by_name_or_alias_in_any_case() -> None:
    found = classes(["Happy", "SAD ", "fear"], EXPRESSIONS, {}, "x")
    assert found == {"Happy": 0, "SAD ": 1, "fear": 6}


def test_a_meaning_goes_before_a_name_and_no_meaning_leaves_out() -> None:
    meant = meanings(["Lächeln=happiness", "calm=", " Grin = Joy "])
    assert classes(["lächeln", "calm", "GRIN", "neutral"], EXPRESSIONS, meant, "x") == {
        "lächeln": 0, "GRIN": 0, "neutral": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["word,label\nsmile,happiness\n?,\n", "smile;happiness\n?;\n", "\ufeffsmile\thappiness\n?\t"]
)
def test_meanings_may_stand_in_a_file_of_two_columns(tmp_path: Path, text: str) -> None:
    path = tmp_path / "words.csv"
    path.write_text(text, encoding="utf-8")
    assert meanings([str(path), "frown=anger"]) == {"smile": "happiness", "?": "", "frown": "anger"}


def test_what_is_no_meaning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="smile is neither"):
        meanings(["smile"])
    (tmp_path / "words.csv").write_text("a,b\nsmile,happiness,joy\n")
    with pytest.raises(InputError, match=r"words\.csv, row 2: it has 3 columns"):
        meanings([str(tmp_path / "words.csv")])
    with pytest.raises(UsageError, match="'happines'; did you mean 'happiness'"):
        classes([], EXPRESSIONS, {"smile": "happines"}, "x")


def test_empty_words_and_the_statuses_of_readings_come_to_nothing() -> None:
    assert classes(["", "  ", "unsure", "no_face", "low_quality"], EXPRESSIONS, {}, "x") == {}
    own = LabelSpace.from_facts({"names": ["unsure", "sure"], "descriptions": ["a", "b"]})
    assert classes(["unsure"], own, {}, "x") == {"unsure": 0}


def test_words_without_a_class_are_listed_with_how_often_and_what_is_nearest() -> None:
    with pytest.raises(InputError) as error:
        classes(["fears", "off camera", "fears", "joy"], EXPRESSIONS, {}, "coder.eaf, mother")
    told = str(error.value)
    assert told.startswith(
        "coder.eaf, mother: no class is called 'fears' (2 times, nearest is fear), 'off camera' (1 times)"
    )
    assert "--labels fears=fear 'off camera=CLASS', or fears= to leave" in told
    assert "\n" not in told


def test_other_words_for_an_expression_are_near_in_any_space_that_has_it() -> None:
    space = LabelSpace.from_facts({"names": ["happiness", "boredom"], "descriptions": ["a", "b"]})
    with pytest.raises(InputError, match=r"'joyy' \(1 times, nearest is happiness"):
        classes(["joyy"], space, {}, "x")


def test_of_hundreds_of_words_a_few_are_named() -> None:
    with pytest.raises(InputError, match="and 292 more words") as error:
        classes([f"w{i}" for i in range(300)], EXPRESSIONS, {}, "x")
    assert len(str(error.value)) < 700


def test_coders_are_compared_in_the_classes_of_readings_if_there_are_any() -> None:
    assert space_of(OWN.names, ["joy"], {}).names == ("calm", "tense")
    assert space_of(EXPRESSIONS.names, ["joy"], {}).index("joy") == 0


def test_without_readings_it_is_the_expressions_if_all_words_are_or_the_words_as_they_stand() -> None:
    assert space_of((), ["joy", "Fear", "", "unsure"], {}) is EXPRESSIONS
    assert space_of((), ["joy", "Contempt", "contempt", "happy", "x"], {"x": "joy"}).names == (
        "joy",
        "Contempt",
        "happy",
    )
    with pytest.raises(InputError, match=re.escape("say nothing but AU12; agreement is about two classes or more")):
        space_of((), ["AU12", ""], {})
