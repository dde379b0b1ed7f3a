from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.data import files, stored
from mimica.data.clipset import ClipSet, Item
from mimica.data.files import load_files
from mimica.data.sampling import thinned
from mimica.data.stored import StoredClip, digest_of, scene_fitted
from mimica.errors import InputError
from mimica.faces.crop import scene_view
from mimica.labels import EXPRESSIONS
from mimica.video import pictures
from mimica.video.read import Video
from tiny_scenes import clips

Draw = Callable[..., Path]


@pytest.fixture
def frames(photo: Draw) -> Path:
    """A folder of twelve pictures; picture i has the shade 10 i."""
    for i in range(12):
        folder = photo(f"clip/{i}.png", 10 * i).parent
    return folder


def shade(picture: np.ndarray) -> int:
    return int(picture[8, 8, 0])


def both(path: Path, most: int | None, size: int = 16) -> tuple[np.ndarray, StoredClip]:
    """A file as a clip in memory, and left where it is."""
    items = [Item(path=path, label=0)]
    inside, outside = (
        load_files(items, size=size, frames=most, space=EXPRESSIONS, origin="test", stored=stay)
        for stay in (False, True)
    )
    clip = outside.frames[0]
    assert isinstance(clip, StoredClip)
    assert outside.manifest == inside.manifest
    return inside.frames[0], clip  # type: ignore[return-value]


# As an array


INDICES = [
    np.array([0, 3, 3, 1]), np.array([], int), [2, 0], slice(None), slice(1, 3), slice(None, None, -1),
    0, -1, np.int64(2), np.array([True, False, False, True]),
]  # fmt: skip


@pytest.mark.parametrize("places", INDICES, ids=repr)
@pytest.mark.parametrize("kind", ["video", "folder"])
def test_frames_are_had_by_the_expressions_that_an_array_takes(
    photo: Draw, video: Draw, kind: str, places: object
) -> None:
    path = video("a.mkv", 4) if kind == "video" else {photo(f"a/{i}.png", 9 * i).parent for i in range(4)}.pop()
    memory, clip = both(path, None)
    assert (len(clip), clip.shape) == (len(memory), memory.shape)
    found, expected = clip[places], memory[places]  # type: ignore[call-overload]
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)
    assert found.shape == expected.shape


def test_a_photo_is_a_clip_of_one_frame(photo: Draw) -> None:
    memory, clip = both(photo("a.png", 77, size=(60, 40)), 8)
    assert clip.shape == (1, 16, 16, 3)
    assert np.array_equal(clip[np.zeros(3, int)], memory[[0, 0, 0]])


@pytest.mark.parametrize("places", [4, -5, np.array([0, 4])], ids=repr)
def test_a_place_beyond_the_clip_is_no_frame(video: Draw, places: object) -> None:
    with pytest.raises(IndexError):
        StoredClip(video("a.mkv", 4), size=8)[places]


@pytest.mark.parametrize("number", [1, 7, 8, 15, 16, 17, 40])
def test_of_a_longer_file_the_clip_has_the_frames_that_it_has_in_memory(video: Draw, number: int) -> None:
    memory, clip = both(video("a.mkv", number), 8)
    assert len(memory) == min(number, 8)
    assert np.array_equal(clip[:], memory)
    assert clip[-1][8, 8, 0] == 2 * thinned(number, 8)[-1]


def test_folders_and_videos_are_kept_whole_where_all_frames_are_wanted(frames: Path, video: Draw) -> None:
    assert [shade(f) for f in both(frames, None)[1][:]] == [10 * i for i in range(12)]
    assert len(both(video("a.mkv", 40), None)[1]) == 40


