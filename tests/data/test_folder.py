from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.data.folder import folder_items
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS

Draw = Callable[..., Path]


def test_every_file_of_a_class_folder_is_labelled_in_order_of_class_and_name(tmp_path: Path, photo: Draw) -> None:
    for name in ("happy/b.png", "happy/a.jpg", "Sadness/c.png", "fear/d.MP4"):
        photo(name + ".png").rename(tmp_path / name)
    found = [(str(item.path.relative_to(tmp_path)), item.label) for item in folder_items(tmp_path, EXPRESSIONS)]
    assert found == [("Sadness/c.png", 1), ("fear/d.MP4", 6), ("happy/a.jpg", 0), ("happy/b.png", 0)]


def test_a_folder_of_numbered_frames_is_one_clip(tmp_path: Path, photo: Draw) -> None:
    for i in range(3):
        photo(f"anger/clip/frame_{i}.png")
    (item,) = folder_items(tmp_path, EXPRESSIONS)
    assert (item.path, item.label) == (tmp_path / "anger" / "clip", 3)


def test_what_is_hidden_or_no_media_is_passed_over(tmp_path: Path, photo: Draw) -> None:
    photo("anger/a.png")
    photo(".cache/b.png")
    photo("anger/.c.png")
    (tmp_path / "anger" / "notes.txt").write_text("no picture")
    assert [item.path.name for item in folder_items(tmp_path, EXPRESSIONS)] == ["a.png"]


def test_a_folder_in_a_class_that_is_not_one_clip_is_not_dropped_in_silence(tmp_path: Path, photo: Draw) -> None:
    photo("anger/person/left.png")
    photo("anger/person/right.png")
    with pytest.raises(InputError, match=r"anger/person is not one clip of numbered frames"):
        folder_items(tmp_path, EXPRESSIONS)


def test_a_folder_that_is_no_class_is_refused_with_the_nearest(tmp_path: Path, photo: Draw) -> None:
    photo("hapiness/a.png")
    with pytest.raises(UsageError, match="unknown label 'hapiness'; did you mean 'happiness'"):
        folder_items(tmp_path, EXPRESSIONS)


@pytest.mark.parametrize(
    ("made", "asked", "reason"),
    [
        ("a.png", "a.png", "is not a folder; folder:PATH names one that holds a folder a class"),
        ("a.png", "", "holds no folders; .*happiness, sadness"),
        ("anger/notes.txt", "", "the class folders in .* hold no photo and no video"),
    ],
)
def test_a_folder_without_classes_or_files_is_refused(tmp_path: Path, made: str, asked: str, reason: str) -> None:
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).touch()
    with pytest.raises(InputError, match=reason):
        folder_items(tmp_path / asked, EXPRESSIONS)
