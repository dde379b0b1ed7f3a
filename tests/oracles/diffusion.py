"""Flows and warps said slowly, number by number, as their formulas are printed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def fine_flow(coarse: np.ndarray, size: int) -> np.ndarray:
    """A coarse flow [2, h, h] at every pixel [2, size, size], linear between the middles of its places."""
    h = coarse.shape[-1]
    found = np.zeros((2, size, size))
    for y in range(size):
        for x in range(size):
            v, u = ((p + 0.5) * h / size - 0.5 for p in (y, x))
            found[:, y, x] = bilinear(coarse, min(max(u, 0.0), h - 1.0), min(max(v, 0.0), h - 1.0))
    return found


def bilinear(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """What a picture [C, H, W] has at a place between its pixels; beyond its edge what its edge has."""
    _, H, W = picture.shape
    x, y = min(max(x, 0.0), W - 1.0), min(max(y, 0.0), H - 1.0)
    left, top = min(math.floor(x), W - 2), min(math.floor(y), H - 2)
    a, b = x - left, y - top
    at = picture[:, top : top + 2, left : left + 2]
    return (1 - b) * ((1 - a) * at[:, 0, 0] + a * at[:, 0, 1]) + b * ((1 - a) * at[:, 1, 0] + a * at[:, 1, 1])


def warp(still: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """The still [C, S, S] whose pixel at p comes from p − flow(p)."""
    S = still.shape[-1]
    flow, found = fine_flow(coarse, S), np.zeros_like(still)
    for y in range(S):
        for x in range(S):
            found[:, y, x] = bilinear(still, x - flow[0, y, x], y - flow[1, y, x])
    return found


def flow_equation(
    pooled: list[float],
    start: np.ndarray,
    found: np.ndarray,
    x: int,
    y: int,
    *,
    smooth: float = 1e-3,
    small: float = 1e-4,
) -> np.ndarray:
    """What is left of (A + λL + μ) f − (A f₀ − b) at a place, which is zero for the solution f [2, h, h]."""
    xx, xy, yy, bx, by = pooled
    A, b = np.array([[xx, xy], [xy, yy]]), np.array([bx, by])
    h = found.shape[-1]
    near = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
    uneven = sum((found[:, y, x] - found[:, v, u] for u, v in near if 0 <= u < h and 0 <= v < h), np.zeros(2))
    return A @ found[:, y, x] + smooth * uneven + small * found[:, y, x] - (A @ start[:, y, x] - b)


def flow_loss(found: np.ndarray, clean: np.ndarray, noise: np.ndarray) -> float:
    """The mean over all numbers of (v − (ε − z₀))²."""
    total = 0.0
    for v, z, e in zip(found.ravel(), clean.ravel(), noise.ravel(), strict=True):
        total += (v - (e - z)) ** 2
    return total / found.size


def velocity(z: float, t: float, guess: float, unet: Callable[[float], float]) -> float:
    """The tiny generator's velocity of one number, with what its U-Net gives for what it sees."""
    D = (1 - t) ** 2 + t**2
    rest = z - (1 - t) * guess
    return (2 * t - 1) / D * rest + unet(rest / math.sqrt(D)) / math.sqrt(D) - guess


def euler(z: float, velocity_at: Callable[[float, float], float], steps: int) -> float:
    """Euler's method from t = 1 to 0."""
    for k in range(steps):
        t = 1 - k / steps
        z = z - velocity_at(z, t) / steps
    return z


def ddim(z: float, noise_at: Callable[[float, float], float], alpha_bar: Callable[[float], float], steps: int) -> float:
    """DDIM without noise (Song et al. 2021, eq. 12 with σ = 0) from t = 1 to 0."""
    for k in range(steps):
        now, then = 1 - k / steps, 1 - (k + 1) / steps
        e = noise_at(z, now)
        clean = (z - math.sqrt(1 - alpha_bar(now)) * e) / max(math.sqrt(alpha_bar(now)), 1e-4)
        z = math.sqrt(alpha_bar(then)) * clean + math.sqrt(1 - alpha_bar(then)) * e
    return z
