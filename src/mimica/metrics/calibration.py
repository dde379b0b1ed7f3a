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
    return fit_temperature_by_quality(logits, truth, np.ones(len(truth)))[0]


def fit_temperature_by_quality(logits: np.ndarray, truth: np.ndarray, quality: np.ndarray) -> tuple[float, float]:
    """The temperature of faces of quality 1, and how its logarithm grows as quality [N] falls to 0.

    Both are those that make the logits [N, C], over `temperature_at`, most likely for the truth [N].
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    def surprise(parameters: np.ndarray) -> float:
        scaled = log_softmax(logits / temperature_at(np.exp(parameters[0]), parameters[1], quality)[:, None], axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    found = minimize(surprise, (0.0, 0.0), method="L-BFGS-B", bounds=((-3, 3), (0, 3)))
    return float(np.exp(found.x[0])), float(found.x[1])


def temperature_at(temperature: float, slope: float, quality: np.ndarray) -> np.ndarray:
    """What logits of faces of some quality [N], 0 to 1, are divided by: `temperature` at 1, more below it."""
    return np.asarray(temperature * np.exp(slope * (1 - np.asarray(quality))))


class Covered(NamedTuple):
    """A point of a risk-coverage curve: the share of samples that are answered, and the share of those that is wrong.

    `confidence` is the least among those that are answered.
    """

    coverage: float
    risk: float
    confidence: float


def risk_coverage(confidence: np.ndarray, right: np.ndarray, *, points: int = 20) -> list[Covered]:
    """The share that is wrong among the most confident of samples [N], for `points` coverages up to 1.

    After El-Yaniv and Wiener, "On the Foundations of Noise-free Selective Classification" (JMLR 11, 2010).
    """
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order])
    curve = []
    for point in range(1, points + 1):
        answered = max(1, round(len(order) * point / points))
        risk = wrong[answered - 1] / answered
        curve.append(Covered(answered / len(order), float(risk), float(confidence[order[answered - 1]])))
    return curve


def threshold_for(confidence: np.ndarray, coverage: float) -> float:
    """The confidence above which the given share of samples lies: below it a reading is called unsure."""
    return float(np.quantile(confidence, 1 - coverage))
