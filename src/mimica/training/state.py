"""The state of a run in one file: all that a killed run needs to go on as if it had not been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mimica import checkpoint
from mimica.errors import CheckpointError
from mimica.training.average import Average, copy, counted, learned
from mimica.training.best import Best
from mimica.training.plateau import Falling


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run has come: its epoch, how many steps of it are done, and what its row is made of so far."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that changes from step to step, and the file it is kept in.

    `scaler` is that of the loss in fp16. `settings` is what the result depends on, as JSON can state it: a
    file that was made with others is refused. Random numbers are no part of it: each step draws its own.
    """

    path: Path
    module: nn.Module
    optimizer: Any
    average: Average
    best: Best
    falling: Falling
    scaler: Any
    settings: Mapping[str, Any]

    def save(self, progress: Progress) -> None:
        """Put the state in its file, which is the old one or the new one at any moment."""
        tensors = self._learning().tensors()
        tensors |= {f"best.{name}": t for name, t in self.best.weights.items()}
        scaler = None if self.scaler is None else self.scaler.state_dict()
        facts = {"kind": "state", **asdict(progress), "best": self.best.facts(), "scaler": scaler}
        if self.falling.schedule is not None:
            facts["falling"] = self.falling.facts()
        facts["settings"] = self.settings
        checkpoint.pack(self.path, tensors, facts)

    def forget(self, here: Progress) -> None:
        """At the start of a run let go what an earlier one saved, lest a resume should take it for this one's."""
        if here == Progress():
            self.path.unlink(missing_ok=True)

    def restore(self) -> Progress:
        """Bring everything to where it was saved; gives how far that is, or the start where nothing was.

        Raises CheckpointError for the state of another run, before anything is changed.
        """
        if not self.path.exists():
            return Progress()
        tensors, facts = unpacked(self.path)
        self._check(facts)
        self._learning().restore(tensors, self.path)
        self.best.restore(facts.get("best", {"epoch": None}), _under("best.", tensors))
        if "falling" in facts:
            self.falling.restore(facts["falling"])
        if self.scaler is not None:
            self.scaler.load_state_dict(facts["scaler"])
        return Progress(epoch=facts["epoch"], step=facts["step"], sums=facts["sums"], seconds=facts["seconds"])

    def _learning(self) -> Learning:
        return Learning(module=self.module, optimizer=self.optimizer, average=self.average)

    def _check(self, facts: Mapping[str, Any]) -> None:
        if facts.get("kind") != "state":
            raise CheckpointError(f"{self.path} is no state of a run; begin without --resume")
        refuse_others(self.path, _flat(facts["settings"]), _flat(as_json(self.settings)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What every run changes from step to step: weights, their average, and what the optimizer remembers of them."""

    module: nn.Module
    optimizer: Any
    average: Average

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name; see `restore`."""
        tensors = {f"weights.{name}": t for name, t in self._weights().items()}
        tensors |= {f"average.{name}": t for name, t in self.average.weights.items()}
        for number, entry in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": torch.as_tensor(value) for key, value in entry.items()}
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        """Bring it to what `tensors` said, which `path` holds.

        Raises CheckpointError for those of another model, before anything is changed.
        """
        own, weights = self._weights(), _under("weights.", tensors)
        if _shapes(weights) != _shapes(own):
            raise CheckpointError(
                f"{path} is the state of another model; choose another --out or begin without --resume"
            )
        copy(own, weights)
        copy(self.average.weights, _under("average.", tensors))
        params = [p for group in self.optimizer.param_groups for p in group["params"]]
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            number, key = name.split(".")
            like = params[int(number)]
            # Laid out in memory as the weights are, since the order of a sum may depend on it.
            laid = torch.empty_like(like, dtype=value.dtype).copy_(value) if value.shape == like.shape else value
            entries.setdefault(int(number), {})[key] = laid
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": entries})

    def _weights(self) -> dict[str, Tensor]:
        return learned(self.module) | counted(self.module)


def unpacked(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a state's file. Raises CheckpointError for one that cannot be read."""
    try:
        return checkpoint.unpack(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; begin without --resume") from None


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they come back from a file."""
    told: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return told


def refuse_others(path: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise CheckpointError that names the settings of a state's file which are others now."""
    if changed := sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name)):
        raise CheckpointError(
            f"{path} was made with another {', '.join(changed)}; resume with the same or choose another --out"
        )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: t.shape for name, t in tensors.items()}


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the names they have on the command line: those of the loop beside the others."""
    return {**settings, **settings["loop"], "loop": None}
