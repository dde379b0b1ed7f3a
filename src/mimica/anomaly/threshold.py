"""When a score is too high for a good part, learned from the k good parts alone.

k shots. What is modelled is the logarithm of a good part's score: normal, with a mean and a spread that are not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRIOR_SPREAD = 0.12
"""What is taken for the spread of log scores of good parts before any is seen."""
PRIOR_WEIGHT = 3.0
"""As many parts' worth is that taken for."""

MILDER = 0.18
"""How much lower the log score of a part's altered copy is, by the bank of that part, than that of another part."""
LEARNING = 0.2
"""A bank of k shots gives good parts log scores lower by this times log(k / (k - 1)) than one of k - 1. Like the
others measured on drawn parts of the categories that are there to choose settings by; rather too little than too much,
so that a threshold errs towards calling parts good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The scores that good parts got from a bank they are not in, `scores` by shot, altered copies with their shot.

    With one shot there is no such bank: only its altered copies were scored, by the bank of that shot.
    """

    scores: tuple[tuple[float, ...], ...]

    @property
    def shots(self) -> int:
        """Shots with any score."""
        return sum(1 for own in self.scores if own)

    def false_alarm(self, score: float) -> float:
        """The share of good parts expected to score as high as this, 0 to 1; 1 without anything calibrated.

        The predictive distribution of Student: with few shots its tail is long, and no score of a few parts is
        certain (Gelman et al., Bayesian Data Analysis, §3.2).
        """
        from scipy.stats import t

        if not self.shots:
            return 1.0
        mean, scale, freedom = self._fitted()
        return float(t.sf((np.log(max(score, 1e-12)) - mean) / scale, freedom))

    def threshold(self, rate: float) -> float:
        """The score that a share `rate` of good parts is expected to exceed; infinite without anything calibrated."""
        from scipy.stats import t

        if not self.shots:
            return float("inf")
        mean, scale, freedom = self._fitted()
        return float(np.exp(mean + scale * t.isf(rate, freedom)))

    def _fitted(self) -> tuple[float, float, float]:
        """Mean, scale and degrees of freedom; every shot counts as one part, however many copies it has."""
        logs = [np.log(np.maximum(own, 1e-12)) for own in self.scores if own]
        mean = float(np.mean([own.mean() for own in logs]))
        k = len(logs)
        shift = MILDER if k == 1 else -LEARNING * float(np.log(k / (k - 1)))
        squares = sum(float(((own - mean) ** 2).mean()) for own in logs)
        freedom = PRIOR_WEIGHT + k - 1
        variance = (PRIOR_WEIGHT * PRIOR_SPREAD**2 + squares) / freedom
        return mean + shift, (variance * (1 + 1 / k)) ** 0.5, freedom

    def joined(self, scores: Sequence[float]) -> Calibration:
        """The same with the scores of one more shot."""
        return Calibration(scores=(*self.scores, tuple(scores)))
