"""A generator tuned by rewards for a data set: targets of its own classes and people, one judge to reward, another not.

    adapter.safetensors   what tuning changed, for mimica augment --sampling.adapter
    tuning.jsonl          a row an iteration
    steps.json            how good clips are in few steps, by the judge that rewarded nothing
    tuned.json            what that judge says before and after

N targets, C classes, T frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mimica.checkpoint import put
from mimica.errors import UsageError
from mimica.generation.by_steps import STEPS, by_steps
from mimica.generation.diffusion.backends import open_tuned
from mimica.generation.diffusion.policy import Policy
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.ladder import FPS
from mimica.generation.loop_settings import RewardSettings, TuningSettings
from mimica.generation.plan import plan
from mimica.generation.pool import Pool, targets_from
from mimica.generation.prepared import judge_of, real_clips
from mimica.generation.prompts import Writer
from mimica.generation.quality import Quality, features, quality
from mimica.generation.reinforce.groups import HeldOut
from mimica.generation.reinforce.loop import ADAPTER, Report, Tuned, tune
from mimica.generation.rewards.judge import Judge
from mimica.generation.rewards.sight import load_sight
from mimica.generation.settings import GuidanceSettings, PlanSettings, PromptSettings, SamplingSettings
from mimica.generation.targets import Targets

STEPS_FILE, TUNED_FILE = "steps.json", "tuned.json"
HELD_OUT = 16
"""How many targets are held out to watch tuning by."""
_FIRST, _FIRST_HELD_OUT = 10_000, 20_000
"""Numbers of the first target of each class: far from those of the loop's clips, and from each other."""
_FEW = 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedFor:
    """A tuned generator: its adapter, why tuning stopped if it did by itself, and quality before and after.

    Quality is that of held-out targets, in which `people` are seen.
    """

    adapter: Path
    people: tuple[str, ...]
    stopped: str | None
    before: Quality
    after: Quality

    def sentence(self) -> str:
        """What judges that rewarded nothing say."""
        a, b, gains = self.before.means(), self.after.means(), self.after.gains(self.before, self.people)
        words = {"units": "unit correlation", "right": "share taken for their class", "identity": "identity"}
        said = [f"{word} {a[name]:.3f} before, {b[name]:.3f} after ({gains[name].low:+.3f} to {gains[name].high:+.3f})"
                for name, word in words.items()]  # fmt: skip
        apart = f"clips of one plan differ by {b['diversity'] / a['diversity']:.0%} of before" if a["diversity"] else ""
        return f"By judges that rewarded nothing, of held-out plans: {'; '.join(one for one in (*said, apart) if one)}"


def tune_for(
    spec: str,
    out: Path,
    settings: TuningSettings,
    *,
    sampling: Sampling | None = None,
    rewards: RewardSettings | None = None,
    frames: int = 9,
    number: int = 48,
    hold: float = 0.15,
    steps: Sequence[int] = STEPS,
    device: str = "cpu",
    resume: bool = False,
    report: Report = lambda row: None,
    doing: Callable[[str], None] = lambda what: None,
) -> TunedFor:
    """Tune the generator that `sampling` names on `number` targets of `table:FILE` with unit curves, into `out`.

    `steps` are the numbers of steps that quality is measured for at the end. See `reinforce.loop.tune` for what raises.
    """
    sampling, rewards = sampling or Sampling(), rewards or RewardSettings()
    if sampling.adapter is not None:
        raise UsageError("tuning begins with a generator as it was trained; leave the adapter out")
    doing("opening the generator")
    policy = open_tuned(sampling, device=device)
    doing("reading real clips")
    pool = real_clips(spec, size=policy.size, hold=hold)
    frames, writer = policy.frames(frames), Writer(pool.known, pool.base, PromptSettings(backend=sampling.backend))
    asked = partial(targets_of, pool, frames=frames, seed=sampling.seed, writer=writer)
    ours, theirs = asked(number, first=_FIRST), asked(HELD_OUT, first=_FIRST_HELD_OUT)
    doing("calibrating the judges")
    judge, watched = _judges(pool, theirs, frames, rewards, device)
    how, guidance = sampling.how
    doing("tuning")
    tuned = tune(
        policy, ours, judge, settings, out=out, sampling=how, guidance=guidance, held=watched,
        tail=scarce(pool.counts), resume=resume, report=report,
    )  # fmt: skip
    doing("measuring")
    return _measured(out, policy, tuned, watched, steps, how, guidance)


def _judges(pool: Pool, targets: Targets, frames: int, rewards: RewardSettings, device: str) -> tuple[Judge, HeldOut]:
    """Who rewards, and what tuning is watched by: another judge of these targets."""
    judge = judge_of(pool, load_sight(device=device), frames, rewards)
    other = judge_of(pool, load_sight(which="held-out", device=device), frames, rewards)
    return judge, HeldOut(targets=targets, judge=other, features=lambda clips: features(clips, other))


def _measured(
    out: Path, policy: Policy, tuned: Tuned, watched: HeldOut, steps: Sequence[int], sampling: SamplingSettings,
    guidance: GuidanceSettings,
) -> TunedFor:  # fmt: skip
    """Quality of held-out targets before and after, and by the number of steps, into `out`."""
    targets, judge = watched.targets, watched.judge
    assert isinstance(judge, Judge)
    with tuned.adapter.off():
        before = quality(policy, targets, judge, sampling=sampling, guidance=guidance)
    after = quality(policy, targets, judge, sampling=sampling, guidance=guidance)
    said: dict[str, Any] = {"before": before.means(), "after": after.means(), "of": len(targets)}
    said |= {"stopped": tuned.stopped, "sampling": asdict(sampling), "guidance": asdict(guidance)}
    put(out / TUNED_FILE, json.dumps(said, indent=1).encode())
    if steps:
        rows = by_steps(policy, targets, judge, steps=steps, sampling=sampling, guidance=guidance)
        put(out / STEPS_FILE, json.dumps(rows, indent=1).encode())
    return TunedFor(
        adapter=out / ADAPTER, people=targets.people, stopped=tuned.stopped, before=before, after=after
    )  # fmt: skip


def targets_of(
    pool: Pool, number: int, *, frames: int, seed: int, first: int = 0, writer: Writer | None = None,
    stills: Pool | None = None,
) -> Targets:  # fmt: skip
    """`number` targets of all classes in turn: a function of pool, frames, seed and `first`, the first number of each.

    Plans are by what is known of `pool`; the stills they begin with are those of `stills`, or its own.
    """
    names = pool.train.space.names
    chosen = [(names[i % len(names)], first + i // len(names)) for i in range(number)]
    settings = PlanSettings(frames=frames, fps=FPS, seed=seed)
    plans = [plan(pool.known, label, place, settings=settings) for label, place in chosen]
    begun = [(stills or pool).still(label, place, seed) for label, place in chosen]
    prompts = None if writer is None else [writer(one).prompt.text() for one in plans]
    return targets_from(pool, plans, begun, prompts)


def scarce(counts: Sequence[int]) -> frozenset[int]:
    """Which classes lack clips: those of less than two thirds of what each would have were all alike.

    >>> sorted(scarce([89, 69, 99, 78, 53, 5, 34]))
    [5, 6]
    """
    least = _FEW * sum(counts) / len(counts)
    return frozenset(label for label, clips in enumerate(counts) if clips < least)
