"""Everything that the augmentation loop needs, opened once: real clips, generator, judges, what the encoder sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from mimica import checkpoint
from mimica.data.clipset import space_of
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import VisionTower, freeze
from mimica.errors import UsageError
from mimica.generation.diffusion.backends import open_tuned
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.inspection import Inspector, people_of
from mimica.generation.looks import Looks
from mimica.generation.loop_settings import AugmentSettings, FilterSettings, RewardSettings
from mimica.generation.making import Maker
from mimica.generation.pool import Pool, read_pool
from mimica.generation.prompts import Writer
from mimica.generation.rewards.judge import Judge
from mimica.generation.rewards.judges import judge_on
from mimica.generation.rewards.sight import Sight, load_sight
from mimica.generation.settings import PromptSettings
from mimica.labels import EXPRESSIONS

ENCODER = checkpoint.SHIPPED / "compact.safetensors"
"""The frozen encoder by whose features recall is measured and near-duplicates are found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What makes clips, how the pool's clips look, and what all of it depends on, as JSON."""

    maker: Maker
    looks: Looks
    facts: dict[str, Any]


def prepare(
    spec: str,
    out: Path,
    settings: AugmentSettings,
    *,
    sampling: Sampling | None = None,
    filtering: FilterSettings | None = None,
    prompts: PromptSettings | None = None,
    device: str = "cpu",
    doing: Callable[[str], None] = lambda what: None,
) -> Prepared:
    """Open it all for `table:FILE` with unit curves; `doing` hears what is done now.

    Raises UsageError, InputError or AssetError in one sentence each, before anything is written.
    """
    sampling, filtering = sampling or Sampling(), filtering or FilterSettings()
    doing("opening the generator")
    policy = open_tuned(sampling, device=device)
    doing("reading real clips")
    pool = real_clips(spec, size=policy.size, hold=settings.hold)
    doing("looking at real clips")
    vision = eyes()
    looks = Looks.of(vision, pool.train.frames)
    doing("calibrating the judges")
    frames = policy.frames(settings.frames)
    judge = judge_of(pool, load_sight(), frames)
    inspector = Inspector(pool, looks, sight=load_sight(which="held-out"), judge=judge, vision=vision)
    how, guidance = sampling.how
    maker = Maker(
        out=out, pool=pool, policy=policy, state=policy.state(), inspector=inspector,
        writer=Writer(pool.known, pool.base, prompts or PromptSettings(backend=sampling.backend)),
        sampling=how, guidance=guidance, filter=filtering, frames=frames, seed=sampling.seed,
    )  # fmt: skip
    stated = {
        "data": dict(pool.train.manifest), "hold": settings.hold, "size": policy.size, "seed": sampling.seed,
        "generator": maker.state, "sampling": asdict(how), "guidance": asdict(guidance),
        "filter": asdict(filtering), "prompts": _of_prompts(maker.writer.settings),
    }  # fmt: skip
    return Prepared(maker=maker, looks=looks, facts=stated)


def eyes() -> VisionTower:
    """The frozen encoder that looks at clips; nothing is read here, so that no text tower is needed."""
    return cast("VisionTower", freeze(load_encoder(ENCODER)[0]))


def real_clips(spec: str, *, size: int, hold: float) -> Pool:
    """The pool of data whose classes the judges know. Raises UsageError for others; see `read_pool`."""
    if (names := space_of(spec).names) != EXPRESSIONS.names:
        raise UsageError(
            f"{spec} has the classes {', '.join(names)}; the judges of generated clips know "
            f"{', '.join(EXPRESSIONS.names)}, in this order, alone"
        )
    return read_pool(spec, size=size, hold=hold)


def judge_of(pool: Pool, sight: Sight, frames: int, settings: RewardSettings | None = None) -> Judge:
    """A judge calibrated on clips of the pool, that knows everyone in it."""
    clips, targets = pool.targets(frames)
    judge = judge_on(clips, targets, sight=sight, settings=settings)
    return replace(judge, detectors=replace(judge.detectors, pools=people_of(pool, sight)))


def _of_prompts(settings: PromptSettings) -> dict[str, Any]:
    kept = ("backend", "language_model", "samples", "retries")
    return {name: getattr(settings, name) for name in kept}
