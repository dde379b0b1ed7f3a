from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mimica import checkpoint
from mimica.data.actor_folder import write_actor
from mimica.data.actor_settings import ActorSettings
from mimica.errors import CheckpointError, UsageError
from mimica.generation.diffusion.settings import Sampling, TinyTraining
from mimica.generation.diffusion.tiny import Tiny, TinyConfig
from mimica.generation.diffusion.train import InTurn, _Seen, train_tiny
from tiny_generator import SMALL, tiny_generator, write_tiny

SHORT = TinyTraining(rig_epochs=1, epochs=2, fresh=4, again=2, batch=4, save_every=1)


class Killed(Exception):
    pass


def killing(phase: str, step: int) -> Callable[[str], Callable[[Mapping[str, Any]], None]]:
    """Reports that end a run in a phase at a step, counted over its epochs."""

    def report(now: str) -> Callable[[Mapping[str, Any]], None]:
        def told(row: Mapping[str, Any]) -> None:
            if now == phase and "steps" in row and row["epoch"] * row["steps"] + row["step"] == step:
                raise Killed

        return told

    return report


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tiny(SHORT, out=tmp_path_factory.mktemp("run"), config=SMALL)


@pytest.mark.parametrize(("phase", "step"), [("rig", 1), ("flow", 1), ("flow", 3)])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(whole: Path, tmp_path: Path, phase: str, step: int) -> None:
    with pytest.raises(Killed):
        train_tiny(SHORT, out=tmp_path, config=SMALL, report=killing(phase, step))
    assert not (tmp_path / "tiny.safetensors").exists()
    path = train_tiny(SHORT, out=tmp_path, config=SMALL, resume=True)
    assert path.read_bytes() == whole.read_bytes()


def test_a_run_that_is_gone_on_with_under_other_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train_tiny(SHORT, out=tmp_path, config=SMALL, report=killing("flow", 2))
    with pytest.raises(CheckpointError, match="another drop"):
        train_tiny(replace(SHORT, drop=0.5), out=tmp_path, config=SMALL, resume=True)


def test_training_moves_the_weights_and_says_what_it_was(whole: Path) -> None:
    policy, facts = Tiny.load(whole), checkpoint.read_facts(whole)
    assert facts["synthetic"] is True
    assert facts["data"] == "actors drawn anew"
    assert facts["trained"]["epochs"] == 2
    torch.manual_seed(0)
    fresh = Tiny(SMALL)
    assert any(
        not torch.equal(a, b) for a, b in zip(policy.network.parameters(), fresh.network.parameters(), strict=True)
    )
    assert policy.codec.basis.any()


def test_a_generator_that_is_begun_with_keeps_its_codec(whole: Path, tmp_path: Path) -> None:
    path = train_tiny(replace(SHORT, seed=5), out=tmp_path, start=whole)
    before, after = Tiny.load(whole), Tiny.load(path)
    assert before.codec_digest() == after.codec_digest()
    assert before.state()["sha256"] != after.state()["sha256"]
    assert not (tmp_path / "rig").exists()


def test_a_generator_comes_back_from_its_file(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.safetensors")
    made, read = tiny_generator(), Tiny.load(path)
    given = {"curves": torch.rand(1, 9, 17), "frames": 9}
    condition = made.condition(torch.rand(1, 3, 16, 16), **given)
    z, t = made.noise(condition), torch.tensor([0.4])
    with torch.no_grad():
        torch.testing.assert_close(read.predict(z, t, condition), made.predict(z, t, condition), atol=2e-2, rtol=1e-2)
    assert read.config == SMALL


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x.safetensors", {}, {"kind": "encoder"})
    with pytest.raises(CheckpointError, match="holds no tiny generator"):
        Tiny.load(tmp_path / "x.safetensors")


def test_the_generator_that_is_trained_by_default_has_fewer_than_three_million_weights() -> None:
    assert sum(weight.numel() for weight in Tiny(TinyConfig()).network.parameters()) < 3_000_000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batch": 0}, "batch must be at least 1"),
        ({"fresh": 1, "again": 1}, "fills no batch of 8"),
        ({"frames": (8,)}, "9 to 17 frames, got 8"),
        ({"drop": 1.0}, "drop must be from 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TinyTraining(**wrong)


def test_sampling_without_steps_is_refused() -> None:
    with pytest.raises(UsageError, match="steps must be 2 to 1000"):
        Sampling(steps=0)


def test_every_third_epoch_of_the_flow_learns_from_other_clips_where_there_are_any(tmp_path: Path) -> None:
    table = write_actor(tmp_path / "also", ActorSettings(clips=4, size=16, frames=9, seed=3))
    seen = _Seen(replace(SHORT, epochs=3), None, f"table:{table}", tiny_generator())
    flow = seen.phase("flow")
    assert isinstance(flow, InTurn)
    assert not isinstance(seen.phase("rig"), InTurn)
    for epoch, of in ((0, flow.first), (1, flow.first), (2, flow.also), (5, flow.also)):
        ours, theirs = next(iter(flow.batches(epoch))), next(iter(of.batches(epoch)))
        assert torch.equal(ours["latents"], theirs["latents"])
    path = train_tiny(replace(SHORT, epochs=3), out=tmp_path / "run", config=SMALL, also=f"table:{table}")
    assert checkpoint.read_facts(path)["also"] == f"table:{table}"
    with pytest.raises(CheckpointError, match="also"):
        train_tiny(replace(SHORT, epochs=3), out=tmp_path / "run", config=SMALL, resume=True)
