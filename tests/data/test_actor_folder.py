from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mimica.data import actor, actor_folder
from mimica.data.actor import UNIT_ORDER, ActorClips, reversed_pairs
from mimica.data.actor_folder import write_actor
from mimica.data.actor_renders import RENDERS
from mimica.data.actor_settings import ActorSettings
from mimica.data.clipset import ClipSet, from_actor, load, load_held, space_of
from mimica.data.scene import scene_space
from mimica.errors import InputError, UsageError
from mimica.facs import CORES
from mimica.labels import EXPRESSIONS

EMOTION = ActorSettings(clips=9, size=20, frames=16, seed=3)
WAYS = ActorSettings(clips=6, size=20, frames=16, task="direction", part="test")
UNITS = [f"AU{unit}" for unit in UNIT_ORDER]


@pytest.fixture(scope="module")
def emotion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_actor(tmp_path_factory.mktemp("emotion") / "new" / "folder", EMOTION)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_actor(tmp_path_factory.mktemp("ways"), WAYS)


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def pictures(table: Path, row: int) -> np.ndarray:
    """The frames of a clip as they lie on disk."""
    files = sorted((table.parent / rows(table)[row]["path"]).iterdir())
    return np.stack([np.asarray(Image.open(file)) for file in files])


def drawn(settings: ActorSettings) -> ActorClips:
    if settings.paired:
        return reversed_pairs(actor.clips(settings.clips // 2, **settings.drawing()))
    return actor.clips(settings.clips, **settings.drawing())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(one: ClipSet, other: ClipSet) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.frames, other.frames, strict=True))


def test_every_clip_is_a_row_that_says_what_it_shows(emotion: Path) -> None:
    told, clips = rows(emotion), drawn(EMOTION)
    assert list(told[0]) == ["path", "label", "part", "expression", "scene_polarity", "actor", *UNITS]
    assert [EXPRESSIONS.index(row["label"]) for row in told] == clips.labels.tolist()
    assert [row["label"] for row in told] == [row["expression"] for row in told]
    assert [int(row["scene_polarity"]) for row in told] == clips.scene.tolist()
    assert [int(row["actor"]) for row in told] == clips.identity.tolist() == [0] * 7 + [1] * 2
    assert {row["part"] for row in told} == {"train"}


@pytest.mark.parametrize(("table", "settings"), [("emotion", EMOTION), ("ways", WAYS)])
def test_the_units_of_every_frame_are_in_the_table(
    table: str, settings: ActorSettings, request: pytest.FixtureRequest
) -> None:
    told = rows(request.getfixturevalue(table))
    units = np.array([[[float(v) for v in row[name].split()] for name in UNITS] for row in told])
    assert np.abs(units.transpose(0, 2, 1) - drawn(settings).units.numpy()).max() <= 0.0005 + 1e-6
    assert units.max() > 0.4


@pytest.mark.parametrize("size", [20, 13, 32])
@pytest.mark.parametrize(("table", "settings"), [("emotion", EMOTION), ("ways", WAYS)])
def test_clips_from_disk_are_to_the_pixel_those_in_memory(
    table: str, settings: ActorSettings, size: int, request: pytest.FixtureRequest
) -> None:
    spec = f"table:{request.getfixturevalue(table)}"
    read = load(spec, part=settings.part, size=size, frames=16)
    made = from_actor(drawn(settings), size=size)
    assert same(read, made)
    assert read.labels.tolist() == made.labels.tolist()
    assert read.space == made.space


def test_each_clip_to_test_direction_on_is_followed_by_its_exact_reversal(ways: Path) -> None:
    told = rows(ways)
    assert len(told) == 6
    for first in (0, 2, 4):
        assert np.array_equal(pictures(ways, first + 1), pictures(ways, first)[::-1])
        assert {told[first]["label"], told[first + 1]["label"]} == {"onset", "offset"}
        assert told[first]["actor"] == told[first + 1]["actor"]
        assert told[first]["expression"] == told[first + 1]["expression"] != "neutral"
        for name in UNITS:
            assert told[first][name].split() == told[first + 1][name].split()[::-1]


def test_the_label_space_of_direction_travels_with_its_table(ways: Path, emotion: Path) -> None:
    assert space_of(f"table:{ways}") == actor.DIRECTION
    assert space_of(f"table:{emotion}") == EXPRESSIONS


