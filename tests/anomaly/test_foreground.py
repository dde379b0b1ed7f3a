"""Where the part is by depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.config import default, reference
from mimica.anomaly.foreground import off_the_corners, off_the_plane, part_of, unmeasured
from mimica.anomaly.samples import Sample
from oracles import cif as oracle


def tray(size: int = 56) -> np.ndarray:
    """A tilted plane with a block 2 cm high in its middle."""
    v, u = np.mgrid[:size, :size] / size - 0.5
    depth = 0.5 + 0.05 * u - 0.03 * v + np.random.default_rng(0).normal(0, 2e-4, u.shape)
    depth[(np.abs(u) < 0.2) & (np.abs(v) < 0.2)] -= 0.02
    return np.stack([u * depth, v * depth, depth], -1).astype(np.float32)


BLOCK = np.kron(np.pad(np.ones((4, 4), bool), 2), np.ones((7, 7), bool))


def test_the_corners_mask_is_the_public_codes() -> None:
    z = tray(24)[..., 2].astype(np.float64)
    holes = np.random.default_rng(1).random(z.shape) < 0.1
    holes[:2, :2] = holes[-2:, -2:] = False
    z[holes] = 0
    z[0, 0] = 0
    wanted = oracle.off_the_corners(z.copy(), 3, 0.007)
    assert (off_the_corners(np.where(z == 0, np.nan, z), 3, 0.007) == wanted).all()
    assert 0.1 < wanted.mean() < 0.3


@pytest.mark.parametrize("config", [default(), reference()])
def test_the_block_is_the_part(config: object) -> None:
    sample = Sample(name="block", xyz=tray())
    found = part_of(sample, replace(config, side=56, cells=14)).reshape(14, 14)  # type: ignore[type-var]
    assert found[4:10, 4:10].all()
    assert found.sum() <= 49


def test_a_corner_without_a_point_empties_the_public_codes_mask_and_not_ours() -> None:
    xyz = tray()
    xyz[:7, :7] = np.nan
    sample = Sample(name="block", xyz=xyz)
    with np.errstate(all="ignore"):
        assert not part_of(sample, replace(reference(), side=56, cells=8, fills=0)).any()
    assert part_of(sample, replace(default(), side=56, cells=8)).sum() in range(9, 26)


def test_a_part_that_reaches_into_the_border_stays_part() -> None:
    xyz = tray()
    xyz[8:48, :30, 2] -= 0.02
    found = off_the_plane(xyz, 0.003)
    assert found[10:46, :28].mean() > 0.98
    assert found[:, 45:].mean() < 0.02


def test_where_the_plane_was_taken_away_what_is_measured_is_the_part() -> None:
    xyz = tray()
    xyz[~((np.abs(np.arange(56) - 27.5) < 11)[:, None] & (np.abs(np.arange(56) - 27.5) < 11))] = np.nan
    assert (off_the_plane(xyz, 0.003) == np.isfinite(xyz).all(-1)).all()


def test_a_things_own_mask_comes_first_and_without_depth_all_is_part(make_part: Callable[..., Sample]) -> None:
    thing = np.zeros((56, 56), bool)
    thing[:28] = True
    config = replace(default(), side=56, cells=8)
    assert (
        part_of(Sample(name="a", xyz=tray(), thing=thing), config).reshape(8, 8).all(1).tolist()
        == [True] * 4 + [False] * 4
    )
    assert part_of(Sample(name="a", rgb=np.zeros((5, 9, 3), np.uint8)), config).all()


def test_the_share_of_unmeasured_pixels_is_told_by_patch() -> None:
    xyz = tray()
    xyz[:7, 7:14] = np.nan
    xyz[7:14, 7] = np.nan
    found = unmeasured(Sample(name="a", xyz=xyz), replace(default(), side=56, cells=8)).reshape(8, 8)
    assert found[0, 1] == 1
    assert found[1, 1] == pytest.approx(1 / 7)
    assert found.sum() == pytest.approx(1 + 1 / 7)
