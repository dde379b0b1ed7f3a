from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mimica.data import dfew
from mimica.data.clipset import items, load, load_held, published, space_of
from mimica.data.dfew import read_dfew
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from tiny_sets import SMALL, draw_dfew, frames, replace, write_csv, write_xlsx


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw_dfew(tmp_path / "DFEW")


def told(root: Path, fold: int = 1) -> list[tuple[str, str, str]]:
    return [(item.path.name, EXPRESSIONS.names[item.label], item.part) for item in items(f"dfew:{root}", fold=fold)]


def test_the_published_counts_are_those_of_the_paper() -> None:
    tests = {fold: dfew.COUNTS.clips[fold, "test"] for fold in range(1, 6)}
    assert tests[1] == tests[2] == (489, 379, 534, 435, 294, 29, 181)
    assert tests[3] == (489, 379, 534, 435, 294, 29, 180)
    assert tests[4] == (489, 379, 534, 434, 294, 29, 180)
    assert tests[5] == (489, 378, 533, 434, 293, 29, 180)
    assert [sum(tests[fold]) for fold in tests] == [2341, 2341, 2340, 2339, 2336]
    assert dfew.COUNTS.clips[1, "train"] == (1956, 1515, 2135, 1738, 1175, 116, 721)
    assert sum(map(sum, tests.values())) == 11697


def test_numbers_of_a_csv_lead_to_folders_of_five_digits_and_labels_to_classes(tree: Path) -> None:
    found = told(tree)
    assert found[0] == ("00001", "happiness", "test")
    assert ("00011", "sadness", "test") in found
    assert ("00051", "fear", "train") in found
    assert len(found) == 51
    assert [sum(part == "test" for _, _, part in told(tree, fold)) for fold in (1, 5)] == [
        sum(SMALL.clips[1, "test"]), sum(SMALL.clips[5, "test"])
    ]  # fmt: skip


def test_clips_come_in_the_order_of_their_numbers(tree: Path) -> None:
    names = [name for name, _, _ in told(tree, 3)]
    assert names == sorted(names)


@pytest.mark.parametrize("labels", ["xlsx", "toolkit"])
def test_every_layout_of_labels_says_the_same(tree: Path, tmp_path: Path, labels: str) -> None:
    assert told(draw_dfew(tmp_path / "other", labels=labels), 2) == told(tree, 2)


def test_other_spellings_of_the_folder_of_labels_are_read(tree: Path) -> None:
    before = told(tree)
    folder = tree / "EmoLabel_DataSplit"
    (folder / "train(single-labeled)").rename(folder / "train(single_labeled)")
    (folder / "test(single-labeled)").rename(folder / "test")
    assert told(tree) == before


def test_a_file_without_a_line_of_columns_is_read_by_place(tree: Path) -> None:
    before = told(tree)
    replace(tree / "EmoLabel_DataSplit" / "train(single-labeled)" / "set_1.csv", "video_name,label\n", "")
    assert told(tree) == before


def test_faces_may_be_grouped_by_part(tree: Path, tmp_path: Path) -> None:
    grouped = draw_dfew(tmp_path / "grouped", grouped=True)
    assert told(grouped) == told(tree)
    clips = {item.path.parent.name for item in items(f"dfew:{grouped}", fold=1)}
    assert clips == {"clip_224x224_part_1", "clip_224x224_part_2", "clip_224x224_part_3"}
    beside = tmp_path / "grouped" / "Clip"
    for group in clips:
        (beside / "clip_224x224" / group).rename(beside / group)
    (beside / "clip_224x224").rmdir()
    (beside / "clip_224x224_16f").mkdir()
    frames(beside / "clip_224x224_16f" / "00052")
    assert told(grouped) == told(tree)
    assert "00052" not in read_dfew(grouped).clips


def test_videos_of_faces_are_read_where_there_are_no_pictures(tree: Path) -> None:
    faces = tree / "Clip" / "clip_224x224"
    videos = tree / "Clip" / "clip_224x224_avi"
    videos.mkdir()
    for clip in faces.iterdir():
        (videos / f"{clip.name}.avi").write_bytes(b"x")
    assert {item.path.parent for item in items(f"dfew:{tree}", fold=1)} == {faces}
    shutil.rmtree(faces)
    assert {item.path.parent for item in items(f"dfew:{tree}", fold=1)} == {videos}
    assert items(f"dfew:{tree}", fold=1)[0].path.name == "00001.avi"