def test_what_is_to_be_tested_on_is_not_trained_on(ways: Path, emotion: Path) -> None:
    with pytest.raises(InputError, match="has no clip of the part train; it has test"):
        load(f"table:{ways}", size=8)
    assert len(load(f"table:{emotion}", size=8)) == 9
    assert load_held(f"table:{emotion}", size=8) is None


def test_the_folder_says_that_it_is_synthetic_and_how_it_was_drawn(ways: Path) -> None:
    about = json.loads((ways.parent / "about.json").read_text())
    assert about["synthetic"] is True
    assert "no photograph, no person" in about["what"]
    assert {"mimica", "licence", "facts", "clips"} <= about.keys()
    assert list(about["columns"]) == list(rows(ways)[0])
    stated = load(f"table:{ways}", part="test", size=8).manifest
    told = {"synthetic": True, "reversed_pairs": True, "task": "direction", "part": "test", "seed": 0, "clips": 6}
    assert told.items() <= stated.items()
    assert "no photograph" in Image.open(ways.parent / "clips" / "000000" / "frame_0000.png").info["Description"]


def test_there_is_a_sheet_to_look_at(ways: Path, emotion: Path) -> None:
    assert Image.open(ways.parent / "sheet.png").size == (110 + 8 * 120, 24 + 6 * 120)
    assert Image.open(emotion.parent / "sheet.png").size == (110 + 8 * 120, 24 + 8 * 120)


@pytest.mark.parametrize(
    "settings",
    [
        ActorSettings(clips=70, size=16, frames=1),
        ActorSettings(clips=4, size=130, frames=2, task="direction"),
    ],
    ids=["stills", "large"],
)
def test_a_sheet_fits_what_is_on_it(tmp_path: Path, settings: ActorSettings) -> None:
    write_actor(tmp_path, settings)
    page = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert page.shape[0] == 24 + min(settings.clips, 8) * 128
    assert (page[:24, -8:] == 255).all(), "the line above ends on the page"
    assert (page[24:, 110 : 110 + 128 * settings.frames] != 255).any(axis=(1, 2)).all(), "a face in every row"


