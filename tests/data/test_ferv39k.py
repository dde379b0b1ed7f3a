from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mimica.data import ferv39k
from mimica.data.clipset import items, space_of
from mimica.data.ferv39k import read_ferv39k
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from tiny_sets import draw_ferv39k, replace, write


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw_ferv39k(tmp_path / "FERV39k")


def told(root: Path) -> list[tuple[str, str, str, str]]:
    place = root / "2_ClipsforFaceCrop"
    return [
        (item.path.relative_to(place).as_posix(), EXPRESSIONS.names[item.label], item.part, item.group)
        for item in items(f"ferv39k:{root}")
    ]


def test_the_published_counts_are_those_of_the_paper() -> None:
    train, test = ferv39k.COUNTS.clips[None, "train"], ferv39k.COUNTS.clips[None, "test"]
    assert (sum(train), sum(test), sum(train + test)) == (31088, 7847, 38935)
    assert dict(zip(EXPRESSIONS.names, train, strict=True))["neutral"] == 7790
    assert len(ferv39k.COUNTS.groups) == 22
    assert sum(ferv39k.COUNTS.groups.values()) == 31088


def test_a_line_is_a_clip_whose_group_is_its_scene(tree: Path) -> None:
    found = told(tree)
    assert ("War/Angry/0001", "anger", "train", "War") in found
    assert ("Action/Fear/1000", "fear", "test", "Action") in found
    assert len(found) == 42
    assert space_of(f"ferv39k:{tree}") is EXPRESSIONS


def test_labels_by_scene_say_the_same(tree: Path, tmp_path: Path) -> None:
    assert told(draw_ferv39k(tmp_path / "other", by_scene=True)) == told(tree)


def test_the_scene_view_lies_in_its_own_folder(tree: Path) -> None:
    first = items(f"ferv39k:{tree}")[0]
    assert first.scene == tree / "3_ClipsforScenImages" / first.path.relative_to(tree / "2_ClipsforFaceCrop")
    shutil.rmtree(tree / "3_ClipsforScenImages")
    assert items(f"ferv39k:{tree}")[0].scene is None


def test_a_folder_that_was_unpacked_into_one_of_its_name_is_found(tree: Path) -> None:
    before = [name for name, *_ in told(tree)]
    for view in ("2_ClipsforFaceCrop", "3_ClipsforScenImages"):
        (tree / view).rename(tree / "inner")
        (tree / view).mkdir()
        (tree / "inner").rename(tree / view / view)
    found = items(f"ferv39k:{tree}")
    assert [item.path.relative_to(tree / "2_ClipsforFaceCrop" / "2_ClipsforFaceCrop").as_posix() for item in found] == (
        before
    )
    assert found[0].scene
    assert found[0].scene.exists()


def test_both_sets_of_labels_are_compared(tree: Path) -> None:
    assert read_ferv39k(tree).others == []
    draw_ferv39k(tree, by_scene=True)
    assert [(other.path.name, other.part) for other in read_ferv39k(tree).others] == [
        ("22_scenes", "train"), ("22_scenes", "test")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("Action/Happy Happy", "line 1: 'Action/Happy Happy' is not of the form Scene/Emotion/0001 Emotion"),
        ("Action/Happy/0000", "line 1: 'Action/Happy/0000' is not of the form"),
        ("Action/Happy/0000 Hapy", "line 1: unknown label 'Hapy'"),
        ("Action/Happy/0000 Sad", "the clip Action/Happy/0000 is labelled Sad, but its folder says Happy"),
        ("Action/Happy/0007 Happy", "there is no clip .*2_ClipsforFaceCrop/Action/Happy/0007"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tree: Path, new: str, said: str) -> None:
    replace(tree / "4_setups" / "All_scenes" / "train_All.csv", "Action/Happy/0000 Happy", new)
    with pytest.raises(InputError, match=rf"train_All\.csv, line 1.*{said.removeprefix('line 1: ')}"):
        items(f"ferv39k:{tree}")


def test_a_folder_that_holds_no_faces_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no faces of FERV39k: there is no clip in .*2_ClipsforFaceCrop, such"):
        items(f"ferv39k:{tmp_path}")


def test_labels_that_are_not_there_are_named(tree: Path) -> None:
    shutil.rmtree(tree / "4_setups")
    with pytest.raises(InputError, match=r"train is not there: no label file .*All_scenes/train_All\.csv"):
        items(f"ferv39k:{tree}")
    write(tree / "All_scenes" / "train_All.csv", "\n")
    with pytest.raises(InputError, match=r"All_scenes/train_All\.csv labels no clip"):
        items(f"ferv39k:{tree}")
