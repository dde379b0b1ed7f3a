from __future__ import annotations

from pathlib import Path

import pytest

from mimica.errors import InputError
from mimica.video.read import expand, is_media
from mimica.video.sources import natural


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_globs_are_expanded_in_natural_order(place: Path) -> None:
    touch("clip10.mp4", "clip2.mp4", "clip1.mp4", "notes.txt", "clip.mp4")
    assert expand(["*"]) == ["clip.mp4", "clip1.mp4", "clip2.mp4", "clip10.mp4"]


def test_a_glob_may_look_into_folders(place: Path) -> None:
    touch("a/b/x.mp4", "a/y.mov", "a/b/z.txt")
    assert expand(["**/*.m*"]) == ["a/b/x.mp4", "a/y.mov"]


def test_a_folder_of_numbered_pictures_is_one_source(place: Path) -> None:
    touch("clip/f_1.jpg", "clip/f_2.jpg", "clip/f_10.jpg", "clip/.hidden.txt", "clip/Thumbs.db")
    assert expand(["clip"]) == ["clip"]


def test_a_glob_of_folders_gives_each_folder_of_frames(place: Path) -> None:
    touch("set/1/a1.png", "set/1/a2.png", "set/2/a1.png", "set/2/a2.png", "set/none/readme.txt")
    assert expand(["set/*"]) == ["set/1", "set/2"]


@pytest.mark.parametrize(
    "names",
    [
        ["one.jpg"],
        ["anna.jpg", "bert.jpg"],
        ["a_1_x1.jpg", "a_2_x2.jpg"],
        ["f_1.jpg", "f_2.png"],
        ["f_1.jpg", "f_2.jpg", "film.mp4"],
        ["f_1.mp4", "f_2.mp4"],
    ],
)
def test_other_folders_give_their_files(place: Path, names: list[str]) -> None:
    touch(*(f"box/{name}" for name in names), "box/notes.txt", "box/.f_3.jpg", "box/deeper/x.mp4")
    assert expand(["box"]) == [f"box/{name}" for name in names]


def test_each_source_comes_once_in_the_order_asked(place: Path) -> None:
    touch("b.mp4", "a.mp4")
    assert expand(["b.mp4", "*.mp4", str(place / "a.mp4"), "camera:0", "camera:0"]) == ["b.mp4", "a.mp4", "camera:0"]


def test_a_name_with_brackets_is_a_name_if_it_is_there(place: Path) -> None:
    touch("take[1].mp4", "take1.mp4")
    assert expand(["take[1].mp4"]) == ["take[1].mp4"]


def test_a_file_that_is_named_is_kept_whatever_its_ending(place: Path) -> None:
    touch("recording.dat")
    assert expand(["recording.dat"]) == ["recording.dat"]


@pytest.mark.parametrize("source", ["missing.mp4", "*.mp4", "*.txt", "empty"])
def test_what_leads_to_nothing_is_named(place: Path, source: str) -> None:
    touch("notes.txt")
    Path("empty").mkdir()
    with pytest.raises(InputError) as caught:
        expand([source])
    assert source in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "media"), [("A.MP4", True), ("a.jpeg", True), ("a.gif", True), ("a.txt", False)])
def test_media_are_known_by_their_ending(name: str, media: bool) -> None:
    assert is_media(name) is media


def test_natural_order_counts() -> None:
    names = ["f", "f.jpg", "f1", "f2", "f10.jpg", "F11", "g1", "v1.9", "v1.10"]
    shuffled = sorted(names, key=len, reverse=True)
    assert sorted(shuffled, key=natural) == names
