"""The linear probe (arXiv 2103.00020, 3.2), a clip, a frame, a number at a time."""

from __future__ import annotations

import math

import numpy as np


def logits(frames: np.ndarray, weight: np.ndarray, bias: np.ndarray, scale: float) -> list[float]:
    """Of one clip's frame features [T, d]: their mean, brought to length `scale`, through W [C, d] and b [C]."""
    mean = [sum(float(frame[k]) for frame in frames) / len(frames) for k in range(frames.shape[1])]
    length = math.sqrt(sum(x * x for x in mean))
    direction = [x / length for x in mean]
    return [
        float(bias[c]) + sum(float(weight[c][k]) * scale * direction[k] for k in range(len(direction)))
        for c in range(len(bias))
    ]
