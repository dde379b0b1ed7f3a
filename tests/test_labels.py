from __future__ import annotations

import json

import pytest

from mimica.errors import UsageError
from mimica.labels import EXPRESSIONS, MAFW, ORDERS, LabelSpace, ordered

DFEW = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
FER2013 = {"angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "sad": "sadness",
           "surprise": "surprise", "neutral": "neutral"}  # fmt: skip
FERV39K = {"Happy": "happiness", "Sad": "sadness", "Neutral": "neutral", "Angry": "anger", "Surprise": "surprise",
           "Disgust": "disgust", "Fear": "fear"}  # fmt: skip


def pair(**changes: object) -> LabelSpace:
    settings = {"name": "pair", "names": ("up", "down"), "descriptions": (("it rises",), ("it sinks",))}
    return LabelSpace(**(settings | changes))  # type: ignore[arg-type]


def test_the_seven_classes_stand_in_the_order_of_dfew() -> None:
    assert EXPRESSIONS.names == DFEW
    assert len(EXPRESSIONS) == 7


@pytest.mark.parametrize("words", [FER2013, FERV39K, {name[:3].upper(): name for name in DFEW}])
def test_the_words_of_public_data_sets_lead_to_the_same_classes(words: dict[str, str]) -> None:
    assert {word: EXPRESSIONS.names[EXPRESSIONS.index(word)] for word in words} == words


both = pytest.mark.parametrize("space", [EXPRESSIONS, MAFW], ids=["expressions", "mafw"])


@both
def test_every_alias_and_every_name_has_a_class(space: LabelSpace) -> None:
    for word in (*space.names, *space.aliases):
        assert space.names[space.index(f" {word.title()}\n")] == space.aliases.get(word, word)


@both
def test_polarity_and_descriptions_are_given_for_every_class(space: LabelSpace) -> None:
    assert dict(zip(space.names, space.polarity, strict=True))["happiness"] == 1
    assert set(space.polarity) == {-1, 0, 1}
    assert all(text == text.strip() and len(text) > 20 for texts in space.descriptions for text in texts)


@both
def test_the_first_description_of_a_class_begins_with_its_name(space: LabelSpace) -> None:
    for name, described in zip(space.names, space.descriptions, strict=True):
        assert described[0].startswith(f"{name}: ")


@both
def test_no_description_belongs_to_two_classes(space: LabelSpace) -> None:
    texts = [text for described in space.descriptions for text in described]
    assert len(set(texts)) == len(texts)


def test_the_eleven_classes_of_mafw_hold_the_seven_with_all_that_is_said_of_them() -> None:
    assert MAFW.names == (
        "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety",
        "helplessness", "disappointment",
    )  # fmt: skip
    for name, described, polarity in zip(
        EXPRESSIONS.names, EXPRESSIONS.descriptions, EXPRESSIONS.polarity, strict=True
    ):
        place = MAFW.index(name)
        assert (MAFW.descriptions[place], MAFW.polarity[place]) == (described, polarity)


def test_the_two_orders_of_seven_classes_differ_and_are_of_one_space() -> None:
    assert ORDERS["dfew"] == DFEW
    assert ORDERS["alphabetical"] == ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    assert [ORDERS[order][3] for order in ORDERS] == ["anger", "happiness", "happiness", "anger"]
    assert [ordered(order).name for order in ORDERS] == ["expressions", "expressions", "mafw", "mafw"]
    assert all(sorted(ORDERS[order]) == sorted(ordered(order).names) for order in ORDERS)
    with pytest.raises(UsageError, match="unknown order of classes 'abc'"):
        ordered("abc")


def test_a_word_for_no_class_is_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown label 'hapiness'; did you mean 'happiness'"):
        EXPRESSIONS.index("hapiness")


