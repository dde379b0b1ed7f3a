from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica.data.clipset import ClipSet, load, load_held, manifest, space_of
from mimica.data.packed import pack
from mimica.data.pictures import read_frames
from mimica.data.scene import scene_polarity, scenes
from mimica.data.scenes_folder import before_scenes, load_parts, write_scenes
from mimica.data.scenes_settings import ScenesSettings
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace

SETTINGS = ScenesSettings(size=32, polarity_agrees=0.7, seed=4)
PARTS = {"train": 5, "calibration": 3, "test": 4}


def clips(part: str, number: int, *, channels: int = 1, space: LabelSpace = EXPRESSIONS) -> ClipSet:
    random = np.random.default_rng(number)
    labels = np.arange(number) % len(space)
    names = [f"{part} {i}" for i in range(number)]
    frames = [random.integers(0, 255, (1 + i % 2, 32, 32, channels), dtype=np.uint8) for i in range(number)]
    stated = manifest(part, names, labels, space)
    return ClipSet(frames=frames, labels=labels, names=names, space=space, manifest=stated)


def faces(**changed: Any) -> dict[str, ClipSet]:
    return {part: clips(part, number, **changed) for part, number in PARTS.items()}


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("placed") / "new" / "folder", faces(), SETTINGS)


def test_every_clip_is_a_row_whose_scene_has_the_polarity_that_is_said(table: Path) -> None:
    told, before = rows(table), 0
    for part, number in PARTS.items():
        own = [row for row in told if row["part"] == part]
        labels = [EXPRESSIONS.index(row["label"]) for row in own]
        assert labels == list(range(number))
        shown = scene_polarity(
            [EXPRESSIONS.polarity[label] for label in labels], 0.7, seed=4, part="test" if part == "test" else "train",
            numbers=range(before, before + number),
        )  # fmt: skip
        assert [int(row["scene_polarity"]) for row in own] == shown.tolist()
        before += number


def test_faces_are_those_of_the_data(table: Path) -> None:
    for part, of in faces().items():
        for row, frames in zip([row for row in rows(table) if row["part"] == part], of.frames, strict=True):
            assert np.array_equal(
                read_frames(table.parent / row["path"]), np.broadcast_to(frames, (len(frames), 32, 32, 3))
            )


def test_behind_a_face_is_the_scene_itself_and_before_it_the_face_in_every_frame(table: Path) -> None:
    for before, row in enumerate(rows(table)):
        of = "test" if row["part"] == "test" else "train"
        bare = scenes([int(row["scene_polarity"])], size=32, part=of, seed=4, numbers=[before])[0]
        bare = (bare * 255).round().byte().permute(1, 2, 0).numpy()
        seen = read_frames(table.parent / row["scene"])
        assert len(seen) == len(read_frames(table.parent / row["path"]))
        for corner in (np.s_[:4, :4], np.s_[:4, -4:]):
            assert all(np.array_equal(frame[corner], bare[corner]) for frame in seen)
        assert all((frame != bare).any(-1).mean() > 0.15 for frame in seen)
        assert len(seen) == 1 or (seen[0] != seen[1]).any()


def test_a_face_is_small_whole_and_as_light_as_the_scene_lets_it_be() -> None:
    face = torch.zeros(2, 1, 3, 64, 64)
    face[..., :32, :] = 1.0
    light = torch.stack([torch.full((3, 64, 64), 0.6), torch.full((3, 64, 64), 0.1)])
    placed = before_scenes(face, light, part="train", seed=0, numbers=range(2))[:, 0, 0]
    for one, most in zip(placed, (1.0, 0.5 + 0.5 / 6), strict=True):
        assert float(one.max()) == pytest.approx(most, abs=0.01)
        assert float(one.min()) < 0.02, "its lower half"
        assert 0.05 < float((one > (most + 0.6) / 2 if most == 1 else one > 0.5).float().mean()) < 0.25
    again = before_scenes(face[1:], light[1:], part="train", seed=0, numbers=range(1, 2))[0, 0, 0]
    assert torch.equal(again, placed[1]), "where a face is depends on its number alone"


