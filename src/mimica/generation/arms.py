"""The tables of generated clips that the arms of an augmentation learn from: what each leaves out of the whole loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, get_args

from mimica.checkpoint import put
from mimica.generation.augment import TABLE, Augmented, augment, table
from mimica.generation.diffusion.backends import open_tuned
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.loop_settings import AugmentSettings
from mimica.generation.making import Maker
from mimica.generation.prepared import Prepared

Left = Literal["unfiltered", "without ASI", "without guidance", "without RL", "full"]
"""What an arm leaves out: the filter, knowledge of the data in plans, guidance, tuning by rewards, or nothing."""
LEFT: tuple[Left, ...] = get_args(Left)


def tables_of(
    ready: Prepared,
    settings: AugmentSettings,
    sampling: Sampling,
    *,
    arms: Sequence[Left] = LEFT,
    classes: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    told: Callable[[str], None] = lambda sentence: None,
) -> dict[Left, Path]:
    """Run the loop once for each arm, into `ready.maker.out` and folders in it, and give each one's table.

    Without an adapter there is no tuning to leave out, and no such arm. What is made already is not made again.
    """
    found: dict[Left, Path] = {}
    whole = _run(ready, ready.maker, settings, {}, classes, progress, told)
    out = ready.maker.out
    for arm in arms:
        if arm == "full":
            found[arm] = out / TABLE
        elif arm == "unfiltered":
            found[arm] = _unfiltered(whole, out)
        elif arm != "without RL" or sampling.adapter is not None:
            told(f"{arm}:")
            maker, facts = _less(ready, arm, sampling, out / arm.replace(" ", "-").lower())
            _run(ready, maker, settings, facts, classes, progress, told)
            found[arm] = maker.out / TABLE
    return found


def _run(
    ready: Prepared, maker: Maker, settings: AugmentSettings, facts: dict[str, Any], classes: Sequence[str],
    progress: Callable[[int, int], None], told: Callable[[str], None],
) -> Augmented:  # fmt: skip
    return augment(
        maker, ready.looks, settings, classes=classes, facts=ready.facts | facts, progress=progress, told=told
    )


def _less(ready: Prepared, arm: Left, sampling: Sampling, out: Path) -> tuple[Maker, dict[str, Any]]:
    """What makes the clips of an arm, and what is stated of it otherwise."""
    maker = replace(ready.maker, out=out)
    if arm == "without ASI":
        return replace(maker, aligned=False), {"aligned": False}
    if arm == "without guidance":
        plain = replace(maker.guidance, frames="off", weight=1.0)
        return replace(maker, guidance=plain), {"guidance": asdict(plain)}
    policy = open_tuned(replace(sampling, adapter=None))
    return replace(maker, policy=policy, state=policy.state()), {"generator": policy.state()}


def _unfiltered(whole: Augmented, out: Path) -> Path:
    """All clips of the whole loop, kept or not, each of its own class alone."""
    records = [one.record for one in whole.made]
    path = out / "unfiltered.csv"
    put(path, table(records, whole.pool.train.space.names, plain=True).encode())
    return path
