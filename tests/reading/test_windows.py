"""Windows over drawn comings and goings. A view's picture is one pixel that holds the number of its frame."""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimica.clips import Clip
from mimica.reading.windows import View, Window, Windows
from mimica.video.sampling import Thinner, WindowGrid

CLOSE = 1e-6
some = settings(max_examples=120)


@dataclass(frozen=True)
class Shown:
    """Frames by their times, and who is seen in each."""

    grid: WindowGrid
    times: tuple[float, ...]
    people: tuple[frozenset[int], ...]


@st.composite
def shown(draw: st.DrawFn, *, gap: float = 3.0) -> Shown:
    """What comes out of thinning a source of uneven frames, with stretches of people who come and go."""
    fps = draw(st.sampled_from([1.0, 8.0, 10.0, 29.97]))
    frames = draw(st.integers(1, 12))
    grid = WindowGrid(fps=fps, frames=frames, stride=draw(st.integers(1, frames)))
    pauses = st.one_of(st.just(1.0), st.floats(0.4, 1.6), st.floats(0.4, gap * frames))
    steps = draw(st.lists(pauses, min_size=1, max_size=60))
    begin = draw(st.sampled_from([0.0, 0.0, 0.02, 7.3]))
    times = (begin + np.cumsum([0.0, *steps[1:]]) / fps).tolist()
    thin = Thinner(fps)
    kept = tuple(t for i, t in enumerate(times) if thin(t, i))
    stretches = st.tuples(st.frozensets(st.integers(0, 2), max_size=2), st.integers(1, 15))
    people: list[frozenset[int]] = []
    while len(people) < len(kept):
        who, number = draw(stretches)
        people += [who] * number
    return Shown(grid, kept, tuple(people[: len(kept)]))


def view(number: int, time: float) -> View:
    return View(time=time, face=np.full((1, 1, 3), number, np.uint16), quality=1.0)


def told(seen: Shown, *, early: bool = False) -> list[Window]:
    """What is told; `early`, each frame's time is known before the people in it are."""
    windows = Windows(seen.grid, step=1 / seen.grid.fps)
    given_ = []
    for number, (time, people) in enumerate(zip(seen.times, seen.people, strict=True)):
        if early:
            given_ += windows.close(time)
        given_ += windows.add(time, {person: view(number, time) for person in people})
    return given_ + windows.finish()


def numbers(clip: Clip) -> list[int]:
    return [int(n) for n in clip.faces[:, 0, 0, 0]]


def run(grid: WindowGrid, presence: str, times: Sequence[float] | None = None) -> list[Window]:
    """What is told of frames of which each is a person's number, or `.` for nobody."""
    people = tuple(frozenset() if c == "." else frozenset({int(c)}) for c in presence)
    return told(Shown(grid, tuple(times or [i / grid.fps for i in range(len(presence))]), people))


EIGHT = WindowGrid(fps=1, frames=8, stride=4)


@some
@given(shown())
def test_every_view_is_in_at_least_one_clip_of_its_person(seen: Shown) -> None:
    inside = {(clip.person, n) for window in told(seen) for clip in window.clips for n in numbers(clip)}
    left = {(person, n) for n, people in enumerate(seen.people) for person in people} - inside
    for _, n in left:
        # More than a window's frames in one window: thinning lets a frame come a little early.
        assert any(len(w) > seen.grid.frames for w in _windows_of(seen, n))


def _windows_of(seen: Shown, number: int) -> list[list[float]]:
    grid = seen.grid
    spans = [(grid.start(k) - CLOSE, grid.end(k) - CLOSE) for k in grid.covering(seen.times[number])]
    return [[t for t in seen.times if start <= t < end] for start, end in spans]


@some
@given(shown())
def test_no_clip_has_more_frames_than_a_window_or_lies_outside_it(seen: Shown) -> None:
    for window in told(seen):
        for clip in window.clips:
            assert 1 <= len(clip.faces) == len(clip.times) == len(clip.quality) <= seen.grid.frames
            assert window.start - CLOSE <= clip.start == clip.times[0] <= clip.times[-1] < clip.end
            assert clip.end <= window.start + seen.grid.duration + CLOSE


