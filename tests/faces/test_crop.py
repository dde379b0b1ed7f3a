import numpy as np
import pytest

from mimica.faces import crop
from mimica.faces.crop import cut, face_view, scene_view, square

H, W = 40, 60


@pytest.fixture
def ramp() -> np.ndarray:
    """A picture whose red is twice its column and whose green is twice its row."""
    rows, columns = np.mgrid[:H, :W]
    return np.stack([columns * 2, rows * 2, np.zeros((H, W), int)], axis=-1).astype(np.uint8)


def test_a_square_keeps_the_centre_and_takes_the_longer_side():
    assert square(np.array([10.0, 0, 20, 30])).tolist() == [0, 0, 30, 30]


def test_margin_grows_the_square_and_shift_moves_it_down_by_a_part_of_its_side():
    box = np.array([0.0, 0, 10, 10])
    assert square(box, margin=1.0).tolist() == [-5, -5, 15, 15]
    assert square(box, margin=1.0, shift=0.25).tolist() == [-5, 0, 15, 20]


def test_squares_of_many_boxes_are_those_of_each():
    boxes = np.array([[0.0, 0, 10, 20], [5, 5, 9, 7]])
    assert np.array_equal(square(boxes, 0.1), np.stack([square(box, 0.1) for box in boxes]))


def test_a_view_at_its_own_size_is_the_pixels_themselves(ramp):
    assert np.array_equal(face_view(ramp, np.array([10, 5, 30, 25]), size=20), ramp[5:25, 10:30])


def test_a_box_may_lie_between_pixels(ramp):
    moved = cut(ramp, np.array([10.5, 5.5, 30.5, 25.5]), 20)
    assert np.array_equal(moved[..., :2], ramp[5:25, 10:30, :2] + 1)


def test_shrinking_weighs_every_pixel():
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = face_view(np.repeat(board[..., None], 3, axis=2), np.array([0, 0, 64, 64]), size=8)
    assert np.abs(small.astype(int) - 128).max() <= 8


@pytest.mark.parametrize(
    ("box", "value"),
    [((-30, 10, -10, 30), 0), ((80, 10, 100, 30), 2 * (W - 1))],
    ids=["left of the picture", "right of the picture"],
)
def test_outside_the_picture_its_edge_is_repeated(ramp, box, value):
    assert (cut(ramp, np.array(box), 20)[..., 0] == value).all()


def test_a_view_over_the_edge_shows_the_picture_where_there_is_one(ramp):
    view = cut(ramp, np.array([-10, -10, 10, 10]), 20)
    assert np.array_equal(view[10:, 10:], ramp[:10, :10])
    assert np.array_equal(view[:10, 10:], np.broadcast_to(ramp[0, :10], (10, 10, 3)))


@pytest.mark.parametrize("size", [16, 48, 224])
def test_a_view_has_the_size_asked_for(ramp, size):
    for view in (face_view(ramp, np.array([3.2, 1, 50, 39]), size=size, margin=0.3), scene_view(ramp, size=size)):
        assert view.shape == (size, size, 3)
        assert view.dtype == np.uint8


def test_a_scene_keeps_the_middle_of_the_long_side_and_is_not_squeezed():
    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, 30:60, 1] = 255
    assert (scene_view(wide, size=30)[:, 1:-1, 1] == 255).all()
    assert (scene_view(wide.transpose(1, 0, 2), size=15)[1:-1, :, 1] == 255).all()


def test_what_is_hidden_in_a_scene_is_black_and_the_picture_itself_is_left_alone():
    white = np.full((30, 30, 3), 255, np.uint8)
    scene = scene_view(white, size=30, hidden=np.array([-5.0, 10.2, 14.6, 40.0]))
    black = (scene == 0).all(-1)
    assert black[11:, :14].all()
    assert not black[:10].any()
    assert not black[:, 16:].any()
    assert (white == 255).all()


def test_a_box_beyond_all_memory_is_cut_from_every_nth_pixel(monkeypatch):
    y, x = np.mgrid[:60, :400]
    image = np.stack([y * 4, x // 2, 255 - x // 2], axis=-1).astype(np.uint8)
    box = np.array([0.0, -170.0, 400.0, 230.0])
    whole = cut(image, box, 24)
    monkeypatch.setattr(crop, "_MOST_PIXELS", 100 * 100)
    assert np.abs(cut(image, box, 24).astype(int) - whole).max() <= 16, "four rows at most are passed over"
    monkeypatch.undo()
    assert cut(image, np.array([-1e6, -1e6, 1e6, 1e6]), 24).shape == (24, 24, 3)
