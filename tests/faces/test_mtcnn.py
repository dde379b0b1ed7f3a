from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image

from mimica.errors import InputError, UsageError
from mimica.faces.boxes import overlap
from mimica.faces.mtcnn import Mtcnn
from mimica.faces.mtcnn_weights import cascade, normalised

# What the `mtcnn` 1.0.0 wheel itself finds on TensorFlow 2.21 (min_face_size=40, threshold_onet=0.7).
WHEEL = {
    "sample-astronaut": [(180.39, 64.5, 264.98, 172.0)],
    "sample-multi-face": [
        (437.29, 213.26, 515.76, 306.78),
        (683.1, 287.45, 787.66, 422.23),
        (527.68, 301.23, 632.23, 432.0),
        (219.38, 66.88, 302.11, 174.34),
        (316.95, 233.4, 411.07, 359.13),
    ],
}
ASTRONAUT_LANDMARKS = [(203.74, 100.19), (246.07, 102.62), (224.76, 126.22), (201.29, 138.71), (244.33, 141.0)]


@pytest.fixture(scope="module")
def astronaut(photo) -> np.ndarray:
    return photo("sample-astronaut")


@pytest.mark.parametrize("name", sorted(WHEEL))
def test_it_finds_the_faces_that_the_wheel_finds_and_no_others(name, photo, mtcnn):
    (faces,) = mtcnn.detect([photo(name)])
    shared = overlap(np.array(WHEEL[name]), np.stack([face.box for face in faces]))
    assert shared.shape == (len(WHEEL[name]),) * 2
    assert (shared.max(axis=1) > 0.85).all()


def test_landmarks_are_where_the_wheel_sees_them(astronaut, mtcnn):
    ((face,),) = mtcnn.detect([astronaut])
    assert np.abs(face.landmarks - ASTRONAUT_LANDMARKS).max() < 3


def test_the_first_network_is_sure_of_the_astronaut(astronaut, mtcnn):
    small = torch.nn.functional.interpolate(
        torch.tensor(astronaut).permute(2, 0, 1)[None], (72, 72), mode="bilinear", antialias=True
    )
    with torch.inference_mode():
        _, probability = cascade().pnet(normalised(small))
    assert probability.max() > 0.999


def test_faces_come_best_score_first(photo, mtcnn):
    scores = [face.score for face in mtcnn.detect([photo("sample-multi-face")])[0]]
    assert scores == sorted(scores, reverse=True)


def test_what_is_found_does_not_depend_on_how_pictures_are_batched(astronaut, mtcnn):
    pictures = [np.ascontiguousarray(np.roll(astronaut, 17 * i, axis=1)[:400, :360]) for i in range(5)]
    pictures[2] = np.zeros_like(pictures[0])
    alone = [mtcnn.detect([picture])[0] for picture in pictures]
    for split in ([pictures], [pictures[:2], pictures[2:]], [pictures[:4], pictures[4:]]):
        together = [faces for part in split for faces in mtcnn.detect(part)]
        assert [len(faces) for faces in together] == [len(faces) for faces in alone] == [1, 1, 0, 1, 1]
        for one, other in zip(chain(*alone), chain(*together), strict=True):
            assert np.abs(one.box - other.box).max() < 1e-3
            assert np.abs(one.landmarks - other.landmarks).max() < 1e-3
            assert one.score == pytest.approx(other.score, abs=1e-5)


def test_a_face_that_moves_by_whole_pixels_is_found_as_much_moved(astronaut, mtcnn):
    ((face,),) = mtcnn.detect([astronaut[:400, :400]])
    ((moved,),) = mtcnn.detect([astronaut[10:410, 20:420]])
    assert np.abs(face.box - moved.box - [20, 10, 20, 10]).max() < 6


def test_faces_smaller_than_asked_for_are_left_out(astronaut):
    assert Mtcnn(min_face=200).detect([astronaut]) == [[]]


def test_what_counts_as_small_follows_the_picture_where_nothing_is_asked_for(astronaut):
    detector = Mtcnn()
    canvas = np.zeros((3600, 3600, 3), np.uint8)
    canvas[:512, :512] = astronaut
    small = np.asarray(Image.fromarray(astronaut).resize((160, 160), Image.Resampling.BOX))
    # The face is some 100 pixels wide: below a fifteenth of 3600, above one of 512; at 160 it has 30, above 20.
    assert [len(detector.detect([image])[0]) for image in (canvas, astronaut, small)] == [0, 1, 1]


def test_the_box_of_a_face_at_the_edge_goes_past_the_frame(astronaut, mtcnn):
    ((face,),) = mtcnn.detect([np.ascontiguousarray(astronaut[:, 190:])])
    assert face.box[0] < 0


@pytest.mark.parametrize("shape", [(300, 400), (8, 8), (8, 300), (1, 1)])
def test_a_picture_without_faces_gives_none_whatever_its_size(shape, mtcnn):
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert mtcnn.detect([noise]) == [[]]


def test_pictures_of_different_sizes_in_one_call_are_refused(mtcnn):
    with pytest.raises(InputError, match=r"one size.*uint8 \[30, 40, 3\], uint8 \[40, 40, 3\]"):
        mtcnn.detect([np.zeros((40, 40, 3), np.uint8), np.zeros((30, 40, 3), np.uint8)])


@pytest.mark.parametrize("picture", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3), np.float32)])
def test_a_picture_that_is_not_rgb_of_bytes_is_refused(picture, mtcnn):
    with pytest.raises(InputError, match=r"uint8 \[H, W, 3\]"):
        mtcnn.detect([picture])


@pytest.mark.parametrize("size", [0, -3, 11.9, float("nan")])
def test_a_smallest_face_below_the_networks_window_is_refused(size):
    with pytest.raises(UsageError, match="12 pixels"):
        Mtcnn(min_face=size)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named(device, mtcnn):
    with pytest.raises(UsageError, match=f"cannot find faces on the device '{device}'"):
        Mtcnn(device=device)


def test_a_known_face_is_followed_to_its_place(astronaut, mtcnn):
    ((face,),) = mtcnn.detect([astronaut])
    nearby = face.box + np.array([8.0, -6, 8, -6])
    ((followed,),) = mtcnn.refine([astronaut], [nearby[None]])
    assert overlap(followed.box[None], face.box[None])[0, 0] > overlap(nearby[None], face.box[None])[0, 0]
    assert np.abs(followed.box - face.box).max() < 6


def test_following_does_not_creep_away_from_the_face(astronaut, mtcnn):
    ((face,),) = mtcnn.detect([astronaut])
    box = face.box
    for _ in range(20):
        ((followed,),) = mtcnn.refine([astronaut], [box[None]])
        box = followed.box
    assert overlap(box[None], face.box[None])[0, 0] > 0.8


def test_following_says_none_where_the_face_is_gone_and_keeps_the_order(astronaut, mtcnn):
    ((face,),) = mtcnn.detect([astronaut])
    blank = np.full_like(astronaut, 120)
    boxes = np.stack([np.array([380.0, 380, 470, 470]), face.box])
    (gone, there), nobody, none_asked = mtcnn.refine(
        [astronaut, blank, astronaut], [boxes, face.box[None], np.empty((0, 4))]
    )
    assert gone is None
    assert overlap(there.box[None], face.box[None])[0, 0] > 0.8
    assert nobody == [None]
    assert none_asked == []
