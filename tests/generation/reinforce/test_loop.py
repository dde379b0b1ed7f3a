from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("peft")

from mimica.errors import CheckpointError, UsageError
from mimica.generation.diffusion.policy import Condition
from mimica.generation.loop_settings import REWARDS, RewardSettings, Rule, TuningSettings
from mimica.generation.reinforce.adapter import Adapter
from mimica.generation.reinforce.loop import tune
from mimica.generation.reinforce.objectives import OffPolicy
from mimica.generation.rewards.judge import calibrated
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from tiny_judges import cast, detectors
from tiny_policy import Kind, Tiny
from tiny_tuning import PLAIN, SAMPLING, SETTINGS, Bright, held_out, tuned, wanted, weights

RULES: tuple[Rule, ...] = ("grpo", "ddpo", "dpok", "draft", "bon")
KINDS: tuple[Kind, ...] = ("flow", "ddim")


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "tuning.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_tunes_the_adapter_alone(rule: Rule, kind: Kind, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in Tiny(kind).network.state_dict().items()}
    policy, end = tuned(tmp_path, replace(SETTINGS, rule=rule, iterations=2), kind=kind)
    after = policy.network.state_dict()
    for name, value in before.items():
        kept = after.get(
            name, after.get(name.replace(".weight", ".base_layer.weight").replace(".bias", ".base_layer.bias"))
        )
        assert kept is not None
        assert torch.equal(kept, value), name
    assert any(value.abs().sum() > 0 for name, value in after.items() if "lora_B" in name)
    assert end.iterations == 2
    told = rows(tmp_path)
    assert [row["iteration"] for row in told] == [0, 1, 2]
    assert set(told[2]) == {"iteration", "rewarding", "held_out", "diversity"}
    assert all(key in told[0] for key in ("reward", "reward_units", "passed", "advantage", "loss", "rewarding"))


@pytest.mark.parametrize("frames", ["off", "split", "coherent"])
@pytest.mark.parametrize("kind", KINDS)
def test_before_anything_is_learned_ratios_are_one_with_all_guidance(kind: Kind, frames: str, tmp_path: Path) -> None:
    guidance = GuidanceSettings(frames=frames)  # type: ignore[arg-type]
    tuned(tmp_path, replace(SETTINGS, iterations=2, updates=2), kind=kind, guidance=guidance)
    first, second, _ = rows(tmp_path)
    # The row tells of the second update on the same clips, when something was learned already.
    assert first["ratio_off"] > 1e-6
    tuned(tmp_path, replace(SETTINGS, iterations=2), kind=kind, guidance=guidance)
    assert [row["ratio_off"] < 1e-4 for row in rows(tmp_path)[:2]] == [True, True]
    assert rows(tmp_path)[0]["kl"] == 0.0
    assert second["kl"] > 0.0


def test_clips_that_gradients_go_back_through_begin_each_with_its_own_noise(tmp_path: Path) -> None:
    class Watched(Bright):
        def __call__(self, clips: torch.Tensor, *given: Any, **how: Any) -> Any:
            apart = torch.cdist(clips.flatten(1), clips.flatten(1)) + torch.eye(len(clips))
            assert bool((apart > 1e-3).all())
            return super().__call__(clips, *given, **how)

    settings = replace(SETTINGS, iterations=1, rule="draft", evaluate_every=0)
    assert tune(Tiny(), wanted(), Watched(), settings, out=tmp_path, guidance=PLAIN).iterations == 1


def test_clips_of_a_group_begin_with_one_noise_and_groups_with_others(tmp_path: Path) -> None:
    class Watched(Tiny):
        first: list[torch.Tensor]

        def predict(self, latents: torch.Tensor, t: torch.Tensor, condition: Condition, **how: Any) -> torch.Tensor:
            if bool((t == 1).all()) and not torch.is_grad_enabled():
                self.first.append(latents)
            return super().predict(latents, t, condition, **how)

    policy = Watched()
    policy.first = []
    tune(policy, wanted(), Bright(), replace(SETTINGS, iterations=1, fraction=0.1), out=tmp_path, guidance=PLAIN)
    groups = policy.first[: SETTINGS.groups]
    assert all(torch.equal(one, one[:1].expand_as(one)) for one in groups)
    assert not torch.equal(groups[0], groups[1])


@pytest.mark.parametrize("rule", ["grpo", "draft"])
def test_judges_of_faces_tune_a_generator_of_faces(rule: Rule, tmp_path: Path) -> None:
    real = cast()["real"]
    judge = calibrated(detectors(), RewardSettings(), real.clips, real.targets)
    policy, few = Tiny(size=32), replace(SETTINGS, rule=rule, iterations=1, groups=1, group=2)
    end = tune(policy, real.targets, judge, few, out=tmp_path, sampling=SAMPLING)
    (row,) = rows(tmp_path)
    assert end.iterations == 1
    assert {f"reward_{name}" for name in REWARDS} < set(row)
    assert row["norm"] > 0


def test_a_generator_that_does_not_do_the_same_twice_is_refused(tmp_path: Path) -> None:
    class Restless(Tiny):
        def predict(self, latents: torch.Tensor, t: torch.Tensor, condition: Condition, **how: Any) -> torch.Tensor:
            return super().predict(latents, t, condition, **how) + 0.1 * torch.randn_like(latents)

    with pytest.raises(OffPolicy):
        tune(Restless(), wanted(), Bright(), SETTINGS, out=tmp_path, guidance=PLAIN)


