from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mimica
from drawn import HEIGHT, WIDTH, Squares, alone, film, folder, photo, picture, walk
from filmed import Slow
from mimica.clips import Reading, Track
from mimica.errors import InputError, UsageError
from mimica.reading.events import Closed, Event, Opened, Seen, Settled
from mimica.reading.reader import Reader
from mimica.reading.settings import Settings
from mimica.recognition.model import Recogniser
from mimica.recognition.registry import load
from mimica.video import read as read_module
from mimica.video.sampling import WindowGrid

QUICK = Settings(fps=10, window=8, stride=4, unsure_below=0.0, frame_rate=20)
"""Ten frames a second are looked at; folders of pictures have twenty."""


@pytest.fixture(scope="module")
def recogniser(tiny_model: Path) -> Recogniser:
    return load(str(tiny_model))


def read(recogniser: Recogniser, source: Path, settings: Settings = QUICK, **how: object) -> list[Event]:
    return list(Reader(recogniser, settings, detector=Squares()).read(source, **how))  # type: ignore[arg-type]


def readings(events: Iterable[Event]) -> list[Reading]:
    return [event for event in events if isinstance(event, Reading)]


def closed(events: list[Event]) -> Closed:
    assert isinstance(events[-1], Closed)
    return events[-1]


def shares(reading: Reading) -> np.ndarray:
    return np.array(list(reading.probabilities.values()))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of one person."""
    return folder(tmp_path_factory.mktemp("one") / "one", alone(60))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a; b comes in after one."""
    places = [{"a": (10, 24)} | ({"b": (100, 24)} if i >= 20 else {}) for i in range(60)]
    return folder(tmp_path_factory.mktemp("two") / "two", walk(places))


def test_events_come_in_the_order_that_is_promised(recogniser: Recogniser, two: Path) -> None:
    events = read(recogniser, two)
    letters = "".join({Seen: "s", Reading: "r", Settled: "t"}.get(type(e), type(e).__name__[0]) for e in events)
    assert letters.startswith("Os")
    assert letters.endswith("tTTC")
    assert set(letters[1:-3]) == set("srt")
    settled = -math.inf
    for event in events:
        if isinstance(event, Settled):
            assert event.time >= settled
            settled = event.time
        elif isinstance(event, Reading):
            assert event.start >= settled - 1e-6
    assert settled == math.inf


def test_readings_come_while_the_source_is_still_read(recogniser: Recogniser, one: Path) -> None:
    events = read(recogniser, one)
    first = next(i for i, event in enumerate(events) if isinstance(event, Reading))
    last_seen = max(i for i, event in enumerate(events) if isinstance(event, Seen))
    assert first < last_seen / 2


def test_the_first_event_states_the_source_the_model_and_the_way_of_reading(recogniser: Recogniser, one: Path) -> None:
    opened = read(recogniser, one, replace(QUICK, smooth=1.0))[0]
    assert isinstance(opened, Opened)
    assert (opened.source, opened.kind, opened.width, opened.height) == (str(one), "frames", WIDTH, HEIGHT)
    assert opened.labels == recogniser.space.names
    assert opened.views == ("raw",)
    assert opened.model["name"] == recogniser.name
    assert opened.model["architecture"] == "duse"
    assert opened.settings["fps"] == 10
    assert opened.settings["unsure_below"] == 0.0


