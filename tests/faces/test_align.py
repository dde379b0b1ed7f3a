from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from mimica.faces.align import STEADY, Upright, similarity, upright_view, uprights
from mimica.faces.crop import face_view
from oracles import align as oracle

POINTS = np.array([[-0.2, -0.15], [0.2, -0.15], [0.0, 0.05], [-0.15, 0.25], [0.15, 0.25]])
"""Landmarks of an upright face, in sides of its square from the middle."""

rolls = st.floats(-1.2, 1.2)


def leaning(roll: float) -> np.ndarray:
    """What turns points [..., 2] clockwise as seen."""
    return np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])


def placed(centre: tuple[float, float], side: float, roll: float) -> np.ndarray:
    """The landmarks [5, 2] in a picture of a face that leans."""
    return centre + side * POINTS @ leaning(roll)


def box(centre: tuple[float, float], side: float) -> np.ndarray:
    x, y = centre
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])


def dots(points: np.ndarray, size: int) -> np.ndarray:
    """A black picture with a soft white dot at each point."""
    y, x = np.mgrid[:size, :size] + 0.5
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 2.5**2)) for px, py in points)
    return np.repeat((255 * np.clip(light, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)


def centroid(view: np.ndarray, near: np.ndarray, reach: float) -> np.ndarray:
    """Where the light near a point of a view is."""
    y, x = np.mgrid[: view.shape[0], : view.shape[1]] + 0.5
    light = view[..., 0].astype(float) * (np.hypot(x - near[0], y - near[1]) < reach)
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def test_a_straight_line_of_eyes_is_no_roll_and_a_clockwise_one_is_positive():
    marks = np.stack([placed((50, 40), 40, roll) for roll in (0.0, 0.3, -0.3)])
    for roll, one in zip((0.0, 0.3, -0.3), marks, strict=True):
        (place,) = uprights(np.zeros(1), box((50, 40), 40)[None], one[None])
        assert place.roll == pytest.approx(roll, abs=1e-9)
        assert place.centre.tolist() == [50, 40]
        assert place.side == 40
    assert marks[1][1, 1] > marks[1][0, 1], "leaning to the right the right eye is the lower one"


@pytest.mark.parametrize("size", [64, 200])
@pytest.mark.parametrize("roll", [-0.7, -0.05, 0.0, 0.4, math.pi / 2])
def test_known_landmarks_land_where_they_should_to_half_a_pixel(roll, size):
    centre, side = (131.3, 118.6), 120.0
    marks = placed(centre, side, roll)
    (place,) = uprights(np.zeros(1), box(centre, side)[None], marks[None])
    view = upright_view(dots(marks, 256), place, size=size)
    for mark, point in zip(marks, POINTS, strict=True):
        wanted = (point + 0.5) * size
        assert np.abs(centroid(view, wanted, 0.09 * size) - wanted).max() < 0.5
        assert np.abs(similarity(place, size) @ [*mark, 1] - wanted).max() < 1e-6


@given(st.complex_numbers(max_magnitude=500), rolls, st.floats(5, 400), st.integers(8, 300))
def test_the_similarity_is_that_of_the_oracle(point, roll, side, size):
    place = Upright(centre=np.array([70.0, 33.5]), side=side, roll=roll)
    x, y = similarity(place, size) @ [point.real, point.imag, 1]
    there = oracle.landed(point, 70 + 33.5j, side, roll, size)
    assert (x, y) == pytest.approx((there.real, there.imag), abs=1e-6)
    assert oracle.taken(there, 70 + 33.5j, side, roll, size) == pytest.approx(point, abs=1e-6)


def drawn_face() -> Image.Image:
    picture = Image.new("RGB", (240, 240), (60, 70, 80))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((60, 40, 180, 200), (220, 180, 150))
    for x in (90, 150):
        pen.ellipse((x - 12, 92, x + 12, 108), (20, 20, 30))
    pen.polygon([(120, 105), (110, 140), (130, 140)], (190, 140, 120))
    pen.arc((90, 140, 150, 180), 10, 170, (120, 30, 30), 6)
    return picture


@pytest.mark.parametrize("degrees", [-35, 12, 40])
@pytest.mark.parametrize("size", [60, 160])
def test_a_turned_drawn_face_comes_out_upright(degrees, size):
    upright = drawn_face()
    # Pillow turns counterclockwise.
    turned = np.asarray(upright.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=(60, 70, 80)))
    eyes = np.array([[90, 100], [150, 100], [120, 140], [92, 165], [148, 165]], float)
    marks = 120 + (eyes - 120) @ leaning(math.radians(degrees))
    (place,) = uprights(np.zeros(1), box((120, 120), 130)[None], marks[None])
    wanted = face_view(np.asarray(upright), box((120, 120), 130), size=size).astype(int)
    assert np.abs(upright_view(turned, place, size=size) - wanted).mean() < 4
    assert np.abs(face_view(turned, box((120, 120), 130), size=size) - wanted).mean() > 10, "as it was, it leans"


@pytest.mark.parametrize(("roll", "side"), [(0.5, 22.0), (-0.8, 60.0), (0.1, 100.0)])
def test_a_view_is_that_of_the_oracle(roll, side):
    random = np.random.default_rng(0)
    image = np.asarray(Image.fromarray(random.integers(0, 256, (8, 10, 3), np.uint8)).resize((100, 80)))
    made = upright_view(image, Upright(centre=np.array([52.0, 41.0]), side=side, roll=roll), size=24)
    assert np.abs(made - oracle.view(image, 52 + 41j, side, roll, 24)).mean() < 3


def test_a_large_face_that_leans_keeps_its_detail():
    random = np.random.default_rng(0)
    image = np.asarray(Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).resize((100, 80)))
    made = upright_view(image, Upright(centre=np.array([52.0, 41.0]), side=60.0, roll=0.5), size=24)
    assert np.abs(made - oracle.view(image, 52 + 41j, 60, 0.5, 24, fine=8)).mean() < 4


