from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from filmed import Hung, Picture, Slow
from mimica.clips import Frame
from mimica.errors import InputError
from mimica.video import camera as camera_module
from mimica.video import read as read_module
from mimica.video.camera import Camera, _Warnings, device_of
from mimica.video.container import Container
from mimica.video.read import Video, open_video
from mimica.video.sampling import Thinner

PICTURES = [np.full((6, 8, 3), i, np.uint8) for i in range(81)]
"""Five seconds, sixteen a second."""


def filmed(device: Slow, monkeypatch: pytest.MonkeyPatch) -> Video:
    monkeypatch.setattr(read_module, "open_camera", lambda name, notes: device)
    return open_video("camera:0")


def every(time: float, index: int) -> bool:
    return True


def never() -> bool:
    return False


def test_a_reading_that_keeps_up_gets_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    with filmed(Slow(PICTURES[:20]), monkeypatch) as video:
        assert video.info.kind == "camera"
        assert [frame.index for frame in video] == list(range(20))
        assert video.notes == []


def test_what_a_slow_reading_gets_next_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    with filmed(Slow(PICTURES, pause=3), monkeypatch) as video:
        given = list(video)
    assert [frame.index for frame in given[:4]] == [0, 1, 2, 3]
    late = given[4:]
    assert late
    assert late[-1].index == 80, "the newest is always kept"
    assert late[0].time >= 5.0 - 0.2


def test_times_and_indices_of_what_is_left_are_the_cameras_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with filmed(Slow(PICTURES, pause=3), monkeypatch) as video:
        given = list(video)
    assert [frame.time for frame in given] == [frame.index / 16 for frame in given]
    assert [int(frame.image[0, 0, 0]) for frame in given] == [frame.index for frame in given]


def test_every_frame_that_was_not_given_is_counted_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with filmed(Slow(PICTURES, pause=3), monkeypatch) as video:
        given = list(video)
        (note,) = video.notes
    assert f"{81 - len(given)} of 81 frames to be read were dropped" in note
    assert "--fps" in note


def test_frames_that_nobody_asked_for_are_not_dropped_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    with filmed(Slow(PICTURES, pause=0), monkeypatch) as video:
        given = list(video.frames(Thinner(4)))
        (note,) = video.notes
    assert all(frame.index % 4 == 0 for frame in given)
    assert f"{21 - len(given)} of 21 frames" in note


def test_a_hiccup_costs_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    with filmed(Slow(PICTURES[:8], pause=4), monkeypatch) as video:  # three more in less than a fifth of a second
        assert [frame.index for frame in video] == list(range(8))
        assert video.notes == []


def test_one_thread_alone_touches_the_device_and_lets_go_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Slow(PICTURES[:5])
    with filmed(device, monkeypatch) as video:
        list(video)
    assert device.closed
    assert len(device.threads) == 1
    assert threading.get_ident() not in device.threads


def test_leaving_part_way_lets_go_of_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Slow(PICTURES)
    with filmed(device, monkeypatch) as video:
        next(iter(video))
    assert device.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "camera:0"]


def test_a_camera_that_films_on_and_on_is_let_go_of_too() -> None:
    class Endless(Hung):
        def decode(self) -> Iterator[tuple[float, Picture]]:
            for index in itertools.count():
                yield index / 16, lambda: None

    device = Endless(0)
    shots = Camera("camera:0", device, []).shots(every, never)
    next(shots)
    shots.close()  # type: ignore[attr-defined]
    assert device.closed


def test_a_camera_that_was_never_read_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Slow(PICTURES)
    filmed(device, monkeypatch).close()
    assert device.closed


def test_what_goes_wrong_while_filming_is_raised_where_the_frames_are_read() -> None:
    class Broken(Hung):
        def decode(self) -> Iterator[tuple[float, Picture]]:
            yield from super().decode()
            raise RuntimeError("the sensor melted")

    device = Broken(2)
    device.freed.set()
    shots = Camera("camera:0", device, []).shots(every, never)
    with pytest.raises(RuntimeError, match="melted"):
        list(shots)


def test_a_stop_is_heard_while_waiting_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "_POLL", 0.001)
    device, notes = Hung(0), []
    asked = itertools.count()
    assert list(Camera("camera:0", device, notes).shots(every, lambda: next(asked) >= 3)) == []
    assert device.closed
    assert notes == [], "it was not given up for its silence"


def test_a_camera_that_falls_silent_is_given_up_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "_SILENCE", 0.01)
    monkeypatch.setattr(camera_module, "_POLL", 0.001)
    notes: list[str] = []
    list(Camera("camera:0", Hung(1), notes).shots(every, never))
    assert any("no picture came" in note for note in notes)


def test_a_camera_that_hangs_in_its_driver_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "_FAREWELL", 0.01)
    device = Hung(1, deaf=True)
    shots = Camera("camera:0", device, []).shots(every, never)
    next(shots)
    shots.close()  # type: ignore[attr-defined]
    assert not device.closed, "closing what another thread waits in would crash"
    device.freed.set()


def test_falling_behind_is_said_while_it_lasts_and_ever_less_often(caplog: pytest.LogCaptureFixture) -> None:
    warn = _Warnings("camera:0")
    for second in range(60):
        warn(float(second), 8 * second, 6 * second)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    said = [record.getMessage() for record in caplog.records]
    assert "30 of the last 40 frames" in said[0]
    assert "60 of the last 80 frames" in said[1]


def test_a_frame_lost_now_and_then_is_left_to_the_end(caplog: pytest.LogCaptureFixture) -> None:
    warn = _Warnings("camera:0")
    for second in range(60):
        warn(float(second), 8 * second, second // 4)
    assert not caplog.records


def test_a_device_of_ffmpeg_is_read_like_any_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ("testsrc=size=64x48:rate=10:duration=1,setpts=PTS+100/TB", "lavfi")
    monkeypatch.setattr(camera_module, "device_of", lambda name: source)
    with open_video("camera:0") as video:
        given: list[Frame] = list(video)
        lost = 0 if not video.notes else int(video.notes[0].split(": ")[1].split()[0])
    assert video.info.kind == "camera"
    assert len(given) + lost == 10
    assert [frame.time for frame in given] == pytest.approx([frame.index / 10 for frame in given])


def test_a_cameras_pictures_are_not_held_back_by_decoding_several_at_once() -> None:
    camera = Container("camera:0", "testsrc=size=64x48:rate=10:duration=0.5", [], device="lavfi")
    assert str(camera._stream.thread_type) in ("SLICE", "ThreadType.SLICE")
    camera.close()


@pytest.mark.parametrize("name", ["camera:front", "camera:", "camera:-1"])
def test_a_camera_has_a_number(name: str) -> None:
    with pytest.raises(InputError, match="write camera:0"):
        device_of(name)
