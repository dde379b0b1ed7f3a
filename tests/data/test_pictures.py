from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.assets import sha256_of
from mimica.data.pictures import digest_of_folder, read_frames, save_frames
from mimica.errors import InputError


def frames(seed: int = 0, T: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (T, 8, 8, 3), dtype=np.uint8)


def test_frames_are_read_as_they_were_written_and_say_what_they_are(tmp_path: Path) -> None:
    save_frames(tmp_path / "clip", frames(), "a synthetic clip")
    assert np.array_equal(read_frames(tmp_path / "clip"), frames())
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]
    assert Image.open(tmp_path / "clip" / "frame_0001.png").text["Description"] == "a synthetic clip"  # type: ignore[attr-defined]


def test_a_clip_that_is_written_again_has_nothing_of_the_one_before(tmp_path: Path) -> None:
    save_frames(tmp_path / "clip", frames(T=5), "one")
    save_frames(tmp_path / "clip", frames(seed=1, T=2), "other")
    assert np.array_equal(read_frames(tmp_path / "clip"), frames(seed=1, T=2))


def test_a_clip_that_could_not_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Image.Image.save, list[int]()

    def full(self: Image.Image, *given: object, **how: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(self, *given, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_frames(tmp_path / "clip", frames(), "a clip")
    assert not (tmp_path / "clip").exists()
    save_frames(tmp_path / "clip", frames(), "a clip")
    assert np.array_equal(read_frames(tmp_path / "clip"), frames())
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def test_a_digest_tells_a_changed_a_missing_and_a_reordered_picture(tmp_path: Path) -> None:
    save_frames(tmp_path / "a", frames(), "a clip")
    save_frames(tmp_path / "b", frames(), "a clip")
    whole = digest_of_folder(tmp_path / "a")
    assert whole == digest_of_folder(tmp_path / "b")
    found = {whole}
    save_frames(tmp_path / "b", frames()[::-1], "a clip")
    found.add(digest_of_folder(tmp_path / "b"))
    save_frames(tmp_path / "b", frames(seed=1), "a clip")
    found.add(digest_of_folder(tmp_path / "b"))
    (tmp_path / "a" / "frame_0002.png").unlink()
    found.add(digest_of_folder(tmp_path / "a"))
    assert len(found) == 4
    assert len(sha256_of(tmp_path / "a" / "frame_0000.png")) == 64


def test_pictures_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="clip holds no picture"):
        read_frames(tmp_path / "clip")
    save_frames(tmp_path / "clip", frames(), "a clip")
    picture = tmp_path / "clip" / "frame_0001.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(InputError, match=r"cannot read the pictures of .*clip"):
        read_frames(tmp_path / "clip")
    save_frames(tmp_path / "clip", frames(), "a clip")
    Image.new("RGB", (4, 4)).save(picture)
    with pytest.raises(InputError, match=r"cannot read the pictures of .*clip"):
        read_frames(tmp_path / "clip")