def test_a_quarter_turn_is_the_cut_turned():
    image = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    place = Upright(centre=np.array([30.0, 30.0]), side=20.0, roll=math.pi / 2)
    assert np.abs(upright_view(image, place, size=20).astype(int) - np.rot90(image[20:40, 20:40])).max() <= 1


def test_what_does_not_lean_is_cut_as_ever():
    image = np.random.default_rng(2).integers(0, 256, (50, 70, 3), np.uint8)
    around = np.array([[10.2, 5.1, 38.4, 40.7]])
    (place,) = uprights(np.zeros(1), around, margin=0.2)
    assert np.array_equal(upright_view(image, place, size=31), face_view(image, around[0], size=31, margin=0.2))


def test_shrinking_weighs_every_pixel_of_a_face_that_leans():
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    place = Upright(centre=np.array([256.0, 256.0]), side=300.0, roll=0.3)
    view = upright_view(np.repeat(board[..., None], 3, axis=2), place, size=16)
    assert np.abs(view.astype(int) - 128).max() <= 12


@pytest.mark.parametrize(("centre", "value"), [((-100.0, 20.0), 10), ((300.0, 20.0), 200)])
def test_outside_the_picture_its_edge_is_repeated(centre, value):
    image = np.full((40, 60, 3), 200, np.uint8)
    image[:, :30] = 10
    view = upright_view(image, Upright(centre=np.array(centre), side=30.0, roll=0.4), size=20)
    assert (view == value).all()


def test_a_square_beyond_all_memory_is_still_cut():
    image = np.random.default_rng(3).integers(0, 256, (40, 40, 3), np.uint8)
    assert upright_view(image, Upright(centre=np.zeros(2), side=1e6, roll=0.2), size=24).shape == (24, 24, 3)


# A whole track


