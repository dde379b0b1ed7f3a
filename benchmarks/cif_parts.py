"""How well CIF finds defects on drawn parts that nothing was tuned on: by colour alone, by depth alone, by both.

Parts are drawn first (`mimica anomaly parts`, the categories held out), then each way of seeing them is measured
over 1, 2 and 4 shots and five sets of shots each: the preset `default`, plain nearest neighbours with the same features
and as large a bank, and by both the public code's choices. Prints a table and what it was aimed at, and writes both as
JSON. What it does not show: anything of real parts. What was measured already in --out is not measured again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import machine
import torch
from rich.console import Console
from rich.table import Table

from mimica.anomaly.config import PRESETS, preset
from mimica.anomaly.evaluation import Evaluation, evaluate
from mimica.anomaly.features.maker import make
from mimica.anomaly.measure import Plan
from mimica.anomaly.parts.folder import write_parts
from mimica.anomaly.parts.settings import PartSettings
from mimica.anomaly.scans.sources import open_samples

WAYS = {"colour alone": ("colour", "none"), "depth alone": ("none", "normals"), "both": ("colour", "normals")}
"""What is seen, and by which features."""
OWN = {"colour alone": "colour", "depth alone": "shape"}
"""The defect that each modality alone is held to."""
LEAST = 0.90
SHOWN = ("i_auroc", "aupro30")


def measured(chosen: Any, way: str, root: Path, console: Console) -> Evaluation:
    """Every run of one way to see the parts, kept category by category."""
    names = PRESETS if way == "both" else ("default", "nearest")
    plan = Plan(variants={name: preset(name) for name in names}, shots=tuple(chosen.shots), seeds=chosen.seeds)
    keep = chosen.out / f"{way.replace(' ', '-')}.json"
    with console.status(way) as status:
        return evaluate(
            open_samples(f"mvtec3d:{root}"), make(*WAYS[way]), plan, keep=keep,
            told=lambda what, done, total: status.update(f"{way}: {what}, {done} of {total}"),
        )  # fmt: skip


def figures(found: Evaluation) -> dict[str, Any]:
    """Means and deviations by preset, number of shots, and defect or category."""

    def told(variant: str, shots: int, **of: str) -> dict[str, list[float]]:
        summary = found.summary(variant, shots, **of)
        return {name: [summary.mean[name], summary.std[name]] for name in SHOWN}

    return {
        variant: {
            str(shots): {
                "all": told(variant, shots),
                "defects": {defect: told(variant, shots, defect=defect) for defect in found.defects},
                "categories": {category: told(variant, shots, category=category) for category in found.measured},
            }
            for shots in found.plan.shots
        }
        for variant in found.plan.variants
    }


def goals(ways: Mapping[str, Any]) -> dict[str, bool]:
    """Each line that was aimed at, and whether it holds: of the defects that a way is held to, `default` alone."""
    held = {}
    for way, variants in ways.items():
        own = [_own(way, at) for at in variants["default"].values()]
        what = f"{OWN.get(way, 'all')} defects by {way}"
        held |= {f"{name} at least {LEAST:.2f} on {what}, most shots": own[-1][name][0] >= LEAST for name in SHOWN}
        for name in SHOWN:
            means = [one[name][0] for one in own]
            held[f"{name} on {what} no less with more shots"] = means == sorted(means)
    for defect in ("missing", "contamination"):
        at = list(ways["both"]["default"].values())[-1]["defects"][defect]
        held[f"i_auroc at least {LEAST:.2f} on {defect} by both, most shots"] = at["i_auroc"][0] >= LEAST
    for way, variants in ways.items():
        for shots, at in variants["default"].items():
            plain = variants["nearest"][shots]
            pairs = {"all": (at["all"], plain["all"]), OWN.get(way, "all"): (_own(way, at), _own(way, plain))}
            for what, (ours, theirs) in pairs.items():
                line = f"i_auroc above plain nearest neighbours on {what} defects by {way}, {shots} shots"
                held[line] = ours["i_auroc"][0] > theirs["i_auroc"][0]
    return held


def _own(way: str, at: Mapping[str, Any]) -> Mapping[str, list[float]]:
    """The figures of what a way is held to: its own defect, or all of them by both."""
    figures: Mapping[str, list[float]] = at["defects"][OWN[way]] if way in OWN else at["all"]
    return figures


def main() -> None:
    chosen = _chosen()
    result: dict[str, Any] = {"machine": machine.settle(), "synthetic": True, "parts": chosen.parts}
    torch.set_num_threads(chosen.threads)
    console = Console(width=None if sys.stdout.isatty() else 130)
    settings = PartSettings(categories=(chosen.parts,), train=chosen.train, test=chosen.test, each=chosen.each,
                            seed=chosen.seed)  # fmt: skip
    root = chosen.out / "parts"
    with console.status("drawing parts") as status:
        write_parts(root, settings, progress=lambda done, total: status.update(f"drawing parts, {done} of {total}"))
    found = {way: measured(chosen, way, root, console) for way in WAYS}
    result |= {name: getattr(chosen, name) for name in ("seed", "train", "test", "each", "shots", "seeds")}
    result["categories"] = [category.name for category in settings.chosen]
    result["features"] = {way: [name for name in names if name != "none"] for way, names in WAYS.items()}
    result["ways"] = {way: figures(one) for way, one in found.items()}
    result["left_out"] = [told for one in found.values() for told in one.wrong]
    result["goals"] = goals(result["ways"])
    _print(result, console)
    machine.keep(chosen.json, result)


def _print(result: Mapping[str, Any], console: Console) -> None:
    table = Table(box=None, title="drawn parts, I-AUROC / AUPRO 30, per cent", title_justify="left")
    defects = list(next(iter(next(iter(result["ways"].values()))["default"].values()))["defects"])
    for column in ("by", "preset", "shots", "all", *defects):
        table.add_column(column, justify="right" if column not in ("by", "preset") else "left")
    for way, variants in result["ways"].items():
        for variant, by_shots in variants.items():
            for shots, at in by_shots.items():
                cells = [at["all"], *(at["defects"][defect] for defect in defects)]
                table.add_row(way, variant, shots, *(" / ".join(f"{100 * c[n][0]:.1f}" for n in SHOWN) for c in cells))
    console.print(table)
    for line, reached in result["goals"].items():
        console.print(f"{line}: {machine.goal(reached)}", highlight=False)


def _chosen() -> Any:
    parser = machine.flags(__doc__)
    parser.add_argument("--parts", choices=["held-out", "tuning"], default="held-out")
    parser.add_argument("--train", type=int, default=8)
    parser.add_argument("--test", type=int, default=12)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/cif_parts"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
