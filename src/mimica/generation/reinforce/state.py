"""The state of a tuning run in one file: all that a killed run needs to go on as if it had not been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mimica import checkpoint
from mimica.errors import CheckpointError
from mimica.generation.reinforce.objectives import PastRewards
from mimica.generation.reinforce.stopping import Watch
from mimica.training.average import Average
from mimica.training.state import Learning, as_json, refuse_others, unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningState:
    """All that changes from iteration to iteration, and the file it is kept in.

    Random numbers are no part of it: each iteration draws its own. `settings` is what the result depends on; a file
    that was made with others is refused.
    """

    path: Path
    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average
    past: PastRewards
    watch: Watch
    settings: Mapping[str, Any]

    def save(self, done: int, stopped: str | None) -> None:
        """Put the state after so many iterations in its file, which is the old one or the new one at any moment."""
        tensors = self._learning().tensors()
        facts = {"kind": "tuning", "done": done, "stopped": stopped, "past": self.past.facts()}
        checkpoint.pack(self.path, tensors, facts | {"watch": self.watch.facts(), "settings": self.settings})

    def restore(self) -> tuple[int, str | None]:
        """Bring everything to where it was saved; gives how many iterations are done, and why it stopped if it did.

        Raises CheckpointError for the state of another run, before anything is changed.
        """
        if not self.path.exists():
            return 0, None
        tensors, facts = unpacked(self.path)
        if facts.get("kind") != "tuning":
            raise CheckpointError(f"{self.path} is no state of tuning; begin without --resume")
        refuse_others(self.path, facts["settings"], as_json(self.settings))
        self._learning().restore(tensors, self.path)
        self.past.restore(facts["past"])
        self.watch.restore(facts["watch"])
        return int(facts["done"]), facts["stopped"]

    def _learning(self) -> Learning:
        return Learning(module=self.module, optimizer=self.optimizer, average=self.average)
