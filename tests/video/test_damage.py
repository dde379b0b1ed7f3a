"""What damaged headers and odd streams may not do: ask for all memory, throw times about, or end in an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mimica.errors import InputError
from mimica.video import container
from mimica.video.read import open_video
from mimica.video.write import VideoWriter

Draw = Callable[..., Path]


class Late:
    """A container whose packets are interrupted as PyAV does where a stream begins late."""

    def __init__(self, whole: Any) -> None:
        self._whole, self.interrupted = whole, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def demux(self, stream: Any) -> Iterator[Any]:
        for count, packet in enumerate(self._whole.demux(stream)):
            if count == 3:
                self.interrupted += 1
                raise IndexError("list index out of range")
            yield packet


def test_a_stream_that_begins_late_does_not_end_the_video(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened, late = draw("a.ts"), av.open, []

    def interrupted(*given: Any, **how: Any) -> Any:
        late.append(Late(opened(*given, **how)))
        return late[0]

    monkeypatch.setattr(container.av, "open", interrupted)
    with open_video(path) as video:
        # The interruption takes a packet with it, which would have been another stream's.
        assert len(list(video)) >= 25 - late[0].interrupted
    assert late[0].interrupted > 1


@pytest.mark.parametrize("ratio", [Fraction(1, 60000), Fraction(60000, 1)])
def test_a_picture_is_not_stretched_beyond_what_any_camera_does(tmp_path: Path, ratio: Fraction) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(path, "w") as file:
        stream: Any = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = ratio
        file.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(stream.encode(None))
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (64, 48)


def test_a_video_of_more_pixels_than_any_camera_has_is_refused_in_a_sentence(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw("a.mp4", [0, 40])
    monkeypatch.setattr(container, "_MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(InputError, match=r"a\.mp4 says that its pictures have 64 x 48 pixels"):
        open_video(path)


def test_what_matroska_says_of_its_end_is_not_taken_for_its_length(draw: Draw) -> None:
    with open_video(draw("late.mkv", range(5000, 6000, 40))) as video:
        assert video.info.duration == pytest.approx(1.0, abs=0.05)
        assert len(list(video)) == 25
        assert video.notes == []


def test_sound_that_nobody_can_name_leaves_the_annotated_video_silent(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.video import write

    source = draw("loud.mp4", sound="aac")
    # As for a stream whose header is damaged: it is there, but without anything that could decode it.
    monkeypatch.setattr(write, "_coder", lambda stream: None)
    with VideoWriter(tmp_path / "a.mp4", width=64, height=48, rate=25, copy_audio_from=str(source)) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    assert writer.notes == [
        f"the video is silent: {source} was asked for, but its sound is unknown, which is not copied into MP4"
    ]
