"""Rewards made into advantages: how much better a clip is than others of its group. B clips in groups."""

from __future__ import annotations

import torch
from torch import Tensor

from mimica.generation.loop_settings import RewardSettings
from mimica.generation.rewards.judge import Scores

OF_EXPRESSION = ("units", "expression", "natural")
"""The rewards that count more in scarce classes."""
_LEAST = 1e-4


def advantages(scores: Scores, groups: Tensor, settings: RewardSettings, *, tail: Tensor | None = None) -> Tensor:
    """Advantages [B] of clips in groups [B]: Σ λ (R − mean of its group) / (deviation of the batch + 1e-4), bounded.

    Each reward is brought to its own scale before they are weighed, so that none rules by its spread. The deviation is
    that of the whole batch: a group that is all alike is not blown up (Flow-GRPO's global one). A clip that does not
    pass has −1 for every reward. `tail` [B] says which are of scarce classes.
    """
    found = torch.zeros(len(groups), dtype=torch.float32, device=groups.device)
    for name, weight in settings.weights().items():
        if name not in scores.rewards or not weight:
            continue
        reward = torch.where(scores.passed, scores.rewards[name].float(), -1.0)
        more = settings.tail_weight if name in OF_EXPRESSION else 1.0
        by = weight if tail is None else weight * torch.where(tail, more, 1.0)
        found = found + by * centred(reward, groups) / (reward.std(correction=0) + _LEAST)
    return found.clamp(-settings.bound, settings.bound)


def centred(values: Tensor, groups: Tensor) -> Tensor:
    """Values [B] less the mean of their group."""
    same = (groups[:, None] == groups).to(values)
    return values - same @ values / same.sum(1)
