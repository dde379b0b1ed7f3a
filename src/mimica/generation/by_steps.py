"""How good clips are that are made in few steps, beside those made in many: what a generator's time is spent for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mimica.generation.diffusion.policy import Policy
from mimica.generation.quality import quality
from mimica.generation.rewards.judge import Judge
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from mimica.generation.targets import Targets

STEPS = (2, 4, 8, 16)


def by_steps(
    policy: Policy,
    targets: Targets,
    judge: Judge,
    *,
    steps: Sequence[int] = STEPS,
    sampling: SamplingSettings | None = None,
    guidance: GuidanceSettings | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """What a judge that rewarded nothing says of clips by the number of steps, from one and the same noise.

    As `steps.json` has it: `rows` of steps, reward, passed, units, identity and seconds a clip, `of` how many clips.
    """
    sampling, guidance = sampling or SamplingSettings(), guidance or GuidanceSettings()
    rows = list[dict[str, float]]()
    for place, number in enumerate(sorted(steps)):
        found = quality(
            policy, targets, judge, sampling=replace(sampling, steps=number), guidance=guidance, each=1, seed=seed
        ).means()  # fmt: skip
        rows.append(
            {"steps": number, **{name: found[name] for name in ("reward", "passed", "units", "identity", "seconds")}}
        )
        progress(place + 1, len(steps))
    return {"rows": rows, "of": len(targets)}
