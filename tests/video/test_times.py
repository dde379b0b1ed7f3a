"""Times only ever go forward, whatever a container says, and those that make sense are kept as they are."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimica.errors import UsageError
from mimica.video.container import Clock, believable
from mimica.video.read import open_video
from mimica.video.write import VideoWriter

quick = settings(max_examples=60)
few = settings(max_examples=12)
steps = st.floats(1e-3, 10)
said = st.one_of(st.none(), st.floats(-1e6, 1e6))
gaps = st.lists(st.one_of(st.integers(1, 80), st.integers(1, 6000)), min_size=1, max_size=25)
"""Milliseconds from frame to frame."""


@quick
@given(st.lists(said, max_size=40), st.floats(1e-3, 1))
def test_the_clock_goes_forward_whatever_is_said(times: list[float | None], step: float) -> None:
    clock = Clock(step)
    told = [clock(time) for time in times]
    assert all(a < b for a, b in pairwise(told))
    assert np.isfinite(told).all()


@quick
@given(st.lists(st.floats(1e-6, 1e4), max_size=40), st.floats(0, 1e5))
def test_the_clock_changes_no_time_that_goes_forward(pauses: list[float], first: float) -> None:
    times = sorted(set(accumulate(pauses, initial=first)))
    clock = Clock(0.04)
    assert [clock(time) for time in times] == times


def believed(times: list[float | None], start: float = 0.0, duration: float | None = None) -> list[float | None]:
    frames: list[Any] = list(enumerate(times))
    told = list(believable(iter(frames), start, duration))
    assert [frame for frame, _ in told] == [frame for frame, _ in frames], "no frame is lost or moved"
    return [time for _, time in told]


@quick
@given(st.lists(said, max_size=30), st.floats(-100, 100), st.one_of(st.none(), st.floats(0, 1e3)))
def test_what_is_not_believed_is_taken_away_and_nothing_is_made_up(
    times: list[float | None], start: float, duration: float | None
) -> None:
    assert all(a == b or a is None for a, b in zip(believed(times, start, duration), times, strict=True))


@quick
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30))
def test_pauses_of_hours_are_believed(pauses: list[float]) -> None:
    times = list(accumulate(pauses))
    assert believed([*times]) == times
    assert believed([*times], 0.0, times[-1]) == times


@quick
@given(st.lists(st.floats(0.001, 5), min_size=2, max_size=30), st.data())
def test_a_time_far_ahead_from_which_the_next_frame_comes_back_is_not_believed(
    pauses: list[float], data: st.DataObject
) -> None:
    times: list[float | None] = list(accumulate(pauses))
    place = data.draw(st.integers(0, len(times) - 2))
    hurt = [*times]
    hurt[place] = sum(pauses) + data.draw(st.floats(11, 1e9))
    assert believed(hurt) == [*times[:place], None, *times[place + 1 :]]


def test_a_last_time_far_beyond_what_the_container_states_is_not_believed() -> None:
    assert believed([0.0, 0.1, 47_000.0], 0.0, 0.3) == [0.0, 0.1, None]
    assert believed([0.0, 0.1, 47_000.0], 0.0, None) == [0.0, 0.1, 47_000.0]
    assert believed([0.0, 0.1, 47_000.0], 0.0, 46_990.0) == [0.0, 0.1, 47_000.0]
    assert believed([0.0, 0.1, 60.0], 0.0, 0.3) == [0.0, 0.1, 60.0], "some write too short a length before a pause"


def film(path: Path, times: list[int]) -> None:
    """A video of times in milliseconds."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for at in times:
            frame = av.VideoFrame(16, 16, "yuvj420p")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("kind", ["mkv", "mov"])
@few
@given(gaps, st.integers(0, 5000))
def test_whatever_the_frame_rate_does_the_times_of_a_file_come_back(kind: str, pauses: list[int], first: int) -> None:
    times = list(accumulate(pauses, initial=first))
    with tempfile.TemporaryDirectory() as folder:
        film(Path(folder) / f"a.{kind}", times)
        with open_video(Path(folder) / f"a.{kind}") as video:
            told = [frame.time for frame in video]
            assert video.notes == []
    assert told == pytest.approx([(time - first) / 1000 for time in times], abs=1.1e-3)
    assert all(a < b for a, b in pairwise(told))


@few
@given(st.lists(st.one_of(st.floats(1e-6, 0.1), st.floats(0.1, 3000)), max_size=20))
def test_whatever_the_times_are_an_annotated_video_has_them(pauses: list[float]) -> None:
    times = list(accumulate(pauses, initial=0.0))
    with tempfile.TemporaryDirectory() as folder:
        with VideoWriter(Path(folder) / "a.mp4", width=16, height=16, rate=25) as writer:
            for time in times:
                writer.write(np.zeros((16, 16, 3), np.uint8), time)
        with open_video(Path(folder) / "a.mp4") as video:
            told = [frame.time for frame in video]
            assert video.info.duration == pytest.approx(times[-1], abs=0.3), "a player must not stop before the end"
    # Each tick of 1/90000 s holds one frame; those that come faster are pushed on by as many ticks.
    assert told == pytest.approx(times, abs=(len(times) + 1) / 90_000)


def test_in_a_pause_of_hours_the_last_picture_comes_again_every_hour(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", width=16, height=16, rate=1e-6) as writer:
        for time, grey in ((0.0, 50), (9000.0, 200)):
            writer.write(np.full((16, 16, 3), grey, np.uint8), time)
        with pytest.raises(UsageError, match="100 hours without a picture are too many for MP4"):
            writer.write(np.zeros((16, 16, 3), np.uint8), 9000 + 100.2 * 3600)
    with open_video(tmp_path / "a.mp4") as video:
        told = [(frame.time, round(float(frame.image.mean()), -1)) for frame in video]
    assert told == [(0.0, 50), (3600.0, 50), (7200.0, 50), (9000.0, 200)]
