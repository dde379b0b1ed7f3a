"""From the scores of patches to one heat map and one score of a part.

N patches, S side in pixels of the stretched view.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.grid import enlarge
from mimica.anomaly.search import Found
from mimica.anomaly.units import Units


def heat_map(found: Mapping[str, Found], units: Units, config: CifConfig) -> np.ndarray:
    """The heat map float64 [S, S]: all views fused, enlarged, smoothed; 0 is what the bank holds."""
    if config.fusion == "product":
        maps = [enlarge(one.patches, config.side, config.side, corners=True) for one in found.values()]
        heat = reduce(np.multiply, maps) ** config.fusion_power
    else:
        patches = np.stack(list(units.apply(found).values()))
        top = np.maximum(patches.max(0), 1e-12)  # divided out, so that no power overflows
        fused = top * ((patches / top) ** config.fusion_power).sum(0) ** (1 / config.fusion_power)
        heat = enlarge(fused, config.side, config.side)
    return smooth(heat, config)


def smooth(heat: np.ndarray, config: CifConfig) -> np.ndarray:
    """The map after the smoothing that is chosen."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    if config.smoothing == "gaussian" and config.sigma:
        return np.asarray(gaussian_filter(heat, config.sigma, mode="nearest"))
    if config.smoothing == "boxes":
        for size in (5, 5, 5, 5, 5, 7, 7, 7):
            heat = uniform_filter(heat, size, mode="constant")
    return heat


def part_score(found: Mapping[str, Found], heat: np.ndarray, config: CifConfig) -> float:
    """One score of a part, 0 or more."""
    from scipy.ndimage import uniform_filter

    if config.image_score == "reweighted":
        return float(np.prod([one.peak for one in found.values()]))
    return float(uniform_filter(heat, config.side // config.cells, mode="nearest").max())


def resized(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """A heat map float32 [height, width] of one [S, S], bilinear, as the part was seen."""
    side = len(heat)
    if (height, width) == (side, side):
        return heat.astype(np.float32)
    return enlarge(heat.ravel(), height, width).astype(np.float32)
