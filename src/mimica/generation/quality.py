"""How good a generator's clips are, target by target, by a judge that rewarded none of them.

N targets, S clips of each, T frames, A units, H × W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from mimica.generation.diffusion.policy import Policy
from mimica.generation.reinforce.stopping import diversity
from mimica.generation.rewards import terms
from mimica.generation.rewards.judge import Judge
from mimica.generation.sampling import random_at, sample
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from mimica.generation.targets import LEAST_PLANNED, Targets
from mimica.metrics.classification import Interval
from mimica.metrics.correlation import correlations
from mimica.metrics.paired import paired_gain

MEASURED = ("units", "right", "identity", "passed", "reward")
"""What is measured of each target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What clips are worth, [N] each, the mean over the clips of a target: two generators compare target by target.

    `units` is the correlation over time of measured units with the plan, mean over planned units, NaN for a plan
    without any; `right` the share taken for its class; `identity` the likeness to real frames; `passed` the share
    that passes the judge's gates; `reward` its total, −1 for a clip that does not.
    `diversity` is how much clips of one target differ, NaN of one clip each; `seconds` what a clip took.
    """

    units: np.ndarray
    right: np.ndarray
    identity: np.ndarray
    passed: np.ndarray
    reward: np.ndarray
    diversity: float
    seconds: float

    def means(self) -> dict[str, float]:
        """Each as one number."""
        known = {name: float(np.nanmean(getattr(self, name))) for name in MEASURED}
        return known | {"diversity": self.diversity, "seconds": self.seconds}

    def gains(self, before: Quality, people: Sequence[str]) -> dict[str, Interval]:
        """How much larger each is than `before` on the same targets, 95 % interval over the people seen in them."""
        groups = np.unique(np.array(people), return_inverse=True)[1]
        return {name: paired_gain(getattr(self, name), getattr(before, name), groups=groups) for name in MEASURED}


def quality(
    policy: Policy,
    targets: Targets,
    judge: Judge,
    *,
    sampling: SamplingSettings,
    guidance: GuidanceSettings,
    each: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Quality:
    """Make `each` clips of each target, the same noise whenever it is asked, and judge them."""
    rows, apart, seconds = [], [], 0.0
    for place in range(len(targets)):
        own = targets.take([place] * each)
        began = time.monotonic()
        with torch.no_grad():
            clips = _made(policy, own, sampling, guidance, random_at(seed, place))
            seconds += time.monotonic() - began
            rows.append(_judged(clips, own, judge))
            apart.append(features(clips, judge))
        progress(place + 1, len(targets))
    units, right, identity, passed, reward = np.array(rows).T
    return Quality(
        units=units, right=right, identity=identity, passed=passed, reward=reward,
        diversity=diversity(torch.stack(apart)) if each > 1 else float("nan"), seconds=seconds / (len(targets) * each),
    )  # fmt: skip


def _made(
    policy: Policy, targets: Targets, sampling: SamplingSettings, guidance: GuidanceSettings, drawn: Generator
) -> Tensor:
    frames = targets.curves.shape[1]
    condition = policy.condition(targets.images, curves=targets.curves, prompts=targets.prompts, frames=frames)
    noise = policy.noise(condition, drawn)
    return sample(policy, condition, noise, sampling=sampling, guidance=guidance).float().clamp(0, 1)


def _judged(clips: Tensor, targets: Targets, judge: Judge) -> tuple[float, ...]:
    sees = judge.detectors
    assert sees.recogniser is not None
    right = sees.recogniser(clips).argmax(-1).cpu() == targets.labels
    identity = terms.likeness(sees.embed(clips), [sees.pools[person] for person in targets.people])
    scores = judge(clips, targets)
    passed, total = scores.passed.float(), scores.total(judge.settings)
    followed = follows(sees.units(clips).cpu(), targets.curves.cpu())
    return (
        float(followed.mean()),
        float(right.float().mean()),
        float(identity.mean()),
        float(passed.mean()),
        float(total.mean()),
    )


def follows(units: Tensor, curves: Tensor) -> np.ndarray:
    """How far measured units [B, T, A] follow plans over time: correlation, mean over planned units, [B].

    A unit that does not move at all follows nothing, 0; one that is not known counts nowhere. NaN for a plan without
    motion.
    """
    B, T, A = curves.shape
    found, true = (one.numpy().transpose(1, 0, 2).reshape(T, B * A) for one in (units, curves))
    over_time = correlations(found, true).reshape(B, A)
    known = ~np.isnan(units.numpy()).any(1)
    counted = known & (np.ptp(curves.numpy(), axis=1) > 0) & (curves.amax(1) > LEAST_PLANNED).numpy()
    summed = np.where(counted, np.nan_to_num(over_time), 0.0).sum(1)
    number = counted.sum(1)
    return np.asarray(np.where(number > 0, summed / np.maximum(number, 1), np.nan))


def features(clips: Tensor, judge: Judge) -> Tensor:
    """What clips are told apart by [B, D]: what each unit does in each frame, and who each frame looks like."""
    sees = judge.detectors
    return torch.cat([sees.units(clips).nan_to_num().flatten(1), sees.embed(clips).flatten(1)], 1)