# Not before it is asked


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Notes down every picture that is decoded and every frame of a video that is made into one."""
    noted: list[object] = []
    picture, converted = pictures.read_picture, Video._frames

    def noting(path: Path, **how: int) -> tuple[np.ndarray, int, int]:
        noted.append(path.name)
        return picture(path, **how)

    def frames(self: Video, *how: object) -> object:
        for frame in converted(self, *how):  # type: ignore[arg-type]
            noted.append(frame.index)
            yield frame

    monkeypatch.setattr(stored, "read_picture", noting)
    monkeypatch.setattr(Video, "_frames", frames)
    return noted


def test_only_the_frames_that_are_asked_for_are_decoded(frames: Path, video: Draw, read: list[object]) -> None:
    clip, film = StoredClip(frames, size=8), StoredClip(video("a.mkv", 20), size=8)
    assert (len(clip), len(film), read) == (12, 20, [])
    assert [shade(f) for f in StoredClip(frames, size=16)[np.array([7, 2, 7])]] == [70, 20, 70]
    assert sorted(map(str, read)) == ["2.png", "7.png"]
    read.clear()
    assert film[np.array([11, 3, 11])].shape == (3, 8, 8, 3)
    assert read == [3, 11]


def test_nothing_is_opened_for_a_set_that_is_left_in_files(photo: Draw, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    items = [Item(path=tmp_path / "broken.mp4", label=0), Item(path=photo("a.png"), label=1)]
    clips = load_files(items, size=16, frames=None, space=EXPRESSIONS, origin="test", stored=True)
    assert shade(clips.frames[1][0]) == 100
    with pytest.raises(InputError, match=r"broken\.mp4"):
        len(clips.frames[0])


@pytest.mark.parametrize(("side", "decoded"), [(95, 95), (96, 48), (191, 96), (200, 50), (400, 50), (3000, 375)])
def test_a_large_jpeg_is_decoded_smaller_but_never_below_what_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, decoded: int
) -> None:
    path = tmp_path / "a.jpg"
    coarse = Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 6, 3)).astype(np.uint8))
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(path, quality=95)
    seen: list[int] = []
    fit = stored.fitted

    def noting(image: np.ndarray, size: int) -> np.ndarray:
        seen.append(len(image))
        return fit(image, size)

    memory, _ = both(path, 1, size=48)
    clip = StoredClip(path, size=48, fit=noting)[0]
    assert seen == [decoded]
    assert np.abs(clip.astype(int) - memory[0]).max() <= (0 if side < 96 else 12)


# Memory or files


def number_of(kind: type, clips: ClipSet) -> int:
    return sum(isinstance(frames, kind) for frames in clips.frames)


@pytest.mark.parametrize(
    ("most", "room", "stay"), [(None, 12, False), (None, 11, True), (4, 4, False), (4, 3, True), (40, 39, True)]
)
def test_clips_are_left_in_their_files_where_memory_is_too_small(
    frames: Path, monkeypatch: pytest.MonkeyPatch, most: int | None, room: int, stay: bool
) -> None:
    monkeypatch.setattr(files, "IN_MEMORY", room * 3 * 8**2)
    clips = load_files([Item(path=frames, label=0)], size=8, frames=most, space=EXPRESSIONS, origin="test")
    assert number_of(StoredClip if stay else np.ndarray, clips) == 1


def test_no_more_files_are_looked_into_than_it_takes_to_know_that_memory_is_too_small(
    photo: Draw, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "IN_MEMORY", 15 * 3 * 8**2)
    items = [Item(path=path, label=0) for path in (photo("a.png"), frames, frames, frames.parent / "absent.mp4")]
    clips = load_files(items, size=8, frames=None, space=EXPRESSIONS, origin="test")
    assert number_of(StoredClip, clips) == 4


@pytest.mark.parametrize(("room", "stay"), [(16, False), (15, True)])
def test_scenes_take_as_much_memory_again(frames: Path, monkeypatch: pytest.MonkeyPatch, room: int, stay: bool) -> None:
    monkeypatch.setattr(files, "IN_MEMORY", room * 3 * 8**2)
    items = [Item(path=frames, label=0, scene=frames)]
    clips = load_files(items, size=8, frames=8, space=EXPRESSIONS, origin="test", scenes=True)
    assert number_of(StoredClip if stay else np.ndarray, clips) == 1


# Two views


def test_a_scene_is_the_middle_of_the_whole_frame_and_a_face_all_of_its_picture(photo: Draw) -> None:
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, :20], wide[:, 20:60] = 50, 200
    path = photo("wide.png")
    Image.fromarray(wide).save(path)
    for stay in (False, True):
        item = Item(path=path, label=0, scene=path)
        clips = load_files([item], size=16, frames=1, space=EXPRESSIONS, origin="test", stored=stay, scenes=True)
        assert clips.scenes is not None
        assert np.array_equal(clips.scenes[0][0], scene_view(wide, size=16))
        assert (clips.scenes[0][0][:, 1:-1] == 200).all()
        assert (clips.frames[0][0][:, [1, -2]] < 60).all()
    assert np.array_equal(scene_fitted(wide, 16), scene_view(wide, size=16))


def test_scenes_are_there_only_where_they_are_asked_for_and_had(photo: Draw) -> None:
    face = photo("face.png")
    with_scene, without = Item(path=face, label=0, scene=photo("scene.png")), Item(path=face, label=0)

    def scenes(items: list[Item], **how: bool) -> object:
        return load_files(items, size=8, frames=1, space=EXPRESSIONS, origin="faces.csv", **how).scenes

    assert scenes([with_scene]) is None
    assert scenes([without], scenes=True) is None
    with pytest.raises(InputError, match=r"face\.png has no scene, and other clips of faces\.csv have one"):
        scenes([with_scene, without], scenes=True)


# Damage


def test_a_picture_that_is_damaged_is_a_sentence_that_names_it_when_it_is_asked_for(frames: Path) -> None:
    clip = StoredClip(frames, size=8)
    (frames / "5.png").write_bytes((frames / "5.png").read_bytes()[:40])
    assert len(clip[np.array([4, 6])]) == 2
    with pytest.raises(
        InputError, match=r"5\.png is not a picture that can be read; mend it or leave the clip .*clip out"
    ):
        clip[np.array([4, 5])]


def test_a_folder_that_has_lost_a_picture_since_is_refused_rather_than_read_at_other_places(frames: Path) -> None:
    clip = StoredClip(frames, size=8)
    assert len(clip) == 12
    (frames / "5.png").unlink()
    with pytest.raises(InputError, match=r"clip holds 11 pictures and held 12 before; put them back"):
        clip[0]


def test_a_folder_that_is_not_one_video_is_refused(frames: Path, photo: Draw) -> None:
    photo("clip/portrait.png")
    with pytest.raises(InputError, match="is not one video"):
        len(StoredClip(frames, size=8))


def test_a_clip_without_a_frame_is_refused_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "00012").mkdir()
    with pytest.raises(InputError, match="00012 is empty; a clip needs at least one frame"):
        len(StoredClip(tmp_path / "00012", size=8))


def test_a_video_that_has_lost_frames_since_is_a_sentence_that_names_it(video: Draw) -> None:
    path = video("a.mkv", 40)
    clip = StoredClip(path, size=8)
    assert len(clip) == 40
    video("a.mkv", 9)
    assert clip[8].shape == (8, 8, 3)
    with pytest.raises(InputError, match=r"a\.mkv had 40 frames and cannot be decoded at frame 30 now"):
        clip[np.array([3, 30, 35])]


def test_what_warnings_were_shown_is_shown_after_pictures_were_read_in_threads(frames: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    clip = StoredClip(frames, size=8)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(clip.__getitem__, [i % 12 for i in range(400)]))) == 400
    assert list(warnings.filters) == before


# What tells a clip from others


def test_a_clip_is_told_from_others_and_from_itself_once_changed_wherever_it_lies(tmp_path: Path) -> None:
    def folder(name: str, pictures: list[bytes], above: str = "faces") -> Path:
        place = tmp_path / name / above / "0001"
        place.mkdir(parents=True)
        for i, content in enumerate(pictures):
            (place / f"{i}.png").write_bytes(content)
        return place

    content = [b"one", b"two", b"three"]
    digest = StoredClip(folder("here", content), size=8).digest()
    assert StoredClip(folder("there", content), size=8).digest() == digest
    for name, other, above in (
        ("begin", [b"ONE", b"two", b"three"], "faces"),
        ("larger", [b"one", b"two and", b"three"], "faces"),
        ("fewer", [b"one", b"two"], "faces"),
        ("scene", content, "scenes"),
    ):
        assert StoredClip(folder(name, other, above), size=8).digest() != digest, name
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.mp4"):
        StoredClip(tmp_path / "nowhere.mp4", size=8).digest()


def test_clips_in_memory_are_told_apart_by_their_pictures_and_their_scenes() -> None:
    one, other = clips(3), clips(3)
    assert [digest_of(one, i) for i in range(3)] == [digest_of(other, i) for i in range(3)]
    assert len({digest_of(one, i) for i in range(3)}) == 3
    assert other.scenes is not None
    other.frames[0][0, 0, 0, 0] ^= 1  # type: ignore[index]
    other.scenes[1][0, 0, 0, 0] ^= 1  # type: ignore[index]
    assert [digest_of(one, i) == digest_of(other, i) for i in range(3)] == [False, False, True]
