"""CLIP's activation and its slope, value by value."""

from math import exp


def sigma(u: float) -> float:
    return 1 / (1 + exp(-u)) if u > -700 else 0.0


def quick_gelu(x: float) -> float:
    """x σ(1.702 x)."""
    return x * sigma(1.702 * x)


def slope(x: float) -> float:
    """σ(u) + x · 1.702 · σ(u) (1 - σ(u)) with u = 1.702 x, by the product rule."""
    s = sigma(1.702 * x)
    return s + x * 1.702 * s * (1 - s)
