from __future__ import annotations

from pathlib import Path

import pytest

from drawn import alone, folder
from mimica.data.check import Checked
from mimica.data.check_table import checked_table
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS

HEAD = "path,label,part,scene\n"
GOOD = "a,fear,train,a-scene\nb,anger,test,b-scene\n"


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for name, frames in (("a", 3), ("a-scene", 3), ("b", 2), ("b-scene", 2), ("short-scene", 1)):
        folder(tmp_path / name, alone(frames))
    (tmp_path / "empty").mkdir()
    return tmp_path


def wrong(clips: Path, rows: str, head: str = HEAD, **how: bool) -> dict[str, tuple[str, ...]]:
    (clips / "clips.csv").write_text(head + rows)
    return {one.what: one.which for one in found(clips, **how).wrong}


def found(clips: Path, **how: bool) -> Checked:
    return checked_table(clips / "clips.csv", EXPRESSIONS, **how)


def test_a_table_whose_clips_have_both_views_is_right(clips: Path) -> None:
    assert wrong(clips, GOOD, decode=True) == {}
    assert [(tally.part, sum(tally.found)) for tally in found(clips).tallies] == [("train", 1), ("test", 1)]


def test_a_table_of_faces_alone_is_right_too(clips: Path) -> None:
    assert wrong(clips, "a,fear\nb,anger\n", "path,label\n") == {}


@pytest.mark.parametrize(
    ("row", "what", "which"),
    [
        ("b,anger,test,", "no scene beside the face, where other clips have one", "row 3: b"),
        ("b,anger,test,gone", "no such scene", "row 3: gone"),
        ("gone,anger,test,b-scene", "no such clip", "row 3: gone"),
        ("b,bored,test,b-scene", "unknown class", "row 3: bored"),
        ("a,fear,test,b-scene", "listed twice", "a"),
        ("b,anger,test,short-scene", "not as many frames in both views", "row 3: 2 of the face, 1 of the scene"),
        ("empty,anger,test,b-scene", "no frame in the clip", "row 3: empty"),
        ("b,anger,test,empty", "no frame in the scene", "row 3: empty"),
    ],
)
def test_what_is_wrong_is_named_by_its_row(clips: Path, row: str, what: str, which: str) -> None:
    assert which in wrong(clips, f"a,fear,train,a-scene\n{row}\n")[what]


def test_views_that_cannot_be_decoded_are_found_when_that_is_asked(clips: Path) -> None:
    (clips / "b-scene" / "frame_0000.png").write_bytes(b"no picture")
    (clips / "b-scene" / "frame_0001.png").write_bytes(b"nor this")
    assert wrong(clips, GOOD) == {}
    assert "cannot be opened" in wrong(clips, GOOD, decode=True)


def test_a_table_without_a_column_that_it_needs_is_refused(clips: Path) -> None:
    with pytest.raises(InputError, match="no column 'label'"):
        wrong(clips, "a\n", "path\n")
