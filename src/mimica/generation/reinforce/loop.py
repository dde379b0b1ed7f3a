"""Tuning a generator by rewards, to be read from top to bottom. G clips of a group.

In each iteration clips are made for some stills with their plans, a group of each from one and the same noise; judges
say what they are worth; the adapter learns from that by one of the rules of `objectives`. Everything random is a
function of (seed, iteration, group), and the state is saved whole: a run that was killed goes on to the very bytes of
one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mimica.errors import UsageError
from mimica.generation.diffusion.policy import Condition, Policy
from mimica.generation.loop_settings import TuningSettings
from mimica.generation.reinforce.adapter import Adapter
from mimica.generation.reinforce.groups import HeldOut, Judging, Made, with_steps
from mimica.generation.reinforce.learn import Lesson
from mimica.generation.reinforce.objectives import PastRewards, less_group
from mimica.generation.reinforce.state import TuningState
from mimica.generation.reinforce.steps import CHOICES, StepChooser, pooled
from mimica.generation.reinforce.stopping import Watch, diversity
from mimica.generation.rewards.advantage import advantages
from mimica.generation.rewards.judge import Scores
from mimica.generation.sampling import random_at, rollout, sample, window_at
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from mimica.generation.targets import Targets
from mimica.training import log
from mimica.training.average import Average

Report = Callable[[Mapping[str, Any]], None]
STATE, LOG, ADAPTER = "tuning.state", "tuning.jsonl", "adapter.safetensors"
_CHOOSER_LR = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """How tuning ended: after how many iterations, why if it stopped by itself, and the adapter, which is in place."""

    iterations: int
    stopped: str | None
    adapter: Adapter
    chooser: StepChooser | None


def tune(
    policy: Policy,
    targets: Targets,
    judge: Judging,
    settings: TuningSettings,
    *,
    out: Path,
    sampling: SamplingSettings | None = None,
    guidance: GuidanceSettings | None = None,
    held: HeldOut | None = None,
    tail: frozenset[int] = frozenset(),
    resume: bool = False,
    report: Report = lambda row: None,
) -> Tuned:
    """Tune a generator in place by an adapter, which holds the averaged weights at the end.

    `tail` are the labels of scarce classes. Writes `out/tuning.jsonl`, a row an iteration, `out/adapter.safetensors`
    and its state; with `resume` an earlier run in `out` goes on. Raises OffPolicy where the generator does not do the
    same twice, UsageError where rewards have no gradient that the rule draft needs.
    """
    if not len(targets) or (held is not None and (not len(held.targets) or held.each < 2)):
        raise UsageError("tuning needs a target or more, and held-out clips two of each target")
    run = _run(policy, targets, judge, settings, sampling, guidance, held, tail)
    state = TuningState(
        path=out / STATE, module=run.module, optimizer=run.optimizer, average=run.average, past=run.past,
        watch=run.watch, settings=run.depends_on(),
    )  # fmt: skip
    done, stopped = state.restore() if resume else (0, None)
    if not done:
        state.path.unlink(missing_ok=True)
    log.cut(out / LOG, "iteration", done)
    done, stopped = _iterations(run, state, done, stopped, out / LOG, report)
    run.average.settle()
    run.adapter.save(out / ADAPTER, generator=run.before, tuning=asdict(settings), iterations=done, stopped=stopped)
    return Tuned(iterations=done, stopped=stopped, adapter=run.adapter, chooser=run.chooser)


def _iterations(
    run: _Run, state: TuningState, done: int, stopped: str | None, path: Path, report: Report
) -> tuple[int, str | None]:
    """What is left to do of a run; gives how many iterations are done then, and why it stopped if it did."""
    settings = run.settings
    while done < settings.iterations and not stopped:
        row: dict[str, Any] = {"iteration": done, **run.evaluation(done)}
        stopped = run.watch.reason()
        if not stopped:
            row |= run.iteration(done)
            stopped = run.watch.reason(row.get("kl", 0.0))
        done += 1
        # In this order: what was logged but not saved is made and logged again, never the other way round.
        log.append(path, row | ({"stopped": stopped} if stopped else {}), digits=6)
        if stopped or done % settings.save_every == 0 or done == settings.iterations:
            state.save(done, stopped)
        report(row)
    if last := run.evaluation(done, last=True):
        # The state is from before it: a run that is given more iterations judges these clips again in its turn.
        log.append(path, {"iteration": done, **last}, digits=6)
        report({"iteration": done, **last})
    return done, stopped


def _run(
    policy: Policy, targets: Targets, judge: Judging, settings: TuningSettings, sampling: SamplingSettings | None,
    guidance: GuidanceSettings | None, held: HeldOut | None, tail: frozenset[int],
) -> _Run:  # fmt: skip
    """Everything that a run needs, at its beginning."""
    policy.network.eval()
    layers, before = policy.lora_targets, policy.state()
    adapter = Adapter(policy.network, layers, rank=settings.rank, alpha=settings.alpha, seed=settings.seed)
    module, chooser = nn.ModuleDict({"network": adapter.module}), None
    groups: list[dict[str, Any]] = [{"params": [p for p in adapter.module.parameters() if p.requires_grad]}]
    if settings.choose_steps:
        first = targets.take([0])
        seen = policy.condition(first.images, curves=first.curves, prompts=first.prompts, frames=first.curves.shape[1])
        chooser = StepChooser(pooled(seen).shape[1], seed=settings.seed).to(first.images.device)
        module["steps"] = chooser
        groups.append({"params": list(chooser.parameters()), "lr": _CHOOSER_LR, "weight_decay": 0.0})
    sampling, guidance = sampling or SamplingSettings(), guidance or GuidanceSettings()
    return _Run(
        policy=policy, targets=targets, judge=judge, settings=settings, sampling=sampling, guidance=guidance, held=held,
        tail=tail, before=before, adapter=adapter, chooser=chooser, module=module,
        lesson=Lesson(
            policy=policy, adapter=adapter, judge=judge, settings=settings, sampling=sampling, guidance=guidance
        ),
        optimizer=torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay),
        average=Average(module, settings.ema), past=PastRewards(), watch=Watch(settings),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    policy: Policy
    targets: Targets
    judge: Judging
    settings: TuningSettings
    sampling: SamplingSettings
    guidance: GuidanceSettings
    held: HeldOut | None
    tail: frozenset[int]
    before: dict[str, Any]
    adapter: Adapter
    chooser: StepChooser | None
    lesson: Lesson
    module: nn.ModuleDict
    optimizer: torch.optim.Optimizer
    average: Average
    past: PastRewards
    watch: Watch

    def depends_on(self) -> dict[str, Any]:
        """What the result depends on, as JSON; how often it is saved is no part of it."""
        said = {
            name: value for name, value in asdict(self.settings).items() if name not in ("save_every", "iterations")
        }
        return {
            **said, "sampling": asdict(self.sampling), "guidance": asdict(self.guidance),
            "rewards": asdict(self.judge.settings), "generator": self.before, "tail": sorted(self.tail),
            "targets": _digest(self.targets), "held out": None if self.held is None else _digest(self.held.targets),
        }  # fmt: skip

    def iteration(self, number: int) -> dict[str, Any]:
        """Make clips, judge them, learn from them; gives the row of the log."""
        made = [self._made(number, group, place) for group, place in enumerate(self._chosen(number))]
        scores = Scores.joined([one.scores for one in made])
        totals = scores.total(self.judge.settings).detach()
        advantage = self._advantages(made, scores, totals)
        row: dict[str, Any] = {
            "reward": _mean(totals), "passed": _mean(scores.passed.float()),
            **{f"reward_{name}": _mean(value) for name, value in scores.rewards.items()},
            "advantage": _mean(advantage.abs()), "best": float(totals.max()),
            "steps": sum(one.steps for one in made) / len(made),
        }  # fmt: skip
        for update in range(self.settings.updates):
            self.optimizer.zero_grad()
            told = self.lesson(made, advantage, random_at(self.settings.seed, number, 2, update), first=update == 0)
            if update == 0:
                self._learn_steps(made, totals)
            norm = torch.nn.utils.clip_grad_norm_(self._tuned(), self.settings.max_norm)
            if not bool(norm.isfinite()):
                raise UsageError(f"the gradient became {float(norm)} in iteration {number}; tune with a smaller lr")
            self.optimizer.step()
            self.average.follow(number * self.settings.updates + update)
            # Of several updates the ratio of the first is 1; the last is what says how far they went.
            row |= {**told, "norm": float(norm)}
        return row

    def evaluation(self, number: int, *, last: bool = False) -> dict[str, float]:
        """What judges say of held-out clips before an iteration: before the first, of the model as it was."""
        held, every = self.held, self.settings.evaluate_every
        if held is None or not every or (number % every and not last):
            return {}
        each = held.targets.take([i for i in range(len(held.targets)) for _ in range(held.each)])
        with self.average.shown(), torch.no_grad():
            # A target at a time, as clips of a large generator fill the memory.
            parts = [self._sampled(each.take(range(i, i + held.each)), i) for i in range(0, len(each), held.each)]
            clips = torch.cat(parts)
            rewarding, heldout = (_mean(one(clips, each).total(one.settings)) for one in (self.judge, held.judge))
        apart = diversity(held.features(clips).view(len(held.targets), held.each, -1))
        self.watch.evaluated(rewarding, heldout, apart)
        return {"rewarding": rewarding, "held_out": heldout, "diversity": apart}

    def _sampled(self, targets: Targets, place: int) -> Tensor:
        """Held-out clips of a target, of the same noise whenever they are made."""
        condition = self._condition(targets)
        noise = self.policy.noise(condition, random_at(self.settings.seed, 0, 3, place))
        return sample(self.policy, condition, noise, sampling=self.sampling, guidance=self.guidance)

    def _chosen(self, number: int) -> list[int]:
        """The places of the targets of an iteration, each once as long as there are enough."""
        order = torch.randperm(len(self.targets), generator=random_at(self.settings.seed, number, 0)).tolist()
        return [order[i % len(order)] for i in range(self.settings.groups)]

    def _made(self, number: int, group: int, place: int) -> Made:
        """A group of clips from one noise, and what judges say of them."""
        settings, chance = self.settings, random_at(self.settings.seed, number, 1, group)
        target = self.targets.take([place])
        one = self._condition(target)
        choice = None
        if self.chooser is not None:
            choice = int(self.chooser.choose(pooled(one), chance)[0])
        steps = settings.steps[int(torch.randint(len(settings.steps), (1,), generator=chance))]
        steps = steps if choice is None else CHOICES[choice]
        condition = one.take(torch.zeros(settings.group, dtype=torch.long))
        # Steps that draft goes back through have no chance: of one noise its clips would be one and the same.
        drawn = window_at(number, self.sampling, steps) if settings.rule != "draft" else ()
        noise = self.policy.noise(one if drawn else condition, chance).expand(settings.group, -1, -1, -1, -1)
        trajectory = rollout(
            self.policy, condition, noise, sampling=with_steps(self.sampling, steps), guidance=self.guidance,
            chance=drawn, generator=chance,
        )  # fmt: skip
        asked = torch.full((settings.group,), steps * self.guidance.passes)
        same = self.targets.take([place] * settings.group)
        with torch.no_grad():
            scores = self.judge(self.policy.decode(trajectory.clean, condition), same, asked=asked)
        return Made(
            place=place, targets=same, condition=condition, trajectory=trajectory, scores=scores, asked=asked,
            steps=steps, choice=choice,
        )  # fmt: skip

    def _advantages(self, made: list[Made], scores: Scores, totals: Tensor) -> Tensor:
        """Advantages of all clips by the rule."""
        G = self.settings.group
        groups = torch.arange(len(made), device=totals.device).repeat_interleave(G)
        if self.settings.rule == "ddpo":
            keys = [str(one.place) for one in made for _ in range(G)]
            bound = self.judge.settings.bound
            return self.past.advantages(keys, totals).clamp(-bound, bound)
        if self.settings.rule == "dpok":
            return less_group(totals, groups)
        labels = [int(self.targets.labels[one.place]) for one in made for _ in range(G)]
        tail = torch.tensor([label in self.tail for label in labels], device=totals.device)
        return advantages(scores, groups, self.judge.settings, tail=tail)

    def _learn_steps(self, made: list[Made], totals: Tensor) -> None:
        if self.chooser is not None:
            features = torch.cat([pooled(one.condition)[:1] for one in made])
            chosen = torch.tensor([one.choice for one in made])
            self.chooser.loss(features, chosen, totals.view(len(made), -1).mean(1)).backward()  # type: ignore[no-untyped-call]

    def _tuned(self) -> list[Tensor]:
        return list(self.optimizer.param_groups[0]["params"])

    def _condition(self, targets: Targets) -> Condition:
        with torch.no_grad():
            return self.policy.condition(
                targets.images, curves=targets.curves, prompts=targets.prompts, frames=targets.curves.shape[1]
            )


def _digest(targets: Targets) -> str:
    """What tells targets from others."""
    parts = (targets.images, targets.curves, targets.labels)
    told = b"".join(part.detach().cpu().contiguous().numpy().tobytes() for part in parts)
    return hashlib.sha256(told + repr((targets.people, targets.prompts)).encode()).hexdigest()


def _mean(values: Tensor) -> float:
    return float(values.float().mean())
