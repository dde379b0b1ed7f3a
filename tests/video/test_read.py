from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from mimica.errors import InputError, UsageError
from mimica.video.container import Clock, Container
from mimica.video.read import open_video

Draw = Callable[..., Path]


def times_of(path: Path) -> list[float]:
    with open_video(path) as video:
        return [frame.time for frame in video]


def corners() -> np.ndarray:
    """Red, green above blue, white: no turn or mirror image looks like another."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32], image[24:, 32:] = (220, 0, 0), (0, 220, 0), (0, 0, 220), 235
    return image


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_times_are_presentation_timestamps_not_index_over_rate(draw: Draw, name: str) -> None:
    stamps = [0, 10, 50, 170, 180, 600, 1000]
    assert times_of(draw(name, stamps)) == pytest.approx([t / 1000 for t in stamps], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {"bf": "3"}),
        ("a.mkv", "libx264", "yuv420p", {"bf": "3"}),
        ("a.avi", "libx264", "yuv420p", {"bf": "3"}),
        ("a.avi", "mpeg4", "yuv420p", {"bf": "2"}),
        ("a.avi", "mjpeg", "yuvj420p", {}),
        ("a.webm", "libvpx-vp9", "yuv420p", {"cpu-used": "8"}),
        ("a.gif", "gif", "gray", {}),
        ("a.ts", "libx264", "yuv420p", {}),
    ],
)
def test_every_kind_of_file_gives_its_frames_in_order_with_their_times(
    draw: Draw, name: str, codec: str, pixels: str, options: dict[str, str]
) -> None:
    path = draw(name, range(25), codec=codec, pixels=pixels, options=options, tick=Fraction(1, 25))
    with open_video(path) as video:
        frames = list(video)
        assert video.notes == []
    assert [frame.index for frame in frames] == list(range(25))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(25)], abs=0.011)
    levels = np.array([frame.image.mean() for frame in frames])
    assert np.abs(levels - (10 * np.arange(25) + 4)).max() < 9, "the greys of neighbouring frames are 10 apart"
    assert all(frame.image.shape == (48, 64, 3) and frame.image.dtype == np.uint8 for frame in frames)


def test_a_clip_that_starts_late_in_its_container_starts_at_zero(draw: Draw) -> None:
    assert times_of(draw("late.mkv", range(5000, 5400, 40))) == pytest.approx([i * 0.04 for i in range(10)], abs=1e-3)


def test_the_info_says_what_the_frames_will_be(draw: Draw) -> None:
    with open_video(draw("a.mp4", sound="aac")) as video:
        info = video.info
    assert (info.kind, info.width, info.height, info.rotation, info.has_audio) == ("video", 64, 48, 0, True)
    assert info.rate == pytest.approx(25, abs=0.1)
    assert info.duration == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_frames_are_turned_and_mirrored_as_a_phone_noted_down(draw: Draw, turn: int, mirrored: bool) -> None:
    path = draw("phone.mp4", [0, 40], images=[corners()] * 2, turn=(turn, mirrored))
    # FFmpeg counts turns against the clock, and mirrors after the turn.
    shown = np.rot90(corners(), turn // 90)
    shown = shown[:, ::-1] if mirrored else shown
    with open_video(path) as video:
        image = next(iter(video)).image
        assert (video.info.height, video.info.width) == image.shape[:2] == shown.shape[:2]
        assert mirrored or video.info.rotation == -turn % 360
    inner = np.s_[6:-6:12, 6:-6:12]
    assert np.abs(image[inner].astype(int) - shown[inner]).max() < 40


def test_a_portrait_phone_video_is_turned_clockwise_by_its_stored_matrix(draw: Draw) -> None:
    """The matrix is patched in as phones write it: 0 1 0 / -1 0 0, a quarter turn clockwise."""
    data = bytearray(draw("plain.mp4", [0, 40], images=[corners()] * 2).read_bytes())
    one = 1 << 16
    plain = b"".join(v.to_bytes(4, "big", signed=True) for v in (one, 0, 0, 0, one, 0, 0, 0, 1 << 30))
    turned = b"".join(v.to_bytes(4, "big", signed=True) for v in (0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30))
    place = data.index(plain, data.index(b"tkhd"))
    data[place : place + 36] = turned
    path = draw("x.mp4", [0]).with_name("phone.mp4")
    path.write_bytes(data)
    with open_video(path) as video:
        image = next(iter(video)).image
        assert (video.info.rotation, video.info.width, video.info.height) == (90, 48, 64)
    assert image[6, 6].argmax() == 2, "what was at the lower left is now at the upper left"
    assert image[6, -6].argmax() == 0


def test_frames_that_are_not_wanted_are_counted_but_not_given(draw: Draw) -> None:
    path = draw("a.mp4")
    with open_video(path) as video:
        given = list(video.frames(lambda time, index: index % 3 == 0))
    assert [frame.index for frame in given] == list(range(0, 25, 3))
    assert [frame.time for frame in given] == times_of(path)[::3]


def test_conversion_is_asked_for_before_it_is_done(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[object] = []
    whole = Container._rgb
    monkeypatch.setattr(Container, "_rgb", lambda self, frame: converted.append(frame) or whole(self, frame))
    with open_video(draw("a.mp4")) as video:
        list(video.frames(lambda time, index: index == 7))
    assert len(converted) == 1


def test_a_source_is_read_once(draw: Draw) -> None:
    with open_video(draw("a.mp4")) as video:
        list(video)
        with pytest.raises(UsageError, match="read already"):
            iter(video)


def test_a_closed_video_gives_no_frames(draw: Draw) -> None:
    with open_video(draw("a.mp4")) as video:
        frames = iter(video)
        next(frames)
    assert list(frames) == []


def test_colours_survive_the_way_through_a_file(draw: Draw) -> None:
    path = draw("a.mkv", [0], codec="ffv1", pixels="yuv444p", images=[corners()])
    with open_video(path) as video:
        assert np.abs(next(iter(video)).image.astype(int) - corners()).max() <= 3


@pytest.mark.parametrize(("codec", "pixels"), [("ffv1", "gray"), ("ffv1", "gray16le"), ("ffv1", "yuv420p10le")])
def test_grey_and_deep_videos_become_eight_bit_rgb(draw: Draw, codec: str, pixels: str) -> None:
    path = draw("deep.mkv", [0], codec=codec, pixels=pixels, images=[np.full((48, 64, 3), 120, np.uint8)])
    with open_video(path) as video:
        image = next(iter(video)).image
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - 120).max() <= 2


def test_what_is_transparent_lies_over_white(draw: Draw) -> None:
    image = np.zeros((48, 64, 4), np.uint8)
    image[:24, :, 3] = 255
    path = draw("alpha.mov", [0], codec="png", pixels="rgba", images=[image])
    with open_video(path) as video:
        shown = next(iter(video)).image
    assert shown[:24].max() == 0
    assert shown[24:].min() == 255


def test_a_stretched_video_is_shown_with_square_pixels(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        assert (video.info.width, video.info.height) == (96, 48)
        assert next(iter(video)).image.shape == (48, 96, 3)


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_file_cut_short_gives_what_it_has_and_says_where_it_stopped(draw: Draw, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), dtype=np.uint8)
    path = draw(name, range(0, 2000, 40), images=list(noise), options={"g": "5"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as video:
        times = [frame.time for frame in video]
        assert 0.4 < times[-1] < 1.6
        assert video.notes == [f"stopped at {times[-1]:.1f} s: the file is damaged from there"]


def test_damage_in_the_middle_is_passed_over_and_told(draw: Draw) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), dtype=np.uint8)
    path = draw("hurt.avi", range(50), codec="png", pixels="rgb24", images=list(noise), tick=Fraction(1, 25))
    data = bytearray(path.read_bytes())
    start = data.index(b"\x89PNG", len(data) // 2)
    data[start : start + 60] = bytes(60)
    path.write_bytes(data)
    with open_video(path) as video:
        times = [frame.time for frame in video]
        assert times[-1] == pytest.approx(1.96)
        assert 45 < len(times) < 50
        assert len(video.notes) == 1
        assert video.notes[0].startswith("passed over 1 damaged piece")


def test_a_file_of_which_no_frame_can_be_decoded_is_refused(draw: Draw) -> None:
    path = draw("hurt.avi", range(3), codec="png", pixels="rgb24", tick=Fraction(1, 25))
    path.write_bytes(path.read_bytes().replace(b"\x89PNG", b"hurt"))
    with pytest.raises(InputError, match=r"hurt\.avi is damaged: not one frame"):
        open_video(path)


def test_what_is_no_video_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video " * 100)
    (tmp_path / "notes.txt").write_text("dear diary " * 100)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    (tmp_path / "folder").mkdir()
    names = ["text.mp4", "notes.txt", "empty.mp4", "list.mp4", "folder", "missing.mp4"]
    for name in names:
        with pytest.raises(InputError, match=name) as caught:
            open_video(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_alone_is_refused_even_with_a_cover(tmp_path: Path, hum: Callable[..., None], cover: bool) -> None:
    path = tmp_path / "song.mp4"
    with av.open(path, "w") as container:
        audio = container.add_stream("aac", rate=16000)
        if cover:
            art = container.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = 64, 48, "yuvj420p"
            art.disposition = Disposition.attached_pic
            container.mux(art.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
            container.mux(art.encode(None))
        hum(container, audio, seconds=0.2)
    with pytest.raises(InputError, match="only sound"):
        open_video(path)


def test_a_colon_or_a_percent_sign_in_a_name_is_only_a_name(draw: Draw) -> None:
    path = draw("a.mp4", [0, 40])
    odd = path.rename(path.with_name("12:30 50%d.mp4"))
    assert len(times_of(odd)) == 2


@pytest.mark.parametrize("name", ["camera:63", "camera:front"])
def test_a_camera_that_is_not_there_is_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match=name):
        open_video(name)


def test_a_camera_counts_from_its_first_frame() -> None:
    url = "testsrc=size=64x48:rate=10:duration=0.5,setpts=PTS+100/TB"
    camera = Container("camera:0", url, [], device="lavfi")
    assert camera.duration is None
    assert [time for time, _ in camera.decode()] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    camera.close()


@pytest.mark.parametrize(
    ("said", "times"),
    [
        ([0.0, 0.1, None, None, 0.5], [0.0, 0.1, 0.2, 0.3, 0.5]),
        ([None, None, 0.5], [0.0, 0.1, 0.5]),
        ([0.0, 0.1, 0.1, 0.2], [0.0, 0.1, 0.101, 0.2]),
        ([0.0, 0.2, 0.1, 0.3], [0.0, 0.2, 0.201, 0.3]),
        ([5.0, 5.1, 0.0, 0.1], [5.0, 5.1, 5.2, 5.3]),
    ],
)
def test_the_clock_only_goes_forward(said: list[float | None], times: list[float]) -> None:
    clock = Clock(step=0.1)
    assert [clock(t) for t in said] == pytest.approx(times)


def test_ffmpeg_prints_nothing(draw: Draw) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (25, 48, 64, 3), dtype=np.uint8)
    path = draw("a.mp4", images=list(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    script = f"from mimica.video.read import open_video; print(len(list(open_video({str(path)!r}))))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 0
    assert done.stderr == ""
