"""CSV, JSON lines and Parquet say the same, in the columns of `clips.reading_columns`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from pyarrow import parquet as pq
from sink_stream import LABELS, stream

from mimica.clips import Reading, reading_columns
from mimica.notice import NOTICE
from mimica.reading.events import Closed, Opened
from mimica.reading.sinks import open_sink

EVENTS = list(stream(seconds=4.0, empty_until=1.0))
READINGS = [e for e in EVENTS if isinstance(e, Reading)]
HEADER = [c.name for c in reading_columns(LABELS)]


def write(format: str, path: Path, events=EVENTS) -> Path:
    with open_sink(format, path) as sink:
        for event in events:
            sink.append(event)
    return path


def test_csv_has_the_header_and_a_row_a_reading(tmp_path: Path) -> None:
    rows = list(csv.reader(write("csv", tmp_path / "x.csv").open(newline="")))
    assert rows[0] == HEADER
    assert len(rows) - 1 == len(READINGS)
    assert rows[1][:7] == ["made up.mp4", "", "0.000", "1.000", "", "", "no_face"]
    assert rows[1][7:] == [""] * len(LABELS)


def test_csv_numbers_have_six_significant_digits_and_times_three_decimals(tmp_path: Path) -> None:
    third = Reading(
        source="a,b", person=3, start=1 / 3, end=2 / 3, label="fear", confidence=1 / 3, probabilities={"fear": 2e-9 / 3}
    )
    row = next(csv.DictReader(write("csv", tmp_path / "x.csv", [EVENTS[0], third, EVENTS[-1]]).open()))
    assert (row["start"], row["end"], row["confidence"]) == ("0.333", "0.667", "0.333333")
    assert row["fear"] == "6.66667e-10"
    assert (row["source"], row["happiness"]) == ("a,b", "")


def test_what_face_and_scene_say_alone_stands_beside_the_reading_in_every_table(tmp_path: Path) -> None:
    views = {"face": {"a": 0.3, "b": 0.7}, "scene": {"a": 0.5, "b": 0.5}}
    opened = Opened(
        source="s", kind="video", width=2, height=2, rate=1.0, duration=1.0, labels=("a", "b"), views=("face", "scene")
    )
    told = Reading(
        source="s", person=0, start=0.0, end=1.0, label="a", confidence=0.6, probabilities={"a": 0.6, "b": 0.4},
        views=views,
    )  # fmt: skip
    events = [opened, told, Closed(frames=1, read=1, last_time=0.0)]
    row = next(csv.DictReader(write("csv", tmp_path / "x.csv", events).open()))
    assert list(row)[-6:] == ["a", "b", "face_a", "face_b", "scene_a", "scene_b"]
    assert (row["face_b"], row["scene_a"]) == ("0.7", "0.5")
    assert json.loads(write("jsonl", tmp_path / "x.jsonl", events).read_text())["views"] == views
    table = pq.read_table(write("parquet", tmp_path / "x.parquet", events))
    assert table["face_b"].to_pylist() == [0.7]
    assert b"face alone" in table.schema.field("face_b").metadata[b"meaning"]


def test_views_become_columns_and_objects(tmp_path: Path) -> None:
    opened = Opened(
        source="s", kind="video", width=2, height=2, rate=1.0, duration=1.0, labels=("a", "b"), views=("raw",)
    )
    smoothed = Reading(
        source="s", person=0, start=0.0, end=1.0, label="a", confidence=0.6, probabilities={"a": 0.6, "b": 0.4},
        views={"raw": {"a": 0.9, "b": 0.1}},
    )  # fmt: skip
    events = [opened, smoothed, Closed(frames=1, read=1, last_time=0.0)]
    assert next(csv.DictReader(write("csv", tmp_path / "x.csv", events).open()))["raw_b"] == "0.1"
    record = json.loads(write("jsonl", tmp_path / "x.jsonl", events).read_text())
    assert record["views"] == {"raw": {"a": 0.9, "b": 0.1}}
    assert pq.read_table(write("parquet", tmp_path / "x.parquet", events))["raw_a"].to_pylist() == [0.9]


def test_jsonl_is_one_object_a_reading_with_probabilities_as_an_object(tmp_path: Path) -> None:
    records = [json.loads(line) for line in write("jsonl", tmp_path / "x.jsonl").read_text().splitlines()]
    assert len(records) == len(READINGS)
    assert (records[0]["person"], records[0]["probabilities"]) == (None, {})
    for record, reading in zip(records, READINGS, strict=True):
        assert record["probabilities"] == pytest.approx(dict(reading.probabilities), rel=1e-5)
        assert record["start"] == pytest.approx(reading.start, abs=5e-4)


def test_parquet_has_typed_columns_and_what_each_means(tmp_path: Path) -> None:
    table = pq.read_table(write("parquet", tmp_path / "x.parquet"))
    types = {f.name: str(f.type) for f in table.schema}
    assert list(types) == HEADER
    assert (types["source"], types["person"], types["fear"]) == ("string", "int64", "double")
    assert table.schema.field("confidence").metadata[b"meaning"].startswith(b"calibrated probability")
    assert table["person"].to_pylist() == [r.person for r in READINGS]


def test_parquet_carries_model_settings_version_and_notice(tmp_path: Path) -> None:
    facts = pq.read_metadata(write("parquet", tmp_path / "x.parquet")).metadata
    assert facts[b"mimica.model"] == b"made-up"
    assert json.loads(facts[b"mimica.settings"])["window"] == 1.6
    assert facts[b"mimica.notice"].decode() == NOTICE
    assert json.loads(facts[b"mimica.notes"]) == list(EVENTS[-1].notes)
    assert facts[b"mimica.version"]


@pytest.mark.parametrize("finished", [True, False])
def test_parquet_says_whether_it_is_complete(finished: bool, tmp_path: Path) -> None:
    path = write("parquet", tmp_path / "x.parquet", stream(seconds=2.0, finished=finished))
    assert json.loads(pq.read_metadata(path).metadata[b"mimica.complete"]) is finished


def test_parquet_is_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mimica.reading.sinks.parquet._GROUP", 3)
    path = write("parquet", tmp_path / "x.parquet")
    assert pq.read_metadata(path).num_row_groups == -(-len(READINGS) // 3)
    assert pq.read_table(path).num_rows == len(READINGS)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_without_readings_the_header_is_there(format: str, tmp_path: Path) -> None:
    path = write(format, tmp_path / "x", [EVENTS[0], EVENTS[-1]])
    if format == "csv":
        assert path.read_text() == ",".join(HEADER) + "\n"
    else:
        assert pq.read_table(path).column_names == HEADER