def test_a_readings_label_is_the_likeliest_class_and_its_probabilities_sum_to_one(
    recogniser: Recogniser, two: Path
) -> None:
    found = readings(read(recogniser, two))
    assert found
    for reading in found:
        assert tuple(reading.probabilities) == recogniser.space.names
        assert sum(reading.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert reading.label == max(reading.probabilities, key=lambda name: reading.probabilities[name])
        assert reading.confidence == max(reading.probabilities.values())
        assert reading.source == str(two)
        assert not reading.views


def test_windows_overlap_by_the_stride_and_follow_the_clock_of_the_source(recogniser: Recogniser, one: Path) -> None:
    spans = [(r.start, r.end) for r in readings(read(recogniser, one))]
    expected = [(0.0, 0.8), (0.4, 1.2), (0.8, 1.6), (1.2, 2.0), (1.6, 2.4), (2.0, 2.8), (2.4, 3.0)]
    assert spans == [(pytest.approx(start), pytest.approx(end)) for start, end in expected]


def test_a_video_file_reads_as_its_frames_do(recogniser: Recogniser, tmp_path: Path, one: Path) -> None:
    video = film(tmp_path / "one.mp4", alone(60), rate=20)
    told, expected = (readings(read(recogniser, source)) for source in (video, one))
    assert [(r.person, r.start) for r in told] == [(r.person, pytest.approx(r.start, abs=2e-3)) for r in expected]
    assert np.allclose([shares(r) for r in told], [shares(r) for r in expected], atol=0.1)


def test_what_is_shown_changes_what_is_read(recogniser: Recogniser, one: Path) -> None:
    found = np.array([shares(r) for r in readings(read(recogniser, one))])
    assert found.std(axis=0).max() > 1e-3


@pytest.mark.parametrize(("threshold", "status"), [(0.0, "ok"), (1.0, "unsure")])
def test_a_reading_below_the_threshold_is_unsure(
    recogniser: Recogniser, one: Path, threshold: float, status: str
) -> None:
    found = readings(read(recogniser, one, replace(QUICK, unsure_below=threshold)))
    assert {r.status for r in found} == {status}


def test_the_models_own_threshold_holds_where_none_is_given(recogniser: Recogniser, one: Path) -> None:
    settings = replace(QUICK, unsure_below=None)
    middle = float(np.median([r.confidence for r in readings(read(recogniser, one))]))  # type: ignore[arg-type]
    found = readings(read(replace(recogniser, unsure_below=middle), one, settings))
    assert {r.status for r in found} == {"ok", "unsure"}
    assert all((r.status == "unsure") == (r.confidence < middle) for r in found)  # type: ignore[operator]


def test_a_face_that_is_too_small_is_read_and_called_low_quality(recogniser: Recogniser, tmp_path: Path) -> None:
    images = [picture({"a": (40, 40)}, i, side=12) for i in range(24)]
    found = readings(read(recogniser, folder(tmp_path / "small", images), replace(QUICK, unsure_below=1.0)))
    assert {r.status for r in found} == {"low_quality"}
    assert all(r.label for r in found)


def test_time_without_anyone_is_told_as_no_face(recogniser: Recogniser, tmp_path: Path) -> None:
    events = read(recogniser, folder(tmp_path / "nobody", walk([{}] * 40)))
    found = readings(events)
    assert (found[0].start, found[0].end) == (0.0, pytest.approx(0.8))
    assert found[-1].end == pytest.approx(2.0)
    for reading in found:
        assert (reading.status, reading.person, reading.label, reading.confidence) == ("no_face", None, None, None)
        assert not reading.probabilities
    assert not [event for event in events if isinstance(event, Track)]


def test_someone_who_leaves_is_no_longer_told_of(recogniser: Recogniser, tmp_path: Path) -> None:
    places = [{"a": (20, 24)} if i < 20 else {} for i in range(60)]
    found = readings(read(recogniser, folder(tmp_path / "leaves", walk(places))))
    assert {r.status for r in found if r.end <= 1.0} == {"ok"}
    assert {r.status for r in found if r.start >= 1.0} == {"no_face"}
    assert found[-1].end == pytest.approx(3.0)


def test_smoothing_averages_over_earlier_windows_and_keeps_what_was_raw(recogniser: Recogniser, two: Path) -> None:
    raw, smooth = (readings(read(recogniser, two, replace(QUICK, smooth=s))) for s in (0.0, 0.5))
    state: dict[int | None, tuple[float, np.ndarray]] = {}
    for plain, told in zip(raw, smooth, strict=True):
        assert dict(told.views["raw"]) == dict(plain.probabilities)
        expected = shares(plain)
        if plain.person in state:
            then, before = state[plain.person]
            new = 1 - math.exp(-(plain.end - then) / 0.5)
            expected = new * expected + (1 - new) * before
        state[plain.person] = (plain.end, expected)
        assert np.allclose(shares(told), expected)
        assert sum(told.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert any(dict(a.probabilities) != dict(b.probabilities) for a, b in zip(raw, smooth, strict=True))


def test_every_frame_can_be_asked_for_without_changing_a_reading(recogniser: Recogniser, two: Path) -> None:
    thinned, whole = (read(recogniser, two, every_frame=every) for every in (False, True))
    assert readings(thinned) == readings(whole)
    seen = [event for event in whole if isinstance(event, Seen)]
    assert [event.frame.index for event in seen] == list(range(60))
    assert [event.read for event in seen] == [i % 2 == 0 for i in range(60)]
    assert not any(event.faces for event in seen if not event.read)
    assert [e.frame.index for e in thinned if isinstance(e, Seen)] == list(range(0, 60, 2))
    assert closed(thinned) == closed(whole)


def test_frames_that_were_passed_over_are_counted_and_noted(recogniser: Recogniser, one: Path) -> None:
    end = closed(read(recogniser, one))
    assert (end.frames, end.read, end.finished) == (60, 30, True)
    assert end.last_time == pytest.approx(59 / 20)
    assert any("30 of 60" in note for note in end.notes)


def test_nothing_depends_on_how_many_frames_are_searched_at_once(
    recogniser: Recogniser, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for group in (1, 3, 100):
        monkeypatch.setattr("mimica.reading.sightings._GROUP", group)
        reader = Reader(recogniser, QUICK, detector=(detector := Squares()))
        events = list(reader.read(two, every_frame=True))
        assert max(detector.calls) == min(group, 30)
        told.append([event for event in events if not isinstance(event, Seen | Track)])
    assert told[0] == told[1] == told[2]


def test_two_people_keep_their_numbers_and_do_not_change_each_others_readings(
    recogniser: Recogniser, two: Path, tmp_path: Path
) -> None:
    events = read(recogniser, two)
    tracks = [event for event in events if isinstance(event, Track)]
    assert [track.person for track in tracks] == [0, 1]
    assert tracks[0].times[0] == 0
    assert tracks[1].times[0] == pytest.approx(1.0, abs=0.11)
    assert np.allclose(tracks[0].boxes, [10, 24, 58, 72])
    assert np.allclose(tracks[1].boxes, [100, 24, 148, 72])
    just_a = folder(tmp_path / "a", walk([{"a": (10, 24)}] * 60))
    expected = readings(read(recogniser, just_a))
    found = [r for r in readings(events) if r.person == 0]
    assert [(r.start, r.end) for r in found] == [(r.start, r.end) for r in expected]
    assert np.allclose([shares(r) for r in found], [shares(r) for r in expected], atol=1e-5)
    assert len([r for r in readings(events) if r.person == 1]) >= 4


def test_a_reader_numbers_the_people_of_each_source_anew(recogniser: Recogniser, one: Path, two: Path) -> None:
    reader = Reader(recogniser, replace(QUICK, smooth=2.0), detector=Squares())
    first = readings(reader.read(one))
    list(reader.read(two))
    assert readings(reader.read(one)) == first


def test_stopping_part_way_keeps_what_was_read_and_says_so(recogniser: Recogniser, one: Path) -> None:
    events: list[Event] = []
    reader = Reader(recogniser, QUICK, detector=Squares())
    for event in reader.read(one, stopped=lambda: sum(isinstance(e, Seen) for e in events) >= 12):
        events.append(event)
    end = closed(events)
    assert not end.finished
    assert 12 <= end.read < 20
    assert any("stopped" in note for note in end.notes)
    found = readings(events)
    assert found[0] == readings(read(recogniser, one))[0]
    assert found[-1].end == pytest.approx(end.read / 10, abs=0.11)
    assert len([event for event in events if isinstance(event, Track)]) == 1


@pytest.mark.parametrize("faces", ["detect", "none"])
def test_stopping_before_the_first_frame_is_an_end_like_any_other(
    recogniser: Recogniser, one: Path, faces: str
) -> None:
    settings = replace(QUICK, faces=faces)  # type: ignore[arg-type]
    detector = Squares() if faces == "detect" else None
    events = list(Reader(recogniser, settings, detector=detector).read(one, stopped=lambda: True))
    assert [type(event) for event in events] == [Opened, Settled, Closed]
    assert not closed(events).finished


def test_a_photo_gives_one_reading_a_person_at_time_zero(recogniser: Recogniser, tmp_path: Path) -> None:
    source = photo(tmp_path / "both.png", picture({"a": (10, 20), "b": (100, 20)}))
    reader = Reader(recogniser, QUICK, detector=Squares(score=0.92))
    found = readings(reader.read(source))
    assert [(r.person, r.start, r.end) for r in found] == [(0, 0.0, 0.0), (1, 0.0, 0.0)]


def test_a_photo_without_anyone_gives_one_reading_of_no_face(recogniser: Recogniser, tmp_path: Path) -> None:
    found = readings(read(recogniser, photo(tmp_path / "empty.png", picture({}))))
    assert [(r.status, r.start, r.end) for r in found] == [("no_face", 0.0, 0.0)]


def test_pictures_that_are_one_face_already_are_taken_whole(recogniser: Recogniser, one: Path) -> None:
    events = list(Reader(recogniser, replace(QUICK, faces="none")).read(one))
    assert {r.person for r in readings(events)} == {0}
    (track,) = (event for event in events if isinstance(event, Track))
    assert np.allclose(track.boxes, [0, 0, WIDTH, HEIGHT])
    assert len(track.times) == 30


def test_the_view_of_a_face_is_its_cut_and_not_the_frame(recogniser: Recogniser, one: Path, tmp_path: Path) -> None:
    moved = folder(tmp_path / "moved", walk([{"a": (60 + i // 4, 10)} for i in range(60)]))
    here, there = (readings(read(recogniser, source)) for source in (one, moved))
    assert np.allclose([shares(r) for r in here], [shares(r) for r in there], atol=1e-4)


def test_a_file_that_is_no_video_is_refused_in_one_sentence(recogniser: Recogniser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    with pytest.raises(InputError, match=r"broken\.mp4"):
        read(recogniser, broken)


def test_mimica_read_gives_the_readings_alone(tiny_model: Path, one: Path) -> None:
    found = list(mimica.read(one, model=str(tiny_model), faces="none", fps=10, window=8, stride=8))
    assert [type(r) for r in found] == [Reading] * 3
    assert {r.person for r in found} == {0}


def test_a_window_longer_than_the_model_reads_is_refused(recogniser: Recogniser) -> None:
    with pytest.raises(UsageError, match="at most 16 frames, got 17"):
        Reader(recogniser, Settings(window=17, faces="none"))


def test_windows_are_the_models_own_and_overlap_by_half_where_nothing_is_asked_for(recogniser: Recogniser) -> None:
    assert Reader(recogniser, Settings(faces="none")).grid == WindowGrid(fps=8, frames=16, stride=8)
    assert Reader(recogniser, Settings(faces="none", window=6)).grid == WindowGrid(fps=8, frames=6, stride=3)


def test_a_model_may_read_windows_shorter_than_the_longest_that_it_can(recogniser: Recogniser) -> None:
    short = replace(recogniser, window=8)
    assert Reader(short, Settings(faces="none")).grid == WindowGrid(fps=8, frames=8, stride=4)
    assert Reader(short, Settings(faces="none", window=16)).grid.frames == 16


def even(index: int) -> bool:
    """Which of twenty frames a second are looked at when ten are."""
    return index % 2 == 0


def test_a_camera_that_is_too_fast_is_read_with_true_times_and_what_was_dropped_is_said(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_module, "open_camera", lambda name, notes: Slow(alone(100), rate=20, pause=20, waits=even))
    events = read(recogniser, Path("camera:0"))
    end = closed(events)
    looked = [event.frame for event in events if isinstance(event, Seen)]
    assert (end.frames, end.read, end.last_time) == (100, len(looked), pytest.approx(99 / 20))
    assert [frame.time for frame in looked] == [pytest.approx(frame.index / 20) for frame in looked]
    assert any(f"{50 - len(looked)} of 50 frames to be read were dropped" in warning for warning in end.warnings)
    found = readings(events)
    assert found[0].start == 0.0
    assert found[-1].end == pytest.approx(5.0, abs=0.11)
    assert all(r.end - r.start <= 0.8 + 1e-6 for r in found), "no reading spans the time that was dropped"
    assert not any(1.1 < r.start < 4.7 for r in found)


def test_writing_every_frame_of_a_camera_changes_nothing_of_what_is_read_in_time(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for every, waits in ((False, even), (True, lambda index: True)):
        device = Slow(alone(40), rate=20, waits=waits)
        monkeypatch.setattr(read_module, "open_camera", lambda name, notes, device=device: device)
        told.append(read(recogniser, Path("camera:0"), every_frame=every))
    assert readings(told[0]) == readings(told[1])
    assert closed(told[0]).read == closed(told[1]).read == 20
    assert not closed(told[1]).warnings


def test_everything_is_loaded_before_a_camera_films(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Squares()
    searched: list[int] = []

    def opened(name: str, notes: list[str]) -> Slow:
        searched.append(len(detector.calls))
        return Slow(alone(2), waits=lambda index: False)

    monkeypatch.setattr(read_module, "open_camera", opened)
    list(Reader(recogniser, QUICK, detector=detector).read("camera:0"))
    assert searched == [1]


def test_a_cameras_window_is_read_before_faces_are_looked_for_in_the_next_frame(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_module, "open_camera", lambda name, notes: Slow(alone(30), rate=10))
    detector = Squares()
    for event in Reader(recogniser, QUICK, detector=detector).read("camera:0"):
        if isinstance(event, Reading):
            break
    assert len(detector.calls) == 1 + 8, "one to load everything, and one for each frame of the window"
