"""What an iteration of tuning teaches the adapter: gradients of the rule's loss, a group and a step at a time.

All of a group's clips are learned from together, as they were made, so that probabilities are the same to the bit
where nothing was learned yet. G clips of a group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mimica.errors import UsageError
from mimica.generation.diffusion.policy import Policy
from mimica.generation.loop_settings import TuningSettings
from mimica.generation.reinforce.adapter import Adapter
from mimica.generation.reinforce.groups import Judging, Made, with_steps
from mimica.generation.reinforce.objectives import HELD, bounded, denoising_loss, on_policy, unbounded
from mimica.generation.sampling import log_prob, step_kl, step_stats
from mimica.generation.settings import GuidanceSettings, SamplingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """How to learn from groups: each method adds gradients to the adapter and gives what to log."""

    policy: Policy
    adapter: Adapter
    judge: Judging
    settings: TuningSettings
    sampling: SamplingSettings
    guidance: GuidanceSettings

    def __call__(
        self, made: Sequence[Made], advantages: Tensor, generator: Generator, *, first: bool
    ) -> dict[str, float]:
        """Gradients by the rule, of groups with advantages [B]; `first` says that nothing was learned of them yet."""
        if self.settings.rule == "draft":
            return self._through_steps(made)
        if self.settings.rule == "bon":
            return self._best(made, generator)
        return self._by_steps(made, list(torch.split(advantages, self.settings.group)), generator, first=first)

    def _by_steps(
        self, made: Sequence[Made], advantages: Sequence[Tensor], generator: Generator, *, first: bool
    ) -> dict[str, float]:
        """From how probable steps are: grpo, ddpo, dpok."""
        taken = [self._steps_of(one, generator) for one in made]
        count = self.settings.group * sum(len(steps) for steps in taken)
        sums = {"loss": 0.0, "kl": 0.0, "clipped": 0.0}
        far = 0.0
        for one, advantage, steps in zip(made, advantages, taken, strict=True):
            for number in steps:
                ratio, kl = self._step(one, number)
                if first:
                    on_policy(ratio)
                far = max(far, float((ratio.detach() - 1).abs().max()))
                clipped = self.settings.rule != "dpok"
                loss = bounded(ratio, advantage, self.settings.clip_range) if clipped else unbounded(ratio, advantage)
                held = loss + self.settings.kl * kl if self.settings.rule in HELD else loss
                (held.sum() / count).backward()  # type: ignore[no-untyped-call]
                outside = (ratio.detach() - 1).abs() > self.settings.clip_range
                for name, value in {"loss": held, "kl": kl, "clipped": outside}.items():
                    sums[name] += float(value.detach().float().sum()) / count
        return {**sums, "ratio_off": far}

    def _steps_of(self, one: Made, generator: Generator) -> list[int]:
        """The steps of a group that are learned from: a share of those with chance."""
        known = sorted(one.trajectory.log_probs)
        number = math.ceil(self.settings.fraction * len(known))
        return sorted(known[i] for i in torch.randperm(len(known), generator=generator)[:number].tolist())

    def _step(self, one: Made, number: int) -> tuple[Tensor, Tensor]:
        """Ratio of probabilities and distance from the model before tuning, [G] each, of one step."""
        way = one.trajectory
        mean, deviation = self._stats(one, number)
        ratio = torch.exp(log_prob(way.latents[number + 1], mean, deviation) - way.log_probs[number])
        with self.adapter.off(), torch.no_grad():
            before, _ = self._stats(one, number)
        return ratio, step_kl(mean, before, deviation)

    def _stats(
        self, one: Made, number: int, latents: Tensor | None = None, chance: bool = True
    ) -> tuple[Tensor, float]:
        way = one.trajectory
        return step_stats(
            self.policy, way.latents[number] if latents is None else latents, number, way.times, one.condition,
            sampling=with_steps(self.sampling, one.steps), guidance=self.guidance, chance=chance,
        )  # fmt: skip

    def _through_steps(self, made: Sequence[Made]) -> dict[str, float]:
        """From the gradient of rewards themselves, back through the last steps: draft.

        Held to the model before tuning by ‖Δ‖²/2 of the clips that both make of the same latents.
        """
        sums = {"loss": 0.0, "kl": 0.0}
        for one in made:
            clean = self._ended(one)
            with self.adapter.off(), torch.no_grad():
                before = self._ended(one)
            clips = self.policy.decode(clean, one.condition)
            total = self.judge(clips, one.targets, asked=one.asked).total(self.judge.settings)
            if not total.requires_grad:
                raise UsageError("these rewards have no gradient, which the rule draft learns from; choose grpo or bon")
            kl = step_kl(clean, before, 1.0)
            loss = (self.settings.kl * kl - total).mean() / len(made)
            loss.backward()  # type: ignore[no-untyped-call]
            sums["loss"] += float(loss.detach())
            sums["kl"] += float(kl.detach().mean()) / len(made)
        return sums

    def _ended(self, one: Made) -> Tensor:
        """Clean latents of a group by its last steps, from the latents before them."""
        start = one.steps - self.settings.last
        latents = one.trajectory.latents[start]
        for number in range(start, one.steps):
            latents, _ = self._stats(one, number, latents, chance=False)
        return latents

    def _best(self, made: Sequence[Made], generator: Generator) -> dict[str, float]:
        """From the best clip of each group that has one that passes, at as many times as there are clips: bon."""
        total = 0.0
        for one in made:
            worth = one.scores.total(self.judge.settings)
            if not bool(one.scores.passed.any()):
                continue
            index = worth.argmax().repeat(self.settings.group)
            condition, clean = one.condition.take(index), one.trajectory.clean[index]
            loss = denoising_loss(self.policy, clean, condition, generator).mean() / len(made)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return {"loss": total}
