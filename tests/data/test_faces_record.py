from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cut_faces import TWO, Stop, clips, column, contents, faces, report, rows, states
from drawn import Squares, alone, film, walk
from mimica.data import faces_folder, faces_people, faces_tables
from mimica.data.faces_record import RECORD
from mimica.data.faces_settings import FacesSettings
from mimica.errors import UsageError

pytestmark = pytest.mark.usefixtures("two_videos")


def test_what_is_done_is_not_done_again() -> None:
    first = faces()
    before, detector = contents(), Squares()
    second = faces(detector=detector)
    assert states(second) == {"a.mp4": "skipped", "b.mp4": "skipped"}
    assert [outcome.clips for outcome in second] == [outcome.clips for outcome in first]
    assert detector.calls == []
    assert contents() == before


def test_only_what_is_new_is_cut_and_the_rest_stays_in_the_tables() -> None:
    assert states(faces("in/b.mp4")) == {"b.mp4": "done"}
    assert states(faces("in/a.mp4")) == {"a.mp4": "done"}
    assert [row["group"] for row in rows()] == ["in/a.mp4", "in/b.mp4"]
    assert set(report()) == {"a.mp4", "b.mp4"}


def test_again_cuts_everything_again() -> None:
    faces()
    assert states(faces(again=True)) == {"a.mp4": "done", "b.mp4": "done"}


def test_a_source_that_changed_is_cut_again_and_its_old_clips_are_gone() -> None:
    every = FacesSettings(size=24, min_frames=4, keep="all")
    film(Path("in/a.mp4"), walk(TWO), rate=5)
    faces(settings=every)
    assert clips() == ["a-0", "a-1", "b-0"]
    film(Path("in/a.mp4"), alone(7), rate=5)
    assert states(faces(settings=every)) == {"a.mp4": "done", "b.mp4": "skipped"}
    assert clips() == ["a-0", "b-0"]
    assert column("frames") == ["7", "6"]


def test_a_clip_that_was_deleted_is_cut_again() -> None:
    faces()
    before = contents()
    for path in Path("out/clips/a-0/scene").iterdir():
        path.unlink()
    Path("out/clips/a-0/scene").rmdir()
    assert states(faces()) == {"a.mp4": "done", "b.mp4": "skipped"}
    assert contents() == before


def test_other_settings_need_another_folder() -> None:
    faces()
    with pytest.raises(
        UsageError, match=r"holds faces cut with size 24, not 32; align True, not False\. Give the same"
    ):
        faces(settings=FacesSettings(size=32, format="png", min_frames=4, align=False))


def test_a_kill_leaves_no_half_clip_and_the_next_run_does_only_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    faces(out="whole")
    save = faces_people._save
    saved = 0

    def killed(*what: Any) -> None:
        nonlocal saved
        saved += 1
        if saved == 17:  # in the midst of the second clip, of 6 faces and 6 scenes as the first
            raise Stop
        save(*what)

    with monkeypatch.context() as patch:
        patch.setattr(faces_people, "_save", killed)
        patch.setattr(faces_folder.shutil, "rmtree", lambda *what, **how: None)  # a kill tidies nothing
        with pytest.raises(Stop):
            faces()
    assert clips() == [".b-0.part", "a-0"]
    assert not Path("out/clips.csv").exists()
    assert states(faces()) == {"a.mp4": "skipped", "b.mp4": "done"}
    assert contents() == contents("whole")


def test_a_record_whose_last_line_a_kill_cut_short_is_read_up_to_there() -> None:
    faces()
    record = Path("out") / RECORD
    text = record.read_text()
    record.write_text(text[:-30])
    assert states(faces()) == {"a.mp4": "skipped", "b.mp4": "done"}
    assert states(faces()) == {"a.mp4": "skipped", "b.mp4": "skipped"}
    assert sorted(record.read_text().splitlines()) == sorted(text.splitlines())


def test_the_table_is_the_old_one_until_the_new_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    faces("in/a.mp4")
    before = Path("out/clips.csv").read_bytes()

    def killed(*what: Any) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(faces_tables.csv.DictWriter, "writerows", killed)
        with pytest.raises(Stop):
            faces("in/b.mp4")
    assert Path("out/clips.csv").read_bytes() == before
    faces()
    assert len(rows()) == 2


def test_once_stopped_the_source_under_way_is_left_and_the_tables_tell_of_the_others() -> None:
    film(Path("in/c.mp4"), alone(6), rate=5)
    told: list[str] = []

    def progress(source: str, at: float, of: float | None, doing: str) -> None:
        told.append(f"{Path(source).name} {doing}")

    stopped = "b.mp4 source 2 of 3, cutting them out"
    outcomes = faces(progress=progress, stopped=lambda: stopped in told)
    assert states(outcomes) == {"a.mp4": "done", "b.mp4": "stopped"}
    assert clips() == ["a-0"]
    assert [row["group"] for row in rows()] == ["in/a.mp4"]
    assert set(report()) == {"a.mp4"}
    assert told[0] == "a.mp4 source 1 of 3, finding faces"
    assert states(faces()) == {"a.mp4": "skipped", "b.mp4": "done", "c.mp4": "done"}


def test_a_source_that_fails_later_keeps_the_clips_that_it_has() -> None:
    faces()
    Path("in/a.mp4").write_text("not a video any more")
    assert states(faces()) == {"a.mp4": "failed", "b.mp4": "skipped"}
    assert clips() == ["a-0", "b-0"]
    assert len(rows()) == 2
    assert report()["a.mp4"]["state"] == "failed"


def test_what_failed_and_is_gone_is_forgotten() -> None:
    Path("in/broken.mp4").write_text("not a video")
    faces("in", "misspelt.mp4")
    assert set(report()) == {"a.mp4", "b.mp4", "broken.mp4", "misspelt.mp4"}
    faces("in/a.mp4")
    assert set(report()) == {"a.mp4", "b.mp4", "broken.mp4"}


def test_what_was_not_there_at_first_has_a_name_once_it_is() -> None:
    faces("late.mp4")
    film(Path("late.mp4"), alone(6), rate=5)
    assert states(faces("late.mp4")) == {"late.mp4": "done"}
    assert clips() == ["late-0"]


def test_a_later_source_does_not_take_the_place_of_an_earlier_one_of_its_name() -> None:
    film(Path("a.mp4"), alone(9, "b"), rate=5)
    faces("in/a.mp4")
    faces("a.mp4")
    assert len(clips()) == 2
    assert sorted(column("frames")) == ["6", "9"]
