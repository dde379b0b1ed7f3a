"""The rate that falls where validation stands still, when a run is over by that, and when it learns by heart.

OUS (arXiv 2405.18769), "Training details": a third after five epochs in a row without a lower loss on what is
validated, converged below 1e-7, overfitting where more than 80 % of what is learned from is right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mimica.errors import UsageError

LOSS = "validation_loss"
"""By what name a validation states the loss that this schedule follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """The rate is multiplied by `fall` after `patience` epochs in a row that were not better than the best.

    Below `least` the run is over. Above an accuracy of `overfit` in training a warning is given, and no more.
    """

    patience: int = 5
    fall: float = 1 / 3
    least: float = 1e-7
    overfit: float = 0.8

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise UsageError(f"patience must be at least 1, not {self.patience}")
        if not 0 < self.fall < 1:
            raise UsageError(f"fall must be above 0 and below 1, not {self.fall}")


class Falling:
    """How often the rate of a run has fallen; never where its schedule is None."""

    def __init__(self, schedule: Plateau | None, lr: float) -> None:
        self.schedule, self.lr = schedule, lr
        self.lowest, self.stagnant, self.falls = math.inf, 0, 0

    @property
    def rate(self) -> float:
        """What the learning rate is now, but for its warm-up."""
        return self.lr if self.schedule is None else self.lr * self.schedule.fall**self.falls

    @property
    def over(self) -> bool:
        """Whether the rate has fallen so far that the run has converged."""
        return self.schedule is not None and self.falls > 0 and self.rate < self.schedule.least

    def look(self, figures: Mapping[str, float], means: Mapping[str, float]) -> dict[str, float | str]:
        """What to log of an epoch, by the figures of its validation and the means of its training.

        Raises UsageError where the validation states no loss.
        """
        if self.schedule is None:
            return {}
        if LOSS not in figures:
            raise UsageError(f"the schedule plateau follows the loss of a validation, and none states {LOSS}")
        told: dict[str, float | str] = {"lr": self.rate}
        better = figures[LOSS] < self.lowest
        self.lowest, self.stagnant = min(self.lowest, figures[LOSS]), 0 if better else self.stagnant + 1
        if self.stagnant == self.schedule.patience:
            self.stagnant, self.falls = 0, self.falls + 1
        if (accuracy := means.get("accuracy", 0.0)) > self.schedule.overfit:
            told["warning"] = f"overfitting: {accuracy:.1%} of what is learned from is right"
        return told

    def facts(self) -> dict[str, Any]:
        """How far it is, as JSON."""
        lowest = None if math.isinf(self.lowest) else self.lowest
        return {"lowest": lowest, "stagnant": self.stagnant, "falls": self.falls}

    def restore(self, stated: Mapping[str, Any]) -> None:
        """Go back to what `facts` were."""
        self.lowest = math.inf if stated["lowest"] is None else stated["lowest"]
        self.stagnant, self.falls = stated["stagnant"], stated["falls"]
