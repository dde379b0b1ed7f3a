"""How published works prepare a sweet of Eyecandies, said slowly: point by point, as the data set's users write it.

Points of the world; the conveyor levelled about x by two points of it; what is low, far or wide put to 0; turned
back; axes (x, z, y) times (0.1, -0.1, 0.1).
"""

from __future__ import annotations

import math

import numpy as np

FOCAL, WIDTH = 711.11, 512


def world(grey: np.ndarray, low: float, high: float, pose: np.ndarray) -> np.ndarray:
    """depth * inverse(K @ pose) @ (u, v, 1, 1 / depth) for each pixel: [H * W, 3]."""
    H, W = grey.shape
    focal = FOCAL * W / WIDTH
    camera = np.array([[focal, 0, W / 2, 0], [0, focal, H / 2, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    inverse = np.linalg.inv(camera @ pose)
    found = []
    for v in range(H):
        for u in range(W):
            depth = float(grey[v, u]) / 65535 * (high - low) + low
            found.append((depth * inverse @ np.array([u, v, 1, 1 / depth]))[:3])
    return np.array(found)


def prepared(points: np.ndarray, H: int, W: int) -> tuple[np.ndarray, np.ndarray]:
    """The stored points float64 [H, W, 3], and which were taken away bool [H, W]."""
    far, near = points[W // 2], points[-(W // 2)]
    dy, dz = far[1] - near[1], far[2] - near[2]
    length = math.hypot(dy, dz)
    c, s = dz / length, dy / length
    start = np.array([0, near[1], near[2]])
    level = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    kept, gone = [], []
    for point in points:
        turned = level @ (point - start)
        out = turned[1] > -0.02 or turned[2] > 1.8 or abs(turned[0]) > 1
        kept.append(level.T @ (np.zeros(3) if out else turned) + start)
        gone.append(out)
    stored = np.array(kept)[:, [0, 2, 1]] * (0.1, -0.1, 0.1)
    return stored.reshape(H, W, 3), np.array(gone).reshape(H, W)
