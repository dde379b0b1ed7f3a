"""When to stop tuning: when it goes too far, when it only fools its judges, when all clips become alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mimica.generation.loop_settings import TuningSettings


class Watch:
    """What tuning is stopped by. It is told of each iteration and evaluation, and remembers what it must."""

    def __init__(self, settings: TuningSettings) -> None:
        self.settings = settings
        self.rewarding: list[float] = []
        self.held: list[float] = []
        self.diversity: list[float] = []

    def evaluated(self, rewarding: float, held: float, diversity: float) -> None:
        """Take note of what judges that reward and held-out judges say of the same clips, and how these differ."""
        self.rewarding.append(rewarding)
        self.held.append(held)
        self.diversity.append(diversity)

    def reason(self, kl: float = 0.0) -> str | None:
        """Why to stop, in a sentence, or None. `kl` is how far the last clips are from the model before."""
        settings = self.settings
        if kl > settings.most_kl:
            return f"clips are {kl:.3f} from the model before, more than {settings.most_kl:g}"
        if self._fooled():
            return (
                f"in {settings.patience} evaluations in a row held-out judges found worse what those that reward found "
                "better"
            )
        if len(self.diversity) > 1 and self.diversity[-1] < settings.least_diversity * self.diversity[0]:
            share = self.diversity[-1] / self.diversity[0]
            return f"clips of one plan differ by {share:.0%} of what they did, less than {settings.least_diversity:.0%}"
        return None

    def _fooled(self) -> bool:
        n = self.settings.patience
        if len(self.held) <= n:
            return False
        last = range(len(self.held) - n, len(self.held))
        return all(self.held[i] < self.held[i - 1] and self.rewarding[i] > self.rewarding[i - 1] for i in last)

    def facts(self) -> dict[str, list[float]]:
        """What is remembered, as JSON."""
        return {"rewarding": self.rewarding, "held": self.held, "diversity": self.diversity}

    def restore(self, stated: Mapping[str, Any]) -> None:
        """Remember what `facts` said."""
        self.rewarding, self.held, self.diversity = (
            [float(value) for value in stated[name]] for name in ("rewarding", "held", "diversity")
        )


def diversity(features: Tensor) -> float:
    """How much clips of one plan differ: the mean distance of two, by features [N, S, D] of S clips of each."""
    apart = torch.cdist(features.float(), features.float())
    S = features.shape[1]
    return float(apart.sum() / (len(features) * S * (S - 1)))
