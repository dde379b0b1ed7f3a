"""Which epoch of a run is kept: the best by what was measured of each, or the last."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from mimica.training.average import copy, learned
from mimica.training.plateau import LOSS

RULE = "the highest mean of WAR and UAR; of equal ones the earlier"
LOWEST = "the lowest loss; of equal ones the earlier"
"""By what the best epoch is told: by how much is right, or by the loss."""


def merit(figures: Mapping[str, float], *, by_loss: bool = False) -> float:
    """The mean of WAR and UAR, by which neither the frequent classes alone nor the scarce ones decide; or less loss."""
    return -figures[LOSS] if by_loss else (figures["war"] + figures["uar"]) / 2


class Best:
    """What a module had learned after the best epoch so far; where nothing `selects`, there is none.

    `epoch` counts from 0 and is None as long as no epoch was measured.
    """

    def __init__(self, module: nn.Module, *, selects: bool, by_loss: bool = False) -> None:
        self.module, self.selects, self.by_loss = module, selects, by_loss
        self.epoch: int | None = None
        self.merit = -math.inf
        self.weights: dict[str, Tensor] = {}

    def look(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take the weights that the module holds now, if they measure better than all before them."""
        if self.selects and (found := merit(figures, by_loss=self.by_loss)) > self.merit:
            self.epoch, self.merit = epoch, found
            self.weights = {name: value.detach().clone() for name, value in learned(self.module).items()}

    def settle(self) -> None:
        """Leave the best weights in the module for good."""
        if self.weights:
            copy(learned(self.module), self.weights)

    def facts(self) -> dict[str, float | int | None]:
        """Which epoch it is and how good, as JSON."""
        return {"epoch": self.epoch, "merit": None if self.epoch is None else self.merit}

    def restore(self, stated: Mapping[str, float | int | None], weights: Mapping[str, Tensor]) -> None:
        """Go back to what `facts` and `weights` were."""
        epoch, reached = stated.get("epoch"), stated.get("merit")
        if epoch is not None and reached is not None:
            self.epoch, self.merit = int(epoch), float(reached)
            now = learned(self.module)
            self.weights = {name: now[name].detach().clone().copy_(value) for name, value in weights.items()}
