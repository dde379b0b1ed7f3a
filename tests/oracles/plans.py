"""The time curve of a unit said slowly, and how far the face is back at rest."""

from __future__ import annotations


def eased(x: float) -> float:
    if x <= 0:
        return 0.0
    return 1.0 if x >= 1 else 10 * x**3 - 15 * x**4 + 6 * x**5


def strength(
    time: float, peak: float, *, onset: float, apex: float, release: float, offset: float, back: float
) -> float:
    """u(t) = I · r((t − onset) / onset's duration) · (1 − back · r((t − release) / offset's duration))."""
    risen = eased((time - onset) / (apex - onset))
    gone = back * eased((time - release) / (offset - release))
    return peak * risen * (1 - gone)
