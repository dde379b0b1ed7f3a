"""Groups of clips that tuning learns from, and who says what they are worth. G clips of a group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from mimica.generation.diffusion.policy import Condition
from mimica.generation.loop_settings import RewardSettings
from mimica.generation.rewards.judge import Scores, Sees
from mimica.generation.sampling import Trajectory
from mimica.generation.settings import SamplingSettings
from mimica.generation.targets import Targets


class Judging(Protocol):
    """Whoever says what clips are worth, such as `rewards.judge.Judge`."""

    @property
    def settings(self) -> RewardSettings:
        """How rewards are weighed."""

    def __call__(self, clips: Tensor, targets: Targets, *, asked: Tensor | None = None) -> Scores:
        """Scores of clips [B, T, 3, H, W] for targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What tuning is watched by: targets and a judge that reward nothing, and features [B, D] of clips to tell them by.

    `each` clips are made of each target, without chance after the first noise.
    """

    targets: Targets
    judge: Judging
    features: Sees
    each: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A group: which target, its condition, how its clips came about, what they are worth, how many steps they took.

    `targets` are that target G times; `choice` is the place of its number of steps where it was chosen by a policy.
    """

    place: int
    targets: Targets
    condition: Condition
    trajectory: Trajectory
    scores: Scores
    asked: Tensor
    steps: int
    choice: int | None


def with_steps(sampling: SamplingSettings, steps: int) -> SamplingSettings:
    """The same sampling in so many steps; which of them have chance is said beside it."""
    return replace(sampling, steps=steps, window=0)
