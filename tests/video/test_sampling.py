from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.errors import UsageError
from mimica.video.sampling import Thinner, WindowGrid

rates = st.floats(1, 120)
gaps = st.lists(st.floats(1e-4, 0.5), min_size=1, max_size=80)
grids = st.builds(
    WindowGrid, fps=st.floats(0.5, 120), frames=st.integers(1, 64), stride=st.integers(1, 64)
)  # fmt: skip


def kept(times: list[float], fps: float | None) -> list[float]:
    thinner = Thinner(fps)
    return [time for index, time in enumerate(times) if thinner(time, index)]


@given(gaps, rates, st.floats(0, 1e5))
def test_kept_frames_are_half_a_tick_apart_whatever_the_source(steps: list[float], fps: float, first: float) -> None:
    times = kept((first + np.cumsum([0.0, *steps])).tolist(), fps)
    assert times[0] == first
    assert all(b - a >= 0.5 / fps - 1.001e-3 for a, b in pairwise(times))


@given(st.floats(1, 60), st.floats(1, 4), st.floats(0, 1000))
def test_over_a_steady_faster_source_the_mean_rate_is_fps(fps: float, faster: float, first: float) -> None:
    times = [first + i / (fps * faster) for i in range(400)]
    wanted = (times[-1] - first) * fps
    assert abs(len(kept(times, fps)) - wanted) <= 2 + 0.001 * fps * faster


@given(st.lists(st.floats(1.0, 5.0), max_size=60), st.floats(1, 60), st.floats(0, 1000))
def test_a_slower_source_is_kept_whole(ticks: list[float], fps: float, first: float) -> None:
    times = (first + np.cumsum([0.0, *ticks]) / fps).tolist()
    assert kept(times, fps) == times


@pytest.mark.parametrize("rate", [15, 24, 25, 30])
def test_times_rounded_to_milliseconds_lose_no_frame(rate: int) -> None:
    times = [round(i / rate, 3) for i in range(500)]
    assert kept(times, rate) == times
    assert kept(times, rate / 2) == pytest.approx(times[::2])


def test_a_kept_frame_is_the_first_at_or_after_its_tick() -> None:
    assert kept([0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1], 1) == [0.0, 1.2, 2.1]


def test_after_a_gap_no_frames_are_made_up_for() -> None:
    assert kept([0.0, 0.5, 5.0, 5.1, 5.2, 6.0], 1) == [0.0, 5.0, 6.0]


def test_no_fps_keeps_everything() -> None:
    assert kept([0.0, 0.001, 0.002], None) == [0.0, 0.001, 0.002]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Thinner(fps)


@given(grids, st.floats(0, 1e5))
def test_a_window_covers_what_lies_between_its_start_and_its_end(grid: WindowGrid, time: float) -> None:
    covering = grid.covering(time)
    for k in range(max(0, covering.start - 2), covering.stop + 2):
        inside = grid.start(k) <= time < grid.end(k)
        edge = min(abs(time - grid.start(k)), abs(time - grid.end(k))) < 2e-6
        assert edge or (k in covering) == inside


@given(grids, st.integers(0, 5000))
def test_a_window_contains_its_start_and_not_its_end(grid: WindowGrid, k: int) -> None:
    assert k in grid.covering(grid.start(k))
    assert k not in grid.covering(grid.end(k))


@given(st.floats(0.5, 120), st.integers(1, 64), st.floats(0, 1e5))
def test_windows_side_by_side_share_no_time_and_leave_none_out(fps: float, frames: int, time: float) -> None:
    assert len(WindowGrid(fps=fps, frames=frames, stride=frames).covering(time)) == 1


@given(grids, st.integers(0, 5000))
def test_hop_and_duration_place_every_window(grid: WindowGrid, k: int) -> None:
    assert grid.start(k) == pytest.approx(k * grid.hop)
    assert grid.end(k) == pytest.approx(k * grid.hop + grid.duration)


def test_before_zero_and_in_gaps_there_is_no_window() -> None:
    grid = WindowGrid(fps=10, frames=2, stride=5)
    assert [list(grid.covering(t)) for t in (-0.1, 0.0, 0.15, 0.3, 0.5)] == [[], [0], [0], [], [1]]


@pytest.mark.parametrize(("fps", "frames", "stride"), [(0, 8, 4), (8, 0, 4), (8, 8, 0), (float("nan"), 8, 4)])
def test_a_grid_that_makes_no_windows_is_refused(fps: float, frames: int, stride: int) -> None:
    with pytest.raises(UsageError, match="windows need"):
        WindowGrid(fps=fps, frames=frames, stride=stride)
