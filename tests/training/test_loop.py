from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimica import checkpoint
from mimica.errors import CheckpointError, MissingExtra, UsageError
from mimica.training import loop
from mimica.training.loop import LoopConfig, learned, rate, train

CONFIG = LoopConfig(epochs=3, batch=8, lr=0.05, ema=0.9, weight_decay=0.01)


class Killed(BaseException):
    """What a test ends a run with: nothing may catch it."""


class Line(nn.Module):
    """A small learner with what the real ones have: a norm with statistics, a frozen part, a scalar."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.frozen = nn.Linear(4, 6).requires_grad_(False)
            self.norm = nn.BatchNorm1d(6)
            self.out = nn.Linear(6, 1)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        guess = self.scale * self.out(self.norm(self.frozen(batch["x"])))[:, 0]
        loss = (guess - batch["x"].sum(1)).square().mean()
        return {"loss": loss, "far": loss.detach().sqrt()}


class Points:
    """Batches of points that are a function of the epoch alone."""

    def __init__(self, steps: int = 5) -> None:
        self.steps = steps

    def batches(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        random = torch.Generator().manual_seed(epoch)
        for _ in range(self.steps):
            yield {"x": torch.randn(8, 4, generator=random)}


def state(module: nn.Module) -> dict[str, bytes]:
    return {name: value.detach().numpy().tobytes() for name, value in learned(module).items()}


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def run(out: Path, config: LoopConfig = CONFIG, *, steps: int = 5, **how: Any) -> dict[str, bytes]:
    learner = Line()
    train(learner, Points(steps), config, out=out, **how)
    return state(learner)


def kill_at(epoch: int, step: int) -> Callable[[Mapping[str, Any]], None]:
    def report(row: Mapping[str, Any]) -> None:
        if "steps" in row and (row["epoch"], row["step"]) == (epoch, step):
            raise Killed

    return report


def test_a_tiny_learners_loss_falls(tmp_path: Path) -> None:
    run(tmp_path, replace(CONFIG, epochs=15))
    told = rows(tmp_path)
    assert told[-1]["loss"] < 0.3 * told[0]["loss"]
    assert told[-1]["far"] < told[0]["far"]


def test_a_run_is_a_function_of_its_settings(tmp_path: Path) -> None:
    first, second = (run(tmp_path / name) for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, ema=0.0), replace(CONFIG, accumulate=2), replace(CONFIG, warmup=0.5, weight_decay=0.0),
     replace(CONFIG, precision="bf16")],
    ids=["average", "plain", "accumulate", "warmup", "bf16"],
)  # fmt: skip
@pytest.mark.parametrize(("epoch", "step"), [(1, 3), (1, 1), (2, 4), (0, 2)])
def test_a_killed_run_goes_on_to_the_same_weights_as_one_that_was_not(
    tmp_path: Path, config: LoopConfig, epoch: int, step: int
) -> None:
    whole = run(tmp_path / "whole", config)
    with pytest.raises(Killed):
        run(tmp_path / "killed", config, report=kill_at(epoch, step))
    assert run(tmp_path / "killed", config, resume=True) == whole
    saved = [(tmp_path / name / "state.safetensors").read_bytes() for name in ("killed", "whole")]
    assert saved[0] == saved[1]
    told = rows(tmp_path / "killed")
    assert [row["epoch"] for row in told] == [0, 1, 2]
    assert [row["loss"] for row in told] == [row["loss"] for row in rows(tmp_path / "whole")]


@pytest.mark.parametrize("place", ["_save", "_log"])
def test_a_run_that_is_killed_while_it_writes_loses_no_row_and_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    whole = run(tmp_path / "whole")
    write, written = getattr(loop, place), []

    def killed(*given: Any) -> None:
        written.append(1)
        if len(written) == 2:
            raise Killed
        write(*given)

    with monkeypatch.context() as patch:
        patch.setattr(loop, place, killed)
        with pytest.raises(Killed):
            run(tmp_path / "killed")
    assert run(tmp_path / "killed", resume=True) == whole
    assert [row["epoch"] for row in rows(tmp_path / "killed")] == [0, 1, 2]


def test_a_run_may_be_killed_again_and_again(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    for epoch in range(3):
        with pytest.raises(Killed):
            run(tmp_path / "killed", resume=True, report=kill_at(epoch, 4))
    assert run(tmp_path / "killed", resume=True) == whole


def test_resuming_a_run_that_is_over_gives_its_weights_and_trains_no_more(tmp_path: Path) -> None:
    whole = run(tmp_path)
    told = (tmp_path / "metrics.jsonl").read_text()
    assert run(tmp_path, resume=True) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == told


def test_resuming_where_nothing_was_begun_begins(tmp_path: Path) -> None:
    assert run(tmp_path / "a", resume=True) == run(tmp_path / "b")


def test_without_resume_a_run_begins_anew_and_so_does_its_log(tmp_path: Path) -> None:
    run(tmp_path, replace(CONFIG, epochs=5))
    run(tmp_path, replace(CONFIG, seed=1))
    assert [row["epoch"] for row in rows(tmp_path)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("changes", "named"), [({"lr": 0.1}, "lr"), ({"epochs": 4, "seed": 2}, "epochs, seed"), ({"ema": 0.0}, "ema")]
)
def test_a_run_with_other_settings_is_not_resumed(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    run(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path, replace(CONFIG, **changes), resume=True)
    assert f"state.safetensors was made with another {named}; resume with the same" in str(caught.value)


def test_a_state_of_another_learner_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path)
    other = Line()
    other.out = nn.Linear(6, 1, bias=False)
    with pytest.raises(CheckpointError, match=r"state\.safetensors is the state of another model; choose another"):
        train(other, Points(), CONFIG, out=tmp_path, resume=True)


def test_a_row_of_the_log_has_the_means_of_an_epoch_and_what_validation_said(tmp_path: Path) -> None:
    seen: list[Mapping[str, Any]] = []
    run(tmp_path, validate=lambda module: {"uar": 0.25}, report=seen.append)
    for epoch, row in enumerate(rows(tmp_path)):
        losses = [r["loss"] * r["step"] for r in seen if r["epoch"] == epoch and "steps" in r]
        assert row["loss"] == pytest.approx(losses[-1] / 5, abs=1e-4)
        assert (row["epoch"], row["step"], row["uar"]) == (epoch, 5 * (epoch + 1), 0.25)
        assert row["seconds"] >= 0
    assert [r["epoch"] for r in seen if "steps" not in r] == [0, 1, 2]


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_what_is_validated_is_the_average_in_evaluation_mode_and_training_goes_on_unharmed(
    tmp_path: Path, ema: float
) -> None:
    config, at_end = replace(CONFIG, ema=ema), []

    def validate(module: nn.Module) -> Mapping[str, float]:
        assert not module.training
        at_end.append(state(module))
        with torch.no_grad():
            for value in learned(module).values():
                value.add_(1)  # whatever validation does to the weights
        return {}

    assert run(tmp_path / "a", config, validate=validate) == run(tmp_path / "b", config) == at_end[-1]


def test_the_average_follows_the_weights_as_stated(tmp_path: Path) -> None:
    """Against the weights of each step, recorded by the learner itself."""
    learner, steps = Line(), []
    average = {name: value.detach().clone() for name, value in learned(learner).items()}
    train(
        learner, Points(), CONFIG, out=tmp_path,
        report=lambda row: steps.append({n: v.detach().clone() for n, v in learned(learner).items()})
        if "steps" in row else None,
    )  # fmt: skip
    for number, weights in enumerate(steps, start=1):
        keep = min(0.9, (1 + number) / (10 + number))
        average = {name: keep * value + (1 - keep) * weights[name] for name, value in average.items()}
    for name, value in learned(learner).items():
        assert torch.allclose(value, average[name], atol=1e-6), name


def test_frozen_weights_stay_and_are_in_no_state(tmp_path: Path) -> None:
    learner = Line()
    before = learner.frozen.weight.clone()
    train(learner, Points(), CONFIG, out=tmp_path)
    assert torch.equal(learner.frozen.weight, before)
    tensors, facts = checkpoint.load(tmp_path / "state.safetensors")
    assert not any("frozen" in name for name in tensors)
    assert facts["epochs"] == 3
    assert facts["loop"]["lr"] == CONFIG.lr


def test_what_is_learned_has_the_statistics_of_norms_that_learn_and_of_no_others() -> None:
    learner = Line()
    assert set(learned(learner)) == {
        "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "out.weight", "out.bias", "scale"
    }  # fmt: skip
    learner.norm.requires_grad_(False)
    assert set(learned(learner)) == {"out.weight", "out.bias", "scale"}


def test_the_rate_warms_up_in_a_line_and_falls_in_half_a_cosine_to_zero() -> None:
    config = LoopConfig(epochs=5, batch=1, lr=2.0, warmup=1.0)
    rates = [rate(config, step, 10) for step in range(51)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rates[10] == 2.0
    assert rates[30] == pytest.approx(1.0)
    assert rates[20] == pytest.approx(1 + math.cos(math.pi / 4))
    assert rates[50] == pytest.approx(0.0, abs=1e-12)
    assert all(a > b for a, b in pairwise(rates[10:]))


@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.3, 1.0, 2.0, 9.0])
def test_the_rate_is_never_above_its_peak_nor_below_zero(warmup: float) -> None:
    config = LoopConfig(epochs=2, batch=1, lr=0.5, warmup=warmup)
    assert all(0 < rate(config, step, 10) <= 0.5 for step in range(20))


def test_steps_are_taken_at_the_rate_of_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    step = torch.optim.AdamW.step

    def recorded(self: torch.optim.AdamW, *given: Any, **named: Any) -> Any:
        used.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    run(tmp_path)
    assert used == pytest.approx([rate(CONFIG, i, 5) for i in range(15)])


def test_batches_that_are_accumulated_make_one_step_of_their_mean(tmp_path: Path) -> None:
    """Two batches of 8 make the step of one batch of 16; a norm would see the difference."""

    class Plain(Line):
        def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {"loss": (self.scale * self.out(self.frozen(batch["x"]))[:, 0] - batch["x"].sum(1)).square().mean()}

    class Pairs(Points):
        def batches(self, epoch: int) -> Iterator[dict[str, Tensor]]:
            small = list(super().batches(epoch))
            for first, second in zip(small[::2], small[1::2], strict=True):
                yield {"x": torch.cat([first["x"], second["x"]])}

    apart, together = Plain(), Plain()
    train(apart, Points(6), replace(CONFIG, accumulate=2), out=tmp_path / "a")
    pairs = Pairs(6)
    pairs.steps = 6
    train(together, _Fewer(pairs, 3), CONFIG, out=tmp_path / "b")
    for name, value in learned(apart).items():
        assert torch.allclose(value, learned(together)[name], atol=1e-5), name


class _Fewer:
    def __init__(self, data: Points, steps: int) -> None:
        self.batches, self.steps = data.batches, steps


def test_batches_that_make_no_whole_step_are_left_out(tmp_path: Path) -> None:
    run(tmp_path, replace(CONFIG, accumulate=2))
    assert [row["step"] for row in rows(tmp_path)] == [2, 4, 6]


def test_more_to_accumulate_than_an_epoch_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="an epoch has 5 batches, which is less than the 9 to accumulate"):
        run(tmp_path, replace(CONFIG, accumulate=9))


@pytest.mark.parametrize("order", [("no", "bf16", "no"), ("bf16", "no")])
def test_one_process_may_train_in_one_precision_after_another(tmp_path: Path, order: tuple[str, ...]) -> None:
    for number, precision in enumerate(order):
        run(tmp_path / str(number), replace(CONFIG, precision=precision))
        assert len(rows(tmp_path / str(number))) == 3


def test_without_accelerate_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(MissingExtra, match=r"mimica\[train\]"):
        run(tmp_path)


def test_gradients_are_clipped_to_the_norm_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = []
    step = torch.optim.AdamW.step

    def recorded(self: torch.optim.AdamW, *given: Any, **named: Any) -> Any:
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.stack([g.norm() for g in grads]).norm().item())
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    run(tmp_path, replace(CONFIG, clip=0.01))
    assert max(norms) == pytest.approx(0.01, rel=1e-3)


def test_only_matrices_decay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[dict[str, Any]] = []
    made = torch.optim.AdamW.__init__

    def recorded(self: torch.optim.AdamW, params: Any, **named: Any) -> None:
        groups.extend(params)
        made(self, params, **named)

    monkeypatch.setattr(torch.optim.AdamW, "__init__", recorded)
    run(tmp_path, replace(CONFIG, weight_decay=0.3))
    assert [(g["weight_decay"], {p.ndim for p in g["params"]}) for g in groups] == [(0.3, {2}), (0.0, {0, 1})]