def test_the_scene_view_is_the_original_video_whatever_its_digits(tree: Path) -> None:
    for name in ("part_1/1.mp4", "part_1/00002.mp4", "part_11/16372.mp4", "part_1/00003.txt"):
        video = tree / "Clip" / "original" / name
        video.parent.mkdir(parents=True, exist_ok=True)
        video.write_bytes(b"x")
    first, second, third, *_ = items(f"dfew:{tree}", fold=1)
    assert first.scene == tree / "Clip" / "original" / "part_1" / "1.mp4"
    assert second.scene == tree / "Clip" / "original" / "part_1" / "00002.mp4"
    assert third.scene is None
    assert read_dfew(tree).scenes["16372"].name == "16372.mp4"


def test_what_was_interpolated_in_time_is_refused_with_the_reason(tree: Path) -> None:
    (tree / "Clip" / "clip_224x224").rename(tree / "Clip" / "clip_224x224_16f")
    with pytest.raises(InputError, match=r"clip_224x224_16f holds 16 frames a clip that were interpolated in time"):
        items(f"dfew:{tree}", fold=1)


def test_a_folder_that_holds_no_faces_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no faces of DFEW: there is no clip in .*Clip/clip_224x224, such as"):
        items(f"dfew:{tmp_path}", fold=1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("video_name,label", "file,class", r"set_1\.csv has no columns video_name and label; it has file, class"),
        ("\n1,1\n", "\none,1\n", r"set_1\.csv, line 2: 'one' is not the number of a clip"),
        ("\n1,1\n", "\n1\n", r"set_1\.csv, line 2: unknown label ''"),
        ("\n1,1\n", "\n1,8\n", r"set_1\.csv, line 2: unknown label '8'.*happiness.*lists all that is wrong"),
    ],
)
def test_a_label_file_that_cannot_be_used_is_named_with_the_line(tree: Path, old: str, new: str, said: str) -> None:
    replace(tree / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_1.csv", old, new)
    with pytest.raises(InputError, match=said):
        items(f"dfew:{tree}", fold=1)


def test_labels_may_have_endings_and_zeros_and_lines_that_say_nothing(tree: Path) -> None:
    before = told(tree)
    replace(tree / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_1.csv", "\n1,1\n", "\n00001.mp4, 1\n\n,\n")
    assert told(tree) == before


def test_the_annotation_may_name_clips_that_are_in_no_fold(tree: Path) -> None:
    votes = [["1happy", "order", "annotation"], [9, 1, 1], [2, 52, 0]]
    write_xlsx(tree / "Annotation" / "annotation.xlsx", votes)
    (annotation,) = read_dfew(tree).others
    assert [(row.clip, row.label) for row in annotation.rows()] == [("00001", "happiness"), ("00052", "0")]
    assert not annotation.whole


def test_a_second_set_of_label_files_is_kept_to_compare(tree: Path) -> None:
    place = tree / "label" / "single_testset_4.csv"
    write_csv(place, [["video_name", "label"], [1, 1]])
    (other,) = read_dfew(tree).others
    assert (other.path, other.fold, other.part, other.whole) == (place, 4, "test", True)


def test_pixels_of_a_fold_are_loaded_by_part(tree: Path) -> None:
    assert space_of(f"dfew:{tree}") is EXPRESSIONS
    train, test = (load(f"dfew:{tree}", size=8, fold=2, part=part) for part in ("train", "test"))
    assert tuple(train.counts().values()) == SMALL.clips[2, "train"]
    assert tuple(test.counts().values()) == SMALL.clips[2, "test"]
    assert train.manifest["origin"] == "DFEW, part train of fold 2"
    assert load_held(f"dfew:{tree}", size=8, fold=2) is None


def test_a_data_set_is_read_by_its_kind(tree: Path) -> None:
    assert published(f"dfew:{tree}").name == "DFEW"
