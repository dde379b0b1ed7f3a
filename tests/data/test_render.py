from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mimica.data import actor, render, render_studio
from mimica.data.actor import UNIT_ORDER
from mimica.data.actor_folder import COLUMNS, write_actor
from mimica.data.actor_renders import RENDERS
from mimica.data.actor_settings import ActorSettings
from mimica.data.clipset import load
from mimica.data.render_eyes import Eyes
from mimica.data.render_face import FaceModel, load_face
from mimica.data.render_shot import Shot, shot
from mimica.data.render_sitter import sitter
from mimica.data.render_studio import Studio
from mimica.errors import AssetError, MissingExtra, UsageError
from tiny_face import write_face

U = len(UNIT_ORDER)


def no_context() -> str:
    """Why nothing can be drawn here, or nothing."""
    try:
        render_studio.context()
    except (AssetError, MissingExtra) as error:
        return str(error)
    return ""


draws = pytest.mark.skipif(bool(no_context()), reason="no OpenGL without a display here")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_face(tmp_path_factory.mktemp("face") / "face.npz")


@pytest.fixture(scope="module")
def face(file: Path) -> FaceModel:
    return load_face(file)


def planned(number: int = 9, **how: Any) -> render.RenderedClips:
    """Clips of which nothing is drawn."""
    return render.clips(number, **({"size": 0, "frames": 6, "part": "train", "seed": 4} | how))


def test_labels_units_scenes_and_actors_are_those_of_the_actor_drawn_by_formula() -> None:
    for task in ("emotion", "direction"):
        ours = planned(first=3, task=task)
        other = actor.clips(9, first=3, size=0, frames=6, part="train", seed=4, task=task)  # type: ignore[arg-type]
        for name in ("units", "labels", "expressions", "scene", "identity"):
            assert torch.equal(getattr(ours, name), getattr(other, name))
        assert ours.space == other.space
        assert ours.facts.items() >= {**other.facts, "render": "ict"}.items()


def test_pose_gaze_and_lids_are_told_and_are_no_part_of_the_expression() -> None:
    clips = planned(40, frames=12)
    assert clips.pose.shape == (40, 12, 3)
    assert clips.gaze.shape == (40, 12, 2)
    assert clips.blink.shape == (40, 12)
    assert 15 < clips.pose[..., 0].abs().max() < 55
    neutral = clips.labels == 2
    assert clips.blink[neutral].max() > 0.5
    assert clips.units[neutral].max() == 0
    # Eyes go against the turn of the head more often than with it.
    assert np.corrcoef(clips.pose[..., 0].flatten(), clips.gaze[..., 0].flatten())[0, 1] < -0.5


def test_how_a_clip_is_taken_can_be_changed_and_nothing_else_changes_with_it() -> None:
    def aside(one: Shot) -> Shot:
        return replace(one, yaw=np.full_like(one.yaw, 33.0))

    as_they_are, changed = planned(), planned(take=aside)
    assert (changed.pose[..., 0] == 33).all()
    assert torch.equal(changed.pose[..., 1:], as_they_are.pose[..., 1:])
    assert torch.equal(changed.units, as_they_are.units)


def test_a_clip_is_the_same_however_many_are_asked_for() -> None:
    some, one = planned(9), planned(1, first=5)
    for name in ("units", "pose", "gaze", "blink"):
        assert torch.equal(getattr(some, name)[5], getattr(one, name)[0])
    assert not torch.equal(planned(1, first=5, seed=5).pose, one.pose)
    assert not torch.equal(planned(1, first=5, part="test").pose, one.pose)


def test_each_clip_of_a_direction_is_followed_by_its_exact_reversal() -> None:
    clips = planned(4, task="direction", part="test")
    pairs = render.reversed_pairs(clips)
    for name in ("pose", "gaze", "blink", "units"):
        value = getattr(pairs, name)
        assert torch.equal(value[0::2], getattr(clips, name))
        assert torch.equal(value[1::2], getattr(clips, name).flip(1))
    with pytest.raises(UsageError, match="task direction"):
        render.reversed_pairs(planned(2))


