from __future__ import annotations

import json
from pathlib import Path

import pytest
from coded import elan, reading, readings, table, written

from mimica.clips import Reading
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from mimica.reading.agreement.coding import read_coding
from mimica.reading.agreement.stored import stored

ROWS = [
    reading(0, 1, "happiness"), reading(0.5, 1.5, "fear", person=3, status="unsure"),
    reading(1.5, 4, None, person=None, status="no_face"),
]  # fmt: skip


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_readings_come_back_from_every_table(tmp_path: Path, ending: str) -> None:
    labels, found = stored(written(tmp_path / f"v.{ending}", ROWS))
    assert labels == EXPRESSIONS.names
    without_views = [
        Reading(**{name: getattr(row, name) for name in Reading.__slots__ if name != "views"}) for row in ROWS
    ]
    assert found == without_views


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_readings_are_told_from_annotations_by_what_they_hold(tmp_path: Path, ending: str) -> None:
    coding = read_coding(written(tmp_path / f"v.{ending}", ROWS))
    assert (coding.kind, coding.labels) == ("readings", EXPRESSIONS.names)
    (recording,) = coding.recordings
    assert set(recording.people) == {"0", "3"}
    assert recording.people["3"][0].status == "unsure"
    assert recording.unseen == 2.5
    assert read_coding(table(tmp_path / "human.csv", [(0, 1, "joy")])).kind == "annotation"


def test_a_folder_of_readings_is_read_once_for_each_source(tmp_path: Path) -> None:
    for ending in ("csv", "jsonl", "parquet", "eaf"):
        written(tmp_path / f"a.{ending}", readings([(0, 1, "fear")], source="a.mp4"))
    written(tmp_path / "b.csv", readings([(0, 1, "joy")], source="b.mp4"))
    (tmp_path / "mimica.json").write_text("{}")
    (tmp_path / "log.jsonl").write_text('{"loss": 1}\n')
    table(tmp_path / "human.csv", [(0, 1, "joy")])
    coding = read_coding(tmp_path)
    assert coding.kind == "readings"
    assert [(each.source, each.file.name) for each in coding.recordings] == [("a.mp4", "a.parquet"), ("b.mp4", "b.csv")]


def test_a_folder_without_readings_is_read_for_its_annotations(tmp_path: Path) -> None:
    elan(tmp_path / "a.eaf", {"mother": [(0, 1, "joy")]})
    table(tmp_path / "b.csv", [(0, 1, "joy")])
    (tmp_path / "a.pfsx").write_text("what ELAN keeps beside")
    coding = read_coding(tmp_path)
    assert (coding.kind, [each.file.name for each in coding.recordings]) == ("annotation", ["a.eaf", "b.csv"])


def test_lines_of_many_sources_are_parted(tmp_path: Path) -> None:
    path = written(
        tmp_path / "all.jsonl", [*readings([(0, 1, "fear")], source="a"), *readings([(0, 1, "joy")], source="b")]
    )
    assert [each.source for each in read_coding(path).recordings] == ["a", "b"]


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*nothing"):
        read_coding(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"holds neither readings .* nor an annotation"):
        read_coding(tmp_path)
    (tmp_path / "v.mp4").write_text("")
    with pytest.raises(InputError, match=r"is neither readings .* nor an annotation"):
        read_coding(tmp_path / "v.mp4")
    (tmp_path / "v.parquet").write_text("PAR1")
    with pytest.raises(InputError, match=r"cannot read .*v.parquet as Parquet"):
        read_coding(tmp_path / "v.parquet")


@pytest.mark.parametrize(
    "change",
    [
        {"start": "soon"}, {"end": -1}, {"end": float("inf")}, {"status": "fine"}, {"person": "x"},
        {"probabilities": {"fear": "high"}}, {"probabilities": 7},
    ],
)  # fmt: skip
def test_a_row_that_is_no_reading_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    path = written(tmp_path / "v.jsonl", ROWS)
    first, second, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, json.dumps(json.loads(second) | change), *rest]))
    with pytest.raises(InputError, match="row 2: this is no reading"):
        stored(path)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "v.jsonl", ROWS)
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(InputError, match="line 4"):
        stored(path)
