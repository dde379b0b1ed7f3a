from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimica.encoders.compact import CompactConfig, CompactVision
from mimica.errors import MissingExtra, UsageError
from mimica.training.average import learned
from mimica.training.loop import PRECISIONS, Diverged, LoopConfig, rate, train
from tiny_runs import CONFIG, Killed, Line, Points, kill_at, rows, run, state


def test_a_tiny_learners_loss_falls(tmp_path: Path) -> None:
    learner = Line()
    learner.drop.p = 0.0
    train(learner, Points(), replace(CONFIG, epochs=15), out=tmp_path)
    told = rows(tmp_path)
    assert told[-1]["loss"] < 0.3 * told[0]["loss"]
    assert told[-1]["far"] < told[0]["far"]


def test_a_run_is_a_function_of_its_settings(tmp_path: Path) -> None:
    first, second = (run(tmp_path / name) for name in "ab")
    assert first == second


def test_a_row_of_the_log_has_the_means_of_an_epoch_and_what_validation_said(tmp_path: Path) -> None:
    seen: list[Mapping[str, Any]] = []
    run(tmp_path, validate=lambda module: {"uar": 0.25}, report=seen.append)
    for epoch, row in enumerate(rows(tmp_path)):
        losses = [r["loss"] * r["step"] for r in seen if r["epoch"] == epoch and "steps" in r]
        assert row["loss"] == pytest.approx(losses[-1] / 5, abs=1e-4)
        assert (row["epoch"], row["step"], row["uar"]) == (epoch, 5 * (epoch + 1), 0.25)
    told = [r for r in seen if "steps" not in r]
    assert [r["epoch"] for r in told] == [0, 1, 2]
    assert all(float(r["seconds"]) >= 0 for r in told)


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
    """Two batches of 8 make the step of one batch of 16; a norm would see the difference, and so would chance."""

    class Plain(Line):
        def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {"loss": (self.scale * self.out(self.frozen(batch["x"]))[:, 0] - batch["x"].sum(1)).square().mean()}

    class Pairs(Points):
        def batches(self, epoch: int, first: int = 0) -> Iterator[dict[str, Tensor]]:
            small = list(Points(2 * self.steps).batches(epoch))
            for one, other in list(zip(small[::2], small[1::2], strict=True))[first:]:
                yield {"x": torch.cat([one["x"], other["x"]])}

    apart, together = Plain(), Plain()
    train(apart, Points(6), replace(CONFIG, accumulate=2), out=tmp_path / "a")
    train(together, Pairs(3), CONFIG, out=tmp_path / "b")
    for name, value in learned(apart).items():
        assert torch.allclose(value, learned(together)[name], atol=1e-5), name


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


def test_draws_of_a_step_are_a_function_of_the_seed_and_the_step(tmp_path: Path) -> None:
    class Chance(Line):
        def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            drawn.append(float(torch.rand(())))
            return super().forward(batch)

    def draws(name: str, seed: int, before: int) -> list[float]:
        drawn.clear()
        torch.manual_seed(before)
        train(Chance(), Points(), replace(CONFIG, seed=seed), out=tmp_path / name)
        return list(drawn)

    drawn: list[float] = []
    first = draws("a", 0, before=1)
    assert draws("b", 0, before=2) == first
    assert len({*first, *draws("c", 1, before=1), *draws("d", 2**32, before=1)}) == 45


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_run_that_goes_astray_stops_in_a_sentence_and_leaves_the_last_saved_state(tmp_path: Path, where: str) -> None:
    class Astray(Line):
        steps = 0

        def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
            told = super().forward(batch)
            self.steps += 1
            if self.steps == 8:
                told["loss"] = told["loss"] * math.nan if where == "loss" else told["loss"] + (0 * self.scale).sqrt()
            return told

    config = replace(CONFIG, save_every=1)
    with pytest.raises(Diverged) as caught:
        train(Astray(), Points(), config, out=tmp_path / "astray")
    what = {"loss": "loss", "gradient": "norm of the gradient"}[where]
    assert f"the {what} became nan in epoch 2, step 3; begin again with a smaller lr than 0.05" in str(caught.value)
    with pytest.raises(Killed):
        run(tmp_path / "killed", config, report=kill_at(1, 2))
    assert run(tmp_path / "astray", config, resume=True) == run(tmp_path / "killed", config, resume=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"accumulate": 0}, "accumulate must be at least 1, not 0"),
        ({"save_every": -1}, "save_every must be at least 0, not -1"),
        ({"lr": 0.0}, "lr must be above 0, not 0.0"),
        ({"lr": math.nan}, "lr must be above 0, not nan"),
        ({"precision": "fp8"}, f"unknown precision 'fp8'. Choose from: {', '.join(PRECISIONS)}"),
    ],
)
def test_settings_that_train_nothing_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        replace(CONFIG, **changes)
    assert said in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_half_precision_without_a_gpu_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"precision fp16 needs a GPU, and this is a .*; choose bf16 or no"):
        run(tmp_path, replace(CONFIG, precision="fp16"))


class Seeing(nn.Module):
    """A tower of two layers that learns, as pretraining has it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.vision = CompactVision(CompactConfig(size=8, entry=4, stem=(4, 4, 4), width=8, layers=2, heads=2, dim=4))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        pictures = batch["x"].reshape(-1, 1, 2, 4).repeat(1, 3, 4, 2)
        return {"loss": self.vision(pictures).square().mean()}


def test_checkpointing_of_gradients_reaches_the_towers_and_changes_no_weight(tmp_path: Path) -> None:
    plain, again, third = Seeing(), Seeing(), Seeing()
    train(plain, Points(), CONFIG, out=tmp_path / "a")
    assert not plain.vision.recompute
    train(again, Points(), replace(CONFIG, grad_checkpoint=True), out=tmp_path / "b")
    assert again.vision.recompute
    assert state(again) == state(plain)
    train(third, Points(), CONFIG, out=tmp_path / "b", resume=True)  # nor does it matter to a resume
    assert state(third) == state(plain)


def test_checkpointing_of_gradients_of_a_learner_without_towers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Line has no tower whose layers could be recomputed; leave this off"):
        run(tmp_path, replace(CONFIG, grad_checkpoint=True))
