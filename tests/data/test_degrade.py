from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mimica.data.augment import generator
from mimica.data.degrade import DEGRADATIONS, blurred, covered, degraded, dimmed, mixed, moved, shrunk
from mimica.errors import UsageError


def face(side: int = 48, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 400, (side, side, 3))
    return np.clip(gaussian_filter(noise, (2, 2, 0)), 0, 255).astype(np.uint8)


def away(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_every_degradation_changes_a_face_and_is_the_same_for_the_same_seed(name: str) -> None:
    spoilt = degraded(face(), name, seed=3)
    assert spoilt.dtype == np.uint8
    assert spoilt.ndim == 3
    assert spoilt.shape != (48, 48, 3) or away(spoilt, face()) > 0.5
    assert np.array_equal(spoilt, degraded(face(), name, seed=3))


@pytest.mark.parametrize(("name", "chance"), [(n, n in ("jitter", "turned")) for n in DEGRADATIONS])
def test_only_what_is_drawn_at_random_depends_on_the_seed(name: str, chance: bool) -> None:
    assert np.array_equal(degraded(face(), name, seed=1), degraded(face(), name, seed=2)) != chance


def test_an_unknown_degradation_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="blur, dark, covered, jitter, turned, soft, small"):
        degraded(face(), "blurr")


def test_blur_is_by_the_size_of_the_face_not_of_the_picture() -> None:
    point = np.zeros((96, 96, 3), np.uint8)
    point[48, 48] = 255
    column = blurred(np.repeat(np.repeat(point, 1, 0), 1, 1), 1.0)[:, 48, 0].astype(float)
    expected = gaussian_filter(point[..., 0].astype(float), 2.0)[:, 48]
    assert np.abs(column - expected).max() <= 0.5


def test_dimming_multiplies_every_value() -> None:
    assert np.array_equal(dimmed(face(), 0.4), np.rint(face() * 0.4).astype(np.uint8))


def test_the_lower_third_is_covered_and_nothing_else() -> None:
    spoilt = degraded(face(), "covered")
    assert np.array_equal(spoilt[:32], face()[:32])
    assert len(np.unique(spoilt[32:])) == 1
    assert np.array_equal(covered(face(), height=0.5, width=0.5)[24:], face()[24:])


def test_a_box_that_lies_aside_shows_the_face_on_the_other_side() -> None:
    shown = moved(face(), across=0.25, down=0.125)
    assert away(shown[:42, :36], face()[6:, 12:]) < 0.5
    assert np.array_equal(shown[:42, -1], shown[:42, -12]), "the last pixels are repeated"


def test_a_larger_box_shows_a_smaller_face() -> None:
    ring = np.zeros((48, 48, 3), np.uint8)
    ring[8:40, 8:40] = 255
    assert moved(ring, growth=0.5).mean() < 0.6 * ring.mean() < 0.6 * moved(ring, growth=-0.2).mean()


def test_a_face_turned_by_a_quarter_appears_turned_clockwise() -> None:
    assert away(moved(face(), angle=90), np.rot90(face(), -1)) < 0.5


def test_a_box_in_its_place_shows_what_there_is() -> None:
    assert np.array_equal(moved(face()), face())


def test_a_shrunk_face_has_that_many_pixels_across() -> None:
    assert shrunk(face(), 16).shape == (16, 16, 3)
    assert shrunk(np.full((48, 48, 3), 7, np.uint8), 20).max() == 7


def test_a_mix_leaves_a_quarter_as_it_is_and_depends_on_its_generator_alone() -> None:
    picture = face()
    found = [mixed(picture, generator(0, 0, i)) for i in range(400)]
    same = [spoilt.shape == picture.shape and np.array_equal(spoilt, picture) for spoilt in found]
    assert np.mean(same) == pytest.approx(0.25, abs=0.06)
    assert min(spoilt.shape[0] for spoilt in found) < 20
    assert all(np.array_equal(a, mixed(picture, generator(0, 0, i))) for i, a in enumerate(found[:20]))
