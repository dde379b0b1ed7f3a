from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from mimica.errors import InputError, UsageError
from mimica.video.read import open_video
from mimica.video.write import VideoWriter

Draw = Callable[..., Path]


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    image = np.full((height, width, 3), (200, 60, 40), np.uint8)
    image[: height // 2] = (30, 90, 210)
    return image


def write(path: Path, times: list[float], image: np.ndarray, **more: object) -> VideoWriter:
    height, width, _ = image.shape
    with VideoWriter(path, width=width, height=height, rate=25, **more) as writer:  # type: ignore[arg-type]
        for time in times:
            writer.write(image, time)
    return writer


def test_true_times_come_back(tmp_path: Path) -> None:
    times = [0.0, 0.01, 0.05, 0.0517, 0.3, 0.333, 1.0, 1.04]
    write(tmp_path / "a.mp4", times, picture())
    with open_video(tmp_path / "a.mp4") as video:
        assert [frame.time for frame in video] == pytest.approx(times, abs=1 / 90_000)
        assert video.notes == []


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 64), (48, 63), (33, 35)])
def test_pictures_come_back_and_odd_sizes_are_filled_up(tmp_path: Path, height: int, width: int) -> None:
    image = picture(height, width)
    write(tmp_path / "a.mp4", [0.0, 0.04], image)
    with open_video(tmp_path / "a.mp4") as video:
        shown = next(iter(video)).image
    assert shown.shape == (height + height % 2, width + width % 2, 3)
    inner = np.s_[4 : height - 4 : height // 2, 4 : width - 4 : 8]
    assert np.abs(shown[inner].astype(int) - image[inner]).max() <= 12


def test_the_file_is_h264_with_its_index_in_front(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [0.0, 0.04], picture())
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(tmp_path / "a.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")


def test_the_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "a.mp4"
    with VideoWriter(path, width=64, height=48, rate=25) as writer:
        writer.write(picture(), 0.0)
        assert not path.exists()
        assert [p.name for p in path.parent.iterdir()] == [".a.mp4.part"]
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


def test_after_an_error_nothing_stays_and_the_old_file_does(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="order of time"):
        write(path, [0.5, 0.0], picture())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_video_without_a_frame_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame"):
        write(tmp_path / "a.mp4", [], picture())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("image", "time", "words"),
    [
        (picture(32, 64), 1.0, r"expected a picture uint8 \[48, 64, 3\], got uint8 \[32, 64, 3\]"),
        (picture().astype(np.float32), 1.0, "got float32"),
        (picture(), 0.5, "order of time"),
    ],
)
def test_a_wrong_picture_or_time_is_refused(tmp_path: Path, image: np.ndarray, time: float, words: str) -> None:
    with VideoWriter(tmp_path / "a.mp4", width=64, height=48, rate=25) as writer:
        writer.write(picture(), 0.9)
        with pytest.raises(UsageError, match=words):
            writer.write(image, time)


def test_ffmpeg_without_h264_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(UsageError, match="libx264"):
        VideoWriter(tmp_path / "a.mp4", width=64, height=48, rate=25)


@pytest.mark.parametrize("name", ["file/a.mp4", "shut/a.mp4"])
def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "shut" / ".a.mp4.part").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot write .*a\.mp4"):
        VideoWriter(tmp_path / name, width=64, height=48, rate=25)


@pytest.mark.parametrize("name", ["loud.mp4", "loud.mkv"])
def test_sound_is_copied_as_it_is_and_in_time(draw: Draw, tmp_path: Path, name: str) -> None:
    source = draw(name, range(3000, 5000, 40), images=[picture()] * 50, sound="aac")
    with open_video(source) as video:
        times = [frame.time for frame in video]
    writer = write(tmp_path / "copy.mp4", times, picture(), copy_audio_from=str(source))
    assert writer.notes == []
    heard, copied = sound(source), sound(tmp_path / "copy.mp4")
    # The pictures begin three seconds into the source, so the sound before them is left behind.
    assert copied == [(pytest.approx(t - 3, abs=2e-3), size) for t, size in heard if t - 3 > -0.064]


def sound(path: Path) -> list[tuple[float, int]]:
    with av.open(path) as container:
        packets = [p for p in container.demux(container.streams.audio[0]) if p.pts is not None]
        return [(float(p.pts * p.time_base), p.size) for p in packets]


@pytest.mark.parametrize("codec", [None, "flac"])
def test_sound_that_cannot_be_copied_is_told(draw: Draw, tmp_path: Path, codec: str | None) -> None:
    source = draw("other.mkv", sound=codec)
    writer = write(tmp_path / "copy.mp4", [0.0, 0.04], picture(), copy_audio_from=str(source))
    assert len(writer.notes) == 1
    assert writer.notes[0].startswith("the video is silent")
    with open_video(tmp_path / "copy.mp4") as video:
        assert not video.info.has_audio
