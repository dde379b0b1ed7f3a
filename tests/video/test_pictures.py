from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.errors import InputError, UsageError
from mimica.video.pictures import read_picture
from mimica.video.read import open_video


def only(path: Path) -> np.ndarray:
    with open_video(path) as video:
        (frame,) = video
        assert (frame.time, frame.index) == (0.0, 0)
        assert (video.info.kind, video.info.rate, video.info.duration) == ("photo", None, None)
        assert (video.info.height, video.info.width, 3) == frame.image.shape
    assert frame.image.dtype == np.uint8
    return frame.image


@pytest.fixture
def shades() -> np.ndarray:
    """Every pixel its own colour, so that a turn or a swap of channels shows."""
    y, x = np.mgrid[:16, :24]
    return np.stack([y * 16, x * 10, 255 - y * 8 - x * 4], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("a.png", 0), ("a.bmp", 0), ("a.tiff", 0), ("a.TIF", 0), ("a.jpg", 30), ("a.JPEG", 30), ("a.webp", 30)],
)
def test_a_photo_is_one_frame_at_zero(tmp_path: Path, shades: np.ndarray, name: str, tolerance: int) -> None:
    Image.fromarray(shades).save(tmp_path / name)
    assert np.abs(only(tmp_path / name).astype(int) - shades).max() <= tolerance


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a)),
    ],
)
def test_a_photo_is_turned_upright(tmp_path: Path, shades: np.ndarray, orientation: int, turned) -> None:  # type: ignore[no-untyped-def]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(shades).save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(only(tmp_path / "phone.png"), turned(shades))
    with open_video(tmp_path / "phone.png") as video:
        assert video.info.rotation == {3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}.get(orientation, 0)


@pytest.mark.parametrize("name", ["deep.png", "deep.tiff"])
def test_sixteen_bit_grey_keeps_its_upper_eight_bits(tmp_path: Path, name: str) -> None:
    levels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / name)
    np.testing.assert_array_equal(only(tmp_path / name), np.repeat((levels >> 8)[..., None], 3, axis=2))


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_pictures_of_floats_are_read_by_their_range(tmp_path: Path, top: float) -> None:
    levels = np.linspace(0, top, 256, dtype=np.float32).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "float.tiff")
    np.testing.assert_array_equal(only(tmp_path / "float.tiff")[..., 0].ravel(), np.arange(256))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_other_kinds_of_colour_become_rgb(tmp_path: Path, shades: np.ndarray, mode: str) -> None:
    picture = Image.fromarray(shades).convert(mode)
    picture.save(tmp_path / "a.tiff")
    np.testing.assert_array_equal(only(tmp_path / "a.tiff"), np.array(picture.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_lies_over_white(tmp_path: Path, mode: str) -> None:
    see_through = np.zeros((4, 4, 4), np.uint8)
    see_through[..., 3] = [0, 64, 128, 255]
    Image.fromarray(see_through).convert(mode).save(tmp_path / "a.png")
    assert only(tmp_path / "a.png")[0, :, 0].tolist() == pytest.approx([255, 191, 127, 0], abs=1)


def test_a_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "a.png", transparency=0)
    assert only(tmp_path / "a.png").tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_of_an_animated_picture_the_first_is_read_and_it_is_told(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (8, 8), (60 * i, 0, 0)) for i in range(3)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    with open_video(tmp_path / "a.tiff") as video:
        assert len(list(video)) == 1
        assert video.notes == ["a.tiff holds 3 pictures; only the first was read"]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png") as caught:
        open_video(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_a_photo_cut_short_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:2000])
    with pytest.raises(InputError, match="damaged"):
        open_video(tmp_path / "a.jpg")


def draw_frames(folder: Path, levels: range, pattern: str = "frame_{}.png") -> Path:
    folder.mkdir(exist_ok=True)
    for i in levels:
        Image.new("RGB", (24, 16), (10 * i, 0, 0)).save(folder / pattern.format(i))
    return folder


