"""How far confidence can be trusted: expected calibration error, temperature, coverage.

N samples, C classes. After Guo et al., "On Calibration of Modern Neural Networks" (arXiv 1706.04599).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Bin(NamedTuple):
    """One bar of a reliability diagram: samples in it, their mean confidence, the share that is right."""

    number: int
    confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, right: np.ndarray, *, bins: int = 15) -> list[Bin]:
    """Samples [N] by their confidence, in bins of equal width from 0 to 1; empty bins are left out."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (place == b for b in range(bins))
        if inside.any()
    ]


def ece(confidence: np.ndarray, right: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, weighted by the bins' samples."""
    gaps = [b.number * abs(b.confidence - b.accuracy) for b in reliability(confidence, right, bins=bins)]
    return float(sum(gaps) / len(confidence))


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature that makes the logits [N, C] most likely for the truth [N]."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def surprise(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-3, 3), method="bounded").x))


def threshold_for(confidence: np.ndarray, coverage: float) -> float:
    """The confidence above which the given share of samples lies: below it a reading is called unsure."""
    return float(np.quantile(confidence, 1 - coverage))
