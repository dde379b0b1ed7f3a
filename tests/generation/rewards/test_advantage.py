from __future__ import annotations

import pytest
import torch

from mimica.generation.loop_settings import REWARDS, RewardSettings
from mimica.generation.rewards.advantage import advantages, centred
from mimica.generation.rewards.judge import Scores
from oracles import rewards as slow


def some(seed: int, clips: int = 12) -> tuple[Scores, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    rewards = {name: torch.rand(clips, generator=g) for name in REWARDS}
    passed = torch.rand(clips, generator=g) > 0.2
    return Scores(rewards=rewards, passed=passed), torch.arange(clips) // 4, torch.rand(clips, generator=g) > 0.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_advantages_are_each_rewards_own_within_groups_then_weighed(seed: int) -> None:
    scores, groups, tail = some(seed)
    settings = RewardSettings(bound=1.0)
    found = advantages(scores, groups, settings, tail=tail)
    expected = slow.advantages(
        {name: value.tolist() for name, value in scores.rewards.items()}, scores.passed.tolist(), groups.tolist(),
        settings.weights(), tail.tolist(), settings.tail_weight, settings.bound,
    )  # fmt: skip
    assert found.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert found.abs().max() == 1.0, "the bound is reached here"


def test_a_reward_rules_no_more_because_it_is_spread_more() -> None:
    scores, groups, _ = some(0)
    wide = Scores(
        rewards=dict(scores.rewards, natural=100 * scores.rewards["natural"] + 3), passed=scores.passed | True
    )
    plain = Scores(rewards=scores.rewards, passed=scores.passed | True)
    first, second = (advantages(one, groups, RewardSettings()) for one in (plain, wide))
    assert torch.allclose(first, second, atol=2e-3)


def test_a_group_that_is_all_alike_has_no_advantage() -> None:
    rewards = {"units": torch.tensor([0.3, 0.3, 0.1, 0.9]), "identity": torch.full((4,), 0.5)}
    found = advantages(
        Scores(rewards=rewards, passed=torch.ones(4).bool()), torch.tensor([0, 0, 1, 1]), RewardSettings()
    )
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] < 0 < found[3]


def test_groups_need_not_be_numbered_from_zero_or_in_order() -> None:
    assert centred(torch.tensor([1.0, 5.0, 3.0, 7.0]), torch.tensor([9, 2, 9, 2])).tolist() == [-1, -1, 1, 1]
