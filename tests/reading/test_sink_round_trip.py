"""Whatever readings come, each comes back from every table, and subtitles and tiers cover the same time in order."""

from __future__ import annotations

import csv
import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq
from pympi import Eaf
from test_sink_spans import cues

from mimica.clips import STATUSES, Reading, reading_record, reading_row
from mimica.reading.events import Closed, Event, Opened
from mimica.reading.sinks import open_sink
from mimica.reading.sinks.base import rounded

some = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])

LABELS = ("happiness", 'odd, "quoted"', "zwei Wörter\nin two lines", "fear")
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
shares = st.floats(0, 1, width=32)
times = st.floats(0, 3e5)


@st.composite
def readings(draw: st.DrawFn, source: str) -> Reading:
    start = draw(times)
    end = start + draw(st.floats(0, 5))
    status = draw(st.sampled_from(STATUSES))
    if status == "no_face":
        return Reading(source=source, person=None, start=start, end=end, label=None, confidence=None, status=status)
    probabilities = {label: draw(shares) for label in LABELS}
    label = max(probabilities, key=probabilities.__getitem__)
    return Reading(
        source=source, person=draw(st.integers(0, 3)), start=start, end=end, label=label,
        confidence=probabilities[label], probabilities=probabilities, views={"raw": probabilities}, status=status,
    )  # fmt: skip


@st.composite
def told(draw: st.DrawFn) -> list[Event]:
    """The events of a source of any name, with readings in any order."""
    source = draw(words)
    rows = draw(st.lists(readings(source), max_size=12))
    opened = Opened(source=source, kind="video", width=8, height=8, rate=25.0, duration=None, labels=LABELS,
                    views=("raw",))  # fmt: skip
    return [opened, *rows, Closed(frames=1, read=1, last_time=0.0, notes=(draw(words),))]


@contextmanager
def written(kind: str, events: list[Event]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table.{kind}"
        with open_sink(kind, path) as sink:
            for event in events:
                sink.append(event)
        assert [inside.name for inside in Path(folder).iterdir()] == [path.name]
        yield path


def expected(events: list[Event]) -> list[Reading]:
    return [event for event in events if isinstance(event, Reading)]


def as_written(name: str, value: object) -> object:
    """A value as tables of text hold it: times to a thousandth, other numbers to six digits."""
    if isinstance(value, dict):
        return {key: as_written(key, inner) for key, inner in value.items()}
    return rounded(name, value) if isinstance(value, float) else value


@some
@given(told())
def test_every_reading_comes_back_from_csv(events: list[Event]) -> None:
    with written("csv", events) as path, path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(expected(events))
    for row, reading in zip(rows, expected(events), strict=True):
        found: dict[str, Any] = {
            name: value if name in ("source", "label", "status") else int(value) if name == "person" else float(value)
            for name, value in row.items() if value
        }  # fmt: skip
        assert found == {name: as_written(name, v) for name, v in reading_row(reading).items() if v not in (None, "")}


@some
@given(told())
def test_every_reading_comes_back_from_json_lines(events: list[Event]) -> None:
    with written("jsonl", events) as path:
        # Not splitlines: a name may hold a sign that some count as the end of a line.
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    assert records == [as_written("", reading_record(reading)) for reading in expected(events)]


@some
@given(told())
def test_every_reading_comes_back_from_parquet_as_it_was(events: list[Event]) -> None:
    with written("parquet", events) as path:
        rows = pq.read_table(path).to_pylist()
    assert len(rows) == len(expected(events))
    for row, reading in zip(rows, expected(events), strict=True):
        assert {name: value for name, value in row.items() if value is not None} == {
            name: value for name, value in reading_row(reading).items() if value is not None
        }


@some
@given(told())
def test_subtitles_come_in_order_and_cover_the_time_of_every_person(events: list[Event]) -> None:
    with written("vtt", events) as path:
        said = [(_seconds(start), _seconds(end), text) for start, end, text in cues(path.read_text(encoding="utf-8"))]
    assert all(a[0] <= b[0] for a, b in pairwise(said))
    for person in range(4):
        own = [(start, end) for start, end, text in said if text.startswith(f"Person {person}: ")]
        _covers(own, [r for r in expected(events) if r.person == person])
    assert len(said) == sum(text.startswith("Person ") for _, _, text in said)


@some
@given(told())
def test_tiers_come_in_order_and_cover_the_time_of_every_person_and_of_nobody(events: list[Event]) -> None:
    with written("eaf", events) as path, warnings.catch_warnings():
        warnings.simplefilter("error")
        document = Eaf(path)
    for person in (0, 1, 2, 3, None):
        tier = "no face" if person is None else f"person {person}"
        own = [r for r in expected(events) if r.person == person]
        assert (tier in document.get_tier_names()) == bool(own)
        if own:
            data = document.get_annotation_data_for_tier(tier)
            _covers(sorted((start / 1000, end / 1000) for start, end, *_ in data), own)


def _covers(spans: list[tuple[float, float]], told_: list[Reading]) -> None:
    """Spans do not overlap, no span lies where nothing was read, and what was read lies in some span."""
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for start, end in spans:
        assert start < end
        # What has no length of its own, such as a photo, is shown for a second.
        assert any(r.start - 2e-3 <= start and end <= max(x.end for x in told_) + 1.001 for r in told_)
    for reading in told_:
        if len(told_) == 1 or reading.end - reading.start > 0.01:
            inside = [s for s in spans if s[0] < reading.end + 2e-3 and s[1] > reading.start - 2e-3]
            assert inside, reading


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_keep_the_order_in_which_readings_came(kind: str) -> None:
    rows = [Reading(source="s", person=i % 2, start=i / 2, end=i / 2 + 1, label="fear", confidence=0.5)
            for i in range(300)]  # fmt: skip
    opened = Opened(source="s", kind="video", width=8, height=8, rate=None, duration=None, labels=LABELS)
    with written(kind, [opened, *rows, Closed(frames=1, read=1, last_time=0.0)]) as path:
        if kind == "parquet":
            starts = pq.read_table(path)["start"].to_pylist()
        elif kind == "csv":
            starts = [float(row["start"]) for row in csv.DictReader(path.open(newline=""))]
        else:
            starts = [json.loads(line)["start"] for line in path.read_text().splitlines()]
    assert starts == [reading.start for reading in rows]
