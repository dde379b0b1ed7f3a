from __future__ import annotations

from pathlib import Path

import pytest

from cut_faces import column, faces, labelled, rows
from drawn import Squares, alone, film
from mimica.data.faces_labels import Labels
from mimica.data.faces_tables import summary
from mimica.errors import InputError

pytestmark = pytest.mark.usefixtures("two_videos")


def test_labels_can_be_given_later_and_nothing_is_cut_again() -> None:
    faces()
    detector = Squares()
    faces(labels=Labels(file=labelled("a,joy,\nb,fear,\n")), detector=detector)
    assert (column("label"), detector.calls) == (["joy", "fear"], [])


def test_the_folder_of_a_source_may_be_its_class() -> None:
    for name in ("joy", "fear"):
        Path(name).mkdir()
        film(Path(name) / "x.mp4", alone(6), rate=5)
    faces("joy", "fear", labels=Labels(by_folder=True))
    assert {row["group"]: row["label"] for row in rows()} == {"joy/x.mp4": "joy", "fear/x.mp4": "fear"}


def test_what_someone_wrote_into_the_table_stays() -> None:
    faces()
    text = Path("out/clips.csv").read_text().splitlines()
    by_hand = [text[0] + ",note", text[1].replace("scene,,", "scene,sad,train") + ",nice", text[2] + ","]
    Path("out/clips.csv").write_text("\n".join(by_hand) + "\n")
    film(Path("in/c.mp4"), alone(6), rate=5)
    faces()
    assert (column("label"), column("part"), column("note")) == (["sad", "", ""], ["train", "", ""], ["nice", "", ""])
    faces("in/b.mp4", labels=Labels(file=labelled("b,fear,\n")))
    assert column("label") == ["sad", "fear", ""]


def test_a_table_that_a_spreadsheet_has_saved_otherwise_is_not_overwritten() -> None:
    faces()
    table = Path("out/clips.csv")
    table.write_text(table.read_text().replace(",", ";"))
    before, detector = table.read_bytes(), Squares()
    with pytest.raises(InputError, match="no column 'path' any more; save it as CSV with commas"):
        faces(again=True, detector=detector)
    assert (table.read_bytes(), detector.calls) == (before, [])


def test_labels_that_do_not_fit_are_told_before_anything_is_cut() -> None:
    detector = Squares()
    with pytest.raises(InputError, match="has another label"):
        faces(labels=Labels(file=labelled("a,joy,\na.mp4,sad,\n")), detector=detector)
    assert detector.calls == []


def test_rows_of_labels_that_name_nothing_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    faces(labels=Labels(file=labelled("a,joy,\nx,sad,\ny,sad,\n")))
    assert "labels.csv: 2 rows name none of these sources, such as x" in caplog.text


def test_the_summary_says_what_the_labels_lack() -> None:
    outcomes = faces(labels=Labels(file=labelled("a,joyful,\n")))
    _, without, strange = summary(Path("out"), outcomes)
    assert without.startswith("1 clip without a label: write it into out/clips.csv, or run this again with --labels")
    assert strange.startswith("not among the classes happiness, ")
    assert strange.endswith("fear: joyful; classes of your own are stated in out/label_space.json")
    outcomes = faces(labels=Labels(file=labelled("a,happy,\nb,Fear,\n")))
    assert summary(Path("out"), outcomes) == ["2 clips of 2 sources"]
