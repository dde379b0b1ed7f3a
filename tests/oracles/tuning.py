"""Rules of tuning, said slowly: a clip at a time, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence


def ppo(ratio: float, advantage: float, eps: float) -> float:
    """Schulman et al. 2017, eq. 7, as a loss."""
    held = min(max(ratio, 1 - eps), 1 + eps)
    return -min(advantage * ratio, advantage * held)


def past_advantage(past: Sequence[float], batch: Sequence[float], reward: float) -> float:
    """DDPO: against the last 32 rewards of the prompt where 16 are known, else against the batch."""
    known = list(past)[-32:] if len(past) >= 16 else list(batch)
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((r - mean) ** 2 for r in known) / len(known))
    return (reward - mean) / (deviation + 1e-4)


def reinforce(
    logits: Sequence[Sequence[float]], chosen: Sequence[int], rewards: Sequence[float], baseline: float
) -> float:
    """−mean (R − baseline) log π(chosen) − 0.01 mean entropy."""
    total = 0.0
    for row, action, reward in zip(logits, chosen, rewards, strict=True):
        low = sum(math.exp(x) for x in row)
        chances = [math.exp(x) / low for x in row]
        entropy = -sum(p * math.log(p) for p in chances)
        total += -(reward - baseline) * math.log(chances[action]) - 0.01 * entropy
    return total / len(rewards)


def diversity(clips: Sequence[Sequence[Sequence[float]]]) -> float:
    """The mean distance of two clips of the same plan; `clips` are plans of clips of features."""
    found = [math.dist(a, b) for plan in clips for i, a in enumerate(plan) for j, b in enumerate(plan) if i != j]
    return sum(found) / len(found)