def test_a_folder_of_numbered_pictures_is_a_video_in_natural_order(tmp_path: Path) -> None:
    with open_video(draw_frames(tmp_path / "clip", range(12)), frame_rate=10) as video:
        frames = list(video)
        assert (video.info.kind, video.info.rate, video.info.duration) == ("frames", 10, 1.2)
    assert [frame.image[0, 0, 0] for frame in frames] == [10 * i for i in range(12)]
    assert [frame.time for frame in frames] == pytest.approx([i / 10 for i in range(12)])


def test_pictures_that_are_not_wanted_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mimica.video import pictures

    read: list[str] = []
    whole = pictures.read_picture
    monkeypatch.setattr(pictures, "read_picture", lambda path: read.append(path.name) or whole(path))
    with open_video(draw_frames(tmp_path / "clip", range(12))) as video:
        assert [frame.index for frame in video.frames(lambda time, index: index in (0, 5))] == [0, 5]
    assert read == ["frame_0.png", "frame_5.png"]


def test_a_damaged_picture_leaves_a_gap_and_a_note(tmp_path: Path) -> None:
    folder = draw_frames(tmp_path / "clip", range(4))
    for place in (0, 2):
        (folder / f"frame_{place}.png").write_bytes(b"hurt")
    with open_video(folder, frame_rate=10) as video:
        assert [(frame.time, frame.index) for frame in video] == [(0.1, 1), (pytest.approx(0.3), 3)]
        assert [("frame_0" in note, "frame_2" in note) for note in video.notes] == [(True, False), (False, True)]


def test_pictures_of_another_size_are_scaled_to_the_first(tmp_path: Path) -> None:
    folder = draw_frames(tmp_path / "clip", range(3))
    Image.new("RGB", (48, 32), (200, 0, 0)).save(folder / "frame_1.png")
    with open_video(folder) as video:
        assert {frame.image.shape for frame in video} == {(16, 24, 3)}


def test_a_folder_that_is_not_one_video_is_refused(tmp_path: Path) -> None:
    folder = draw_frames(tmp_path / "mixed", range(3))
    (folder / "notes.txt").write_text("mixed")
    with pytest.raises(InputError, match="differ only in a number"):
        open_video(folder)


def test_a_frame_rate_of_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="above 0"):
        open_video(tmp_path, frame_rate=0)


@pytest.mark.parametrize(("least", "shape"), [(None, (160, 240)), (161, (160, 240)), (80, (80, 120)), (21, (40, 60))])
def test_a_jpeg_may_be_decoded_smaller_and_still_shows_the_same(
    tmp_path: Path, least: int | None, shape: tuple[int, int]
) -> None:
    y, x = np.mgrid[:160, :240]
    waves = np.stack([127 + 100 * np.sin(y / 30), 127 + 100 * np.cos(x / 30), x], -1).astype(np.uint8)
    Image.fromarray(waves).save(tmp_path / "a.jpg", quality=95)
    read, turned, pages = read_picture(tmp_path / "a.jpg", least=least)
    assert (read.shape, turned, pages) == ((*shape, 3), 0, 1)
    whole = Image.fromarray(waves).resize(shape[::-1], Image.Resampling.BOX)
    assert np.abs(read.astype(int) - np.asarray(whole)).mean() < 3


def test_only_jpegs_are_decoded_smaller(tmp_path: Path, shades: np.ndarray) -> None:
    Image.fromarray(shades).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png", least=2)[0], shades)


def test_a_jpeg_on_its_side_is_decoded_smaller_and_upright(tmp_path: Path, shades: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(shades.repeat(8, 0).repeat(8, 1)).save(tmp_path / "a.jpg", quality=95, exif=exif)
    read, turned, _ = read_picture(tmp_path / "a.jpg", least=16)
    assert (read.shape, turned) == ((24, 16, 3), 90)
    assert np.abs(read.astype(int) - np.rot90(shades, -1)).mean() < 12
