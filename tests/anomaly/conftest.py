"""Parts of a few lines: a dome with a ring on a tilted plate, seen by colour and depth, whole or with a defect."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mimica.anomaly.samples import GOOD, Sample

Maker = Callable[..., Sample]


def part(seed: int, defect: str = GOOD, size: int = 112) -> Sample:
    """A part that lies a little otherwise for every seed; `defect` is colour, dent, missing, hole or beside."""
    chance = np.random.default_rng(seed)
    v, u = np.mgrid[:size, :size] / size - 0.5
    down, right = chance.uniform(-0.03, 0.03, 2)
    angle = chance.uniform(0, 2 * np.pi)
    y, x = v - down, u - right
    r, turn = np.hypot(y, x), np.arctan2(y, x) - angle
    height = np.where(r < 0.3, 0.03 * np.sqrt(np.maximum(1 - (r / 0.3) ** 2, 0)) + 0.006, 0.0)
    shade = 0.75 + 0.15 * np.sin(12 * turn) * (r > 0.15)
    rgb = np.where((r < 0.3)[..., None], shade[..., None] * (200, 150, 90), (70.0, 75, 80))
    at = np.array([down, right]) + 0.17 * np.array([np.sin(angle + 1), np.cos(angle + 1)])
    if defect == "beside":
        at = np.array([0.4 * np.sign(-down), 0.4 * np.sign(-right)])
    near = np.hypot(v - at[0], u - at[1])
    mask = (near < 0.06) & (defect != GOOD)
    if defect in ("colour", "beside"):
        rgb = np.where(mask[..., None], (60.0, 90, 150), rgb)
    if defect in ("dent", "beside"):
        height = height + (0.005 if defect == "beside" else -0.005) * np.maximum(1 - (near / 0.06) ** 2, 0)
    if defect == "missing":
        height, rgb = np.where(mask, 0.0, height), np.where(mask[..., None], (70.0, 75, 80), rgb)
    depth = 0.5 + 0.02 * u - 0.01 * v - height + chance.normal(0, 2e-4, u.shape)
    rgb = rgb * (1 + chance.uniform(-0.05, 0.05)) * (1.0 - 4 * np.hypot(*np.gradient(height))[..., None] ** 0.5)
    xyz = np.stack([u * 0.4 * depth, v * 0.4 * depth, depth], -1).astype(np.float32)
    xyz[(np.abs(r - 0.3) < 0.012) & (chance.random(r.shape) < 0.4)] = np.nan
    if defect == "hole":
        xyz[mask] = np.nan
    rgb = np.clip(rgb + chance.normal(0, 2, rgb.shape), 0, 255).astype(np.uint8)
    return Sample(name=f"{defect}-{seed}", rgb=rgb, xyz=xyz, defect=defect, mask=mask)


@pytest.fixture(scope="session")
def make_part() -> Maker:
    return part
