from __future__ import annotations

import pytest
import torch

from mimica.generation.reinforce.steps import CHOICES, StepChooser, pooled
from oracles import tuning as slow
from tiny_policy import Tiny


def test_at_first_all_numbers_of_steps_are_alike() -> None:
    chances = StepChooser(6)(torch.randn(3, 6)).exp()
    assert chances.flatten().tolist() == pytest.approx([0.2] * 15)


def test_its_loss_is_reinforce_with_a_baseline_and_entropy() -> None:
    chooser, g = StepChooser(4), torch.Generator().manual_seed(0)
    with torch.no_grad():
        chooser.outward.weight.copy_(torch.randn(5, 32, generator=g))
    features, rewards = torch.randn(3, 4, generator=g), torch.tensor([0.2, 0.9, 0.4])
    chooser.loss(features, torch.tensor([0, 1, 2]), rewards)
    logits = chooser(features).tolist()
    second = torch.tensor([0.6, 0.1, 0.5])
    found = chooser.loss(features, torch.tensor([4, 0, 2]), second).item()
    assert found == pytest.approx(slow.reinforce(logits, [4, 0, 2], second.tolist(), 0.5), rel=1e-4)
    assert chooser.get_buffer("baseline").item() == pytest.approx(0.9 * 0.5 + 0.1 * 0.4)


def test_it_learns_to_take_few_steps_where_more_bring_nothing() -> None:
    chooser, g = StepChooser(2), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(chooser.parameters(), lr=0.01)
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(8, 1)
    for _ in range(300):
        chosen = chooser.choose(features, g)
        steps = torch.tensor(CHOICES)[chosen].float()
        # Clips of the first kind are as good with 4 steps, those of the second need 12.
        rewards = 1 - steps / 20 - 0.8 * ((features[:, 1] > 0) & (steps < 12)).float()
        optimizer.zero_grad()
        chooser.loss(features, chosen, rewards).backward()
        optimizer.step()
    best = chooser(features[:2]).argmax(1)
    assert CHOICES[int(best[0])] < 12 <= CHOICES[int(best[1])]


def test_a_condition_is_told_by_how_its_plan_moves_and_what_its_tensors_hold() -> None:
    policy, curves = Tiny(), torch.rand(2, 5, 4)
    images = torch.rand(2, 3, 8, 8)
    told = pooled(policy.condition(images, curves=curves, frames=5))
    assert told.shape == (2, 7)
    other = pooled(policy.condition(images, curves=0.5 * curves, frames=5))
    assert (told[:, :4] > other[:, :4]).all()
    assert torch.equal(told[:, 4:], other[:, 4:])
