"""Whether a generator that was tuned by rewards is better, by a judge that rewarded nothing, on faces it never saw.

A long-tailed set is drawn (`generation/long_tail`), the generator is tuned on its part train unless --tuned names a
folder where that is done, and clips are made before and after for stills of the part test, with the same plans and the
same noise. Prints a table and what it was aimed at, and writes both as JSON. What it does not show: anything of people;
all faces are drawn, and so are those that both judges learned from. Intervals are of one run of tuning.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import machine
import torch
from rich.console import Console
from rich.table import Table

from mimica.checkpoint import read_facts
from mimica.data.clipset import SPACE_FILE
from mimica.generation.by_steps import by_steps
from mimica.generation.diffusion.backends import open_tuned
from mimica.generation.diffusion.policy import Policy
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.long_tail import write_long_tail
from mimica.generation.loop_settings import TuningSettings
from mimica.generation.pool import Pool
from mimica.generation.prepared import judge_of, real_clips
from mimica.generation.quality import MEASURED, Quality, quality
from mimica.generation.rewards.judge import Judge
from mimica.generation.rewards.sight import load_sight
from mimica.generation.targets import Targets
from mimica.generation.tuned import targets_of, tune_for

RECIPES = {
    "draft": TuningSettings(
        rule="draft", iterations=24, groups=6, group=2, steps=(4, 6), last=2, lr=1e-3, rank=8, alpha=8, ema=0.98
    ),
    "grpo": TuningSettings(),
    "bon": TuningSettings(rule="bon"),
}
"""How the generator is tuned, by the rule; draft has the gradient of judges that are networks, and is soonest done."""
FIRST = 30_000
"""The number of the first plan of each class: tuning has others."""
LEAST_DIVERSITY, MOST_LOST, LEAST_SHARE = 0.8, 0.02, 0.95
FEW, MANY = 4, 16


def tested(chosen: Any, spec: str, size: int) -> tuple[Pool, Pool]:
    """What is learned from, by which plans are made, and the part test as a pool of stills and of real frames."""
    table = Path(spec.partition(":")[2])
    out = chosen.out / "test.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    people = sorted({row["actor"] for row in rows})
    for row in rows:
        # A pool holds some people out, which here none must be: one person is taken for that.
        row["part"] = "validation" if row["actor"] == people[0] else "train"
        row["path"] = str((table.parent / row["path"]).resolve())
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (chosen.out / SPACE_FILE).write_bytes((table.parent / SPACE_FILE).read_bytes())
    return real_clips(spec, size=size, hold=chosen.hold), real_clips(f"table:{out}", size=size, hold=chosen.hold)


def compared(before: Quality, after: Quality, targets: Targets) -> dict[str, Any]:
    """Means before and after, and the paired interval of each difference over the people who are seen."""
    gains = after.gains(before, targets.people)
    return {
        "before": before.means(), "after": after.means(), "gains": {name: asdict(one) for name, one in gains.items()},
        "diversity_share": after.diversity / before.diversity,
    }  # fmt: skip


def measured(chosen: Any, policies: Mapping[str, Policy], targets: Targets, judge: Judge) -> dict[str, Any]:
    """Both generators on the same targets, and the tuned one by the number of steps."""
    how, guidance = Sampling(seed=chosen.seed).how
    found = {
        name: quality(policy, targets, judge, sampling=how, guidance=guidance, seed=chosen.seed)
        for name, policy in policies.items()
    }
    steps = by_steps(
        policies["after"], targets, judge, steps=chosen.steps, sampling=how, guidance=guidance, seed=chosen.seed
    )  # fmt: skip
    return compared(found["before"], found["after"], targets) | {"steps": steps}


def goals(found: Mapping[str, Any]) -> dict[str, bool]:
    """Each line that was aimed at, and whether it holds."""
    gains = found["gains"]
    at = {row["steps"]: row for row in found["steps"]["rows"]}
    held = {
        "unit correlation or class accuracy rises, interval above 0": max(gains[n]["low"] for n in ("units", "right"))
        > 0,
        f"identity falls by less than {MOST_LOST}": gains["identity"]["value"] > -MOST_LOST,
        f"diversity at least {LEAST_DIVERSITY:.0%} of the base": found["diversity_share"] >= LEAST_DIVERSITY,
    }
    if FEW in at and MANY in at:
        for name in ("reward", "units", "identity"):
            line = f"{name} at {FEW} steps at least {LEAST_SHARE:.0%} of that at {MANY}"
            held[line] = at[FEW][name] >= LEAST_SHARE * at[MANY][name]
    return held


def main() -> None:
    chosen = _chosen()
    result: dict[str, Any] = {"machine": machine.settle(), "synthetic": True}
    torch.set_num_threads(chosen.threads)
    console = Console(width=None if sys.stdout.isatty() else 130)
    with console.status("drawing clips"):
        spec = chosen.data or f"table:{write_long_tail(chosen.out / 'data', train=chosen.train, test=chosen.test)}"
    adapter = chosen.tuned / "adapter.safetensors" if chosen.tuned else _tuned(chosen, spec, console)
    sampling = Sampling(model=chosen.model, seed=chosen.seed)
    policies = {"before": open_tuned(sampling), "after": open_tuned(replace(sampling, adapter=adapter))}
    with console.status("measuring"):
        known, stills = tested(chosen, spec, policies["before"].size)
        targets = targets_of(known, chosen.targets, frames=9, seed=chosen.seed, first=FIRST, stills=stills)
        judge = judge_of(stills, load_sight(which="held-out"), 9)
        result |= measured(chosen, policies, targets, judge)
    facts = read_facts(adapter)
    result |= {"targets": len(targets), "people": len(set(targets.people)), "goals": goals(result)}
    result |= {"seed": chosen.seed} | {name: facts[name] for name in ("tuning", "iterations", "stopped", "generator")}
    _print(result, console)
    machine.keep(chosen.json, result)


def _tuned(chosen: Any, spec: str, console: Console) -> Path:
    settings = replace(RECIPES[chosen.rule], seed=chosen.seed)
    if chosen.iterations:
        settings = replace(settings, iterations=chosen.iterations)
    with console.status("tuning") as status:
        found = tune_for(
            spec, chosen.out / "tuning", settings, sampling=Sampling(model=chosen.model, seed=chosen.seed), resume=True,
            hold=chosen.hold, report=lambda row: status.update(f"tuning, iteration {row['iteration']}"),
        )  # fmt: skip
    return found.adapter


def _print(result: Mapping[str, Any], console: Console) -> None:
    title = f"{result['targets']} plans for {result['people']} drawn people whom nothing learned from"
    table = Table(box=None, title=title, title_justify="left")
    for column in ("", "before", "after", "difference", "95 % from", "to"):
        table.add_column(column, justify="right" if column else "left")
    for name in MEASURED:
        gain = result["gains"][name]
        cells = (result["before"][name], result["after"][name], gain["value"], gain["low"], gain["high"])
        table.add_row(name, *(f"{value:.4f}" for value in cells))
    table.add_row("diversity", *(f"{result[when]['diversity']:.4f}" for when in ("before", "after")))
    console.print(table)
    said = ", ".join(f"{row['steps']}: {row['reward']:.3f}" for row in result["steps"]["rows"])
    console.print(f"reward after tuning, by steps: {said}", highlight=False)
    for line, reached in result["goals"].items():
        console.print(f"{line}: {machine.goal(reached)}", highlight=False)


def _chosen() -> Any:
    parser = machine.flags(__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/argen_tuning"))
    parser.add_argument("--data", help="table:FILE of a set that is drawn already")
    parser.add_argument("--model", help="a generator; the one that comes with the package where none is named")
    parser.add_argument("--tuned", type=Path, help="what mimica augment tune wrote for it")
    parser.add_argument("--rule", choices=RECIPES, default="draft")
    parser.add_argument("--iterations", type=int, help="instead of the recipe's own")
    parser.add_argument("--train", type=int, default=500)
    parser.add_argument("--test", type=int, default=280)
    parser.add_argument("--targets", type=int, default=84)
    parser.add_argument("--steps", type=int, nargs="+", default=[2, 4, 8, 16])
    parser.add_argument("--hold", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen


if __name__ == "__main__":
    main()
