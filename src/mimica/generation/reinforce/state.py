"""The state of a tuning run in one file: all that a killed run needs to go on as if it had not been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mimica import checkpoint
from mimica.errors import CheckpointError
from mimica.generation.reinforce.objectives import PastRewards
from mimica.generation.reinforce.stopping import Watch
from mimica.training.average import Average, copy, counted, learned


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
        tensors = {f"weights.{name}": t for name, t in self._weights().items()}
        tensors |= {f"average.{name}": t for name, t in self.average.weights.items()}
        for number, entry in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": torch.as_tensor(value) for key, value in entry.items()}
        facts = {"kind": "tuning", "done": done, "stopped": stopped, "past": self.past.facts()}
        checkpoint.pack(self.path, tensors, facts | {"watch": self.watch.facts(), "settings": self.settings})

    def restore(self) -> tuple[int, str | None]:
        """Bring everything to where it was saved; gives how many iterations are done, and why it stopped if it did.

        Raises CheckpointError for the state of another run, before anything is changed.
        """
        if not self.path.exists():
            return 0, None
        tensors, facts = checkpoint.unpack(self.path)
        if facts.get("kind") != "tuning":
            raise CheckpointError(f"{self.path} is no state of tuning; begin without --resume")
        then, now = facts["settings"], json.loads(json.dumps(self.settings, default=str))
        if changed := sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name)):
            raise CheckpointError(
                f"{self.path} was made with another {', '.join(changed)}; resume with the same or choose another --out"
            )
        own, weights = self._weights(), _under("weights.", tensors)
        if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in weights.items()}:
            raise CheckpointError(f"{self.path} is the state of another generator; begin without --resume")
        copy(own, weights)
        copy(self.average.weights, _under("average.", tensors))
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, key = name.split(".")
            entries.setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": entries})
        self.past.restore(facts["past"])
        self.watch.restore(facts["watch"])
        return int(facts["done"]), facts["stopped"]

    def _weights(self) -> dict[str, Tensor]:
        return learned(self.module) | counted(self.module)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
