from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mimica.data.actor import UNIT_ORDER
from mimica.data.render_face import FaceModel, load_face, turning
from mimica.data.render_hair import LENGTHS, curtain
from mimica.errors import InputError
from tiny_face import EYE, MODES, RADIUS, arrays, write_face

U = len(UNIT_ORDER)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> FaceModel:
    return load_face(write_face(tmp_path_factory.mktemp("face") / "face.npz"))


def posed(face: FaceModel, *units: int, left: float = 0.0, up: float = 0.0, blink: float = 0.0) -> np.ndarray:
    asked = np.zeros((1, U), np.float32)
    asked[:, [UNIT_ORDER.index(unit) for unit in units]] = 1
    gaze = np.broadcast_to((left, up), (1, 2, 2)).astype(np.float32)
    return face.posed(face.rest, asked, gaze=gaze, blink=np.full(1, blink, np.float32))[0]


def test_irises_and_what_lies_over_the_eyes_are_not_drawn(face: FaceModel) -> None:
    whole = arrays()
    hidden = np.isin(whole["tri_mat"], [5, 7, 8, 9, 10])
    assert sum(len(triangles) for triangles in face.triangles.values()) == (~hidden).sum()
    assert len(face.rest) < len(whole["neutral"])


def test_the_lining_of_the_mouth_is_told_from_the_back_of_the_head(face: FaceModel) -> None:
    lining, skin = (face.rest[np.unique(face.triangles[name])] for name in ("inside", "skin"))
    assert np.allclose(np.linalg.norm(lining - [0.0, -3.5, 6.0], axis=1), 1.5, atol=1e-4)
    assert (skin[:, 1] < -16).any(), "the neck is skin"


def test_someone_without_any_strength_of_a_mode_is_the_face_at_rest(face: FaceModel) -> None:
    assert np.array_equal(face.person(np.zeros(MODES)), face.rest)
    other = face.person(np.eye(MODES)[1] * 2)
    assert np.allclose(other - face.rest, 2 * face.modes[1], atol=1e-5)


def test_a_neutral_face_stays_as_it_is(face: FaceModel) -> None:
    still = face.posed(face.rest, np.zeros((4, U), np.float32), gaze=np.zeros((4, 2, 2)), blink=np.zeros(4))
    assert np.array_equal(still[0], still[3])
    assert np.abs(still[0] - face.rest).max() < 0.1
    skin = np.unique(face.triangles["skin"])
    assert np.abs(posed(face, 12) - still[0])[skin].max() > 0.1


def test_what_a_face_does_is_laid_over_who_it_is(face: FaceModel) -> None:
    someone = face.person(np.ones(MODES))
    asked, ahead = np.ones((1, U), np.float32), np.zeros((1, 2, 2), np.float32)
    there = face.posed(someone, asked, gaze=ahead, blink=np.zeros(1))[0] - someone
    assert np.allclose(there, face.posed(face.rest, asked, gaze=ahead, blink=np.zeros(1))[0] - face.rest, atol=1e-4)


def test_an_eye_is_where_it_is_and_looks_ahead(face: FaceModel) -> None:
    left, right = face.eyes
    assert left.centre == pytest.approx(EYE, abs=1e-3)
    assert right.centre == pytest.approx(EYE * [-1, 1, 1], abs=1e-3)
    assert left.radius == pytest.approx(RADIUS, abs=1e-3)
    assert left.axis == pytest.approx([0, 0, 1], abs=1e-3)


@pytest.mark.parametrize(("left", "up", "way"), [(30.0, 0.0, 0), (0.0, 25.0, 1)])
def test_eyes_turn_about_their_centres_to_where_they_look(face: FaceModel, left: float, up: float, way: int) -> None:
    ahead, aside = posed(face), posed(face, left=left, up=up)
    for eye in face.eyes:
        before, after = ahead[eye.vertices] - eye.centre, aside[eye.vertices] - eye.centre
        assert np.allclose(np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1), atol=1e-4)
        cornea = np.linalg.norm(before, axis=1) > RADIUS + 0.1
        looks = after[cornea].mean(0)
        assert np.rad2deg(np.arcsin(looks[way] / np.linalg.norm(looks))) == pytest.approx(left or up, abs=0.1)


def test_the_centre_of_an_eye_goes_where_identity_puts_it(face: FaceModel) -> None:
    someone = face.person(np.ones(MODES))
    eye = face.eyes[0]
    shift = (someone - face.rest)[eye.vertices].mean(0)
    assert np.linalg.norm(shift) > 0.05
    assert np.allclose(face.centre(someone, 0), eye.centre + shift, atol=1e-5)


def test_marks_are_the_place_at_rest_and_on_eyes_the_way_that_they_look(face: FaceModel) -> None:
    marks = face.marks()
    skin = np.unique(face.triangles["skin"])
    assert np.array_equal(marks[skin], face.rest[skin])
    for eye in face.eyes:
        own = marks[eye.vertices]
        assert np.linalg.norm(own[np.argmax(own[:, 2])]) > 1.05, "the cornea stands out"
        assert np.median(np.linalg.norm(own, axis=1)) == pytest.approx(1, abs=1e-3)


def test_normals_point_outwards_and_are_of_length_one(face: FaceModel) -> None:
    normals = face.normals(face.rest)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    eye = face.eyes[0].vertices
    away = face.rest[eye] - face.eyes[0].centre
    assert (np.einsum("ij,ij->i", normals[eye], away) > 0).all()


def test_turning_is_a_rotation() -> None:
    turn = turning(np.array([[20.0, -10.0], [0.0, 0.0]]))
    assert np.allclose(turn @ turn.transpose(0, 2, 1), np.eye(3), atol=1e-6)
    assert np.array_equal(turn[1], np.eye(3, dtype=np.float32))


@pytest.mark.parametrize("style", LENGTHS)
def test_hanging_hair_stands_outside_the_head_and_leaves_the_face_free(face: FaceModel, style: str) -> None:
    hair = curtain(face.rest, style)
    assert hair is not None
    assert hair.vertices[:, 1].min() == pytest.approx(LENGTHS[style])
    assert np.isfinite(hair.normals).all()
    front = hair.vertices[hair.vertices[:, 2] > 5]
    assert (np.abs(front[:, 0]) > 4).all()
    away = hair.vertices * [1, 0, 1]
    assert (np.einsum("ij,ij->i", hair.normals, away) > 0).mean() > 0.9
    a, b, c = (hair.vertices[column] for column in hair.triangles.T)
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a * [1, 0, 1]) > 0).mean() > 0.9


def test_a_style_that_does_not_hang_has_no_curtain(face: FaceModel) -> None:
    assert curtain(face.rest, "short") is None


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"tri": np.zeros((5, 4), np.int32)}, r"tri is \[5, 4\], not \['F', 3\]"),
        ({"expr": np.zeros((57, 7, 3), np.float16)}, r"expr is \[57, 7, 3\], not \['E', 'V', 3\]"),
        ({"materials": np.array(["M_Skin"] * 12)}, "has no material M_Face"),
    ],
)
def test_a_file_of_another_form_is_refused_with_a_sentence(
    tmp_path: Path, other: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        load_face(write_face(tmp_path / "face.npz", **other))
    assert "fetch the asset ict-face again" in str(caught.value)


def test_what_is_no_face_at_all_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "other.npz", neutral=np.zeros((3, 3)))
    for name in ("text.npz", "other.npz", "absent.npz"):
        with pytest.raises(InputError, match="is not a face of ICT-FaceKit"):
            load_face(tmp_path / name)