def track(times, centres, sides, lean) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.stack([box(c, s) for c, s in zip(centres, sides, strict=True)])
    marks = np.stack([placed(c, s, r) for c, s, r in zip(centres, sides, lean, strict=True)])
    return boxes, marks


def columns(places: list[Upright]) -> np.ndarray:
    """Centre, side and roll [N, 4]."""
    return np.array([[*place.centre, place.side, place.roll] for place in places])


@pytest.mark.parametrize("fps", [4, 25])
def test_a_track_is_as_steady_as_the_oracle_says(fps):
    random = np.random.default_rng(fps)
    times = np.cumsum(random.uniform(0.3, 1.7, 40)) / fps
    centres = 100 + random.normal(0, 3, (40, 2))
    sides, lean = 80 + random.normal(0, 2, 40), random.normal(0, 0.1, 40)
    boxes, marks = track(times, centres, sides, lean)
    found = columns(uprights(times, boxes, marks, margin=0.5))
    for axis in (0, 1):
        assert np.allclose(found[:, axis], oracle.steady(times, centres[:, axis], STEADY))
    assert np.allclose(found[:, 2], oracle.steady(times, 1.5 * sides, STEADY))
    eyes = (marks[:, 1] - marks[:, 0]) / sides[:, None]
    across, down = (oracle.steady(times, eyes[:, axis], STEADY) for axis in (0, 1))
    assert np.allclose(found[:, 3], np.arctan2(down, across))


def test_what_moves_evenly_is_where_it_is_at_uneven_times_and_at_the_ends():
    times = np.array([0.0, 0.03, 0.1, 0.11, 0.2, 0.24, 0.31])
    centres = np.stack([100 + 40 * times, 80 - 30 * times], axis=1)
    sides = 60 + 20 * times
    found = columns(uprights(times, *track(times, centres, sides, np.zeros(7))))
    assert np.allclose(found, np.column_stack([centres, sides, np.zeros(7)]), atol=1e-6)


def test_most_of_a_tremble_is_gone():
    random = np.random.default_rng(5)
    times = np.arange(200) / 25
    noise = random.normal(0, 1, (200, 4)) * [1, 1, 1, 0.02]
    found = columns(uprights(times, *track(times, 100 + noise[:, :2], 80 + noise[:, 2], noise[:, 3])))
    assert (np.std(found, axis=0) < 0.45 * noise.std(axis=0)).all()


def test_a_cut_of_the_film_is_not_evened_out():
    times = np.arange(20) / 25
    centres = np.where(np.arange(20)[:, None] < 10, [50.0, 50.0], [150.0, 60.0])
    lean = np.where(np.arange(20) < 10, -0.3, 0.3)
    found = columns(uprights(times, *track(times, centres, np.full(20, 60.0), lean)))
    assert np.allclose(found[:, :2], centres)
    assert np.allclose(found[:, 3], lean)


def test_eyes_that_lie_close_together_count_for_less():
    times = np.arange(3) / 25
    boxes, marks = track(times, np.full((3, 2), 100.0), np.full(3, 60.0), [0.0, 0.6, 0.0])
    middle = marks[1, :2].mean(axis=0)
    wide = uprights(times, boxes, marks)[0].roll
    marks[1, :2] = middle + 0.2 * (marks[1, :2] - middle)
    assert 0 < uprights(times, boxes, marks)[0].roll < 0.5 * wide


def test_an_empty_track_has_no_squares():
    assert uprights(np.zeros(0), np.zeros((0, 4)), np.zeros((0, 5, 2))) == []


def test_a_face_that_is_enlarged_keeps_its_place():
    image = dots(np.array([[30.0, 20.0]]), 60)
    view = upright_view(image, Upright(centre=np.array([30.0, 20.0]), side=20.0, roll=0.5), size=100)
    assert np.abs(centroid(view, np.array([50.0, 50.0]), 40) - 50).max() < 0.5
