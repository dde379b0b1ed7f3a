"""Overlapping windows become stretches that do not overlap; ELAN and subtitles are made of these."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pympi import Eaf
from sink_stream import LABELS, photo, stream

from mimica.clips import Reading
from mimica.notice import NOTICE
from mimica.reading.events import Closed
from mimica.reading.job import Job, read_source
from mimica.reading.sinks import open_sink
from mimica.reading.sinks.base import SinkOptions
from mimica.reading.sinks.series import Series
from mimica.reading.sinks.spans import Spans, Spoken, Window, merge, shares

EVENTS = list(stream(seconds=6.0, empty_until=1.0))


def write(format: str, path: Path, events=EVENTS, **options) -> Path:
    with open_sink(format, path, SinkOptions(**options)) as sink:
        for event in events:
            sink.append(event)
    return path


def reading(person, start, end, label="fear", status="ok", confidence=0.5) -> Reading:
    return Reading(source="s", person=person, start=start, end=end, label=label, confidence=confidence, status=status)


def told(windows: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    return [(s.start, s.end, s.says) for s in merge(0, [Window(*w, 0.5) for w in windows])]


@pytest.mark.parametrize(
    ("windows", "spans"),
    [
        ([(0, 2, "a"), (1, 3, "a")], [(0, 3, "a")]),
        ([(0, 2, "a"), (1, 3, "b")], [(0, 1.5, "a"), (1.5, 3, "b")]),
        ([(0, 2, "a"), (1, 3, "b"), (2, 4, "a")], [(0, 1.5, "a"), (1.5, 2.5, "b"), (2.5, 4, "a")]),
        ([(0, 2, "a"), (5, 7, "a")], [(0, 2, "a"), (5, 7, "a")]),
        ([(1, 3, "b"), (0, 2, "a")], [(0, 1.5, "a"), (1.5, 3, "b")]),
        ([(0, 2, "a"), (2, 4, "a")], [(0, 4, "a")]),
        ([(0, 1, "a"), (1, 4, "b")], [(0, 1, "a"), (1, 4, "b")]),
        ([(0, 0, "a")], [(0, 1, "a")]),
        ([], []),
    ],
)
def test_borders_lie_halfway_between_middles_and_equal_neighbours_join(windows, spans) -> None:
    assert told(windows) == spans


times = st.floats(0, 100, allow_nan=False)


@given(st.lists(st.tuples(times, st.floats(0.01, 5), st.sampled_from("ab")), min_size=1, max_size=30))
def test_spans_never_overlap_and_never_leave_the_windows(windows) -> None:
    spans = told([(start, start + length, says) for start, length, says in windows])
    for a, b in pairwise(spans):
        assert a[1] <= b[0]
        assert a[2] != b[2] or b[0] > a[1]
    assert all(start < end for start, end, _ in spans)
    for start, end, says in spans:
        of_it = [w for w in windows if w[2] == says and w[0] < end and w[0] + w[1] > start]
        assert min(w[0] for w in of_it) - 1e-3 <= start
        assert end <= max(w[0] + w[1] for w in of_it) + 1e-3


def test_the_confidence_of_a_span_is_the_mean_over_time() -> None:
    spans = Spans()
    spans.append(reading(0, 0.0, 1.0, confidence=0.4))
    spans.append(reading(0, 1.0, 4.0, confidence=0.8))
    (span,) = spans.of(0)
    assert span.confidence == pytest.approx(0.7)


def elan(path: Path) -> Eaf:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Eaf(path)


def test_elan_has_a_tier_a_person_without_overlap(tmp_path: Path) -> None:
    document = elan(write("eaf", tmp_path / "x.eaf"))
    assert list(document.get_tier_names()) == ["person 0", "person 1", "no face"]
    for tier in document.get_tier_names():
        annotations = sorted(document.get_annotation_data_for_tier(tier))
        assert annotations
        assert all(a[1] <= b[0] for a, b in pairwise(annotations))
    assert document.get_annotation_data_for_tier("no face") == [(0, 1000, "no_face")]


def test_elan_says_unsure_and_low_quality_instead_of_a_label(tmp_path: Path) -> None:
    values = [a[2] for a in sorted(elan(write("eaf", tmp_path / "x.eaf")).get_annotation_data_for_tier("person 1"))]
    assert values[0] == "unsure"
    assert values[-1] == "low_quality"
    assert set(values[1:-1]) <= set(LABELS)


def test_elan_knows_every_value_from_a_described_vocabulary(tmp_path: Path) -> None:
    document = elan(write("eaf", tmp_path / "x.eaf"))
    (name,) = document.get_controlled_vocabulary_names()
    entries = document.get_cv_entries(name)
    values = {texts[0][0]: texts[0][2] for texts, _ in entries.values()}
    assert list(values) == [*LABELS, "unsure", "low_quality", "no_face"]
    assert values["surprise"].startswith("surprise: the brows arch high")
    assert document.get_parameters_for_linguistic_type(name)["CONTROLLED_VOCABULARY_REF"] == name


@pytest.mark.parametrize(
    ("link", "relative", "mime"),
    [
        ("clip.mp4", "./clip.mp4", "video/mp4"),
        ("../in/clip.mkv", "../in/clip.mkv", "video/x-matroska"),
        ("/abs/clip.mov", None, "video/quicktime"),
    ],
)
def test_elan_links_the_source(link: str, relative: str | None, mime: str, tmp_path: Path) -> None:
    (media,) = elan(write("eaf", tmp_path / "x.eaf", link=link)).get_linked_files()
    assert media.get("RELATIVE_MEDIA_URL") == relative
    assert media["MEDIA_URL"].startswith("file:///")
    assert media["MEDIA_URL"].endswith(Path(link).name)
    assert media["MIME_TYPE"] == mime


def test_elan_links_nothing_for_a_source_that_is_no_file(tmp_path: Path) -> None:
    assert elan(write("eaf", tmp_path / "x.eaf")).get_linked_files() == []


@pytest.mark.parametrize("finished", [True, False])
def test_elan_holds_the_notice_and_whether_it_is_complete(finished: bool, tmp_path: Path) -> None:
    events = stream(seconds=2.0, finished=finished)
    properties = dict(elan(write("eaf", tmp_path / "x.eaf", events)).get_properties())
    assert properties["mimica.notice"] == NOTICE
    assert properties["mimica.complete"] == str(finished).lower()


def test_a_photo_is_a_second_long_in_elan(tmp_path: Path) -> None:
    document = elan(write("eaf", tmp_path / "x.eaf", photo()))
    assert document.get_annotation_data_for_tier("person 0") == [(0, 1000, "happiness")]


def cues(text: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^(\d\d:\d\d:\d\d\.\d{3}) --> (\d\d:\d\d:\d\d\.\d{3})\n(.+)$", text, re.MULTILINE)


def test_subtitles_say_who_what_and_how_sure(tmp_path: Path) -> None:
    text = write("vtt", tmp_path / "x.vtt").read_text()
    assert text.startswith("WEBVTT\n\nNOTE\n" + NOTICE)
    said = cues(text)
    assert said == sorted(said, key=lambda cue: cue[0])
    assert any(re.fullmatch(r"Person 0: [a-z]+ \(0\.\d\d\)", cue[2]) for cue in said)
    assert {"Person 1: unsure", "Person 1: low quality"} <= {cue[2] for cue in said}


def test_subtitles_count_past_an_hour_and_escape_text(tmp_path: Path) -> None:
    events = [EVENTS[0], reading(0, 3661.5, 3662.25, "a<b>\n-->"), Closed(frames=1, read=1, last_time=0.0)]
    ((start, end, text),) = cues(write("vtt", tmp_path / "x.vtt", events).read_text())
    assert (start, end) == ("01:01:01.500", "01:01:02.250")
    assert text == "Person 0: a&lt;b&gt; --&gt; (0.50)"


@pytest.mark.parametrize("finished", [True, False])
def test_subtitles_say_whether_they_are_complete(finished: bool, tmp_path: Path) -> None:
    text = write("vtt", tmp_path / "x.vtt", stream(seconds=2.0, finished=finished)).read_text()
    assert ("INCOMPLETE" in text) is not finished


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.floats(0.1, 3), st.sampled_from("ab"), st.booleans()), min_size=1, max_size=12
    )
)
def test_what_is_said_is_timed_as_it_comes_as_it_is_afterwards(windows: list[tuple[float, float, str, bool]]) -> None:
    spoken, series = Spoken(), Series(("a", "b"))
    for start, length, label, sure in sorted(windows, key=lambda w: (w[0] + w[0] + w[1], w[0])):
        one = reading(0, start, start + length, label, "ok" if sure else "unsure")
        spoken.append(one)
        series.append(one)
    time = spoken.time()
    assert shares({label: time.get(label, 0.0) for label in "ab"}) == pytest.approx(series.summary().shares)
    assert sum(time.values()) == pytest.approx(series.summary().seen)


def test_what_people_say_is_added_up_and_a_photo_counts_readings() -> None:
    spoken = Spoken()
    for one in (reading(0, 0, 2), reading(1, 0, 4, "anger"), reading(0, 1, 3), reading(1, 2, 6, "joy", "unsure")):
        spoken.append(one)
    assert spoken.time() == {"fear": 3.0, "anger": 3.0, "unsure": 3.0}
    of_photo = Spoken()
    for person, label in ((0, "fear"), (1, "fear"), (2, "anger")):
        of_photo.append(reading(person, 0.0, 0.0, label))
    assert of_photo.time() == {"fear": 2.0, "anger": 1.0}
    assert shares(of_photo.time()) == pytest.approx({"fear": 2 / 3, "anger": 1 / 3})
    assert shares({}) == {}
    assert shares({"fear": 0.0}) == {"fear": 0.0}


def test_shares_of_classes_are_told_after_reading_as_on_the_page(tmp_path: Path) -> None:
    events = list(stream(seconds=6.0, persons=1))
    reader = SimpleNamespace(read=lambda source, **how: iter(events))
    outcome = read_source(reader, "made up.mp4", "x", Job(out=tmp_path, formats=("html",)))
    assert outcome.state == "done", outcome.error
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert re.findall(r'<td class="share[^>]*>(\d+ %)', text) == in_percent(outcome.labels)
    counted = Counter(event.label for event in events if isinstance(event, Reading))
    assert in_percent(outcome.labels) != in_percent(counted), "no window overlaps another"


def in_percent(time: Mapping[str, float]) -> list[str]:
    """Each label's share as a page tells it."""
    return [f"{100 * shares(time).get(label, 0.0):.0f} %" for label in LABELS]
