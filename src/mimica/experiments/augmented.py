"""Whether an augmentation helps a recogniser: the loop is run for every arm, each is trained, all are measured alike.

mimica augment table   all arms, to be gone on with where it was stopped
mimica augment demo    three arms on drawn clips
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mimica.checkpoint import put
from mimica.data.clipset import ClipSet, items, load, load_held, space_of
from mimica.data.generated import load_generated
from mimica.encoders.named import open_encoder
from mimica.errors import UsageError, unknown
from mimica.experiments.ablate import Split
from mimica.experiments.arms import Arm, Comparison, compare
from mimica.generation.arms import LEFT, Left, tables_of
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.loop_settings import AugmentSettings, FilterSettings, TuningSettings
from mimica.generation.prepared import prepare
from mimica.generation.report import write_report
from mimica.training.recipes import Training
from mimica.training.results import made_with

NONE, BALANCED, ADJUSTED, FULL = "none", "class-balanced sampling", "logit adjustment", "full"
ARMS = (NONE, BALANCED, ADJUSTED, *LEFT)
"""Every arm: without generated clips, and with them as the loop makes them, whole or less one part."""
TABLE, RUNS = "table.json", "arms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is compared: arms, seeds, the scarce classes whose recall is asked for (the two of fewest clips if none)."""

    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2)
    tail: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for arm in self.arms:
            if arm not in ARMS:
                raise unknown("arm", arm, ARMS)
        if not {FULL, BALANCED} <= set(self.arms) or not self.seeds:
            raise UsageError(f"a verdict needs the arms {BALANCED} and {FULL}, and a seed or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Who is told how it goes: `doing` what is done now, `progress` of clips, `told` sentences that stay."""

    doing: Callable[[str], None] = lambda what: None
    progress: Callable[[int, int], None] = lambda done, total: None
    told: Callable[[str], None] = lambda sentence: None


def compare_arms(
    spec: str,
    out: Path,
    recipe: Training,
    asked: Asked,
    *,
    settings: AugmentSettings,
    sampling: Sampling | None = None,
    filtering: FilterSettings | None = None,
    heard: Heard | None = None,
) -> Comparison:
    """Run the loop over `table:FILE` for every arm, train each arm with each seed, and measure on its part test.

    Writes what the loop writes, `table.json`, `report.html`, and each model in `arms/`. Whatever lies finished there is
    not done again. Raises UsageError for data without a part to test on.
    """
    heard, sampling = heard or Heard(), sampling or Sampling()
    _refuse(spec, asked)
    encoder = open_encoder(recipe.encoder)
    ready = prepare(spec, out, settings, sampling=sampling, filtering=filtering, doing=heard.doing)
    tables = tables_of(
        ready, settings, sampling, arms=[arm for arm in LEFT if arm in asked.arms], progress=heard.progress,
        told=heard.told,
    )  # fmt: skip
    heard.doing("reading clips to train on")
    of = partial(load, spec, size=encoder.vision.size, frames=recipe.kept)
    train = of(part="train", hold=settings.hold)
    held = load_held(spec, size=encoder.vision.size, frames=recipe.kept, hold=settings.hold)
    split = Split(train=train, held=held, test=of(part="test"))
    arms = _arms(recipe, asked, train, spec, tables, settings.hold, encoder.vision.size, heard)
    found = compare(
        arms, encoder, split, reference=BALANCED, tail=asked.tail or _scarce(train), seeds=asked.seeds, out=out / RUNS,
        told=heard.told, stated={"data": split.facts(), "recipe": recipe.facts(), **made_with()},
    )  # fmt: skip
    put(out / TABLE, (json.dumps(found.facts(), indent=1, ensure_ascii=False, default=str) + "\n").encode())
    write_report(out)
    return found


def _refuse(spec: str, asked: Asked) -> None:
    """Raise now what would be found after all loops are run."""
    space = space_of(spec)
    for name in asked.tail:
        if name not in space:
            raise unknown("class", name, space.names)
    if not any(one.part == "test" for one in items(spec)):
        raise UsageError(f"{spec} has no clip of the part test, which every arm is measured on")


def _arms(
    recipe: Training, asked: Asked, train: ClipSet, spec: str, tables: Mapping[Left, Path], hold: float, size: int,
    heard: Heard,
) -> list[Arm]:  # fmt: skip
    """What each arm learns by and from; one for which nothing was kept is left out, and said."""
    plain = replace(recipe, balance=0.0, adjust=0.0, mixture=replace(recipe.mixture, share=0.0))
    balanced = replace(plain, balance=1.0)
    recipes = {NONE: plain, BALANCED: balanced, ADJUSTED: replace(plain, adjust=1.0)}
    arms = [Arm(name=name, recipe=how) for name, how in recipes.items() if name in asked.arms]
    mixed = replace(balanced, mixture=replace(recipe.mixture, share=recipe.mixture.share or 0.5))
    for name, table in tables.items():
        if len(table.read_text(encoding="utf-8").splitlines()) < 2:
            if name == FULL:
                raise UsageError(f"no generated clip was kept, so that there is nothing to compare; see {table.parent}")
            heard.told(f"{name}: no clip was kept, so that this arm is left out")
            continue
        made = load_generated(f"table:{table}", train, data=spec, hold=hold, size=size, frames=recipe.kept)
        arms.append(Arm(name=name, recipe=mixed, generated=made))
    return arms


def _scarce(train: ClipSet) -> tuple[str, ...]:
    """The two classes of the fewest clips, of those that have any: for others nothing can be made."""
    counts = {name: clips for name, clips in train.counts().items() if clips}
    return tuple(sorted(counts, key=lambda name: counts[name])[:2])


DRAWN, TUNING = "data", "tuning"
"""Where a demonstration puts the clips that it draws, and the generator's adapter."""


def demo(out: Path, *, quick: bool = False, sampling: Sampling | None = None, heard: Heard | None = None) -> Comparison:
    """The loop once on drawn clips, with three arms; `quick` as small as it can be, which shows no effect.

    Nothing that is chosen here was chosen on its part to test on.
    """
    from mimica.generation.long_tail import write_long_tail
    from mimica.generation.tuned import tune_for
    from mimica.training.recipes import duse_compact, with_loop

    heard = heard or Heard()
    size = _QUICK if quick else _WHOLE
    open_encoder(duse_compact().encoder)  # what it lacks is said before the long work, not after
    heard.doing("drawing clips")
    table = write_long_tail(out / DRAWN, train=size.train, test=size.test, progress=heard.progress)
    spec, sampling = f"table:{table}", sampling or Sampling()
    if sampling.adapter is None:
        heard.doing("tuning the generator by rewards")
        tuned = tune_for(
            spec, out / TUNING, replace(_TUNING, iterations=size.iterations), sampling=sampling, hold=size.loop.hold,
            number=size.targets, steps=size.at, frames=size.loop.frames, resume=(out / TUNING).is_dir(),
            doing=heard.doing,
        )  # fmt: skip
        heard.told(tuned.sentence())
        sampling = replace(sampling, adapter=tuned.adapter)
    recipe = with_loop(duse_compact(), epochs=size.epochs, batch=size.batch)
    filtering = FilterSettings(consistency=-100.0, probability=0.0, identity=-1.0) if quick else FilterSettings()
    return compare_arms(
        spec, out, replace(recipe, per_epoch=size.per_epoch),
        Asked(arms=(NONE, BALANCED, FULL), seeds=size.seeds),
        settings=size.loop, sampling=sampling, filtering=filtering, heard=heard,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How much a demonstration does."""

    train: int
    test: int
    iterations: int
    targets: int
    at: tuple[int, ...]
    epochs: int
    per_epoch: int
    batch: int
    seeds: tuple[int, ...]
    loop: AugmentSettings


_TUNING = TuningSettings(
    rule="draft", lr=1e-3, rank=8, alpha=8, steps=(4, 6), last=2, groups=6, group=2, ema=0.98
)  # fmt: skip
"""The rule that is soonest done; what was tried of others stands in `generation/README.md`."""
_WHOLE = _Size(
    train=500, test=280, iterations=24, targets=48, at=(2, 4, 8, 16), epochs=4, per_epoch=1000, batch=32,
    seeds=(0, 1, 2), loop=AugmentSettings(rounds=3, size=60),
)  # fmt: skip
_QUICK = _Size(
    train=140, test=28, iterations=1, targets=8, at=(2, 4), epochs=1, per_epoch=64, batch=16, seeds=(0,),
    loop=AugmentSettings(rounds=1, size=8, hold=0.3),
)  # fmt: skip
