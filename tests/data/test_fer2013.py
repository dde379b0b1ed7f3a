from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.data.clipset import load, load_held
from mimica.data.scenes_folder import load_parts
from mimica.errors import InputError, UsageError

ROWS = [("angry/1.jpg", "train", 40), ("happy/2.jpg", "train", 80), ("fear/3.jpg", "calibration", 120),
        ("sad/4.jpg", "holdout", 160), ("sad/5.jpg", "drop", 200)]  # fmt: skip


def jpeg(shade: int, mode: str = "L", size: tuple[int, int] = (48, 48)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, shade if mode == "L" else (shade,) * 3).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "fer2013_train.zip", "w") as archive:
        for name, _, shade in ROWS:
            archive.writestr(f"fer2013_train/{name}", jpeg(shade))
    lines = ["file,group,part", *(f"{name},{i},{part}" for i, (name, part, _) in enumerate(ROWS))]
    (tmp_path / "fer2013_split.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize(
    ("part", "labels", "shades"), [("train", [3, 0], [40, 80]), ("calibration", [6], [120]), ("holdout", [1], [160])]
)
def test_each_part_is_its_own_grey_faces(folder: Path, part: str, labels: list[int], shades: list[int]) -> None:
    clips = load(f"fer2013:{folder}", part=part, size=48)
    assert clips.labels.tolist() == labels
    assert [frames.shape for frames in clips.frames] == [(1, 48, 48, 1)] * len(labels)
    assert [int(frames.mean()) for frames in clips.frames] == shades
    assert clips.manifest["origin"] == f"FER-2013, part {part}"


def test_the_part_for_calibration_is_held_back(folder: Path) -> None:
    held = load_held(f"fer2013:{folder}", size=48)
    assert held is not None
    assert held.names == ["fear/3.jpg"]


def test_pictures_of_another_size_or_in_colour_are_brought_to_the_size_asked_for(folder: Path) -> None:
    with zipfile.ZipFile(folder / "fer2013_train.zip", "w") as archive:
        archive.writestr("fer2013_train/angry/1.jpg", jpeg(40, "RGB", (60, 60)))
        archive.writestr("fer2013_train/happy/2.jpg", jpeg(80, size=(20, 20)))
    assert [f.shape for f in load(f"fer2013:{folder}", size=32).frames] == [(1, 32, 32, 1)] * 2


def test_what_is_to_be_used_for_nothing_cannot_be_asked_for(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown part of fer2013 'drop'.*train, calibration, holdout"):
        load(f"fer2013:{folder}", part="drop", size=48)


@pytest.mark.parametrize("name", ["fer2013_train.zip", "fer2013_split.csv"])
def test_a_folder_that_lacks_a_file_says_which(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"holds no {name}; fer2013:PATH names the folder"):
        load(f"fer2013:{folder}", size=48)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("fer2013_train.zip", b"no archive", r"cannot read its list of files in .*fer2013_train\.zip"),
        ("fer2013_split.csv", b"file,group\nangry/1.jpg,0\n", r"fer2013_split\.csv has no column 'part'"),
        ("fer2013_split.csv", b"file,group,part\nangry/9.jpg,0,train\n", r"fer2013_train\.zip holds no .*angry/9\.jpg"),
        ("fer2013_split.csv", b"file,group,part\nangry/1.jpg,0,holdout\n", "has no picture of the part train"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_refused_in_a_sentence(
    folder: Path, name: str, content: bytes, reason: str
) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=reason):
        load(f"fer2013:{folder}", size=48)


def test_a_picture_that_cannot_be_read_is_named(folder: Path) -> None:
    with zipfile.ZipFile(folder / "fer2013_train.zip", "w") as archive:
        archive.writestr("fer2013_train/angry/1.jpg", b"no picture")
        archive.writestr("fer2013_train/happy/2.jpg", jpeg(1))
    with pytest.raises(InputError, match=r"angry/1\.jpg"):
        load(f"fer2013:{folder}", size=48)


def test_the_loaded_greys_are_those_of_the_file(folder: Path) -> None:
    clips = load(f"fer2013:{folder}", size=48)
    assert clips.frames[0].dtype == np.uint8
    assert np.ptp(clips.frames[0]) == 0


def test_every_part_by_what_it_is_for(folder: Path) -> None:
    parts = load_parts(f"fer2013:{folder}", size=48, frames=1)
    assert {part: list(of.names) for part, of in parts.items()} == {
        "train": ["angry/1.jpg", "happy/2.jpg"], "calibration": ["fear/3.jpg"], "test": ["sad/4.jpg"],
    }  # fmt: skip