@some
@given(shown())
def test_clips_of_one_person_come_in_order_and_each_brings_something_new(seen: Shown) -> None:
    known: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    latest = dict.fromkeys(known, -1.0)
    for window in told(seen):
        for clip in window.clips:
            inside = numbers(clip)
            assert inside == sorted(inside)
            assert set(inside) - known[clip.person]
            assert clip.start >= latest[clip.person]
            known[clip.person] |= set(inside)
            latest[clip.person] = clip.start


@some
@given(shown())
def test_every_frame_lies_in_a_window_of_which_something_is_told(seen: Shown) -> None:
    spans = [(w.start, w.start + seen.grid.duration) for w in told(seen)]
    for time in seen.times:
        assert any(start - CLOSE <= time < end + CLOSE for start, end in spans)


@some
@given(shown())
def test_an_absence_is_told_only_of_times_without_anyone(seen: Shown) -> None:
    absences = [window.absence for window in told(seen) if window.absence]
    for start, end in absences:
        inside = [p for t, p in zip(seen.times, seen.people, strict=True) if start - CLOSE <= t < end - CLOSE]
        assert inside
        assert not any(inside)


@some
@given(shown())
def test_a_window_has_clips_or_an_absence_and_windows_come_in_order(seen: Shown) -> None:
    windows = told(seen)
    assert all(bool(window.clips) != bool(window.absence) for window in windows)
    starts = [window.start for window in windows]
    assert starts == sorted(set(starts))


@some
@given(shown())
def test_whatever_begins_before_the_next_window_was_given_by_then(seen: Shown) -> None:
    windows = Windows(seen.grid, step=1 / seen.grid.fps)
    settled = 0.0
    for number, (time, people) in enumerate(zip(seen.times, seen.people, strict=True)):
        for window in windows.add(time, {person: view(number, time) for person in people}):
            assert min([c.start for c in window.clips] or [window.absence[0]]) >= settled - CLOSE  # type: ignore[index]
        assert windows.open_since >= settled
        settled = windows.open_since


@some
@given(shown())
def test_no_more_is_held_than_a_window(seen: Shown) -> None:
    windows = Windows(seen.grid, step=1 / seen.grid.fps)
    for number, (time, people) in enumerate(zip(seen.times, seen.people, strict=True)):
        windows.add(time, {person: view(number, time) for person in people})
        held = [t for t, _ in windows._frames] + [v.time for views in windows._views.values() for v in views]
        assert max(held) - min(held) < seen.grid.duration + CLOSE
        assert all(windows._views.values())


@some
@given(shown(gap=1.0))
def test_it_is_what_a_look_at_everything_at_once_would_tell(seen: Shown) -> None:
    """The rule with all views at hand: in each window a clip if it would lose a view or has a quarter of a window."""
    grid, expected = seen.grid, []
    fresh = {(person, n) for n, people in enumerate(seen.people) for person in people}
    final = max(grid.covering(seen.times[-1]))
    for k in range(final + 1):
        inside = [n for n, t in enumerate(seen.times) if grid.start(k) - CLOSE <= t < grid.end(k) - CLOSE]
        # Nothing is awaited of the window after the last one in which a frame would be new.
        over = bool(inside) and inside[-1] == len(seen.times) - 1
        for person in range(3):
            own = [n for n in inside if person in seen.people[n]]
            new = [n for n in own if (person, n) in fresh]
            leaving = over or any(seen.times[n] < grid.start(k + 1) - CLOSE for n in new)
            if new and (leaving or 4 * len(own) >= grid.frames):
                chosen = np.array(own)[_spread(len(own), grid.frames)]
                fresh -= {(person, int(n)) for n in chosen}
                expected.append((k, person, chosen.tolist()))
        if over:
            break
    clips = [(window.start, clip.person, numbers(clip)) for window in told(seen) for clip in window.clips]
    assert sorted(clips) == [(pytest.approx(grid.start(k)), person, own) for k, person, own in expected]


