"""Altered copies of a good part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mimica.anomaly.config import default
from mimica.anomaly.samples import Sample
from mimica.anomaly.vary import MOST_TURN, varied

CONFIG = replace(default(), side=112, cells=14)


def test_the_same_number_gives_the_same_copy_and_another_gives_another(make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    (one, _), (two, _), (other, _) = (varied(part, number, CONFIG) for number in (0, 0, 1))
    assert (one.rgb == two.rgb).all()
    assert np.array_equal(one.xyz, two.xyz, equal_nan=True)  # type: ignore[arg-type]
    assert (one.rgb != other.rgb).any()


def test_points_turn_as_the_picture_does(make_part: Callable[..., Sample]) -> None:
    """What a pinhole camera sees of a turned part: a point's pixel is still where the point projects to."""
    copy, within = varied(make_part(0), 1, CONFIG)
    assert copy.xyz is not None
    v, u = np.mgrid[:112, :112] / 112 - 0.5
    seen = np.isfinite(copy.xyz).all(-1)
    inside = seen & np.kron(within.reshape(14, 14), np.ones((8, 8), bool))
    z = copy.xyz[..., 2]
    for found, wanted in ((copy.xyz[..., 0] / z / 0.4, u), (copy.xyz[..., 1] / z / 0.4, v)):
        assert np.abs(found - wanted)[inside].max() < 1.6 / 112
    assert 0.8 < within.mean() < 1


def test_a_copy_is_only_a_little_otherwise(make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    assert part.rgb is not None
    for number in range(6):
        copy, _ = varied(part, number, CONFIG)
        assert copy.rgb is not None
        assert abs(copy.rgb.mean() / part.rgb.mean() - 1) < 0.12
        assert copy.size == part.size
    assert MOST_TURN < 20


def test_a_things_own_mask_turns_too(make_part: Callable[..., Sample]) -> None:
    thing = np.zeros((112, 112), bool)
    thing[40:60, 20:90] = True
    copy, _ = varied(replace(make_part(0), thing=thing, xyz=None), 1, CONFIG)
    assert copy.thing is not None
    assert (copy.thing != thing).any()
    assert abs(copy.thing.sum() / thing.sum() - 1) < 0.05
