from __future__ import annotations

from pathlib import Path

import pytest

from mimica.errors import InputError, UsageError
from mimica.reading.agreement.coding import Coding, Recording, Stretch
from mimica.reading.agreement.pairs import Pair, pairs


def stretch(start: float = 0.0, end: float = 1.0) -> Stretch:
    return Stretch(start=start, end=end, word="fear")


def recording(source: str, *people: str, file: str = "coder.eaf", **more: object) -> Recording:
    return Recording(file=Path(file), source=source, people={name: (stretch(),) for name in people}, **more)


def human(*recordings: Recording) -> Coding:
    return Coding(path=Path("human"), kind="annotation", recordings=recordings)


def read(*recordings: Recording) -> Coding:
    return Coding(path=Path("readings"), kind="readings", recordings=recordings, labels=("fear", "joy"))


def who(one: Coding, other: Coding, **flags: object) -> dict[str, int]:
    """By person how many stretches of the other are theirs."""
    found, _ = pairs(one, other, **flags)
    return {pair.person: len(pair.other) for pair in found}


def test_tiers_are_persons_by_the_names_that_our_own_documents_give_them() -> None:
    one = human(recording("v.mp4", "person 0", "person 12", "no face", "speech"))
    found, notes = pairs(one, read(recording("v.mp4", "0", "12", "3")))
    assert [pair.person for pair in found] == ["person 0", "person 12"]
    assert notes == [
        "v.mp4: not compared, of coder.eaf: speech (1.0 s)",
        "v.mp4: not compared, of coder.eaf: 3 (1.0 s)",
    ]


def test_persons_of_a_table_are_persons_by_number() -> None:
    assert who(human(recording("v.mp4", "0", "1")), read(recording("v.mp4", "0", "1", "2"))) == {"0": 1, "1": 1}


def test_coders_speak_of_the_same_person_where_they_name_the_tier_alike() -> None:
    assert who(human(recording("v", "mother", "child")), human(recording("v", "child", "mother", "x"))) == {
        "mother": 1, "child": 1,
    }  # fmt: skip


def test_the_only_tier_is_the_only_person_and_takes_their_name_if_it_has_none() -> None:
    assert who(human(recording("v", "mother")), read(recording("v", "7"))) == {"mother": 1}
    assert who(human(recording("v", "")), read(recording("v", "7"))) == {"7": 1}


def test_a_tier_is_chosen_among_several() -> None:
    one = human(recording("v", "mother", "child", "0"))
    assert who(one, read(recording("v", "3")), tier="child") == {"child": 1}
    assert pairs(one, read(recording("v", "3")), tier="child")[1] == []
    with pytest.raises(UsageError, match="unknown tier 'chid'; did you mean 'child'"):
        pairs(one, read(recording("v", "3")), tier="chid")


def test_where_it_is_unclear_who_is_who_all_are_listed_with_their_time() -> None:
    two = Recording(file=Path("r.csv"), source="v", people={
        "0": (stretch(0, 2), stretch(1, 3)), "1": (stretch(),)})  # fmt: skip
    with pytest.raises(UsageError) as error:
        pairs(human(recording("v", "mother", "child")), read(two))
    assert str(error.value) == (
        "coder.eaf has the tiers mother (1.0 s), child (1.0 s), r.csv has the persons 0 (3.0 s), 1 (1.0 s); "
        "say who is who, such as --person 0=mother, or choose one with --tier"
    )


def test_persons_are_told_and_one_human_may_be_several_persons() -> None:
    one, other = human(recording("v", "mother", "child")), read(recording("v", "0", "1", "4"))
    assert who(one, other, person=("0=mother", "4=mother", "1=child")) == {"mother": 2, "child": 1}
    assert who(one, other, person=("1=child",)) == {"child": 1}
    assert who(one, other, person=("1",), tier="child") == {"child": 1}
    assert who(human(recording("v", "")), other, person=("4",)) == {"4": 1}


@pytest.mark.parametrize(
    ("person", "told"),
    [
        (("9=mother",), "unknown person in --person '9'"),
        (("0=father",), "unknown tier in --person 'father'"),
        (("0=mother", "0=child"), "--person 0=mother 0=child says twice who one of them is"),
        (("0",), "say which of them is 0 with --person 0=NAME"),
    ],
)
def test_persons_and_tiers_that_are_not_there_are_refused(person: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        pairs(human(recording("v", "mother", "child")), read(recording("v", "0", "1")), person=person)


def test_two_coders_in_one_document_are_told_by_their_tiers() -> None:
    both = human(recording("v", "mother@A", "mother@B", "speech"))
    assert who(both, both, person=("mother@B=mother@A",)) == {"mother@A": 1}


def test_recordings_go_together_by_path_then_file_name_then_stem() -> None:
    one = human(
        recording("a/x.mp4", "0"), recording("file:///D:/films/y.mov", "0"), recording("", "0", also=("z",)),
        recording("gone.mp4", "0"),
    )  # fmt: skip
    other = read(
        recording("b/x.mp4", "0"), recording("a/x.mp4", "0"), recording("c/Y.MOV", "0"), recording("z.avi", "0"),
        recording("late.mp4", "0"),
    )  # fmt: skip
    found, notes = pairs(one, other)
    assert [pair.source for pair in found] == ["a/x.mp4", "c/Y.MOV", "z.avi"]
    assert notes == ["only in human: gone.mp4", "only in readings: b/x.mp4, late.mp4"]


def test_two_recordings_alone_go_together_and_it_is_said_that_their_names_differ() -> None:
    found, notes = pairs(human(recording("old.mp4", "0")), read(recording("new.mp4", "0", file="r.csv")))
    assert [pair.source for pair in found] == ["new.mp4"]
    assert notes == ["coder.eaf is of old.mp4, r.csv of new.mp4: they are taken as one source"]
    assert pairs(human(recording("", "0", also=("notes",))), read(recording("new.mp4", "0")))[1] == []


def test_recordings_that_cannot_be_told_apart_or_are_of_other_files_are_refused() -> None:
    twice = read(recording("a/x.mp4", "0"), recording("b/x.mp4", "0"))
    with pytest.raises(InputError, match=r"may be a/x.mp4 in .* and b/x.mp4"):
        pairs(human(recording("x.mp4", "0")), twice)
    with pytest.raises(InputError, match=r"a/x.mp4 is annotated twice in human"):
        pairs(human(recording("a/x.mp4", "0"), recording("a/x.mp4", "0")), twice)
    with pytest.raises(InputError, match=r"human is of y, z, readings of a/x.mp4, b/x.mp4"):
        pairs(human(recording("y", "0"), recording("z", "0")), twice)


def only(found: list[Pair]) -> Pair:
    (pair,) = found
    return pair


def test_the_offset_is_that_of_the_media_file_that_was_read() -> None:
    one = human(recording("side.mp4", "0", also=("front.mp4", "coder"), offsets={"side.mp4": 2.0, "front.mp4": -0.5}))
    assert only(pairs(one, read(recording("films/front.mp4", "0")))[0]).one[0].start == -0.5
    assert only(pairs(one, read(recording("films/side.mp4", "0")))[0]).one[0].end == 3.0
    assert only(pairs(one, read(recording("other.mp4", "0")))[0]).one[0].start == 2.0


def test_time_without_a_face_is_told() -> None:
    assert pairs(human(recording("v", "0")), read(recording("v", "0", unseen=2.25)))[1] == [
        "v: no face was seen for 2.2 s"
    ]