def test_names_in_capitals_are_found_in_any_case() -> None:
    space = pair(names=("Up", "DOWN"), aliases={"Rising": "Up"})
    assert [space.index(word) for word in ("up", "UP", "down", "rising")] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"names": ("up", "up")}, "two or more distinct class names"),
        ({"names": ("up",), "descriptions": (("it rises",),)}, "two or more distinct class names"),
        ({"descriptions": (("it rises",),)}, "at least one description"),
        ({"descriptions": (("it rises",), ())}, "at least one description"),
        ({"polarity": (1,)}, "1 polarities for"),
        ({"aliases": {"rise": "upp"}}, "unknown label 'upp'; did you mean 'up'"),
    ],
)
def test_a_label_space_that_does_not_fit_itself_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        pair(**changes)


@pytest.mark.parametrize(
    "space",
    [
        EXPRESSIONS,
        MAFW,
        pair(),
        pair(polarity=(1, -1), aliases={"rise": "up"}, descriptions=(("it rises", "it grows"), ("it sinks",))),
        LabelSpace(name="bare", names=DFEW, descriptions=EXPRESSIONS.descriptions),
    ],
    ids=["expressions", "mafw", "plain", "rich", "without aliases"],
)
def test_a_label_space_is_the_same_after_it_was_json(space: LabelSpace) -> None:
    assert LabelSpace.from_facts(json.loads(json.dumps(space.facts()))) == space


def test_who_states_the_seven_expressions_need_not_state_their_other_words() -> None:
    assert "aliases" not in EXPRESSIONS.facts()
    assert LabelSpace.from_facts({"names": DFEW, "descriptions": EXPRESSIONS.descriptions}).index("happy") == 0


def test_one_sentence_may_stand_for_a_list_of_one() -> None:
    stated = {"name": "pair", "names": ["up", "down"], "descriptions": ["it rises", ["it sinks"]]}
    assert LabelSpace.from_facts(stated) == pair()


@pytest.mark.parametrize(
    "stated",
    [
        [],
        "updown",
        {"descriptions": ["it rises", "it sinks"]},
        {"names": ["up", "down"]},
        {"names": "up", "descriptions": ["it rises", "it sinks"]},
        {"names": ["up", 1], "descriptions": ["it rises", "it sinks"]},
        {"names": ["up", " "], "descriptions": ["it rises", "it sinks"]},
        {"names": ["up", "down"], "descriptions": "it rises"},
        {"names": ["up", "down"], "descriptions": ["it rises", 2]},
        {"names": ["up", "down"], "descriptions": ["it rises", [""]]},
        {"names": ["up", "down"], "descriptions": ["it rises", "it sinks"], "polarity": ["bright", "dark"]},
        {"names": ["up", "down"], "descriptions": ["it rises", "it sinks"], "aliases": ["rise"]},
    ],
)
def test_json_that_states_no_label_space_is_told_what_one_looks_like(stated: object) -> None:
    with pytest.raises(UsageError, match="the lists 'names' and 'descriptions', a sentence or a list of sentences"):
        LabelSpace.from_facts(stated)  # type: ignore[arg-type]


def test_json_that_states_a_label_space_that_does_not_fit_itself_says_why() -> None:
    with pytest.raises(UsageError, match="at least one description for each"):
        LabelSpace.from_facts({"names": ["up", "down"], "descriptions": ["it rises"]})


def test_some_of_the_classes_stay_what_they_are_in_the_order_that_is_asked_for() -> None:
    some = EXPRESSIONS.only(["fear", "happy"])
    assert some.names == ("fear", "happiness")
    assert some.descriptions == (EXPRESSIONS.descriptions[6], EXPRESSIONS.descriptions[0])
    assert some.polarity == (-1, 1)
    assert (some.index("afraid"), some.index("joy")) == (0, 1)
    assert EXPRESSIONS.only(EXPRESSIONS.names) == EXPRESSIONS
    with pytest.raises(UsageError, match="unknown label 'bored'"):
        EXPRESSIONS.only(["fear", "bored"])


def test_classes_can_be_given_in_words_with_or_without_a_description() -> None:
    space = LabelSpace.of_words(["happiness = a smile = joy", "boredom"])
    assert space.names == ("happiness", "boredom")
    assert space.descriptions == (("a smile = joy",), ("a face that shows boredom",))
    assert space.index("happy") == 0
    with pytest.raises(UsageError, match="two or more distinct"):
        LabelSpace.of_words(["fear=a", "Fear=b"])