def _spread(number: int, most: int) -> list[int]:
    return list(range(number)) if number <= most else np.linspace(0, number - 1, most).round().astype(int).tolist()


@some
@given(shown())
def test_a_window_may_be_closed_as_soon_as_the_time_of_the_next_frame_is_known(seen: Shown) -> None:
    for early, late in zip(told(seen, early=True), told(seen), strict=True):
        assert (early.start, early.absence) == (late.start, late.absence)
        assert [(c.person, numbers(c)) for c in early.clips] == [(c.person, numbers(c)) for c in late.clips]


def test_whoever_shows_at_the_end_of_a_window_is_left_to_the_next() -> None:
    windows = run(EIGHT, "0000000100001111")
    assert [[c.person for c in w.clips] for w in windows] == [[0], [0, 1], [1]]
    assert [numbers(c) for c in windows[1].clips if c.person == 1] == [[7]]


def test_whoever_would_be_lost_with_the_window_is_told_of_in_it_however_short() -> None:
    windows = run(WindowGrid(fps=1, frames=12, stride=4), "...00............")
    assert [numbers(c) for w in windows for c in w.clips] == [[3, 4]]


@pytest.mark.parametrize(
    ("presence", "absences"),
    [
        ("........", [(0, 8)]),
        ("............", [(0, 8), (4, 12)]),
        ("...", [(0, 3)]),
        ("00000000........", [(8, 16)]),
        ("00000000.....", [(8, 13)]),
        ("00000000..", [(8, 10)]),
        ("........0000", [(0, 8)]),
        (".......00000", [(0, 7)]),
        ("00000000", []),
        ("0.......", []),
    ],
)
def test_an_absence_is_told_for_a_stretch_without_anyone(presence: str, absences: list[tuple[int, int]]) -> None:
    assert [w.absence for w in run(EIGHT, presence) if w.absence] == absences


def test_a_jump_of_hours_takes_no_time_and_nothing_is_told_of_it() -> None:
    begun = clock.perf_counter()
    grid = WindowGrid(fps=30, frames=16, stride=1)
    times = [i / 30 for i in range(40)] + [20 * 3600 + i / 30 for i in range(40)]
    windows = run(grid, "0" * 80, times)
    assert clock.perf_counter() - begun < 1
    assert {n for w in windows for c in w.clips for n in numbers(c)} == set(range(80))
    assert not any(w.absence for w in windows)
    assert all(c.end - c.start <= grid.duration + CLOSE for w in windows for c in w.clips)


def test_a_jump_after_an_absence_does_not_lengthen_the_absence() -> None:
    windows = run(EIGHT, "....0", [0, 1, 2, 3, 3600])
    assert [w.absence for w in windows if w.absence] == [(0, 4)]
    assert [(c.start, c.end) for w in windows for c in w.clips] == [(3600, 3601)]


def test_what_a_clip_was_given_for_before_a_jump_is_not_told_again_as_an_absence() -> None:
    windows = run(EIGHT, "0.......0", [*range(8), 3600])
    assert [w.absence for w in windows if w.absence] == []


def test_what_lies_between_windows_that_do_not_touch_is_passed_over() -> None:
    grid = WindowGrid(fps=1, frames=2, stride=5)
    windows = run(grid, "0000000000000")
    assert [numbers(c) for w in windows for c in w.clips] == [[0, 1], [5, 6], [10, 11]]
    assert [(c.start, c.end) for w in windows for c in w.clips] == [(0, 2), (5, 7), (10, 12)]


def test_faces_that_come_faster_than_they_should_are_spread_over_the_window() -> None:
    times = [i / 4 for i in range(32)]
    (first, *_) = run(EIGHT, "0" * 32, times)
    assert len(first.clips[0].faces) == 8
    assert (first.clips[0].times[0], first.clips[0].times[-1]) == (0, 7.75)


def test_a_source_without_a_frame_gives_no_window() -> None:
    assert Windows(EIGHT, step=1.0).finish() == []
