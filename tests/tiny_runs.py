"""A small learner, its data and whole runs of it, and a recogniser that learns nothing, for the tests of training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from mimica.training.average import counted, learned
from mimica.training.loop import LoopConfig, train

CONFIG = LoopConfig(epochs=3, batch=8, lr=0.05, ema=0.9, weight_decay=0.01)


class Killed(BaseException):
    """What a test ends a run with: nothing may catch it."""


class Line(nn.Module):
    """A small learner with what real ones have: a norm with statistics, a frozen part, chance, a scalar."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.frozen = nn.Linear(4, 6).requires_grad_(False)
            self.norm = nn.BatchNorm1d(6)
            self.drop = nn.Dropout(0.1)
            self.out = nn.Linear(6, 1)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        guess = self.scale * self.out(self.drop(self.norm(self.frozen(batch["x"]))))[:, 0]
        loss = (guess - batch["x"].sum(1)).square().mean()
        return {"loss": loss, "far": loss.detach().sqrt()}


class Points:
    """Batches of points that are a function of the epoch and their number; `asked` is what was asked for."""

    def __init__(self, steps: int = 5) -> None:
        self.steps = steps
        self.asked: list[tuple[int, int]] = []

    def batches(self, epoch: int, first: int = 0) -> Iterator[dict[str, Tensor]]:
        self.asked.append((epoch, first))
        for number in range(first, self.steps):
            yield {"x": torch.randn(8, 4, generator=torch.Generator().manual_seed(1000 * epoch + number))}


class Given(nn.Module):
    """A recogniser that reads in every clip what it is told to."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits
        self.vision: Any = SimpleNamespace(normalise=lambda pictures: pictures)

    def forward(self, batch: object) -> Tensor:
        return self.logits


def batch_of(labels: Tensor) -> dict[str, Tensor]:
    """Black clips of one frame, of these classes."""
    clips = len(labels)
    return {"face": torch.zeros(clips, 1, 3, 4, 4), "valid": torch.ones(clips, 1, dtype=torch.bool), "label": labels}


def state(module: nn.Module) -> dict[str, bytes]:
    """Every bit that training changes."""
    return {name: value.detach().numpy().tobytes() for name, value in (learned(module) | counted(module)).items()}


def rows(out: Path) -> list[dict[str, Any]]:
    """The log, without the only column that the clock writes."""
    told = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in told]


def run(out: Path, config: LoopConfig = CONFIG, *, data: Points | None = None, **how: Any) -> dict[str, bytes]:
    """What a run leaves of its learner."""
    learner = Line()
    train(learner, data or Points(), config, out=out, **how)
    return state(learner)


def kill_at(epoch: int, step: int) -> Callable[[Mapping[str, Any]], None]:
    """A report that ends the run after batch `step` of an epoch."""

    def report(row: Mapping[str, Any]) -> None:
        if "steps" in row and (row["epoch"], row["step"]) == (epoch, step):
            raise Killed

    return report
