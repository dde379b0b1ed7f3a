"""`mimica anomaly evaluate` and `ablate`: how well defects are found, and what each part of the method brings."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.anomaly_judge import Features
from mimica.cli.progress import Stop, counted_by_name

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.anomaly.config import CifConfig
    from mimica.anomaly.evaluation import Evaluation, Summary
    from mimica.anomaly.features.maker import FeatureMaker
    from mimica.anomaly.measure import Plan

_MANY = 3
"""With so many variants the table has only their means."""
HEADS = ("I-AUROC", "I-AP", "P-AUROC", "P-AP", "AUPRO 30", "10", "5", "1 %")
"""Above the columns of `evaluation.FIGURES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Measure how well defects are found: shots of train by seed, each set of them measured on all of test.

    Features of a part are made once for all shots and seeds. With --json the same command goes on where one was
    stopped, a category at a time. Exit code 1 where a part could not be read or judged.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """KIND:PATH of a tree with train and test, such as mvtec3d:ROOT; see mimica anomaly check."""
    shots: tuple[int, ...] = (1, 2, 4)
    """Numbers of good parts."""
    seeds: int = 5
    """How many sets of shots of each number."""
    categories: tuple[str, ...] = ()
    """Only these."""
    baseline: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure plain nearest neighbours beside it: the same features, as large a bank."""
    json: Path | None = None
    """File for every figure, by category, by defect and in the mean."""
    features: Features = field(default_factory=Features)

    def run(self) -> int:
        """Measure, and print the figures beside the published ones."""
        from mimica.anomaly.evaluation import nearest_of
        from mimica.anomaly.measure import Plan

        makers, config = self.features.made()
        variants: dict[str, CifConfig] = {self.features.preset: config}
        if self.baseline:
            variants["nearest neighbours"] = nearest_of(config)
        plan = Plan(variants=variants, shots=self.shots, seeds=self.seeds)
        return _measured(self.source, self.categories, makers, plan, self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablate:
    """Put each module of the method and each mend of the preset off alone, and measure each.

    The modules are the memory of structure, the search guided by hyperedges and the messages; the mends are what the
    preset `default` does otherwise than the public code. All are measured with the same features, shots and seeds.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """KIND:PATH of a tree with train and test, such as mvtec3d:ROOT; see mimica anomaly check."""
    shots: tuple[int, ...] = (4,)
    """Numbers of good parts."""
    seeds: int = 5
    """How many sets of shots of each number."""
    categories: tuple[str, ...] = ()
    """Only these."""
    json: Path | None = None
    """File for every figure; with it the same command goes on where one was stopped."""
    features: Features = field(default_factory=Features)

    def run(self) -> int:
        """Measure, and print one table."""
        from mimica.anomaly.ablation import variants
        from mimica.anomaly.measure import Plan

        makers, config = self.features.made()
        plan = Plan(variants=variants(self.features.preset, config), shots=self.shots, seeds=self.seeds)
        return _measured(self.source, self.categories, makers, plan, self.json)


def _measured(word: str, categories: tuple[str, ...], makers: list[FeatureMaker], plan: Plan, json: Path | None) -> int:
    from rich.console import Console

    from mimica.anomaly.evaluation import evaluate
    from mimica.anomaly.scans.sources import open_samples

    source = open_samples(word)
    if categories:
        scans = [scan for category in dict.fromkeys(categories) for scan in source.chosen(category)]
        source = replace(source, scans=tuple(scans))
    stop = Stop()
    with stop, counted_by_name() as told:
        found = evaluate(source, makers, plan, keep=json, told=told, stop=stop)
    console = Console(width=None if sys.stdout.isatty() else 140)
    _print(found, word, console)
    for sentence in found.wrong:
        console.print(f"left out: {sentence}", soft_wrap=True, markup=False, highlight=False)
    if json is not None:
        print(json)
    return 130 if len(found.measured) < len(source.categories) else int(bool(found.wrong))


def _print(found: Evaluation, word: str, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not found.measured:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "of", "shots"):
        table.add_column(column, overflow="fold")
    for column in HEADS:
        table.add_column(column, justify="right", overflow="fold")
    most = max(found.plan.shots)
    for variant in found.plan.variants:
        for shots in found.plan.shots:
            table.add_row(escape(variant), "mean", str(shots), *_cells(found.summary(variant, shots)))
    first = next(iter(found.plan.variants))
    for kind, names in (("category", list(found.measured)), ("defect", list(found.defects))):
        for name in names if len(names) > 1 and len(found.plan.variants) < _MANY else ():
            told = found.summary(first, most, **{kind: name})
            table.add_row(escape(first), escape(name), str(most), *_cells(told), style="dim")
    console.print(table)
    seeds = found.plan.seeds
    console.print(f"percent, mean ± standard deviation over {seeds} seed{'s' if seeds > 1 else ''}", style="dim")
    _print_published(found, word, console)


def _cells(summary: Summary) -> list[str]:
    from mimica.anomaly.evaluation import FIGURES

    return [_cell(summary.mean[name], summary.std[name]) for name in FIGURES]


def _cell(mean: float, std: float) -> str:
    if mean != mean:
        return "–"
    return f"{100 * mean:.1f}" + ("" if std != std else f"±{100 * std:.1f}")


def _print_published(found: Evaluation, word: str, console: Console) -> None:
    from rich.table import Table

    from mimica.anomaly.published import DATA, published_of

    rows = published_of(word.partition(":")[0], list(found.measured))
    if not rows:
        return
    data = rows[0].data
    table = Table(box=None, pad_edge=False, header_style="bold", style="dim")
    for column in (f"printed of {data}; theirs, not ours", "shots", "I-AUROC", "AUPRO 30", "trained", "from"):
        table.add_column(column, justify="right" if column in ("I-AUROC", "AUPRO 30") else "left")
    for row in rows:
        figures = ("–" if value is None else f"{value:.1f}" for value in (row.i_auroc, row.aupro30))
        table.add_row(row.method, str(row.shots), *figures, "yes" if row.trained else "no", row.source)
    console.print(table)
    if lacking := len(DATA[data]) - len(found.measured):
        console.print(f"theirs are means over all categories; {lacking} were not measured here", style="dim")
