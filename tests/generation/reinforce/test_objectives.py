from __future__ import annotations

import pytest
import torch

from mimica.generation.diffusion.policy import Condition
from mimica.generation.reinforce.objectives import (
    OffPolicy,
    PastRewards,
    bounded,
    denoising_loss,
    less_group,
    on_policy,
    unbounded,
)
from oracles import tuning as slow
from tiny_policy import Gaussian, Kind, some_condition


@pytest.mark.parametrize("advantage", [-2.0, -0.1, 0.0, 0.5, 3.0])
@pytest.mark.parametrize("ratio", [0.9, 0.9995, 1.0, 1.0002, 1.3])
def test_the_bounded_loss_is_that_of_its_paper(ratio: float, advantage: float) -> None:
    found = bounded(torch.tensor([ratio]), torch.tensor([advantage]), 1e-3).item()
    assert found == pytest.approx(slow.ppo(ratio, advantage, 1e-3), abs=1e-6)


def test_a_move_beyond_the_bound_has_no_gradient_and_one_back_has() -> None:
    ratio = torch.tensor([1.1, 0.9, 1.1, 0.9], requires_grad=True)
    bounded(ratio, torch.tensor([1.0, 1.0, -1.0, -1.0]), 0.01).sum().backward()
    assert ratio.grad is not None
    assert (ratio.grad != 0).tolist() == [False, True, True, False]


def test_without_bounds_the_gradient_is_that_of_the_probability_times_the_advantage() -> None:
    told = torch.tensor([0.3, -0.2], requires_grad=True)
    unbounded(torch.exp(told - told.detach()), torch.tensor([2.0, -1.0])).sum().backward()
    assert told.grad is not None
    assert told.grad.tolist() == pytest.approx([-2.0, 1.0])


def test_a_probability_that_changed_before_learning_is_refused() -> None:
    on_policy(torch.tensor([1.0, 1 + 5e-5]))
    for wrong in (1.001, float("nan")):
        with pytest.raises(OffPolicy, match="does not do the same twice"):
            on_policy(torch.tensor([1.0, wrong]))


def test_rewards_are_judged_by_the_prompts_own_past_once_there_is_enough() -> None:
    past, kept = PastRewards(), dict[str, list[float]]()
    g = torch.Generator().manual_seed(0)
    for _ in range(12):
        totals, keys = torch.rand(6, generator=g), ["a", "a", "a", "b", "b", "c"]
        for key, total in zip(keys, totals.tolist(), strict=True):
            kept.setdefault(key, []).append(total)
        found = past.advantages(keys, totals)
        expected = [
            slow.past_advantage(kept[k], totals.tolist(), t) for k, t in zip(keys, totals.tolist(), strict=True)
        ]
        assert found.tolist() == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert len(kept["a"]) == 36
    again = PastRewards()
    again.restore(past.facts())
    assert again.facts() == past.facts()
    assert len(past.facts()["a"]) == 32


def test_a_clip_is_compared_with_its_own_group() -> None:
    found = less_group(torch.tensor([0.1, 0.3, 0.7, 0.9]), torch.tensor([0, 0, 1, 1]))
    assert found.tolist() == pytest.approx([-0.316, 0.316, -0.316, 0.316], abs=1e-3)


@pytest.mark.parametrize("kind", ["flow", "ddim"])
def test_the_exact_model_of_its_data_has_the_least_denoising_loss(kind: Kind) -> None:
    condition = some_condition(256, 2)
    clean = 0.8 + 0.5 * torch.randn(256, 2, 1, 2, 2, generator=torch.Generator().manual_seed(0))

    def loss(mean: float) -> float:
        g = torch.Generator().manual_seed(1)
        return denoising_loss(Gaussian(kind, mean), clean, condition, g).mean().item()

    assert loss(0.8) < loss(0.5)
    assert loss(0.8) < loss(1.1)


def test_the_denoising_loss_of_a_flow_is_how_far_its_velocity_is_off() -> None:
    class Still(Gaussian):
        def predict(self, latents: torch.Tensor, t: torch.Tensor, condition: Condition, **_: object) -> torch.Tensor:
            self.asked = (latents, t)
            return torch.zeros_like(latents)

    policy, clean = Still("flow"), torch.randn(3, 2, 1, 2, 2)
    found = denoising_loss(policy, clean, some_condition(3, 2), torch.Generator().manual_seed(0))
    latents, t = policy.asked
    for n in range(3):
        share = t[n].item()
        noise = (latents[n] - (1 - share) * clean[n]) / share
        assert found[n].item() == pytest.approx((noise - clean[n]).square().mean().item(), rel=1e-4)