def middle(face: FaceModel, taking: Shot) -> np.ndarray:
    """Where the box of the face lies in the picture of each frame: its middle and half its longer side [T, 3]."""
    low, high = np.array(render._FACE).T
    own = face.rest[((face.rest > low) & (face.rest < high)).all(1)]
    posed = np.broadcast_to(face.rest, (len(taking.yaw), *face.rest.shape))
    found = []
    for told in render.framing(face, posed, taking):
        x, y, z = np.asarray(told["head"]).T @ (own - told["pivot"]).T
        distance, scale, right, up = told["camera"]
        near = distance / (distance - z)
        x, y = x * near * scale + right, y * near * scale + up
        found.append([(x.max() + x.min()) / 2, (y.max() + y.min()) / 2, max(np.ptp(x), np.ptp(y)) / 2])
    return np.array(found)


@pytest.mark.parametrize("number", range(4))
def test_a_picture_is_a_box_round_the_face_however_it_is_turned(face: FaceModel, number: int) -> None:
    taking = shot(number, 5, part="train", seed=0)
    assert np.allclose(middle(face, taking), np.stack([taking.right, taking.up, taking.size], 1), atol=1e-4)


def test_a_head_turns_to_its_left_up_and_onto_its_right_shoulder() -> None:
    ahead, crown = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert (render.turned(30, 0, 0) @ ahead)[0] == pytest.approx(0.5)
    assert (render.turned(0, 30, 0) @ ahead)[1] == pytest.approx(0.5)
    assert (render.turned(0, 0, 30) @ crown)[0] == pytest.approx(-0.5)


def test_the_camera_adds_no_more_than_grain_and_softness() -> None:
    grey = np.full((2, 24, 24, 3), 120, np.uint8)
    taking = replace(shot(0, 2, part="train", seed=0), noise=0.02)
    seen = render.developed(grey, taking, np.random.default_rng(0))
    assert seen.std() == pytest.approx(0.02 * 255, rel=0.1)
    assert abs(seen.mean() - 120) < 1
    assert np.array_equal(render.developed(grey, replace(taking, noise=0.0), np.random.default_rng(0)), grey)


def test_without_moderngl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    render_studio.context.cache_clear()
    monkeypatch.setitem(sys.modules, "moderngl", None)
    with pytest.raises(MissingExtra, match=r"pip install 'mimica\[render\]'"):
        render_studio.context()


def test_without_opengl_the_packages_of_the_system_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    moderngl = pytest.importorskip("moderngl")

    def refused(**_: Any) -> None:
        raise Exception("libEGL.so not loaded")

    render_studio.context.cache_clear()
    monkeypatch.setattr(moderngl, "create_context", refused)
    with pytest.raises(AssetError, match=r"libEGL.so not loaded.*apt-get install libegl1 libgl1 libgl1-mesa-dri"):
        render_studio.context()


def test_without_the_face_its_asset_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match=r"'ict-face'.*mimica assets fetch ict-face --source FOLDER"):
        render.clips(1, size=16, frames=1, part="train", seed=0)


Shown = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def shown(face: FaceModel) -> Shown:
    """A picture [S, S, 3] of someone before grey, taken from in front."""
    studio = Studio(face, 48)
    who = sitter(0, modes=len(face.modes), part="train", seed=0)
    zero = np.zeros(1)
    plain = shot(1, 1, part="train", seed=0)

    def take(*units: int, gaze: tuple[float, float] = (0.0, 0.0), hair: str = "short", **pose: float) -> np.ndarray:
        asked = np.zeros((1, U), np.float32)
        asked[:, [UNIT_ORDER.index(unit) for unit in units]] = 1
        seen = Eyes(gaze=np.broadcast_to(gaze, (1, 2, 2)).astype(np.float32), blink=np.zeros(1, np.float32))
        still = replace(
            plain, yaw=zero + pose.get("yaw", 0.0), pitch=zero, roll=zero, right=zero, up=zero, size=zero + 1
        )
        scene = np.full((48, 48, 3), pose.get("scene", 0.5), np.float32)
        return render.film(studio, replace(who, hair=hair), asked, seen, still, person=face.rest, scene=scene)[0]

    return take


