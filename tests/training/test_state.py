from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mimica import checkpoint
from mimica.errors import CheckpointError
from mimica.training import log, loop
from mimica.training.loop import LoopConfig, train
from mimica.training.state import State
from tiny_runs import CONFIG, Killed, Line, Points, kill_at, rows, run, state


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, ema=0.0), replace(CONFIG, accumulate=2), replace(CONFIG, warmup=0.5, weight_decay=0.0),
     replace(CONFIG, precision="bf16")],
    ids=["average", "plain", "accumulate", "warmup", "bf16"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("epoch", "step", "every"), [(1, 3, 0), (1, 1, 1), (2, 4, 2), (0, 2, 2), (0, 2, 0), (1, 4, 4), (2, 4, 1)]
)
def test_a_killed_run_goes_on_to_the_same_weights_as_one_that_was_not(
    tmp_path: Path, config: LoopConfig, epoch: int, step: int, every: int
) -> None:
    whole = run(tmp_path / "whole", config)
    with pytest.raises(Killed):
        run(tmp_path / "killed", replace(config, save_every=every), report=kill_at(epoch, step))
    torch.manual_seed(99)  # another process would draw other numbers
    assert run(tmp_path / "killed", config, resume=True) == whole
    saved = [(tmp_path / name / "state.safetensors").read_bytes() for name in ("killed", "whole")]
    assert saved[0] == saved[1]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert [row["epoch"] for row in rows(tmp_path / "whole")] == [0, 1, 2]


