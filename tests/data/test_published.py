"""What is taken of a data set on disk, and what is refused, whatever its adapter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mimica.data.clipset import Item, items, load, measured, published
from mimica.data.published import dealt, inside
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS, MAFW
from tiny_sets import SMALL, draw_dfew, draw_ferv39k, draw_mafw, replace


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw_dfew(tmp_path / "DFEW")


def labels(root: Path, part: str, fold: int = 1) -> Path:
    return root / "EmoLabel_DataSplit" / f"{part}(single-labeled)" / f"set_{fold}.csv"


@pytest.mark.parametrize("totals", [(10, 7), (5, 4), (3, 12)])
def test_clips_of_a_class_are_dealt_to_folds_as_evenly_as_can_be(totals: tuple[int, int]) -> None:
    clips = dealt(totals, folds=5).clips
    for place, total in enumerate(totals):
        tests = [clips[fold, "test"][place] for fold in range(1, 6)]
        assert sum(tests) == total
        assert tests == sorted(tests, reverse=True)
        assert max(tests) - min(tests) <= 1
        assert all(clips[fold, "train"][place] == total - tests[fold - 1] for fold in range(1, 6))


def test_a_fold_has_to_be_chosen_among_those_there_are(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="DFEW has folds 1 to 5; choose one with --fold"):
        items(f"dfew:{tree}")
    for fold in (0, 6, -1):
        with pytest.raises(UsageError, match=f"DFEW has folds 1 to 5 and no fold {fold}"):
            items(f"dfew:{tree}", fold=fold)
    ferv = draw_ferv39k(tmp_path / "FERV39k")
    with pytest.raises(UsageError, match="FERV39k has one split and no folds; leave out --fold"):
        items(f"ferv39k:{ferv}", fold=1)


@pytest.mark.parametrize("spec", ["folder:{}", "fer2013:{}", "packed:{}"])
def test_data_without_folds_takes_none(tmp_path: Path, spec: str) -> None:
    with pytest.raises(UsageError, match="has no folds; leave out --fold"):
        load(spec.format(tmp_path), size=8, fold=1)


def test_only_published_data_is_looked_at_as_such(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="is no data set with label files of its own; those are dfew, ferv39k, mafw, l"
    ):
        published(f"folder:{tmp_path}")


def test_the_labels_of_other_folds_need_not_be_there(tree: Path) -> None:
    labels(tree, "train", 4).unlink()
    assert len(items(f"dfew:{tree}", fold=1)) == 51
    with pytest.raises(InputError, match=r"fold 4, train is not there: no label file .*set_4\.csv"):
        items(f"dfew:{tree}", fold=4)


def test_a_clip_in_train_and_in_test_is_refused_and_never_trained_on(tree: Path) -> None:
    labels(tree, "train").write_text(labels(tree, "train").read_text() + "1,1\n")
    with pytest.raises(InputError, match=r"train.*set_1\.csv, line 40: the clip 00001 is in train and in test; mimica"):
        items(f"dfew:{tree}", fold=1)
    left: list[str] = []
    found = published(f"dfew:{tree}").items(fold=1, wrong=left.append)
    assert len(left) == 1
    assert [item.part for item in found if item.path.name == "00001"] == ["test"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\n1,1\n", "\n1,9\n", "line 2: unknown label '9'"),
        ("\n1,1\n", "\n99,1\n", r"line 2: there is no clip .*00099"),
        ("\n1,1\n", "\n1,1\n1,2\n", "line 3: the clip 00001 is there twice"),
    ],
)
def test_what_cannot_be_used_is_left_out_where_it_is_told(tree: Path, old: str, new: str, said: str) -> None:
    replace(labels(tree, "test"), old, new)
    with pytest.raises(InputError, match=said):
        items(f"dfew:{tree}", fold=1)
    left: list[str] = []
    found = published(f"dfew:{tree}").items(fold=1, wrong=left.append)
    assert len(found) == 51 - (0 if "twice" in said else 1)
    assert len(left) == 1


def test_nothing_that_can_be_used_is_a_sentence(tree: Path) -> None:
    data = published(f"dfew:{tree}")
    (tree / "Clip" / "clip_224x224").rename(tree / "gone")
    (tree / "Clip" / "clip_224x224" / "00099").mkdir(parents=True)
    with pytest.raises(InputError, match="DFEW has no clip that can be used; mimica data check says why"):
        published(f"dfew:{tree}").items(fold=1, wrong=lambda why: None)
    assert data.clips


def test_labels_that_cannot_be_read_are_a_sentence(tree: Path) -> None:
    labels(tree, "test").unlink()
    labels(tree, "test").mkdir()
    with pytest.raises(InputError, match=r"cannot read .*set_1\.csv: Is a directory"):
        items(f"dfew:{tree}", fold=1)


def test_a_folder_that_may_not_be_looked_into_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InputError, match=r"cannot look into the folder .*: Permission denied"):
        list(inside(tmp_path))


def test_all_clips_are_had_with_the_folds_that_test_them(tree: Path) -> None:
    found = published(f"dfew:{tree}").tested()
    assert [item.path.name for item, _ in found] == [f"{number:05d}" for number in range(1, 52)]
    for fold in range(1, 6):
        tested = {item.path for item, other in found if other == fold}
        assert tested == {item.path for item in items(f"dfew:{tree}", fold=fold) if item.part == "test"}


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("train", "\n3,1\n", "\n"),
        ("train", "\n3,1\n", "\n3,2\n"),
        ("train", "\n3,1\n", "\n3,1\n1,1\n"),
    ],
    ids=["one less", "labelled differently", "trained on and tested"],
)
def test_folds_that_do_not_make_up_one_whole_are_no_such_list(tree: Path, part: str, old: str, new: str) -> None:
    replace(labels(tree, part), old, new)
    with pytest.raises(InputError, match="fold 1 of DFEW is not all that the other folds test beside what it tests it"):
        published(f"dfew:{tree}").tested()


def test_a_clip_that_two_folds_test_is_in_no_such_list(tree: Path) -> None:
    replace(labels(tree, "test"), "\n1,1\n", "\n1,1\n3,1\n")
    replace(labels(tree, "train"), "\n3,1\n", "\n")
    with pytest.raises(InputError, match="is not all that the other folds test"):
        published(f"dfew:{tree}").tested()


def test_classes_of_another_space_are_found_by_name(tree: Path) -> None:
    eleven = items(f"dfew:{tree}", fold=1, space=MAFW)
    seven = items(f"dfew:{tree}", fold=1)
    assert [MAFW.names[item.label] for item in eleven] == [EXPRESSIONS.names[item.label] for item in seven]


def test_what_is_measured_on_is_the_test_part_of_data_that_has_one(tree: Path, tmp_path: Path) -> None:
    assert len(measured(f"dfew:{tree}", fold=1)) == sum(SMALL.clips[1, "test"])
    assert {item.part for item in measured(f"dfew:{tree}", fold=1, part="train")} == {"train"}
    assert {item.part for item in measured(f"ferv39k:{draw_ferv39k(tmp_path / 'F')}")} == {"test"}
    with pytest.raises(InputError, match="has no clip of the part holdout; it has test, train"):
        measured(f"dfew:{tree}", fold=1, part="holdout")


def test_what_is_measured_on_is_all_of_other_data(tree: Path, tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("path,label,part\nDFEW/one,sad,train\nDFEW/one,sad,test\n")
    assert len(measured(f"table:{table}")) == 2
    assert [item.part for item in measured(f"table:{table}", part="test")] == ["test"]


def test_a_clip_is_an_item_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    root = draw_mafw(tmp_path / "MAFW")
    assert items(f"mafw:{root}", fold=1)[0] == Item(
        path=root / "data" / "faces" / "00001", label=0, part="test", group="",
        scene=root / "data" / "frames" / "00001", caption="The man frowns “so” 1.",
    )  # fmt: skip
