"""Steps from noise to a clip, said slowly: one number at a time, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence


def flow_sde(z: float, v: float, t: float, t_next: float, a: float, t_capped: float) -> tuple[float, float]:
    """Flow-GRPO, eq. 9: mean and deviation of one step along the stochastic equation of a flow."""
    dt = t_next - t
    sigma = a * math.sqrt(t / (1 - t_capped))
    mean = z + (v + sigma**2 / (2 * t) * (z + (1 - t) * v)) * dt
    return mean, sigma * math.sqrt(-dt)


def ddim(z: float, eps: float, alpha: float, alpha_next: float, eta: float) -> tuple[float, float]:
    """DDIM (arXiv 2010.02502), eq. 12 and 16; alphas are the cumulative ᾱ."""
    s = eta * math.sqrt((1 - alpha_next) / (1 - alpha)) * math.sqrt(1 - alpha / alpha_next)
    clean = (z - math.sqrt(1 - alpha) * eps) / math.sqrt(alpha)
    return math.sqrt(alpha_next) * clean + math.sqrt(1 - alpha_next - s**2) * eps, s


def ddim_of_flow(z: float, v: float, t: float, t_next: float, eta: float) -> tuple[float, float]:
    """The same for a flow, where a clip has the share 1 − t and noise t: the posterior's deviation, η = 1, times η.

    Of z(t) = (1 − t) x + t ε seen from z(t′): var = var(z(t′)|x) · var(z(t)|z(t′)) / var(z(t)|x).
    """
    clean, noise = z - t * v, z + (1 - t) * v
    between = t**2 - ((1 - t) / (1 - t_next)) ** 2 * t_next**2
    s = eta * math.sqrt(t_next**2 * between / t**2)
    return (1 - t_next) * clean + math.sqrt(t_next**2 - s**2) * noise, s


def log_density(after: Sequence[float], mean: Sequence[float], s: float) -> float:
    """The mean over dimensions of the logarithm of a normal density."""
    total = 0.0
    for x, m in zip(after, mean, strict=True):
        total += math.log(1 / (s * math.sqrt(2 * math.pi)) * math.exp(-((x - m) ** 2) / (2 * s**2)))
    return total / len(after)


def kl(mean: Sequence[float], other: Sequence[float], s: float) -> float:
    """Of two normals with the same deviation, a mean over dimensions."""
    return sum((m - o) ** 2 / (2 * s**2) for m, o in zip(mean, other, strict=True)) / len(mean)


def coherent(
    clean: Sequence[float], change: Sequence[float], rho: float, s: float, *, start: float, still: float | None
) -> list[float]:
    """One place of a clip with frames held together: the dense system, solved by Gauss, from the energy's gradient."""
    n = len(clean)
    rows = [[0.0] * n for _ in range(n)]
    right = list(clean)
    for i in range(n):
        rows[i][i] += 1.0
    for i in range(n - 1):
        w = rho * math.exp(-change[i] / s)
        rows[i][i] += w
        rows[i + 1][i + 1] += w
        rows[i][i + 1] -= w
        rows[i + 1][i] -= w
    if still is not None:
        w = rho * math.exp(-start / s)
        rows[0][0] += w
        right[0] += w * still
    for i in range(n):
        for j in range(i + 1, n):
            by = rows[j][i] / rows[i][i]
            rows[j] = [x - by * y for x, y in zip(rows[j], rows[i], strict=True)]
            right[j] -= by * right[i]
    out = [0.0] * n
    for i in reversed(range(n)):
        out[i] = (right[i] - sum(rows[i][j] * out[j] for j in range(i + 1, n))) / rows[i][i]
    return out