@pytest.mark.parametrize("save_every", [0, 2])
@pytest.mark.parametrize("place", [(State, "save"), (log, "append")], ids=["state", "log"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("which", range(1, 4))
def test_a_run_that_is_killed_while_it_writes_loses_no_row_and_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], when: str, which: int, save_every: int
) -> None:
    whole = run(tmp_path / "whole")
    write, written = getattr(*place), []

    def killed(*given: Any, **named: Any) -> None:
        written.append(1)
        if when == "after":
            write(*given, **named)
        if len(written) == which:
            raise Killed
        if when == "before":
            write(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(*place, killed)
        with pytest.raises(Killed):
            run(tmp_path / "killed", replace(CONFIG, save_every=save_every))
    assert run(tmp_path / "killed", resume=True) == whole
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


@pytest.mark.parametrize("save_every", [0, 3])
def test_a_run_may_be_killed_again_and_again(tmp_path: Path, save_every: int) -> None:
    whole = run(tmp_path / "whole")
    for epoch in range(3):
        with pytest.raises(Killed):
            run(tmp_path / "killed", replace(CONFIG, save_every=save_every), resume=True, report=kill_at(epoch, 4))
    assert run(tmp_path / "killed", resume=True) == whole
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_a_resumed_run_asks_only_for_the_batches_that_are_left(tmp_path: Path) -> None:
    config, data = replace(CONFIG, save_every=2, accumulate=2), Points(9)
    with pytest.raises(Killed):
        run(tmp_path, config, data=data, report=kill_at(1, 7))
    run(tmp_path, config, data=data, resume=True)
    assert data.asked == [(0, 0), (1, 0), (1, 4), (2, 0)]


def test_a_validation_that_draws_draws_the_same_after_a_resume(tmp_path: Path) -> None:
    def validate(module: nn.Module) -> Mapping[str, float]:
        return {"drawn": float(torch.rand(()))}

    config = replace(CONFIG, save_every=5)  # saved after the last step of an epoch, before it is validated
    run(tmp_path / "whole", config, validate=validate)
    with pytest.raises(Killed):
        run(tmp_path / "killed", config, validate=validate, report=kill_at(1, 5))
    torch.manual_seed(99)
    run(tmp_path / "killed", config, validate=validate, resume=True)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


def test_the_scale_of_the_loss_in_half_precision_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scaler on the CPU, whose scale doubles every second step; unscaled, the clipping sees the difference."""
    made = loop._accelerator

    def scaling(config: LoopConfig) -> Any:
        accelerator = made(config)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=0.125, growth_interval=2)
        return accelerator

    monkeypatch.setattr(loop, "_accelerator", scaling)
    config = replace(CONFIG, save_every=1)
    whole = run(tmp_path / "whole", config)
    with pytest.raises(Killed):
        run(tmp_path / "killed", config, report=kill_at(1, 2))
    _, facts = checkpoint.unpack(tmp_path / "killed" / "state.safetensors")
    assert (facts["scaler"]["scale"], facts["scaler"]["_growth_tracker"]) == (1.0, 1)
    assert run(tmp_path / "killed", config, resume=True) == whole


def test_what_is_restored_lies_in_memory_as_what_was_saved(tmp_path: Path) -> None:
    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 2, bias=False)
            self.conv.weight.data = self.conv.weight.data.contiguous(memory_format=torch.channels_last)

        def forward(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"loss": self.conv(batch["x"].view(8, 2, 1, 2).repeat(1, 1, 2, 1)).square().mean()}

    strides: list[tuple[int, ...]] = []

    def lying(name: str) -> None:
        entry = optimizers[-1].state[learners[-1].conv.weight]
        strides.append(entry[name].stride())

    optimizers: list[torch.optim.Optimizer] = []
    learners: list[Picture] = []
    made = loop._adam

    def recorded(learner: nn.Module, config: LoopConfig) -> torch.optim.AdamW:
        optimizers.append(made(learner, config))
        return optimizers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_adam", recorded)
        for resume in (False, True):
            learners.append(Picture())
            train(learners[-1], Points(), CONFIG, out=tmp_path, resume=resume)
            lying("exp_avg")
    assert strides[0] == strides[1] != (8, 4, 2, 1)


def test_resuming_a_run_that_is_over_gives_its_weights_and_trains_no_more(tmp_path: Path) -> None:
    whole = run(tmp_path)
    told = (tmp_path / "metrics.jsonl").read_text()
    data = Points()
    assert run(tmp_path, data=data, resume=True) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == told
    assert data.asked == []


def test_resuming_where_nothing_was_begun_begins(tmp_path: Path) -> None:
    assert run(tmp_path / "a", resume=True) == run(tmp_path / "b")


def test_without_resume_a_run_begins_anew_and_so_does_its_log(tmp_path: Path) -> None:
    run(tmp_path, replace(CONFIG, epochs=5))
    run(tmp_path, replace(CONFIG, seed=1))
    assert [row["epoch"] for row in rows(tmp_path)] == [0, 1, 2]


def test_a_new_run_that_is_killed_before_it_is_saved_does_not_go_on_from_an_older_one(tmp_path: Path) -> None:
    other = replace(CONFIG, seed=1)
    run(tmp_path)
    with pytest.raises(Killed):
        run(tmp_path, other, report=kill_at(0, 2))
    data = Points()
    run(tmp_path, other, data=data, resume=True)
    assert data.asked[0] == (0, 0)
    assert [row["epoch"] for row in rows(tmp_path)] == [0, 1, 2]


@pytest.mark.parametrize(
    "tail", ['{"epoch": 1, "lo', '{"epoch": 7}\n', "null\n", '{"epo\n', '{"epoch": 1, "step": 10}\n']
)
def test_what_a_killed_run_left_at_the_end_of_its_log_is_cut(tmp_path: Path, tail: str) -> None:
    run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", report=kill_at(1, 3))
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as log:
        log.write(tail)
    run(tmp_path / "killed", resume=True)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "named"), [({"lr": 0.1}, "lr"), ({"epochs": 4, "seed": 2}, "epochs, seed"), ({"ema": 0.0}, "ema")]
)
def test_a_run_with_other_settings_is_not_resumed(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    run(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path, replace(CONFIG, **changes), resume=True)
    assert f"state.safetensors was made with another {named}; resume with the same" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"data": Points(6)}, "number of batches"), ({"facts": {"data": {"clips": 3}}}, "data"),
     ({"facts": {"data": {"clips": 2}, "recipe": "b"}}, "recipe"), ({"facts": {}}, "data, recipe")],
)  # fmt: skip
def test_a_run_on_other_data_or_of_another_recipe_is_not_resumed(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    facts = {"data": {"clips": 2}, "recipe": "a"}
    whole = run(tmp_path, facts=facts)
    assert run(tmp_path, facts=facts, resume=True) == whole
    with pytest.raises(CheckpointError, match=f"was made with another {named}"):
        run(tmp_path, **{"facts": {"recipe": "a", **facts}, **changes}, resume=True)


def test_facts_that_json_states_in_its_own_way_are_the_same_after_it(tmp_path: Path) -> None:
    facts = {"stem": (4, 4), "from": Path("a"), "by": {1: 2}}
    assert run(tmp_path, facts=facts) == run(tmp_path, facts=facts, resume=True)


def test_a_state_of_another_learner_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path)
    other = Line()
    other.out = nn.Linear(6, 1, bias=False)
    before = state(other)
    with pytest.raises(CheckpointError, match=r"state\.safetensors is the state of another model; choose another"):
        train(other, Points(), CONFIG, out=tmp_path, resume=True)
    assert state(other) == before


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_a_state_that_is_cut_short_is_refused_in_a_sentence(tmp_path: Path, cut: int) -> None:
    run(tmp_path)
    path = tmp_path / "state.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"cannot read .*state\.safetensors: .*; begin without --resume"):
        run(tmp_path, resume=True)


def test_what_is_no_state_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, {"weights.a": torch.ones(1)}, {"epochs": 1})  # as it was kept before
    with pytest.raises(CheckpointError, match="holds its own facts; begin without --resume"):
        run(tmp_path, resume=True)
    checkpoint.pack(path, {"weights.a": torch.ones(1)}, {"kind": "other"})
    with pytest.raises(CheckpointError, match="is no state of a run; begin without --resume"):
        run(tmp_path, resume=True)


def test_frozen_weights_stay_and_are_in_no_state(tmp_path: Path) -> None:
    learner = Line()
    before = learner.frozen.weight.clone()
    train(learner, Points(), CONFIG, out=tmp_path)
    assert torch.equal(learner.frozen.weight, before)
    tensors, facts = checkpoint.unpack(tmp_path / "state.safetensors")
    assert not any("frozen" in name for name in tensors)
    assert (facts["epoch"], facts["step"], facts["sums"]) == (3, 0, {})
    assert facts["settings"]["loop"]["lr"] == CONFIG.lr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl", "state.safetensors"]


def test_a_state_within_an_epoch_says_how_far_it_is(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, replace(CONFIG, save_every=3), report=kill_at(1, 4))
    _, facts = checkpoint.unpack(tmp_path / "state.safetensors")
    assert (facts["epoch"], facts["step"]) == (1, 3)
    assert set(facts["sums"]) == {"loss", "far"}
    assert json.loads(json.dumps(facts)) == facts
