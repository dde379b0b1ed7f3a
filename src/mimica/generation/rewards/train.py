"""Train a sight on drawn actors, measure it on others, and go on where it was stopped.

run/                       state and log
sight-rewarding.safetensors, or sight-held-out.safetensors, when it is whole
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from mimica.data.actor import clips
from mimica.errors import UsageError
from mimica.generation.rewards.learn import SightLearner
from mimica.generation.rewards.measure import measured
from mimica.generation.rewards.practice import LENGTH, Company
from mimica.generation.rewards.settings import SightTraining, Which
from mimica.generation.rewards.sight import Sight, SightConfig
from mimica.training.loop import Data, LoopConfig, Report, train
from mimica.training.processes import processes
from mimica.training.results import made_with

SHAPES: dict[Which, SightConfig] = {
    "rewarding": SightConfig(shape="strided", width=24),
    "held-out": SightConfig(shape="attending", width=24),
}
"""The two that judge have other shapes, so that what fools the one need not fool the other."""
_PEOPLE: dict[Which, int] = {"rewarding": 70_000, "held-out": 80_000}
"""Where their seeds begin: nobody is known to both, nor drawn by a small seed."""
_LIMITS = "learned from drawn actors alone, and judges drawn faces; of people it proves nothing"


def train_sight(
    settings: SightTraining,
    *,
    out: Path,
    which: Which = "rewarding",
    config: SightConfig | None = None,
    resume: bool = False,
    report: Report = lambda row: None,
) -> Path:
    """Train the sight that rewards or the one that is held out; gives its path, `out/sight-….safetensors`.

    It learns from actors of the part train alone, whom only it sees, and at the end is measured on clips of the part
    test. Raises CheckpointError where a state was made with other settings.
    """
    if processes().number > 1:
        raise UsageError("a sight is trained in one process; start it without a launcher")
    config, seed = config or SHAPES[which], _PEOPLE[which] + settings.seed
    torch.manual_seed(seed)
    sight = Sight(config)
    data = Company(
        people=settings.people, clips=settings.clips, frames=settings.frames, again=settings.again,
        batch=settings.batch, size=config.size, seed=seed,
    )  # fmt: skip
    loop = LoopConfig(
        epochs=settings.epochs, batch=settings.batch, lr=settings.lr, weight_decay=0.02,
        warmup=min(1.0, 0.05 * settings.epochs), ema=settings.ema, precision=settings.precision, seed=seed,
        save_every=settings.save_every, ahead=0,
    )  # fmt: skip
    same = {"config": config.facts(), **{n: getattr(data, n) for n in ("people", "clips", "frames", "again")}}
    train(SightLearner(sight), cast("Data", data), loop, out=out / "run", resume=resume, facts=same, report=report)
    path = out / f"sight-{which}.safetensors"
    sight.save(path, {"which": which, **_facts(sight.eval(), settings, seed)})
    return path


def _facts(sight: nn.Module, settings: SightTraining, seed: int) -> Mapping[str, Any]:
    assert isinstance(sight, Sight)
    test = clips(settings.tested, size=sight.config.size, frames=LENGTH, part="test", seed=seed)
    found = measured(sight, test.face.float() / 255, test.units, test.labels, test.identity)
    by_unit = {name: round(r, 3) for name, r in found.pop("by_unit").items()}
    data = {"origin": "the actor, synthetic", "people": settings.epochs * settings.people, "held_out": settings.tested}
    return {
        "trained": settings.facts(), "people_seed": seed, **made_with(1), "data": data, "synthetic": True,
        "metrics": {name: round(value, 4) for name, value in found.items()}, "correlation": by_unit,
        "limits": _LIMITS, "licence": "Apache-2.0; see WEIGHTS_LICENSE.md",
    }  # fmt: skip