@pytest.mark.parametrize("rule", ["grpo", "ddpo", "draft", "bon"])
def test_tuning_raises_what_is_rewarded(rule: Rule, tmp_path: Path) -> None:
    settings = replace(SETTINGS, rule=rule, iterations=12, evaluate_every=12, groups=3, group=6, ema=0.0)
    tuned(tmp_path, replace(settings, least_diversity=0.01))
    first, last = (row["rewarding"] for row in rows(tmp_path) if "rewarding" in row)
    assert last > first + 0.02


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first, again, other = (
        weights(tuned(tmp_path / str(i), replace(SETTINGS, seed=seed))[0]) for i, seed in enumerate((0, 0, 1))
    )
    assert first == again
    assert first != other


def test_clips_that_nobody_finds_good_or_bad_teach_nothing(tmp_path: Path) -> None:
    policy, _ = tuned(tmp_path, replace(SETTINGS, iterations=1, kl=0.0), judge=Bright(passes=False))
    assert all(not value.any() for name, value in policy.network.state_dict().items() if "lora_B" in name)
    assert rows(tmp_path)[0]["passed"] == 0.0


def test_rewards_without_a_gradient_are_refused_by_draft(tmp_path: Path) -> None:
    class Blind(Bright):
        def __call__(self, clips: torch.Tensor, *given: Any, **how: Any) -> Any:
            return super().__call__(clips.detach(), *given, **how)

    with pytest.raises(UsageError, match="no gradient"):
        tuned(tmp_path, replace(SETTINGS, rule="draft"), judge=Blind())


def test_a_scarce_class_counts_more(tmp_path: Path) -> None:
    told = []
    for tail in (frozenset[int](), frozenset({0, 1, 2})):
        tuned(tmp_path, replace(SETTINGS, iterations=1), tail=tail)
        told.append(rows(tmp_path)[0]["advantage"])
    assert told[1] > 1.05 * told[0]


def test_it_stops_by_itself_says_why_and_stays_stopped(tmp_path: Path) -> None:
    settings = replace(SETTINGS, iterations=6, most_kl=1e-7)
    _, end = tuned(tmp_path, settings)
    assert end.stopped is not None
    assert "from the model before" in end.stopped
    assert end.iterations == 2
    assert rows(tmp_path)[1]["stopped"] == end.stopped
    _, again = tuned(tmp_path, settings, resume=True)
    assert (again.iterations, again.stopped) == (2, end.stopped)


def test_steps_are_chosen_by_a_policy_that_learns_beside(tmp_path: Path) -> None:
    _, end = tuned(tmp_path, replace(SETTINGS, choose_steps=True, iterations=3))
    assert end.chooser is not None
    assert end.chooser.outward.bias.abs().sum() > 0
    assert {row["steps"] for row in rows(tmp_path)[:3]} != {3.5}
    assert rows(tmp_path)[0]["reward_efficiency"] > 0


def test_chance_may_be_kept_to_a_window_of_steps(tmp_path: Path) -> None:
    window = SamplingSettings(steps=4, window=1, window_every=1)
    _, end = tuned(tmp_path, SETTINGS, sampling=window)
    assert end.iterations == SETTINGS.iterations


def test_an_adapter_is_written_and_read_by_another_generator_of_its_kind(tmp_path: Path) -> None:
    policy, _ = tuned(tmp_path)
    other = Tiny()
    adapter = Adapter(other.network, other.lora_targets, rank=4, alpha=4)
    facts = adapter.load(tmp_path / "adapter.safetensors")
    assert weights(other) == weights(policy)
    assert facts["generator"] == {"backend": "test"}
    with adapter.off():
        x = torch.randn(1, 8, 4, 4)
        assert torch.equal(other.network(x), Tiny().network(x))
    another = Tiny()
    with pytest.raises(CheckpointError, match="no adapter of these layers"):
        Adapter(another.network, another.lora_targets, rank=2, alpha=4).load(tmp_path / "adapter.safetensors")


def test_layers_that_a_generator_does_not_have_are_one_sentence() -> None:
    with pytest.raises(UsageError, match="no adapter fits"):
        Adapter(Tiny().network, ("to_q",), rank=2, alpha=2)


def test_a_run_goes_on_only_with_what_it_began_with(tmp_path: Path) -> None:
    tuned(tmp_path, replace(SETTINGS, iterations=1))
    with pytest.raises(CheckpointError, match="another lr"):
        tuned(tmp_path, replace(SETTINGS, lr=0.1), resume=True)
    with pytest.raises(CheckpointError, match="another guidance"):
        tuned(tmp_path, guidance=GuidanceSettings(), resume=True)
    _, end = tuned(tmp_path, resume=True)
    assert end.iterations == SETTINGS.iterations, "more iterations may be asked for"


@pytest.mark.parametrize(
    "wrong", [{"group": 1}, {"steps": ()}, {"lr": 0.0}, {"fraction": 0.0}, {"last": 9}, {"ema": 1.0}]
)
def test_tuning_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        TuningSettings(**wrong)


def test_held_out_clips_are_two_of_each_target_or_more(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two of each target"):
        tuned(tmp_path, held=replace(held_out(), each=1))
