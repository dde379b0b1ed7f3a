from __future__ import annotations

from typing import Any

import pytest
import torch

from mimica.generation.diffusion.policy import Condition
from mimica.generation.sampling import sample
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from oracles import diffusion as slow
from tiny_generator import tiny_generator


class Known:
    """A policy whose answer is a formula of latents and time, and whose clips are its latents."""

    def __init__(self, kind: str, shift: float = 1.0) -> None:
        self.kind, self.shift, self.asked = kind, shift, []

    def noise(self, condition: Condition, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.randn(1, 2, 1, 1, 1, generator=generator)

    def predict(self, latents: torch.Tensor, t: torch.Tensor, condition: Any, *, seen: str = "all") -> torch.Tensor:
        self.asked.append(seen)
        return 0.5 * latents + t.view(-1, 1, 1, 1, 1) * (2.0 if seen == "all" else 1.0)

    def alpha_bar(self, t: torch.Tensor) -> torch.Tensor:
        return (1 - 0.9 * t) ** 2

    def decode(self, latents: torch.Tensor, condition: Any) -> torch.Tensor:
        return latents


def made(policy: Any, *, steps: int, guidance: float, seed: int = 0) -> torch.Tensor:
    """A clip made without chance."""
    how, drawn = SamplingSettings(steps=steps), GuidanceSettings(weight=guidance)
    noise = policy.noise(NOTHING, torch.Generator().manual_seed(seed))
    return sample(policy, NOTHING, noise, sampling=how, guidance=drawn)


NOTHING = Condition(tensors={}, activation=torch.zeros(1, 2), change=torch.zeros(1, 1))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("kind", ["flow", "ddim"])
def test_the_way_from_noise_is_what_its_formula_says(kind: str, guidance: float) -> None:
    policy = Known(kind)
    found = made(policy, steps=5, guidance=guidance, seed=4)
    start = policy.noise(NOTHING, torch.Generator().manual_seed(4))

    def answer(z: float, t: float) -> float:
        return 0.5 * z + t * (1 + guidance)

    for z, end in zip(start.ravel().tolist(), found.ravel().tolist(), strict=True):
        expected = slow.euler(z, answer, 5) if kind == "flow" else slow.ddim(z, answer, lambda t: (1 - 0.9 * t) ** 2, 5)
        assert end == pytest.approx(expected, abs=1e-4)


def test_a_policy_with_a_shift_spends_more_of_its_steps_near_noise() -> None:
    policy, times = Known("flow", shift=3.0), []
    answer = policy.predict

    def heard(latents: torch.Tensor, t: torch.Tensor, condition: Any, *, seen: str = "all") -> torch.Tensor:
        times.append(float(t))
        return answer(latents, t, condition, seen=seen)

    policy.predict = heard  # type: ignore[method-assign]
    made(policy, steps=4, guidance=1.0)
    assert times == pytest.approx([3 * u / (1 + 2 * u) for u in (1.0, 0.75, 0.5, 0.25)])


def test_without_guidance_the_network_is_asked_once_a_step() -> None:
    policy = Known("flow")
    made(policy, steps=3, guidance=1.0)
    assert policy.asked == ["all"] * 3
    made(policy, steps=2, guidance=2.0)
    assert sorted(policy.asked[3:]) == ["all"] * 2 + ["image"] * 2


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    policy = tiny_generator()
    condition = policy.condition(torch.rand(2, 3, 16, 16), curves=torch.rand(2, 9, 17), frames=9)
    one, same, other = (
        sample(policy, condition, policy.noise(condition, torch.Generator().manual_seed(seed)),
               sampling=SamplingSettings(steps=2))
        for seed in (5, 5, 6)
    )  # fmt: skip
    assert one.shape == (2, 9, 3, 16, 16)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