def test_the_same_call_again_writes_only_what_is_missing(table: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(table.parent, tmp_path / "copy")
    shutil.rmtree(copy / "scenes" / "train" / "1")
    (copy / "clips" / "test" / "1" / "frame_0001.png").unlink()
    kept = (copy / "scenes" / "train" / "2" / "frame_0000.png").stat().st_mtime_ns
    heard: list[tuple[int, int]] = []
    write_scenes(copy, faces(), SETTINGS, progress=lambda done, of: heard.append((done, of)))
    assert contents(copy) == contents(table.parent)
    assert (copy / "scenes" / "train" / "2" / "frame_0000.png").stat().st_mtime_ns == kept
    assert heard == [(5, 12), (8, 12), (12, 12)]


def test_it_is_read_with_both_views(table: Path) -> None:
    spec = f"table:{table}"
    assert space_of(spec).names == EXPRESSIONS.names
    train, held = load(spec, size=32, frames=2, scenes=True), load_held(spec, size=32, frames=2, scenes=True)
    assert train.scenes is not None
    assert held is not None
    assert (len(train), len(held)) == (5, 3)
    for i, face in enumerate(faces()["train"].frames):
        assert np.array_equal(np.asarray(train.frames[i])[..., :1], face)
        assert np.asarray(train.scenes[i]).shape == (len(face), 32, 32, 3)
    assert json.loads((table.parent / "about.json").read_text())["facts"]["faces"]["test"]["clips"] == 4


@pytest.mark.parametrize("changed", [{"seed": 5}, {"polarity_agrees": 0.6}, {"size": 48}])
def test_a_folder_of_other_settings_is_refused(changed: dict[str, Any], table: Path) -> None:
    with pytest.raises(UsageError, match=r"holds something else than these faces before these scenes"):
        write_scenes(table.parent, faces(), replace(SETTINGS, **changed))


def test_what_cannot_be_is_one_sentence(table: Path, tmp_path: Path) -> None:
    bare = LabelSpace(name="two", names=("a", "b"), descriptions=(("a",), ("b",)))
    with pytest.raises(UsageError, match=r"the classes a, b have no polarity .* state one as `polarity` in their"):
        write_scenes(tmp_path / "o", faces(space=bare), SETTINGS)
    assert not (tmp_path / "o").exists()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "clips.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"holds a clips.csv that is not of this command"):
        write_scenes(tmp_path / "foreign", faces(), SETTINGS)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file.*choose another place with --out"):
        write_scenes(tmp_path / "file" / "o", faces(), SETTINGS)
    for wrong, said in (
        ({"size": 8}, "size must be"),
        ({"polarity_agrees": 2.0}, "polarity-agrees"),
        ({"seed": -1}, "seed"),
    ):
        with pytest.raises(UsageError, match=said):
            ScenesSettings(**wrong)


def test_every_part_of_the_data_is_found(table: Path, tmp_path: Path) -> None:
    of_table = load_parts(f"table:{table}", size=32, frames=1)
    assert {part: len(of) for part, of in of_table.items()} == PARTS
    pack(
        {"train": clips("train", 3, channels=3), "calibration": clips("held", 2, channels=3)},
        tmp_path / "p.safetensors",
    )
    packed = load_parts(f"packed:{tmp_path / 'p.safetensors'}", size=32, frames=1)
    assert {part: len(of) for part, of in packed.items()} == {"train": 3, "calibration": 2}
    folder = tmp_path / "folder" / "anger"
    folder.mkdir(parents=True)
    shutil.copy(table.parent / "clips" / "train" / "0" / "frame_0000.png", folder / "a.png")
    assert {part: len(of) for part, of in load_parts(f"folder:{folder.parent}", size=32, frames=1).items()} == {
        "train": 1
    }
