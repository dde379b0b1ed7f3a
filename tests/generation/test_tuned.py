from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("peft")

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError
from mimica.generation import tuned
from mimica.generation.diffusion.backends import open_tuned
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.loop_settings import TuningSettings
from mimica.generation.pool import Pool
from mimica.generation.prepared import real_clips
from mimica.generation.reinforce.loop import tune
from mimica.generation.report_files import read_steps
from mimica.generation.sampling import sample
from mimica.generation.tuned import HELD_OUT, scarce, targets_of, tune_for
from tiny_generator import tiny_generator, write_tiny
from tiny_pool import glancing, seen, write_clips

FEW = TuningSettings(iterations=2, groups=1, group=2, steps=(3,), rank=2, alpha=2, lr=1e-2, evaluate_every=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_clips(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def pool(data: str) -> Pool:
    return real_clips(data, size=16, hold=0.15)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(autouse=True)
def judges(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> None:
    monkeypatch.setattr(tuned, "load_sight", seen)
    monkeypatch.setattr(tuned, "judge_of", glancing)
    monkeypatch.setattr(tuned, "real_clips", lambda spec, **how: pool)
    monkeypatch.setattr(tuned, "HELD_OUT", 2)


def tuning(out: Path, data: str, model: str, settings: TuningSettings = FEW, **more: Any) -> tuned.TunedFor:
    return tune_for(data, out, settings, sampling=Sampling(model=model), number=3, steps=(2, 3), **more)


def test_targets_are_of_all_classes_in_turn_and_the_same_whenever_they_are_asked_for(pool: Pool) -> None:
    one, again = (targets_of(pool, 16, frames=9, seed=3, first=5) for _ in range(2))
    assert one.labels.tolist() == [i % 7 for i in range(16)]
    assert torch.equal(one.images, again.images)
    assert torch.equal(one.curves, again.curves)
    assert one.people == again.people
    fewer = targets_of(pool, 9, frames=9, seed=3, first=5)
    assert torch.equal(fewer.curves, one.curves[:9])


def test_targets_held_out_have_other_plans_than_those_that_are_learned_on(pool: Pool) -> None:
    ours = targets_of(pool, 48, frames=9, seed=0, first=tuned._FIRST).curves
    theirs = targets_of(pool, HELD_OUT, frames=9, seed=0, first=tuned._FIRST_HELD_OUT).curves
    alike = (ours[:, None] - theirs).abs().amax((2, 3)) == 0
    assert not alike[:, theirs.amax((1, 2)) > 0].any()


def test_targets_begin_with_stills_of_people_who_may_be_learned_from(pool: Pool) -> None:
    found = targets_of(pool, 14, frames=9, seed=0)
    assert set(found.people) <= set(pool.people)
    assert found.images.shape == (14, 3, 16, 16)


def test_what_tuning_leaves_says_how_it_went_and_how_good_clips_are(data: str, model: str, tmp_path: Path) -> None:
    tmp_path = tmp_path / "tuning"
    found = tuning(tmp_path, data, model)
    assert found.adapter == tmp_path / "adapter.safetensors"
    rows = [json.loads(line) for line in (tmp_path / "tuning.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [0, 1, 2]
    steps = json.loads((tmp_path / "steps.json").read_text())
    assert [row["steps"] for row in steps["rows"]] == [2, 3]
    assert set(steps["rows"][0]) == {"steps", "reward", "passed", "units", "identity", "seconds"}
    assert steps["of"] == 2
    read = read_steps(tmp_path.parent)
    assert read is not None
    assert [row["steps"] for row in read.rows] == [2, 3]
    said = json.loads((tmp_path / "tuned.json").read_text())
    assert said["before"]["reward"] == pytest.approx(found.before.reward.mean())
    assert said["after"]["reward"] == pytest.approx(found.after.reward.mean())
    assert said["before"]["reward"] != said["after"]["reward"]
    assert f"{said['after']['units']:.3f} after" in found.sentence()
    assert "before" in found.sentence()


def test_the_adapter_is_used_by_whoever_names_it_and_changes_clips(data: str, model: str, tmp_path: Path) -> None:
    adapter = tuning(tmp_path, data, model).adapter
    clips = []
    for how in (Sampling(model=model), Sampling(model=model, adapter=adapter)):
        policy = open_tuned(how)
        images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        condition = policy.condition(images, curves=torch.full((1, 9, 17), 0.5), frames=9)
        noise = policy.noise(condition, torch.Generator().manual_seed(1))
        clips.append(sample(policy, condition, noise))
    before, after = clips
    assert not torch.allclose(before, after, atol=1e-5)


def test_an_adapter_of_another_generator_is_refused(data: str, model: str, tmp_path: Path) -> None:
    adapter = tuning(tmp_path, data, model).adapter
    tiny_generator(seed=4).save(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="another generator"):
        open_tuned(Sampling(model=str(tmp_path / "other.safetensors"), adapter=adapter))


def test_tuning_that_was_stopped_goes_on_to_the_same_adapter(data: str, model: str, tmp_path: Path) -> None:
    def stopping(row: Mapping[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning(tmp_path / "stopped", data, model, report=stopping)
    assert not (tmp_path / "stopped/adapter.safetensors").exists()
    whole, resumed = tuning(tmp_path / "whole", data, model), tuning(tmp_path / "stopped", data, model, resume=True)
    assert resumed.adapter.read_bytes() == whole.adapter.read_bytes()
    assert resumed.after.means()["reward"] == whole.after.means()["reward"]


def test_tuning_with_other_targets_does_not_go_on(data: str, model: str, tmp_path: Path) -> None:
    tuning(tmp_path, data, model)
    with pytest.raises(CheckpointError):
        tune_for(data, tmp_path, FEW, sampling=Sampling(model=model), number=4, steps=(), resume=True)


def test_what_was_tuned_before_is_no_beginning(data: str, model: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave the adapter out"):
        tune_for(data, tmp_path, FEW, sampling=Sampling(model=model, adapter=tmp_path / "adapter.safetensors"))


def test_scarce_classes_count_more(data: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {}

    def listening(*given: Any, **how: Any) -> Any:
        told.update(how)
        return tune(*given, **how)

    monkeypatch.setattr(tuned, "tune", listening)
    monkeypatch.setattr(Pool, "counts", property(lambda self: [40, 40, 40, 40, 40, 5, 20]))
    tuning(tmp_path, data, model, replace(FEW, iterations=1))
    assert told["tail"] == frozenset({5, 6})
    assert scarce([10, 10, 10]) == frozenset()
    assert checkpoint.read_facts(tmp_path / "adapter.safetensors")["kind"] == "adapter"
