from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mimica import checkpoint
from mimica.training.average import learned
from mimica.training.best import Best, merit
from mimica.training.loop import train
from tiny_runs import CONFIG, Killed, Line, Points, kill_at, rows, state

FIGURES = [(0.2, 0.4), (0.5, 0.3), (0.4, 0.4), (0.1, 0.1)]
"""WAR and UAR after each of four epochs: the second and the third are equally good."""
LONG = replace(CONFIG, epochs=4, save_every=2)


class Measured:
    """A validation whose figures are told to it; `held` is what the learner held each time."""

    def __init__(self, done: int = 0) -> None:
        self.left = iter(FIGURES[done:])
        self.held: list[dict[str, bytes]] = []

    def __call__(self, module: nn.Module) -> Mapping[str, float]:
        self.held.append(state(module))
        war, uar = next(self.left)
        return {"war": war, "uar": uar}


def learned_of(module: nn.Module) -> dict[str, bytes]:
    return {name: value.detach().numpy().tobytes() for name, value in learned(module).items()}


def kept(of: dict[str, bytes]) -> dict[str, bytes]:
    """Without how many batches a norm has seen, which is no weight."""
    return {name: value for name, value in of.items() if "num_batches" not in name}


def test_how_good_an_epoch_is_is_the_mean_of_war_and_uar() -> None:
    assert merit({"war": 0.6, "uar": 0.2}) == pytest.approx(0.4)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_at_the_end_a_learner_holds_the_averaged_weights_of_the_best_epoch_the_earlier_of_equal_ones(
    tmp_path: Path, ema: float
) -> None:
    learner, measured = Line(), Measured()
    epoch = train(learner, Points(), replace(LONG, ema=ema), out=tmp_path, validate=measured, select=True)
    assert epoch == 1
    assert learned_of(learner) == kept(measured.held[1])


def test_without_selecting_it_holds_the_last(tmp_path: Path) -> None:
    learner, measured = Line(), Measured()
    assert train(learner, Points(), LONG, out=tmp_path, validate=measured) == 3
    assert learned_of(learner) == kept(measured.held[3])


@pytest.mark.parametrize(("epoch", "step"), [(0, 3), (1, 3), (2, 4), (3, 5)])
def test_a_killed_run_goes_on_to_the_best_epoch_of_one_that_was_not(tmp_path: Path, epoch: int, step: int) -> None:
    whole, killed, resumed = Line(), Line(), Line()
    chosen = train(whole, Points(), LONG, out=tmp_path / "whole", validate=Measured(), select=True)
    with pytest.raises(Killed):
        train(
            killed, Points(), LONG, out=tmp_path / "killed", validate=Measured(), select=True,
            report=kill_at(epoch, step),
        )  # fmt: skip
    again = train(resumed, Points(), LONG, out=tmp_path / "killed", validate=Measured(epoch), select=True, resume=True)
    assert again == chosen
    assert learned_of(resumed) == learned_of(whole)
    saved = [(tmp_path / name / "state.safetensors").read_bytes() for name in ("killed", "whole")]
    assert saved[0] == saved[1]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_a_run_that_is_over_gives_its_best_epoch_again(tmp_path: Path) -> None:
    first, second = Line(), Line()
    assert train(first, Points(), LONG, out=tmp_path, validate=Measured(), select=True) == 1
    assert train(second, Points(), LONG, out=tmp_path, validate=Measured(4), select=True, resume=True) == 1
    assert learned_of(second) == learned_of(first)


def test_a_state_that_knows_of_no_best_epoch_is_gone_on_from(tmp_path: Path) -> None:
    train(Line(), Points(), LONG, out=tmp_path)
    path = tmp_path / "state.safetensors"
    tensors, facts = checkpoint.unpack(path)
    assert facts.pop("best") == {"epoch": None, "merit": None}
    checkpoint.pack(path, tensors, facts)  # as it was written before
    assert train(Line(), Points(), LONG, out=tmp_path, resume=True) == 3


def test_an_epoch_that_is_no_better_changes_nothing() -> None:
    learner = Line()
    best = Best(learner, selects=True)
    best.look(0, {"war": 0.5, "uar": 0.5})
    before = learned_of(learner)
    with torch.no_grad():
        learner.out.weight.add_(1)
    best.look(1, {"war": 0.6, "uar": 0.4})
    best.settle()
    assert (best.epoch, learned_of(learner)) == (0, before)
