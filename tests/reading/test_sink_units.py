"""Units as they are shown: rows on the page, a list in the video, means in a reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sink_stream import photo, stream

from mimica.clips import UNIT_COLUMNS, Reading
from mimica.facs import UNITS
from mimica.look.curves import broken
from mimica.reading.events import Event, Opened, Seen
from mimica.reading.reader import _mean
from mimica.reading.sinks import open_sink
from mimica.reading.sinks.annotate import Annotator, Shown, strongest
from mimica.reading.sinks.figures import LEFT
from mimica.reading.sinks.unit_figure import MOST_POINTS, UNIT_LEFT, UnitSeries, unit_timeline

NAMES = [f"AU{unit.number} {unit.name}" for unit in UNITS.values()]
CARD = {"name": "a <made-up> one", "limits": "learned from nothing"}


def rising(time: float) -> np.ndarray:
    """All units at half but 12, which rises, and 9, which is not seen."""
    strengths = np.full(len(UNITS), 0.5, np.float32)
    strengths[list(UNITS).index(12)] = min(time / 4, 1.0)
    strengths[list(UNITS).index(9)] = np.nan
    return strengths


def with_units(events: Iterator[Event]) -> Iterator[Event]:
    for event in events:
        if isinstance(event, Opened):
            event = replace(event, units=CARD)
        elif isinstance(event, Seen) and event.read:
            event = replace(event, units={person: rising(event.frame.time) for person in event.faces})
        elif isinstance(event, Reading) and event.person is not None:
            event = replace(event, units=_mean(rising(event.middle)[None]))
        yield event


def write(path: Path, events: Iterator[Event]) -> Path:
    with open_sink(path.suffix[1:], path) as sink:
        for event in events:
            sink.append(event)
    return path


def named(figure: dict) -> dict[str, list[float | None]]:
    return {trace["name"]: trace["customdata"] for trace in figure["data"] if "name" in trace}


def test_the_mean_of_a_unit_is_of_the_frames_in_which_it_was_seen() -> None:
    units = np.full((3, len(UNITS)), 0.25)
    units[:, 0] = [0.2, np.nan, 0.6]
    units[:, 1] = np.nan
    found = _mean(units)
    assert found["AU1"] == pytest.approx(0.4)
    assert "AU2" not in found
    assert list(found) == [column.name for column in UNIT_COLUMNS if column.name != "AU2"]


def test_the_page_has_a_row_for_each_unit_that_was_seen_and_says_who_saw_it(tmp_path: Path) -> None:
    text = write(tmp_path / "x.html", with_units(stream(seconds=3.0))).read_text(encoding="utf-8")
    assert 'id="units-0"' in text
    assert 'id="units-1"' in text
    assert "By a &lt;made-up&gt; one: learned from nothing." in text
    assert "a <made-up>" not in text
    assert "nose wrinkler" not in text


def test_timelines_begin_where_the_curves_of_units_below_them_do_and_so_do_faces(tmp_path: Path) -> None:
    beside, alone = ((tmp_path / name) for name in ("beside.html", "alone.html"))
    texts = [write(beside, with_units(stream())).read_text(), write(alone, stream()).read_text()]
    margins = []
    for text in texts:
        figures = json.loads(re.search(r'id="figures">(.*?)</script>', text, re.DOTALL).group(1))  # type: ignore[union-attr]
        margins.append({figure["layout"]["margin"]["l"] for name, figure in figures.items() if name[-1] in "01"})
    assert margins == [{UNIT_LEFT}, {LEFT}]
    for text, kind, left in ((texts[0], "timelines.wide", UNIT_LEFT), (texts[1], "timelines", LEFT)):
        assert f'class="card {kind.replace(".", " ")}"' in text
        assert f".{kind} {{ --left: {left}px; }}" in text


def test_a_photo_has_bars_of_units(tmp_path: Path) -> None:
    text = write(tmp_path / "x.html", with_units(photo())).read_text(encoding="utf-8")
    assert 'id="units-0"' in text
    assert "AU12 lip corner puller" in text


def test_a_row_is_as_high_as_the_unit_is_strong_and_breaks_where_the_person_was_away() -> None:
    times = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    figure = unit_timeline(times, np.stack([rising(time) for time in times]))
    rows = named(figure)
    assert list(rows) == [name for name in NAMES if "nose wrinkler" not in name]
    assert rows["AU12 lip corner puller"] == pytest.approx([0.0, 0.025, 0.05, None, 0.5, 0.525], abs=1e-3)
    assert figure["layout"]["yaxis"]["ticktext"] == list(rows)[::-1]
    assert figure["x"] == [0, 100, 200, 2000, 2000, 2100]


def test_a_long_video_has_few_points_whose_mean_stays() -> None:
    times = np.arange(9000) / 10
    strengths = np.random.default_rng(0).random((9000, len(UNITS)))
    strengths[::2, 3] = np.nan
    rows = named(unit_timeline(times, strengths))
    assert max(len(values) for values in rows.values()) <= MOST_POINTS
    assert np.mean(rows[NAMES[0]]) == pytest.approx(strengths[:, 0].mean(), abs=1e-3)
    assert np.mean(rows[NAMES[3]]) == pytest.approx(np.nanmean(strengths[:, 3]), abs=5e-3)


def test_a_face_of_which_nothing_is_known_has_no_figure() -> None:
    series = UnitSeries()
    series.append(0.0, np.full(len(UNITS), np.nan))
    assert series.figure(until=1.0) == {}


def test_nothing_is_broken_where_frames_are_even() -> None:
    times, values = broken(np.arange(5.0), np.ones((5, 2)))
    assert times.tolist() == [0, 1, 2, 3, 4]
    assert not np.isnan(values).any()


def test_the_list_in_the_video_is_of_the_strongest_few_in_the_order_of_facs() -> None:
    units = {column.name: 0.3 + 0.01 * place for place, column in enumerate(UNIT_COLUMNS)}
    assert [bar.name.split()[0] for bar in strongest(units)] == ["20", "23", "24", "25", "26"]
    assert strongest({"AU1": 0.19, "AU2": 0.0}) == []


def test_units_are_drawn_beside_the_face_and_weak_ones_leave_the_picture_as_it_was() -> None:
    image = np.full((360, 640, 3), 120, np.uint8)
    bare = Shown(person=0, box=np.array([260.0, 100, 380, 240]), label="fear", confidence=0.5, status="ok")
    plain, weak, strong = (
        Annotator(("fear",)).annotate(image, [replace(bare, units=units)]) for units in ({}, {"AU1": 0.1}, {"AU1": 0.9})
    )
    assert (plain == weak).all()
    assert (plain != strong).any()


def test_the_video_is_written_with_units(tmp_path: Path) -> None:
    assert write(tmp_path / "x.mp4", with_units(stream(seconds=1.0))).stat().st_size > 1000
