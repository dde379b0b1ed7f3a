from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cut_faces import TWO, clips, faces, labelled, report, rows, states
from drawn import Squares, alone, film, folder, photo, picture, walk
from mimica.data import faces_folder, faces_people
from mimica.data.clipset import load
from mimica.data.faces_folder import write_faces
from mimica.data.faces_labels import Labels
from mimica.data.faces_record import RECORD
from mimica.data.faces_settings import FacesSettings
from mimica.data.faces_tables import summary
from mimica.errors import InputError, UsageError

pytestmark = pytest.mark.usefixtures("two_videos")


# What is written


def test_every_source_has_a_clip_of_faces_and_scenes_and_a_row() -> None:
    assert states(faces()) == {"a.mp4": "done", "b.mp4": "done"}
    assert clips() == ["a-0", "b-0"]
    first, _ = rows()
    assert first == {
        "path": "clips/a-0/faces", "scene": "clips/a-0/scene", "label": "", "part": "", "group": "in/a.mp4",
        "person": "0", "start": "0.0", "end": "1.0", "fps": "5.0", "frames": "6", "quality": first["quality"],
    }  # fmt: skip
    assert 0.6 <= float(first["quality"]) <= 1
    for row in rows():
        for view in ("path", "scene"):
            pictures = sorted((Path("out") / row[view]).iterdir())
            assert [path.name for path in pictures] == [f"{i:05d}.png" for i in range(6)]
            assert {Image.open(path).size for path in pictures} == {(24, 24)}
    red, blue = (np.asarray(Image.open(f"out/clips/{name}-0/faces/00003.png"), int) for name in "ab")
    assert (red[..., 0] - red[..., 2]).mean() > 60
    assert (red[..., 0] - blue[..., 0]).mean() > 60


def test_pictures_are_jpg_unless_asked_otherwise() -> None:
    faces(settings=FacesSettings(size=24, min_frames=4))
    assert {path.suffix for path in Path("out/clips").rglob("*.*")} == {".jpg"}


def test_the_report_says_of_every_source_what_was_found() -> None:
    folder(Path("empty"), walk([{}] * 5))
    folder(Path("short"), walk([{}, {"a": (20, 20)}, {"a": (20, 20)}, {"a": (20, 20)}, {}]))
    folder(Path("two"), walk(TWO))
    flat = np.full((96, 160, 3), 90, np.uint8)
    flat[20:68, 20:68] = (250, 30, 30)
    folder(Path("blurred"), [flat] * 5)
    Path("in/broken.mp4").write_text("not a video")
    outcomes = faces("in", "empty", "short", "two", "blurred", "gone.mp4")
    told = report()
    assert {name for name, row in told.items() if (row["clips"], row["why"]) == ("1", "")} == {"a.mp4", "b.mp4", "two"}
    assert {name: row["why"] for name, row in told.items() if row["state"] == "done" and row["clips"] == "0"} == {
        "empty": "none found", "short": "too short", "blurred": "low quality",
    }  # fmt: skip
    assert (told["two"]["frames"], told["two"]["persons"], told["two"]["not_largest"]) == ("6", "2", "1")
    assert (told["short"]["persons"], told["short"]["too_short"], told["short"]["too_small"]) == ("1", "1", "0")
    assert {name for name, row in told.items() if row["state"] == "failed"} == {"broken.mp4", "gone.mp4"}
    assert "broken.mp4" in told["broken.mp4"]["why"]
    assert "gone.mp4" in told["gone.mp4"]["why"]
    assert [outcome.error for outcome in outcomes if outcome.state == "failed"] == [
        told["broken.mp4"]["why"], told["gone.mp4"]["why"],
    ]  # fmt: skip
    said = summary(Path("out"), outcomes)
    assert said[0] == "3 clips of 6 sources"
    assert said[1].startswith("no clip of 3 sources: 1 none found")
    assert said[2] == "3 persons without a clip: 1 too short, 1 not the largest, 1 low quality"


def test_a_face_that_is_smaller_than_asked_for_is_too_small() -> None:
    faces(settings=FacesSettings(size=24, min_frames=4, min_face=60))
    assert {row["why"] for row in report().values()} == {"too small"}
    assert clips() == []


def test_all_persons_of_a_source_may_have_a_clip() -> None:
    folder(Path("two"), walk(TWO))
    faces("two", settings=FacesSettings(size=24, min_frames=4, keep="all"))
    assert clips() == ["two-0", "two-1"]
    assert [(row["person"], row["group"]) for row in rows()] == [("0", "two"), ("1", "two")]


def test_photos_are_clips_of_one_frame() -> None:
    photo(Path("in/c.png"), picture({"a": (20, 20)}))
    faces()
    row = rows()[-1]
    assert (row["path"], row["frames"], row["fps"], row["start"], row["end"]) == (
        "clips/c-0/faces",
        "1",
        "",
        "0.0",
        "0.0",
    )


def test_sources_of_one_name_have_clips_of_their_own() -> None:
    film(Path("a.mp4"), alone(6, "b"), rate=5)
    faces("in/a.mp4", "a.mp4")
    assert len(clips()) == 2
    assert len({row["path"] for row in rows()}) == 2


