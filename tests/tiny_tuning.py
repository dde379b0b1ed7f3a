"""Tuning runs small enough for tests: a tiny policy, and judges that are formulas of pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mimica.generation.loop_settings import RewardSettings, TuningSettings
from mimica.generation.reinforce.groups import HeldOut
from mimica.generation.reinforce.loop import Tuned, tune
from mimica.generation.rewards.judge import Scores
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from mimica.generation.targets import Targets
from tiny_policy import Kind, Tiny

SETTINGS = TuningSettings(
    iterations=4, groups=2, group=4, steps=(3, 4), lr=3e-2, rank=4, alpha=4, evaluate_every=2, kl=0.01, most_kl=50.0
)
SAMPLING = SamplingSettings(steps=4)
PLAIN = GuidanceSettings(weight=1)


@dataclass(frozen=True)
class Bright:
    """Rewards clips whose red is this bright, and that are as dark in blue; some do not pass."""

    red: float = 0.7
    settings: RewardSettings = field(default_factory=RewardSettings)
    passes: bool = True

    def __call__(self, clips: Tensor, targets: Targets, *, asked: Tensor | None = None) -> Scores:
        colours = clips.mean((1, 3, 4))
        rewards = {
            "units": 1 - (colours[:, 0] - self.red).abs(),
            "identity": 1 - (colours[:, 2] - 1 + self.red).abs(),
        }
        if asked is not None:
            rewards["efficiency"] = 1 - asked / 20
        return Scores(rewards=rewards, passed=torch.full((len(clips),), self.passes))


def wanted(number: int = 3, *, seed: int = 0) -> Targets:
    g = torch.Generator().manual_seed(seed)
    return Targets(
        images=0.3 + 0.4 * torch.rand(number, 3, 8, 8, generator=g), curves=torch.rand(number, 3, 4, generator=g),
        labels=torch.arange(number) % 3, people=tuple(f"p{i}" for i in range(number)),
    )  # fmt: skip


def held_out(**changed: Any) -> HeldOut:
    return HeldOut(targets=wanted(2, seed=9), judge=Bright(**changed), features=lambda clips: clips.flatten(1))


def tuned(
    out: Path, settings: TuningSettings = SETTINGS, *, kind: Kind = "flow", judge: Any = None, **how: Any
) -> tuple[Tiny, Tuned]:
    """A tiny policy after tuning, and how it went."""
    policy = Tiny(kind)
    given = {"sampling": SAMPLING, "guidance": PLAIN, "held": held_out()} | how
    return policy, tune(policy, wanted(), judge or Bright(), settings, out=out, **given)


def weights(policy: Tiny) -> bytes:
    """Every bit of a policy's network, its adapter among them."""
    return b"".join(value.detach().numpy().tobytes() for _, value in sorted(policy.network.state_dict().items()))
