"""Units by blendshapes, and a correlation: the slow, literal statements that the fast code is tested against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

SHAPES = {
    1: "browInnerUp", 2: "browOuterUp", 4: "browDown", 5: "eyeWide", 7: "eyeSquint", 10: "mouthUpperUp",
    12: "mouthSmile", 15: "mouthFrown", 16: "mouthLowerDown", 17: "mouthShrugLower", 20: "mouthStretch",
    23: "mouthPress", 24: "mouthPress", 25: "jawOpen", 26: "jawOpen",
}  # fmt: skip
"""py-feat's table (docs/pages/au_reference.md), without 6 and 9, whose shapes MediaPipe does not move."""


def unit_of(number: int, scores: Mapping[str, float]) -> float:
    """The strength of a unit: its shape's, or the stronger of the left one and the right one."""
    if number not in SHAPES:
        return math.nan
    shape = SHAPES[number]
    if shape in scores:
        return scores[shape]
    left, right = scores[f"{shape}Left"], scores[f"{shape}Right"]
    return left if left > right else right


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Pearson's r, term by term, of the pairs that are whole."""
    pairs = [(x, y) for x, y in zip(xs, ys, strict=True) if not (math.isnan(x) or math.isnan(y))]
    mean_x = sum(x for x, _ in pairs) / len(pairs)
    mean_y = sum(y for _, y in pairs) / len(pairs)
    together = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    return together / math.sqrt(sum((x - mean_x) ** 2 for x, _ in pairs) * sum((y - mean_y) ** 2 for _, y in pairs))