def test_the_clips_are_read_as_data_once_they_have_labels() -> None:
    faces(labels=Labels(file=labelled("a,joy,train\nb,fear,test\n")))
    for part, label in (("train", 0), ("test", 6)):
        clips = load("table:out/clips.csv", part=part, size=12, frames=4)
        assert [frames.shape for frames in clips.frames] == [(4, 12, 12, 3)]
        assert clips.labels.tolist() == [label]
    assert clips.manifest["align"] is True, "a checkpoint says how the faces it saw were cut"


def test_the_folder_says_what_it_is_and_what_the_columns_mean() -> None:
    faces()
    about = json.loads(Path("out/about.json").read_text())
    assert about["facts"]["size"] == 24
    assert "cut out of videos" in about["what"]
    assert list(about["columns"]["clips.csv"]) == list(rows()[0])
    assert list(about["columns"]["faces.csv"]) == list(rows("faces.csv")[0])


def test_what_went_wrong_part_way_is_in_the_report() -> None:
    whole = film(Path("whole.mp4"), alone(120), rate=10)
    Path("cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    (outcome,) = faces("cut.mp4")
    assert outcome.state == "done"
    assert "damaged" in report()["cut.mp4"]["notes"]
    assert 4 < int(rows()[0]["frames"]) < 120


# What is refused, and what goes wrong


def test_a_camera_has_no_end() -> None:
    with pytest.raises(UsageError, match="record the camera into a file first"):
        faces("camera:0")
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["clips.csv", "faces.csv", "clips"])
def test_a_folder_of_something_else_is_left_alone(name: str) -> None:
    Path("out").mkdir()
    (Path("out") / name).touch()
    with pytest.raises(UsageError, match=rf"holds a {name} that is not of this command"):
        faces()


@pytest.mark.parametrize("text", ["{}", "no json", '{"by": "someone", "facts": {}}', "[]"])
def test_an_about_of_something_else_is_left_alone(text: str) -> None:
    Path("out").mkdir()
    Path("out/about.json").write_text(text)
    with pytest.raises(UsageError, match=r"about\.json is not what this command writes"):
        faces()


def test_a_record_that_is_none_is_a_sentence() -> None:
    faces()
    (Path("out") / RECORD).write_text("nothing\n")
    with pytest.raises(InputError, match=r"mimica\.jsonl is damaged or of another version; delete it"):
        faces()


def test_what_was_cut_is_not_cut_once_more() -> None:
    faces()
    assert states(faces("in", "out/**/*")) == {"a.mp4": "skipped", "b.mp4": "skipped"}
    with pytest.raises(InputError, match="nothing to read but what was cut into out"):
        faces("out/clips/*/faces")


def test_a_disk_that_is_full_ends_the_work_with_a_sentence_and_keeps_what_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save = faces_people._save

    def full(folder: Path, *what: Any) -> None:
        if "b-0" in str(folder):
            raise OSError(28, "No space left on device")
        save(folder, *what)

    with monkeypatch.context() as patch:
        patch.setattr(faces_people, "_save", full)
        with pytest.raises(InputError, match="cannot write to out: No space left on device; choose another place"):
            faces()
    assert clips() == ["a-0"]
    assert states(faces()) == {"a.mp4": "skipped", "b.mp4": "done"}


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyError("box"), "a defect of Mimica"), (MemoryError(), "more memory than there is"), (InputError("bad"), "bad")],
)
def test_whatever_goes_wrong_with_a_source_is_a_sentence_that_names_it(error: Exception, said: str) -> None:
    class Bad(Squares):
        def detect(self, images: Any) -> Iterator[Any]:  # type: ignore[override]
            if self._find(images[0], 1):
                raise error
            return super().detect(images)  # type: ignore[return-value]

    bad, good = faces(detector=Bad())
    assert (bad.state, good.state) == ("failed", "done")
    assert bad.error.startswith("in/a.mp4")
    assert said in bad.error


def test_a_file_that_changes_while_it_is_read_is_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = faces_folder.follow

    def slow(source: str, *what: Any, **how: Any) -> Any:
        followed = follow(source, *what, **how)
        os.utime(source, ns=(0, 10**9))
        return followed

    with monkeypatch.context() as patch:
        patch.setattr(faces_folder, "follow", slow)
        faces("in/a.mp4")
    assert states(faces("in/a.mp4")) == {"a.mp4": "done"}


# The detector that suits


@pytest.mark.parametrize(
    ("min_face", "size", "asked"), [(None, (96, 160), None), (64.0, (96, 160), None), (24.0, (720, 1280), 24.0)]
)
def test_no_smaller_faces_are_looked_for_than_predict_does_unless_they_are_kept(
    min_face: float | None, size: tuple[int, int], asked: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[float | None] = []

    class Sized(Squares):
        def __init__(self, min_face: float | None) -> None:
            super().__init__()
            self.min_face = min_face

        def detect(self, images: Any) -> Any:
            used.append(self.min_face)
            return super().detect(images)

    monkeypatch.setattr(faces_folder, "load_detector", lambda min_face=None, device="cpu": Sized(min_face))
    photo(Path("x.png"), np.zeros((*size, 3), np.uint8))
    settings = FacesSettings(size=24, min_face=min_face)
    list(write_faces(Path("out"), ["x.png"], settings))
    assert used == [asked]
