from __future__ import annotations

from typing import Any

import pytest
import torch

from mimica.errors import UsageError
from mimica.generation.diffusion.policy import Condition
from mimica.generation.diffusion.sample import generate
from oracles import diffusion as slow
from tiny_generator import tiny_generator


class Known:
    """A policy whose answer is a formula of latents and time, and whose clips are its latents."""

    def __init__(self, kind: str) -> None:
        self.kind, self.asked = kind, []

    def noise(self, condition: Condition, generator: torch.Generator | None = None) -> torch.Tensor:
        return torch.randn(1, 2, 1, 1, 1, generator=generator)

    def predict(self, latents: torch.Tensor, t: torch.Tensor, condition: Any, *, seen: str = "all") -> torch.Tensor:
        self.asked.append(seen)
        return 0.5 * latents + t.view(-1, 1, 1, 1, 1) * (2.0 if seen == "all" else 1.0)

    def alpha_bar(self, t: torch.Tensor) -> torch.Tensor:
        return (1 - 0.9 * t) ** 2

    def decode(self, latents: torch.Tensor, condition: Any) -> torch.Tensor:
        return latents


NOTHING = Condition(tensors={}, activation=torch.zeros(1, 2), change=torch.zeros(1, 1))


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("kind", ["flow", "ddim"])
def test_the_way_from_noise_is_what_its_formula_says(kind: str, guidance: float) -> None:
    policy = Known(kind)
    found = generate(policy, NOTHING, steps=5, guidance=guidance, seed=4)  # type: ignore[arg-type]
    start = policy.noise(NOTHING, torch.Generator().manual_seed(4))

    def answer(z: float, t: float) -> float:
        return 0.5 * z + t * (1 + guidance)

    for z, end in zip(start.ravel().tolist(), found.ravel().tolist(), strict=True):
        expected = slow.euler(z, answer, 5) if kind == "flow" else slow.ddim(z, answer, lambda t: (1 - 0.9 * t) ** 2, 5)
        assert end == pytest.approx(expected, abs=1e-4)


def test_a_policy_with_a_shift_spends_more_of_its_steps_near_noise() -> None:
    policy, times = Known("flow"), []
    policy.shift = 3.0  # type: ignore[attr-defined]
    answer = policy.predict

    def heard(latents: torch.Tensor, t: torch.Tensor, condition: Any, *, seen: str = "all") -> torch.Tensor:
        times.append(float(t))
        return answer(latents, t, condition, seen=seen)

    policy.predict = heard  # type: ignore[method-assign]
    generate(policy, NOTHING, steps=4, guidance=1.0)  # type: ignore[arg-type]
    assert times == pytest.approx([3 * u / (1 + 2 * u) for u in (1.0, 0.75, 0.5, 0.25)])


def test_without_guidance_the_network_is_asked_once_a_step() -> None:
    policy = Known("flow")
    generate(policy, NOTHING, steps=3, guidance=1.0)  # type: ignore[arg-type]
    assert policy.asked == ["all"] * 3
    generate(policy, NOTHING, steps=1, guidance=2.0)  # type: ignore[arg-type]
    assert sorted(policy.asked[3:]) == ["all", "image"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    policy = tiny_generator()
    condition = policy.condition(torch.rand(2, 3, 16, 16), curves=torch.rand(2, 9, 17), frames=9)
    one, same, other = (generate(policy, condition, steps=2, seed=seed) for seed in (5, 5, 6))
    assert one.shape == (2, 9, 3, 16, 16)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_clip_takes_a_step_or_more() -> None:
    with pytest.raises(UsageError, match="one step or more"):
        generate(Known("flow"), NOTHING, steps=0)  # type: ignore[arg-type]