def differ(one: np.ndarray, other: np.ndarray) -> int:
    """How many pixels of two pictures are plainly not the same."""
    return int((np.abs(one.astype(int) - other).max(-1) > 12).sum())


@draws
def test_the_same_face_is_drawn_the_same_and_another_is_not(shown: Shown) -> None:
    assert np.array_equal(shown(), shown())
    for other in (shown(1, 2), shown(yaw=20.0), shown(gaze=(25.0, 0.0)), shown(hair="long"), shown(scene=0.9)):
        assert differ(shown(), other) > 5


@draws
def test_gaze_moves_nothing_but_eyes_and_lids(shown: Shown) -> None:
    changed = np.abs(shown().astype(int) - shown(gaze=(25.0, 0.0))).max(-1) > 12
    rows = np.flatnonzero(changed.any(1))
    assert 0 < rows.min() < rows.max() < 24, "only the height of the eyes changes"


@draws
def test_a_face_stands_before_its_scene(shown: Shown) -> None:
    dark, light = shown(scene=0.1), shown(scene=0.9)
    assert differ(dark[:3, :3], light[:3, :3]) == 9, "corners show the scene"
    assert np.array_equal(dark[20:28, 20:28], light[20:28, 20:28]), "the middle does not"


@draws
def test_a_picture_is_no_mirror_image_and_not_upside_down(shown: Shown) -> None:
    left, right = shown(yaw=35.0), shown(yaw=-35.0)
    assert differ(left, right) > 100
    assert differ(left, right[:, ::-1]) < differ(left, right[::-1])


@draws
def test_a_clip_in_a_row_is_to_the_bit_the_clip_alone(file: Path) -> None:
    how: dict[str, Any] = {"size": 16, "frames": 2, "part": "test", "seed": 1, "face": file}
    some, one = render.clips(3, **how), render.clips(1, first=2, **how)
    assert some.face.shape == (3, 2, 3, 16, 16)
    assert some.face.dtype == torch.uint8
    assert torch.equal(some.face[2], one.face[0])
    assert not torch.equal(some.face[0], some.face[1])


@draws
def test_a_folder_of_rendered_clips_has_the_form_of_the_actors(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimica.assets.file", lambda name: file)
    settings = ActorSettings(clips=2, size=16, frames=3, render="ict", task="direction", part="test")
    table = write_actor(tmp_path / "out", settings)
    with table.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == [*COLUMNS, *RENDERS["ict"].columns]
    assert [len(rows[0][name].split()) for name in ("yaw", "gaze_up", "blink", "AU12")] == [3] * 4
    assert rows[0]["yaw"].split() == rows[1]["yaw"].split()[::-1]
    read = load(f"table:{table}", part="test", size=16, frames=3)
    assert np.array_equal(read.frames[0], read.frames[1][::-1])
    assert read.manifest["render"] == "ict"
    stated = Image.open(tmp_path / "out" / "clips" / "000000" / "frame_0000.png").info["Description"]
    assert stated == "synthetic face, rendered from a face model; no photograph"
    with pytest.raises(UsageError, match="render ict, not formula"):
        write_actor(tmp_path / "out", replace(settings, render="formula"))


def test_a_folder_is_not_begun_where_nothing_can_be_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "empty"))
    with pytest.raises((AssetError, MissingExtra)):
        write_actor(tmp_path / "out", ActorSettings(clips=1, size=16, frames=1, render="ict"))
    assert not (tmp_path / "out").exists()
