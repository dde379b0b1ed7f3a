"""Sampling clips from a policy step by step, with chance whose probability is known exactly.

B clips, F frames of latents, C channels, h × w places, K steps. Time runs from 1 (noise) to 0 (clip).
A step with chance is a normal distribution around a mean, with one deviation for all of its latents. Its mean holds
all that guidance does, so that probabilities are exact with guidance too. The last step has no chance.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from mimica.generation.diffusion.policy import Condition, Policy
from mimica.generation.guidance import clean_of, guided, signal
from mimica.generation.settings import GuidanceSettings, SamplingSettings

LATEST = 0.96
"""The latest time at which the noise of the first step is taken, as at time 1 it would have no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """How clips came out of noise: latents at all times, and how probable each step with chance was.

    `latents` are K + 1 of [B, F, C, h, w], `times` [K + 1] from 1 to 0, `log_probs` [B] by the number of the step.
    """

    latents: tuple[Tensor, ...]
    times: Tensor
    log_probs: dict[int, Tensor]

    @property
    def clean(self) -> Tensor:
        """The latents of the clips, [B, F, C, h, w]."""
        return self.latents[-1]


def grid(steps: int, shift: float = 1.0) -> Tensor:
    """Times from 1 to 0, [K + 1]; a shift above 1 moves them toward noise: t ← st / (1 + (s − 1)t).

    Esser et al. 2024 (arXiv 2403.03206), eq. 23.

    >>> grid(4).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    even = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    return (shift * even / (1 + (shift - 1) * even)).float()


def times_of(policy: Policy, sampling: SamplingSettings) -> Tensor:
    """The times of the steps of a policy, [K + 1]; those of a model of noise are even, its ᾱ has the rest."""
    shift = policy.shift if sampling.shift is None else sampling.shift
    return grid(sampling.steps, shift if policy.kind == "flow" else 1.0)


def window_at(iteration: int, settings: SamplingSettings, steps: int | None = None) -> tuple[int, ...]:
    """The steps that have chance in an iteration of tuning: all but the last, or a window that moves on.

    Mixed sampling of MixGRPO (arXiv 2507.21802): the window starts at the noise and begins anew at the end.

    >>> window_at(30, SamplingSettings(steps=8, window=4, window_every=25))
    (1, 2, 3, 4)
    """
    last = (settings.steps if steps is None else steps) - 1
    if not settings.window or settings.window >= last:
        return tuple(range(last))
    start = iteration // settings.window_every % (last - settings.window + 1)
    return tuple(range(start, start + settings.window))


def step_stats(
    policy: Policy,
    latents: Tensor,
    number: int,
    times: Tensor,
    condition: Condition,
    *,
    sampling: SamplingSettings,
    guidance: GuidanceSettings,
    chance: bool = True,
) -> tuple[Tensor, float]:
    """Mean [B, F, C, h, w] and deviation of the latents after a step, given those before it; fp32.

    Without chance, and in the last step, the deviation is 0 and the mean is where the step leads.
    """
    now, then = float(times[number]), float(times[number + 1])
    predicted = guided(policy, latents, now, condition, guidance)
    latents = latents.float()
    chance = chance and number + 2 < len(times)
    if policy.kind == "flow" and (sampling.scheme == "sde" or not chance):
        capped = now if now < 1 else min(float(times[1]), LATEST)
        return flow_step(latents, predicted, now, then, noise=sampling.noise if chance else 0.0, capped=capped)
    (a, b), (a_next, b_next) = signal(policy, now), signal(policy, then)
    # Song et al. 2020 (arXiv 2010.02502), eq. 16, for any shares: √(1 − ᾱ/ᾱ′) where they are √ᾱ and √(1 − ᾱ).
    fresh = math.sqrt(max(0.0, b**2 - (a / a_next * b_next) ** 2))
    deviation = sampling.noise * b_next / b * fresh if chance else 0.0
    clean = clean_of(policy, latents, predicted, now)
    noise = (latents - a * clean) / b
    return a_next * clean + math.sqrt(max(0.0, b_next**2 - deviation**2)) * noise, deviation


def flow_step(
    latents: Tensor, velocity: Tensor, now: float, then: float, *, noise: float, capped: float
) -> tuple[Tensor, float]:
    """One step of Euler along a flow's stochastic equation: mean and deviation; with no noise, along its plain one.

    σ = a√(t/(1−t)); mean = z(1 + σ²/(2t) dt) + v(1 + σ²(1−t)/(2t)) dt; deviation σ√(−dt). Flow-GRPO
    (arXiv 2505.05470), eq. 9. `capped` stands for t in 1 − t alone.
    """
    passed = then - now
    spread = noise**2 * now / (1 - capped) if noise else 0.0
    mean = latents * (1 + spread / (2 * now) * passed) + velocity * (1 + spread * (1 - now) / (2 * now)) * passed
    return mean, math.sqrt(spread * -passed)


def log_prob(after: Tensor, mean: Tensor, deviation: float) -> Tensor:
    """How probable latents are after a step, [B]: the mean over their dimensions of the normal log-density, fp32.

    The mean, not the sum, as in DDPO (kvablack/ddpo-pytorch): ratios then do not depend on the size of clips.
    """
    squares = (after.float() - mean.float()).square() / (2 * deviation**2)
    return -squares.flatten(1).mean(1) - math.log(deviation) - 0.5 * math.log(2 * math.pi)


def step_kl(mean: Tensor, other: Tensor, deviation: float) -> Tensor:
    """How far a step leads from where another model's would, [B]: mean over dimensions of ‖Δ‖² / (2 deviation²)."""
    return (mean.float() - other.float()).square().flatten(1).mean(1) / (2 * deviation**2)


