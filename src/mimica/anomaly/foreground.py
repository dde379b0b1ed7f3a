"""Where the part is: by depth, what stands off the surface that it lies on.

S side in pixels, N patches.
"""

from __future__ import annotations

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.grid import nearest_pixels, stretch_points, to_cells
from mimica.anomaly.samples import Sample

BORDER = 0.06
"""The share of a side that is taken for border."""
MOST_POINTS = 2000
"""More of the border's points tell no more of its plane."""
EMPTY_BORDER = 0.05
"""With less of the border measured than this share, the plane was taken away before, and all that is left is part."""


def part_of(sample: Sample, config: CifConfig) -> np.ndarray:
    """Bool [N]: which patches show the part; all of them without depth and without a `thing` of the sample's own."""
    if sample.thing is not None:
        share = to_cells(nearest_pixels(sample.thing, config.side).astype(np.float64), config.cells)
        return np.asarray(share >= 0.5)
    if sample.xyz is None or config.foreground == "all":
        return np.ones(config.cells**2, bool)
    if config.foreground == "corners":
        return _shrunk(off_the_corners(sample.xyz[..., 2], config.fills, config.plane_distance), config.cells)
    points = stretch_points(sample.xyz, config.side)
    return np.asarray(to_cells(off_the_plane(points, config.plane_distance).astype(np.float64), config.cells) >= 0.5)


def off_the_plane(points: np.ndarray, distance: float) -> np.ndarray:
    """Bool [S, S]: measured points farther than `distance` metres from the plane through the border's points.

    The plane is fitted again and again with less and less weight for what lies off it, so that a part that reaches
    into the border, or a corner without a point, does no harm.
    """
    seen = np.isfinite(points).all(-1)
    band = np.ones_like(seen)
    width = max(1, round(len(seen) * BORDER))
    band[width:-width, width:-width] = False
    if seen[band].mean() < EMPTY_BORDER:
        return np.asarray(seen)
    border = points[band & seen].astype(np.float64)
    border = border[:: max(1, len(border) // MOST_POINTS)]
    middle = border.mean(0)
    normal, level = _plane(border - middle)
    off = np.abs((np.nan_to_num(points.astype(np.float64)) - middle) @ normal - level)
    return np.asarray(seen & (off > distance))


def _plane(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The unit normal and level of the plane that most points [n, 3] lie on: least squares with Tukey's weights."""
    weights = np.ones(len(points))
    off = np.zeros(len(points))
    for _ in range(30):
        mean = (weights[:, None] * points).sum(0) / weights.sum()
        centred = points - mean
        spread = (weights[:, None] * centred).T @ centred
        normal = np.linalg.eigh(spread)[1][:, 0]
        level = float(mean @ normal)
        off = np.abs(points @ normal - level)
        reach = max(4.685 * 1.4826 * float(np.median(off)), 1e-5)
        weights = np.maximum(1 - (off / reach) ** 2, 0) ** 2
        if weights.sum() < 3:
            break
    return normal, level


def off_the_corners(depth: np.ndarray, fills: int, distance: float) -> np.ndarray:
    """Bool [H, W] as the public code has it: depth farther than `distance` from a surface through the four corners.

    `depth` [H, W] in metres, not finite where nothing was measured. Where a corner has no point at all, the surface
    is not a number and nothing stands off it.
    """
    z = np.nan_to_num(depth.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if z.max() > 1 or z.min() < 0:
        z = (z - z.min()) / (z.max() - z.min())
    for _ in range(fills):
        z = _filled(z)
    corners = [z[:2, :2], z[:2, -2:], z[-2:, :2], z[-2:, -2:]]
    levels = [float(c[c != 0].mean()) if (c != 0).any() else float("nan") for c in corners]
    down, right = (np.linspace(0, 1, size) for size in z.shape)
    down = down[:, None]
    surface = (levels[0] * (1 - down) * (1 - right) + levels[1] * (1 - down) * right
               + levels[2] * down * (1 - right) + levels[3] * down * right)  # fmt: skip
    return np.asarray((np.abs(z - surface) > distance) & (z != 0))


def _filled(z: np.ndarray) -> np.ndarray:
    """A zero takes the mean of those around it that are not zero."""
    from scipy.ndimage import uniform_filter

    there = uniform_filter((z != 0).astype(float), 3, mode="constant")
    mean = uniform_filter(z, 3, mode="constant") / np.maximum(there, 1e-12)
    return np.where((z == 0) & (there > 0.5 / 9), mean, z)


def _shrunk(mask: np.ndarray, cells: int) -> np.ndarray:
    """A mask [H, W] at the centres of the cells [N], bilinear, from one half on."""
    rows, columns = (np.clip((np.arange(cells) + 0.5) * size / cells - 0.5, 0, size - 1) for size in mask.shape)
    low_r, low_c = (np.minimum(at.astype(int), size - 2) for at, size in zip((rows, columns), mask.shape, strict=True))
    r, c = (rows - low_r)[:, None], (columns - low_c)[None]
    m = mask.astype(np.float64)
    i, j = low_r[:, None], low_c[None]
    value = (m[i, j] * (1 - r) + m[i + 1, j] * r) * (1 - c) + (m[i, j + 1] * (1 - r) + m[i + 1, j + 1] * r) * c
    return np.asarray(value.ravel() >= 0.5)


def unmeasured(sample: Sample, config: CifConfig) -> np.ndarray:
    """Float [N]: the share of a patch's pixels whose depth was not measured; zeros without depth."""
    if sample.xyz is None:
        return np.zeros(config.cells**2)
    return to_cells(1.0 - nearest_pixels(sample.measured, config.side), config.cells)
