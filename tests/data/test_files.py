from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimica.data.clipset import Item
from mimica.data.files import load_files
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS

Draw = Callable[..., Path]


def shades(path: Path, frames: int, size: int = 16) -> list[int]:
    clips = load_files([Item(path=path, label=2)], size=size, frames=frames, space=EXPRESSIONS, origin="test")
    assert clips.frames[0].shape[1:] == (size, size, 3)
    assert clips.frames[0].dtype == np.uint8
    return clips.frames[0][:, size // 2, size // 2, 0].tolist()


def test_a_photo_is_a_clip_of_one_frame(photo: Draw) -> None:
    assert shades(photo("a.png", 77, size=(60, 60)), 8) == [77]


@pytest.mark.parametrize("number", [1, 3, 8])
def test_a_short_video_is_kept_whole(video: Draw, number: int) -> None:
    assert shades(video("a.mkv", number), 8) == [2 * i for i in range(number)]


@pytest.mark.parametrize("number", [9, 16, 17, 40, 100])
def test_of_a_longer_video_frames_evenly_spread_over_it_are_kept(video: Draw, number: int) -> None:
    kept = np.array(shades(video("a.mkv", number), 8)) / 2
    assert len(kept) == 8
    steps = np.diff(kept)
    assert kept[0] == 0
    assert 1 <= steps.min() <= steps.max() <= 2 * steps.min()
    assert np.abs(kept - np.linspace(0, number - 1, 8)).max() <= max(1, number / 8)


def test_numbered_frames_in_a_folder_are_one_clip_in_order(photo: Draw) -> None:
    for i in range(12):
        photo(f"clip/frame_{i}.png", 10 * i)
    assert shades(photo("clip/frame_12.png", 120).parent, 16) == [10 * i for i in range(13)]


def test_clips_keep_their_labels_and_say_where_they_came_from(photo: Draw) -> None:
    items = [Item(path=photo(f"{i}.png", i), label=i % 3) for i in range(5)]
    clips = load_files(items, size=8, frames=1, space=EXPRESSIONS, origin="five photos")
    assert len(clips) == 5
    assert clips.labels.tolist() == [0, 1, 2, 0, 1]
    assert clips.names == [str(item.path) for item in items]
    assert (clips.manifest["origin"], clips.manifest["clips"]) == ("five photos", 5)
    assert clips.counts()["happiness"] == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"broken\.mp4"):
        shades(tmp_path / "broken.mp4", 4)