def random_at(seed: int, *place: int) -> Generator:
    """Random numbers that are a function of a seed and a place in a run, so that it can be gone on with anywhere."""
    mixed = np.random.SeedSequence((seed % 2**64, *place)).generate_state(1)[0]
    return Generator().manual_seed(int(mixed))


def rollout(
    policy: Policy,
    condition: Condition,
    noise: Tensor,
    *,
    sampling: SamplingSettings,
    guidance: GuidanceSettings,
    chance: Collection[int] = (),
    generator: Generator | None = None,
    gradient_from: int | None = None,
) -> Trajectory:
    """Clips out of noise [B, F, C, h, w], with chance in these steps; gradients from step `gradient_from` on, or none.

    The same generator gives the same clips to the bit. Chance is drawn on the generator's own device.
    """
    times = times_of(policy, sampling)
    latents, log_probs = [noise.float() * sampling.temperature], dict[int, Tensor]()
    for number in range(sampling.steps):
        with torch.set_grad_enabled(gradient_from is not None and number >= gradient_from):
            mean, deviation = step_stats(
                policy, latents[-1], number, times, condition,
                sampling=sampling, guidance=guidance, chance=number in chance,
            )  # fmt: skip
            after = mean
            if deviation > 0:
                after = mean + deviation * _drawn(mean, generator)
                log_probs[number] = log_prob(after.detach(), mean, deviation)
            latents.append(after)
    return Trajectory(latents=tuple(latents), times=times, log_probs=log_probs)


def _drawn(like: Tensor, generator: Generator | None) -> Tensor:
    where = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, device=where).to(like.device)


def sample(
    policy: Policy,
    condition: Condition,
    noise: Tensor,
    *,
    sampling: SamplingSettings | None = None,
    guidance: GuidanceSettings | None = None,
) -> Tensor:
    """Clips [B, T, 3, H, W] in 0 to 1 out of noise, without chance and without gradients."""
    made = rollout(
        policy, condition, noise, sampling=sampling or SamplingSettings(), guidance=guidance or GuidanceSettings()
    )
    with torch.no_grad():
        return policy.decode(made.clean, condition)


def chunks(frames: int, chunk: int) -> list[tuple[int, int]]:
    """Where the parts of a long clip begin and end; each begins with the last frame of the one before.

    >>> chunks(20, 9)
    [(0, 9), (8, 17), (11, 20)]
    """
    if frames <= chunk:
        return [(0, frames)]
    starts = list(range(0, frames - chunk, chunk - 1))
    return [(start, start + chunk) for start in starts] + [(frames - chunk, frames)]


def sample_long(
    policy: Policy,
    image: Tensor,
    curves: Tensor,
    *,
    chunk: int,
    prompts: Sequence[str] | None = None,
    sampling: SamplingSettings | None = None,
    guidance: GuidanceSettings | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Clips [B, T, 3, H, W] of any length, from stills [B, 3, H, W] and plans [B, T, A], made part by part.

    Each part begins with a frame of the one before as its still. Faces may drift from part to part: compare their
    identity with the still's.
    """
    chunk = min(policy.frames(chunk), curves.shape[1])
    made: list[Tensor] = []
    for start, end in chunks(curves.shape[1], chunk):
        have = torch.cat(made, 1) if made else image[:, None]
        still = have[:, start if made else 0]
        condition = policy.condition(still, curves=curves[:, start:end], prompts=prompts, frames=end - start)
        clip = sample(policy, condition, policy.noise(condition, generator), sampling=sampling, guidance=guidance)
        made.append(clip[:, have.shape[1] - start if made else 0 :])
    return torch.cat(made, 1)