def test_a_sheet_of_many_clips_does_not_show_one_actor_in_every_row(tmp_path: Path) -> None:
    table = write_actor(tmp_path, ActorSettings(clips=70, size=16, frames=1))
    page = np.asarray(Image.open(tmp_path / "sheet.png"))
    for row in range(8):
        shown = page[24 + 128 * row : 24 + 128 * (row + 1) : 8, 110 : 110 + 128 : 8]
        assert np.array_equal(shown, pictures(table, 8 * row)[0])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many clips each call drew."""
    calls: list[int] = []

    def clips(number: int, *, size: int, **how: Any) -> ActorClips:
        calls.append(number if size else 0)
        return actor.clips(number, size=size, **how)

    monkeypatch.setattr(actor_folder, "render_of", lambda settings: replace(RENDERS["formula"], clips=clips))
    return calls


def test_the_same_call_again_draws_only_what_is_missing(tmp_path: Path, emotion: Path, counted: list[int]) -> None:
    write_actor(tmp_path, EMOTION)
    whole = contents(tmp_path)
    assert sum(counted) == 9
    counted.clear()
    (tmp_path / "clips.csv").unlink()
    (tmp_path / "clips" / "000006" / "frame_0003.png").unlink()
    (tmp_path / "clips" / ".000008.part").mkdir()
    (tmp_path / "clips" / "000008").rename(tmp_path / "clips" / ".000008.part" / "begun")
    assert write_actor(tmp_path, EMOTION) == tmp_path / "clips.csv"
    assert 0 < sum(counted) < 9
    assert contents(tmp_path) == whole == contents(emotion.parent)


class Stopped(Exception):
    pass


def test_a_clip_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Path] = []
    save = Image.Image.save

    def until(self: Image.Image, path: Path, *rest: Any, **how: Any) -> None:
        saved.append(path)
        if len(saved) == 40:
            raise Stopped
        save(self, path, *rest, **how)

    monkeypatch.setattr(Image.Image, "save", until)
    told: list[int] = []
    with pytest.raises(Stopped):
        write_actor(tmp_path, EMOTION, progress=told.append)
    clips = sorted(path.name for path in (tmp_path / "clips").iterdir() if not path.name.startswith("."))
    assert clips == ["000000", "000001"]
    assert not (tmp_path / "clips.csv").exists()
    monkeypatch.undo()
    write_actor(tmp_path, EMOTION, progress=told.append)
    assert told == [4, 8, 9]
    assert same(load(f"table:{tmp_path / 'clips.csv'}", size=20, frames=16), from_actor(drawn(EMOTION), size=20))
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, "clips drawn with seed 3, not 4"),
        ({"clips": 10}, "clips drawn with clips 9, not 10"),
        ({"part": "test", "intensity": (0.2, 1.0)}, r"intensity \[0.5, 1.0\], not \[0.2, 1.0\]; part train, not test"),
    ],
)
def test_clips_of_other_settings_are_not_mixed(emotion: Path, change: dict[str, Any], said: str) -> None:
    before = contents(emotion.parent)
    with pytest.raises(UsageError, match=said + ".*another place with --out"):
        write_actor(emotion.parent, replace(EMOTION, **change))
    assert contents(emotion.parent) == before


def test_clips_of_another_version_are_not_mixed(emotion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_folder, "__version__", "99.0")
    with pytest.raises(UsageError, match=r"drawn with mimica .*, not 99\.0"):
        write_actor(emotion.parent, EMOTION)


@pytest.mark.parametrize("name", ["clips.csv", "label_space.json", "sheet.png"])
def test_what_was_there_before_is_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"holds a {name} that is not of this command"):
        write_actor(tmp_path, EMOTION)
    assert contents(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"mimica": "0", "clips": 3, "facts": 3}'])
def test_an_about_of_something_else_is_not_written_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "about.json").write_text(text)
    with pytest.raises(UsageError, match=r"about\.json is not what this command writes"):
        write_actor(tmp_path, EMOTION)
    assert contents(tmp_path) == {"about.json": text.encode()}


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*file/below: .*; choose another place with --out"):
        write_actor(tmp_path / "file" / "below", EMOTION)


# Scenes beside the face, blends, and scenes as pictures

APART = ActorSettings(clips=14, size=24, frames=2, scenes=True, blend=1.0, intensity=(0.3, 0.4))


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_actor(tmp_path_factory.mktemp("apart"), APART)


def test_scenes_beside_faces_are_a_column_that_loads_with_them(apart: Path) -> None:
    clips = load(f"table:{apart}", size=24, frames=2, scenes=True)
    assert clips.scenes is not None
    assert [np.shape(one) for one in clips.scenes] == [np.shape(one) for one in clips.frames]
    assert not any(np.array_equal(face, scene) for face, scene in zip(clips.frames, clips.scenes, strict=True))


def test_a_face_whose_scene_is_apart_tells_nothing_of_it() -> None:
    how = APART.drawing() | {"blend": 0.0}
    agreeing, other = (actor.clips(7, **how | {"polarity_agrees": share}) for share in (1.0, 0.0))
    assert not torch.equal(agreeing.scene, other.scene)
    assert torch.equal(agreeing.face, other.face)
    assert agreeing.behind is not None
    assert other.behind is not None
    assert not torch.equal(agreeing.behind, other.behind)


def test_a_blend_shows_another_expression_as_strongly_and_says_which(apart: Path) -> None:
    for row in rows(apart):
        assert (row["also_shown"] == "") == (row["label"] == "neutral")
        assert row["also_shown"] not in (row["label"], "neutral")
        if row["also_shown"]:
            for unit in (*CORES[row["label"]], *CORES[row["also_shown"]]):
                assert max(map(float, row[f"AU{unit}"].split())) > 0.1  # what is faint is below 0.05


def test_of_the_task_scene_a_picture_is_labelled_by_what_stands_in_it(tmp_path: Path) -> None:
    table = write_actor(tmp_path, ActorSettings(clips=8, size=20, frames=1, task="scene"))
    assert [row["label"] for row in rows(table)] == list(scene_space("train").names)
    assert [int(row["scene_polarity"]) for row in rows(table)] == list(scene_space("train").polarity)
    assert space_of(f"table:{table}").names == scene_space("train").names


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blend": 1.5}, "blend must be from 0 to 1"),
        ({"blend": 0.5, "task": "direction"}, "blend is of expressions"),
        ({"scenes": True, "task": "scene"}, "scenes themselves"),
        ({"scenes": True, "render": "ict"}, "by formula alone"),
    ],
)
def test_blends_and_scenes_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ActorSettings(clips=2, **changes)
