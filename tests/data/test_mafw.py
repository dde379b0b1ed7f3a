from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mimica.data import mafw
from mimica.data.clipset import items, load, space_of
from mimica.data.mafw import read_mafw
from mimica.errors import InputError
from mimica.labels import MAFW
from tiny_sets import draw_mafw, replace, write, write_xlsx


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw_mafw(tmp_path / "MAFW")


def told(root: Path, fold: int = 1) -> list[tuple[str, str, str, str]]:
    found = items(f"mafw:{root}", fold=fold)
    return [(item.path.name, MAFW.names[item.label], item.part, item.caption) for item in found]


def test_the_published_counts_are_those_of_the_paper() -> None:
    tests = {fold: mafw.COUNTS.clips[fold, "test"] for fold in range(1, 6)}
    assert [sum(tests[fold]) for fold in tests] == [1839, 1837, 1833, 1832, 1831]
    totals = dict(zip(MAFW.names, map(sum, zip(*tests.values(), strict=True)), strict=True))
    assert totals == {
        "happiness": 1242, "sadness": 1470, "neutral": 1138, "anger": 1390, "surprise": 1072, "disgust": 639,
        "fear": 625, "contempt": 236, "anxiety": 916, "helplessness": 262, "disappointment": 182,
    }  # fmt: skip
    assert sum(mafw.COUNTS.clips[4, "train"]) == 9172 - 1832


def test_a_clip_has_its_class_and_its_english_caption(tree: Path) -> None:
    found = told(tree)
    assert found[0] == ("00001", "anger", "test", "The man frowns “so” 1.")
    assert found[-1][:3] == ("00062", "disappointment", "train")
    assert {caption for _, label, _, caption in found if label == "neutral"} == {""}
    assert all(caption for _, label, _, caption in found if label != "neutral")
    assert space_of(f"mafw:{tree}") is MAFW


def test_captions_in_utf_8_in_the_other_order_and_with_other_ends_of_lines_are_read_too(tree: Path) -> None:
    before = told(tree)
    for file in (tree / "Train & Test Set" / "single" / "with_caption").rglob("*.txt"):
        rows = [line.split("\t") for line in file.read_text(encoding="gbk").splitlines()]
        lines = [f"{clip}\t{label}\t{english}\t皱\u2028{chinese}\n" for clip, label, chinese, english in rows]
        write(file, "".join(lines))
    assert told(tree) == before


def test_bytes_of_a_caption_that_mean_nothing_do_not_stop_the_rest(tree: Path) -> None:
    file = tree / "Train & Test Set" / "single" / "with_caption" / "set_1" / "test.txt"
    file.write_bytes(file.read_bytes().replace("皱着".encode("gbk"), b"\xff\xff", 1))
    assert told(tree)[0][3] == "The man frowns “so” 1."


def test_without_captions_there_are_none(tree: Path) -> None:
    shutil.rmtree(tree / "Train & Test Set" / "single" / "with_caption")
    assert {caption for *_, caption in told(tree)} == {""}


def test_the_other_spelling_of_the_folder_of_splits_is_read(tree: Path, tmp_path: Path) -> None:
    assert told(draw_mafw(tmp_path / "other", name="Train_Test_Set")) == told(tree)


def test_faces_are_read_before_frames_which_are_then_the_scene_view(tree: Path) -> None:
    data = tree / "data"
    first = items(f"mafw:{tree}", fold=1)[0]
    assert (first.path, first.scene) == (data / "faces" / "00001", data / "frames" / "00001")
    shutil.rmtree(data / "faces")
    (data / "clips").mkdir()
    (data / "clips" / "00001.mp4").write_bytes(b"x")
    first, second, *_ = items(f"mafw:{tree}", fold=1)
    assert (first.path, first.scene) == (data / "frames" / "00001", data / "clips" / "00001.mp4")
    assert (second.path, second.scene) == (data / "frames" / "00002", None)


def test_a_folder_that_holds_no_faces_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no faces of MAFW: there is no clip in .*faces, such as 00025/"):
        items(f"mafw:{tmp_path}", fold=1)


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("no_caption", "00001.mp4 anger", "one.mp4 anger", "line 1: 'one.mp4' is not the name of a clip"),
        ("no_caption", "00001.mp4 anger", "00001.mp4 rage", "line 1: unknown label 'rage'.*disappointment"),
        ("with_caption", "00001.mp4\tanger", "00001.mp4 anger", "line 1: it has 3 columns, not clip, class and two"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tree: Path, kind: str, old: str, new: str, said: str) -> None:
    file = tree / "Train & Test Set" / "single" / kind / "set_1" / "test.txt"
    write(file, file.read_text(encoding="gbk"))
    replace(file, old, new)
    with pytest.raises(InputError, match=rf"{kind}.*test\.txt, {said}"):
        items(f"mafw:{tree}", fold=1)


@pytest.mark.parametrize("above", [[], [["MAFW", "single labels"]]])
def test_the_sheet_of_single_labels_is_read_below_its_columns(tree: Path, above: list[list[object]]) -> None:
    rows = [*above, ["clip", "anger", "single_label"], ["00001.mp4", 0.9, 1], ["00062.mp4", 0.1, 11], []]
    write_xlsx(tree / "Labels" / "single-set.xlsx", rows)
    *told, sheet = read_mafw(tree).others
    assert len(told) == 10
    assert [(row.clip, row.label) for row in sheet.rows()] == [("00001", "anger"), ("00062", "disappointment")]
    assert [row.line for row in sheet.rows()] == [len(above) + 2, len(above) + 3]


def test_pixels_of_a_fold_are_loaded_with_eleven_classes(tree: Path) -> None:
    clips = load(f"mafw:{tree}", size=8, fold=1)
    assert len(clips.counts()) == 11
    assert clips.space is MAFW
