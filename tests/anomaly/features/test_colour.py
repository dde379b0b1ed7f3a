"""Colour and texture by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mimica.anomaly.features.colour import BINS, EDGES, Colour, to_lab
from mimica.anomaly.samples import Sample

SMALL = {"side": 56, "cells": 7}


def picture(rgb: np.ndarray) -> Sample:
    return Sample(name="a", rgb=rgb.astype(np.uint8))


def hog(features: np.ndarray) -> np.ndarray:
    """The fine directions of each patch."""
    return features[:, 18 : 18 + BINS]


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [((1, 1, 1), (100, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20)), ((0, 0, 1), (32.30, 79.19, -107.86)),
     ((0.5, 0.5, 0.5), (53.39, 0, 0)), ((0, 0, 0), (0, 0, 0))],
)  # fmt: skip
def test_colours_are_those_of_the_cie(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert np.allclose(to_lab(np.array(rgb)) * 100, lab, atol=0.02)


def test_an_even_picture_has_a_colour_and_nothing_else() -> None:
    found = Colour(**SMALL)(picture(np.full((56, 56, 3), (200, 30, 30))))
    assert np.allclose(found[:, :3], to_lab(np.array([200, 30, 30]) / 255), atol=1e-6)
    assert np.abs(found[:, 3:]).max() < 1e-6
    assert found.shape == (49, 40)
    assert found.dtype == np.float32


def test_a_speck_is_seen_in_its_patch_and_not_two_patches_on() -> None:
    plain = np.full((56, 56, 3), 120)
    speck = plain.copy()
    speck[26:29, 26:29] = (250, 20, 20)
    off = np.abs(Colour(**SMALL)(picture(speck)) - Colour(**SMALL)(picture(plain)))[:, :12].max(1).reshape(7, 7)
    assert off.argmax() == 3 * 7 + 3
    assert off[3, 3] > 0.2
    assert off[3, 5:].max() == 0


def test_gradients_turn_with_the_picture() -> None:
    down, _ = np.mgrid[:56, :56]
    stripes = np.repeat((127 + 100 * np.sin(down))[..., None], 3, 2)
    level, upright = (hog(Colour(**SMALL)(picture(p)))[24] for p in (stripes, stripes.transpose(1, 0, 2)))
    assert np.allclose(np.roll(level, BINS // 2), upright, rtol=1e-3, atol=1e-4)
    assert level.argmax() == BINS // 2
    one, two = (Colour(**SMALL)(picture(p))[24, 26:29] for p in (stripes, stripes.transpose(1, 0, 2)))
    assert np.allclose(one, two, rtol=1e-3)
    assert one[0] > 5 * one[1]
    assert EDGES > 0


def test_any_size_and_shape_of_picture_will_do(make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    whole = Colour()(part)
    assert whole.shape == (784, 40)
    assert part.rgb is not None
    assert Colour(**SMALL)(picture(part.rgb[:90])).shape == (49, 40)


def test_the_size_of_the_picture_changes_little(make_part: Callable[..., Sample]) -> None:
    small, large = (Colour(**SMALL)(make_part(3, size=size))[:, :3] for size in (112, 168))
    assert np.abs(small - large).mean() < 0.02
