from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimica.errors import UsageError
from mimica.training.average import learned
from mimica.training.loop import LoopConfig, rate, train
from mimica.training.plateau import LOSS, Falling, Plateau
from tiny_runs import CONFIG, Killed, Line, Points, kill_at, rows

SOON = Plateau(patience=2, fall=0.1, least=1e-4)
SHORT = replace(CONFIG, epochs=9, lr=0.05, warmup=0.0, schedule="plateau", plateau=SOON, save_every=2)
LOSSES = (3.0, 2.0, 2.5, 2.0, 1.0, 1.5, 1.0, 1.2, 1.1)
"""After each epoch; by SOON the rate falls after the fourth, the seventh and the ninth."""
RATES = [0.05] * 4 + [0.005] * 3 + [0.0005] * 2


class Told:
    """A validation whose losses are told to it."""

    def __init__(self, losses: Sequence[float], done: int = 0) -> None:
        self.left = iter(losses[done:])

    def __call__(self, module: nn.Module) -> Mapping[str, float]:
        return {LOSS: next(self.left), "war": 0.5, "uar": 0.5}


def after(losses: Sequence[float], schedule: Plateau | None = None, lr: float = 2e-3) -> Falling:
    falling = Falling(schedule or Plateau(), lr)
    for loss in losses:
        falling.look({LOSS: loss}, {})
    return falling


def test_the_rate_is_a_third_after_five_epochs_in_a_row_without_a_lower_loss() -> None:
    assert after([1.0, 1.1, 1.0, 1.2, 1.0]).rate == 2e-3
    assert after([1.0, 1.1, 1.0, 1.2, 1.0, 1.0]).rate == pytest.approx(2e-3 / 3)
    assert after([1.0, 1.1, 1.0, 1.2, 1.0, 0.9, 1.0, 1.0, 1.0, 1.0]).rate == 2e-3, "a lower one begins the count anew"
    assert after([1.0, *[1.0] * 10]).rate == pytest.approx(2e-3 / 9), "and so does a fall"
    assert after([float("nan")] * 5).rate == pytest.approx(2e-3 / 3), "what is no number is not lower"


def test_it_is_over_where_the_rate_is_below_the_least_and_not_before() -> None:
    stagnant = [1.0] * (1 + 5 * 10)  # 2e-3 / 3^9 is 1.02e-7, and what comes after it less than 1e-7
    assert not after(stagnant[:-1]).over
    assert after(stagnant).over
    assert not after([], lr=1e-8).over, "a rate that begins below has not fallen there"


def test_without_the_schedule_nothing_falls_and_nothing_is_told() -> None:
    falling = Falling(None, 0.1)
    assert [falling.look({}, {"accuracy": 1.0}) for _ in range(9)] == [{}] * 9
    assert (falling.rate, falling.over) == (0.1, False)


def test_an_accuracy_in_training_above_80_percent_is_warned_of() -> None:
    falling = Falling(Plateau(), 0.1)
    assert "warning" not in falling.look({LOSS: 1.0}, {"accuracy": 0.8})
    told = falling.look({LOSS: 1.0}, {"accuracy": 0.85})
    assert told == {"lr": 0.1, "warning": "overfitting: 85.0% of what is learned from is right"}


def test_the_rate_warms_up_and_then_is_what_it_has_fallen_to() -> None:
    config = LoopConfig(epochs=5, batch=1, lr=2.0, warmup=0.5, schedule="plateau")
    assert [rate(config, step, 4, 2.0) for step in range(4)] == [1.0, 2.0, 2.0, 2.0]
    assert rate(config, 9, 4, 0.02) == 0.02


def test_steps_are_taken_at_the_rate_it_has_fallen_to_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    step = torch.optim.AdamW.step

    def recorded(self: torch.optim.AdamW, *given: Any, **named: Any) -> Any:
        used.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    learner = Line()
    epoch = train(learner, Points(), replace(SHORT, epochs=30), out=tmp_path, validate=Told([*LOSSES, 9.0, 9.0]))
    assert used[::5] == pytest.approx(RATES)
    assert [row["lr"] for row in rows(tmp_path)] == pytest.approx(RATES, abs=1e-5)
    assert (epoch, len(rows(tmp_path))) == (8, 9), "it ends after the third fall, for 5e-5 is below 1e-4"


