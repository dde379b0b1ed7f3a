import numpy as np
import pytest
from PIL import Image, ImageFilter

from mimica.clips import Face
from mimica.faces.quality import BLUR_LEAVES, LOW, SIZE_LEAVES, TURN_LEAVES, judge

# A head from the front in units of the distance between its eyes; depth towards the viewer.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.5, 0.55], [-0.35, 1, 0], [0.35, 1, 0]])


def landmarks(yaw: float, roll: float = 0.0) -> np.ndarray:
    a, b = np.radians([yaw, roll])
    seen = np.stack([HEAD[:, 0] * np.cos(a) + HEAD[:, 2] * np.sin(a), HEAD[:, 1]], axis=1)
    return 100 + 40 * seen @ np.array([[np.cos(b), np.sin(b)], [-np.sin(b), np.cos(b)]])


@pytest.fixture(scope="module")
def astronaut_face(photo, mtcnn) -> tuple[np.ndarray, Face]:
    picture = photo("sample-astronaut")
    ((face,),) = mtcnn.detect([picture])
    return picture, face


@pytest.mark.parametrize("roll", [0, 25, -40])
@pytest.mark.parametrize("yaw", [-60, -20, 0, 10, 45])
def test_the_turn_is_read_from_the_nose_however_the_head_is_tilted(yaw, roll):
    face = Face(box=np.array([60.0, 60, 140, 160]), score=1, landmarks=landmarks(yaw, roll))
    assert judge(np.zeros((200, 200, 3), np.uint8), face).turn == pytest.approx(yaw, abs=0.5)


def test_without_landmarks_there_is_no_turn_and_it_does_not_count():
    picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    quality = judge(picture, Face(box=np.array([60.0, 60, 140, 160]), score=1))
    assert quality.turn is None
    assert quality.score == 1


def test_a_large_sharp_face_from_the_front_is_good(astronaut_face):
    quality = judge(*astronaut_face)
    assert quality.score > 0.95
    assert abs(quality.turn) < 25


def test_blur_grows_with_blurring_and_the_score_falls(astronaut_face):
    picture, face = astronaut_face
    shots = [picture] + [
        np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))) for radius in (3, 6, 12)
    ]
    blurs = [judge(shot, face).blur for shot in shots]
    assert blurs == sorted(blurs)
    assert blurs[0] < 0.4 < blurs[-1]
    assert judge(shots[-1], face).score < LOW


@pytest.mark.parametrize("factor", [0.4, 1.6])
def test_blur_hardly_depends_on_contrast(astronaut_face, factor):
    picture, face = astronaut_face
    other = np.clip(128 + factor * (picture * 0.5 - 64), 0, 255).astype(np.uint8)
    assert judge(other, face).blur == pytest.approx(judge(picture, face).blur, abs=0.06)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"box": np.array([200.0, 100, 210, 112])},
        {"box": np.array([-70.0, 63, 17, 173])},
        {"landmarks": landmarks(75)},
    ],
    ids=["tiny", "mostly outside the frame", "in profile"],
)
def test_one_bad_trait_is_enough_for_low_quality(astronaut_face, spoilt):
    picture, face = astronaut_face
    changed = Face(**{"box": face.box, "score": face.score, "landmarks": face.landmarks} | spoilt)
    assert judge(picture, changed).score < LOW <= judge(picture, face).score


def test_a_face_of_one_colour_is_judged_without_a_warning():
    quality = judge(np.full((50, 50, 3), 7, np.uint8), Face(box=np.array([0.0, 0, 50, 50]), score=1))
    assert quality.blur == 1
    assert quality.score == 0


def backwards(measured):
    return tuple((1 - value, left) for value, left in reversed(measured))


@pytest.mark.parametrize("measured", [SIZE_LEAVES, backwards(BLUR_LEAVES), backwards(TURN_LEAVES)])
def test_a_larger_or_sharper_face_or_one_less_turned_is_never_judged_worse(measured):
    at, left = zip(*measured, strict=True)
    assert list(at) == sorted(set(at))
    assert list(left) == sorted(left)
    assert 0 <= left[0] < LOW < left[-1] == 1
