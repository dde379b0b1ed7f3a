from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimica.data.clipset import items, load, order_of, parse, published, space_of
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS, MAFW, ORDERS, LabelSpace
from tiny_sets import frames, write

BY_FOLDER = {"Happy": 0, "Angry": 3, "Fear": 6}
"""Numbers in the order of DFEW."""
ALPHABETICAL = {"Happy": 3, "Angry": 0, "Fear": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Clips in folders that are named after their classes, and some that are not."""
    for word in BY_FOLDER:
        frames(tmp_path / "War" / word / "0001", 2)
    for number in (1, 2):
        frames(tmp_path / "faces" / f"0000{number}", 2)
    return tmp_path


def by_folder(folder: Path, numbers: dict[str, int]) -> Path:
    return write(folder / "clips.txt", "".join(f"War/{word}/0001 2 {n}\n" for word, n in numbers.items()))


def told(spec: str) -> list[tuple[str, str]]:
    space = space_of(spec)
    return [(item.path.parent.name, space.names[item.label]) for item in items(spec)]


def test_labels_may_be_words(folder: Path) -> None:
    file = write(folder / "clips.txt", "faces/00001 2 Happy\n\nfaces/00002 2 fear\n")
    assert told(f"list:{file}") == [("faces", "happiness"), ("faces", "fear")]
    assert {item.part for item in items(f"list:{file}")} == {""}


def test_a_path_may_hold_spaces_and_be_absolute(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    clip = frames(tmp_path_factory.mktemp("my clips") / "a b" / "0001")
    file = write(folder / "clips.txt", f"{clip} 1 sad\n")
    assert [item.path for item in items(f"list:{file}")] == [clip]


@pytest.mark.parametrize(("order", "numbers"), [("dfew", BY_FOLDER), ("alphabetical", ALPHABETICAL)])
def test_numbers_are_read_in_the_order_that_is_named(folder: Path, order: str, numbers: dict[str, int]) -> None:
    file = by_folder(folder, numbers)
    expected = [("Angry", "anger"), ("Fear", "fear"), ("Happy", "happiness")]
    assert told(f"list:{order}:{file}") == expected


@pytest.mark.parametrize(
    ("order", "label", "name"),
    [
        ("dfew", 3, "anger"), ("alphabetical", 3, "happiness"), ("mafw", 10, "disappointment"),
        ("mafw", 3, "happiness"), ("mafw-happiness-first", 3, "anger"), ("mafw-happiness-first", 7, "contempt"),
    ],
)  # fmt: skip
def test_an_order_says_which_class_a_number_is(folder: Path, order: str, label: int, name: str) -> None:
    file = write(folder / "clips.txt", f"faces/00001 2 {label}\n")
    assert told(f"list:{order}:{file}") == [("faces", name)]
    assert space_of(f"list:{order}:{file}") is (MAFW if "mafw" in order else EXPRESSIONS)


def test_bare_numbers_are_refused_and_the_orders_listed(folder: Path) -> None:
    file = write(folder / "clips.txt", "faces/00001 2 3\n")
    with pytest.raises(UsageError, match="say in which order: list:ORDER:") as told:
        items(f"list:{file}")
    assert all(f"{order} ({', '.join(names)})" in str(told.value) for order, names in ORDERS.items())
    assert "going by" not in str(told.value)


@pytest.mark.parametrize(("order", "numbers"), [("dfew", BY_FOLDER), ("alphabetical", ALPHABETICAL)])
def test_folders_of_classes_say_which_order_bare_numbers_are_in(
    folder: Path, order: str, numbers: dict[str, int]
) -> None:
    file = by_folder(folder, numbers)
    with pytest.raises(UsageError, match=rf"list:{order}:{file}; going by the folders of its clips it is {order}\."):
        items(f"list:{file}")


@pytest.mark.parametrize(
    ("order", "numbers", "said"),
    [
        ("dfew", ALPHABETICAL, "line 1: label 3 is anger in the order dfew, but the clip lies in the folder Happy; "),
        ("alphabetical", BY_FOLDER, "line 1: label 0 is anger in the order alphabetical, but the clip lies in the fo"),
    ],
)
def test_an_order_that_the_folders_contradict_is_refused_with_the_one_that_fits(
    folder: Path, order: str, numbers: dict[str, int], said: str
) -> None:
    file = by_folder(folder, numbers)
    write(file, 2 * file.read_text())
    other = {"dfew": "alphabetical", "alphabetical": "dfew"}[order]
    with pytest.raises(UsageError, match=rf"{said}.*the order that fits is {other}: list:{other}:{file}$"):
        items(f"list:{order}:{file}")


def test_one_wrong_label_among_many_does_not_speak_against_the_order(folder: Path) -> None:
    file = by_folder(folder, BY_FOLDER | {"Fear": 1})
    assert len(published(f"list:dfew:{file}").files[0].rows()) == 3
    with pytest.raises(
        InputError, match="line 3: the clip War/Fear/0001 is labelled sadness, but its folder says Fear"
    ):
        items(f"list:dfew:{file}")


def test_classes_of_ones_own_beside_a_list_are_an_order_as_well(folder: Path) -> None:
    own = {"names": ["tense", "calm"], "descriptions": ["a face drawn tight", "a face at rest"]}
    write(folder / "label_space.json", json.dumps(own))
    file = write(folder / "clips.txt", "faces/00001 2 1\nfaces/00002 2 tense\n")
    assert told(f"list:{file}") == [("faces", "calm"), ("faces", "tense")]
    write(folder / "clips.txt", "faces/00001 2 2\n")
    with pytest.raises(InputError, match=r"line 1: label_space\.json has no class 2; from 0 they are tense, calm"):
        items(f"list:{file}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faces/00001 happy\n", r"line 1: 'faces/00001 happy' is not of the form: path frames label"),
        ("faces/00001 2 sad\nfaces/00002 many sad\n", "line 2: 'faces/00002 many sad' is not of the form"),
        ("faces/00001 2 hapy\n", "line 1: unknown label 'hapy'"),
        ("faces/00001 2 sad\nfaces/00003 2 sad\n", "line 2: there is no clip .*faces/00003; mimica data check lists"),
        ("faces/00003 2 sad\n", "none of its 1 clips is there, the first would be .*faces/00003; paths are absolute"),
        ("faces/00001 2 sad\nfaces/00001 2 sad\n", "line 2: the clip faces/00001 is there twice"),
        ("\n", "labels no clip"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(folder: Path, text: str, said: str) -> None:
    file = write(folder / "clips.txt", text)
    with pytest.raises(InputError, match=rf"clips\.txt.*{said}"):
        items(f"list:{file}")


def test_a_number_without_a_class_is_refused(folder: Path) -> None:
    file = write(folder / "clips.txt", "faces/00001 2 7\n")
    with pytest.raises(InputError, match=r"line 1: the order dfew has no class 7; from 0 they are happiness, .*, fear"):
        items(f"list:dfew:{file}")


def test_an_order_that_is_none_is_told_from_a_path_with_a_colon(folder: Path) -> None:
    with pytest.raises(UsageError, match="unknown order of classes 'dfwe'; did you mean 'dfew'"):
        parse("list:dfwe:clips.txt")
    file = write(folder / "a:b.txt", "faces/00001 2 sad\n")
    assert (parse(f"list:{file}"), order_of(f"list:{file}")) == (("list", file), None)
    assert parse(f"list:dfew:{file}") == ("list", file)
    assert order_of(f"table:dfew:{file}") is None


def test_the_clips_of_a_list_are_one_part_that_is_loaded_whole(folder: Path) -> None:
    file = by_folder(folder, BY_FOLDER)
    assert len(load(f"list:dfew:{file}", size=8)) == 3
    with pytest.raises(UsageError, match="has one split and no folds; leave out --fold"):
        items(f"list:dfew:{file}", fold=1)


def test_a_long_list_is_held_to_its_order_as_fast_as_a_short_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    known = LabelSpace.__contains__
    monkeypatch.setattr(LabelSpace, "__contains__", lambda space, word: asked.append(word) or known(space, word))
    times = []
    for length in (2, 200):
        file = write(folder / "clips.txt", "".join(f"{'./' * i}faces/00001 2 3\n" for i in range(length)))
        items(f"list:dfew:{file}")
        times.append(len(asked))
        asked.clear()
    assert 0 < times[0] == times[1]