def test_the_epoch_of_the_lowest_loss_is_kept_and_the_earlier_of_equal_ones(tmp_path: Path) -> None:
    held, validate = [], Told(LOSSES)

    def noted(module: nn.Module) -> Mapping[str, float]:
        held.append({name: t.detach().clone() for name, t in learned(module).items()})
        return validate(module)

    learner = Line()
    assert train(learner, Points(), SHORT, out=tmp_path, validate=noted, select=True) == 4
    assert all(torch.equal(t, held[4][name]) for name, t in learned(learner).items())


@pytest.mark.parametrize(("epoch", "step"), [(0, 3), (3, 5), (4, 1), (6, 4), (8, 5)])
def test_a_killed_run_falls_on_where_it_had_come_to(tmp_path: Path, epoch: int, step: int) -> None:
    whole, killed, resumed = Line(), Line(), Line()
    kept = train(whole, Points(), SHORT, out=tmp_path / "whole", validate=Told(LOSSES), select=True)
    with pytest.raises(Killed):
        train(
            killed, Points(), SHORT, out=tmp_path / "killed", validate=Told(LOSSES), select=True,
            report=kill_at(epoch, step),
        )  # fmt: skip
    how: dict[str, Any] = {"validate": Told(LOSSES, epoch), "select": True, "resume": True}
    assert train(resumed, Points(), SHORT, out=tmp_path / "killed", **how) == kept
    saved = [(tmp_path / name / "state.safetensors").read_bytes() for name in ("killed", "whole")]
    assert saved[0] == saved[1]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_a_run_does_not_go_on_with_another_schedule(tmp_path: Path) -> None:
    from mimica.errors import CheckpointError

    train(Line(), Points(), CONFIG, out=tmp_path)
    with pytest.raises(CheckpointError, match="was made with another plateau, schedule; resume with the same"):
        train(Line(), Points(), replace(CONFIG, schedule="plateau"), out=tmp_path, resume=True)


def test_the_usual_schedule_is_not_stated_so_that_older_runs_go_on() -> None:
    assert not {"schedule", "plateau"} & CONFIG.facts().keys()
    assert SHORT.facts()["plateau"] == {"patience": 2, "fall": 0.1, "least": 1e-4, "overfit": 0.8}


def test_a_validation_without_a_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="follows the loss of a validation, and none states validation_loss"):
        train(Line(), Points(), SHORT, out=tmp_path, validate=lambda module: {"war": 0.5, "uar": 0.5})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"patience": 0}, "patience must be at least 1, not 0"), ({"fall": 1.0}, "fall must be above 0 and below 1")],
)
def test_a_plateau_that_never_ends_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Plateau(**wrong)


def test_an_unknown_schedule_is_met_with_those_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"unknown schedule 'cosin'; did you mean 'cosine'\? Choose from: cosine, plat"
    ):
        replace(CONFIG, schedule="cosin")


class Switching(nn.Module):
    """A learner with a running mean of its own that decides what it learns, as a switch of losses has it."""

    carried = ("reached",)
    reached: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.out = nn.Linear(4, 1)
        self.register_buffer("reached", torch.tensor(5.0), persistent=False)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        loss = (self.out(batch["x"])[:, 0] - batch["x"].sum(1)).square().mean()
        with torch.no_grad():
            self.reached.mul_(0.9).add_(0.1 * loss)
        return {"loss": loss if self.reached > 3 else loss.sqrt()}


def test_what_a_part_carries_from_step_to_step_is_there_again_after_a_resume(tmp_path: Path) -> None:
    whole, killed, resumed = Switching(), Switching(), Switching()
    config = replace(CONFIG, ema=0.0, save_every=1)
    train(whole, Points(), config, out=tmp_path / "whole")
    with pytest.raises(Killed):
        train(killed, Points(), config, out=tmp_path / "killed", report=kill_at(1, 2))
    train(resumed, Points(), config, out=tmp_path / "killed", resume=True)
    assert torch.equal(whole.reached, resumed.reached)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
