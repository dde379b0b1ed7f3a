"""`mimica ablate`: what each part of a method brings, as the paper's tables ask it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.loop import Loop, refuse_unwritable

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.experiments.ablate import Ablation, Row, Split
    from mimica.experiments.grids import Grid
    from mimica.labels import LabelSpace
    from mimica.training.recipes import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablate:
    """Train the variants of a recipe on the same clips with the same seeds, and print them beside the paper's table."""

    ablation: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ABLATION")]
    """duse-modules, duse-depth, duse-heads, duse-beta, duse-tokens, imbalance, generated; with a recipe of OUS
    ous-losses, ous-fusion, ous-prompt or ous-blocks."""
    data: str
    """What `mimica train` takes; its part train is learned from and its part test measured on."""
    out: Path
    """Folder for every model, and for ablation.json; the same command again does only what is missing."""
    test: str | None = None
    """Other data to measure on, all of it where it has no parts."""
    generated: str | None = None
    """table:FILE of generated clips that variants learn from beside those of --data; {fold} in it is the fold."""
    recipe: str = "duse_vit_b32"
    """The recipe that is varied."""
    encoder: str | None = None
    """A shipped encoder, the path that pretraining wrote, or a CLIP; else the recipe's own."""
    folds: tuple[int, ...] = ()
    """Which folds of data that has folds, from 1."""
    seeds: tuple[int, ...] = (0,)
    """Each variant is trained once with each."""
    only: tuple[str, ...] = ()
    """Only these variants and the one that the others are held to."""
    loop: Loop = field(default_factory=Loop)

    def run(self) -> int:
        """Train, measure, and print the table."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        from mimica.data.clipset import space_of
        from mimica.encoders.named import open_encoder
        from mimica.experiments.ablate import ablate
        from mimica.experiments.write import write_ablation
        from mimica.training.recipes import training, with_loop

        recipe = with_loop(training(self.recipe), **self.loop.changes())
        recipe = replace(recipe, encoder=self.encoder or recipe.encoder)
        chosen = self._chosen(recipe)
        refuse_unwritable(self.out)
        space = space_of(self.data)
        encoder = open_encoder(recipe.encoder)
        console = Console(width=None if sys.stdout.isatty() else 120)
        runs = len(chosen.variants) * len(self.seeds) * max(1, len(self.folds))
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console,
            disable=not console.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task("runs", total=runs)

            def told(name: str, uar: float, war: float) -> None:
                bar.advance(task)
                console.print(f"{name}: UAR {uar:.3f}, WAR {war:.3f}", highlight=False)

            splits = self._splits(recipe, space, encoder.vision.size)
            found = ablate(chosen, encoder, splits, seeds=self.seeds, out=self.out, told=told)
        _print(found, console)
        for path in write_ablation(self.out, found):
            print(path)
        return 0

    def _chosen(self, recipe: Training) -> Grid:
        from mimica.errors import UsageError, unknown
        from mimica.experiments.grids import grid

        whole = grid(self.ablation, recipe)
        for name in self.only:
            if name not in [variant.name for variant in whole.variants]:
                raise unknown("variant", name, [variant.name for variant in whole.variants])
        if not self.seeds:
            raise UsageError("--seeds takes one number or more")
        if whole.mixes and self.generated is None:
            raise UsageError(f"the ablation {whole.name} needs generated clips; name them with --generated table:FILE")
        wanted = {*self.only, whole.reference} if self.only else {variant.name for variant in whole.variants}
        return replace(whole, variants=tuple(variant for variant in whole.variants if variant.name in wanted))

    def _splits(self, recipe: Training, space: LabelSpace, size: int) -> Iterator[Split]:
        from functools import partial

        from mimica.data.clipset import load, load_held
        from mimica.data.generated import load_generated
        from mimica.experiments.ablate import Split

        scenes = any(variant.recipe.scenes for variant in self._chosen(recipe).variants)
        of = partial(load, size=size, frames=recipe.kept, space=space, hold=recipe.held, scenes=scenes)
        for fold in self.folds or (None,):
            test = of(self.test, part="test") if self.test else of(self.data, part="test", fold=fold)
            held = load_held(
                self.data, size=size, frames=recipe.kept, space=space, fold=fold, hold=recipe.held, scenes=scenes
            )
            train, made = of(self.data, fold=fold), None
            if self.generated is not None:
                made = load_generated(
                    self.generated.replace("{fold}", str(fold)), train, data=self.data, fold=fold, hold=recipe.held,
                    size=size, frames=recipe.kept, scenes=scenes,
                )  # fmt: skip
            yield Split(fold=fold, train=train, held=held, test=test, generated=made)


def _print(found: Ablation, console: Console) -> None:
    from rich.table import Table

    data = [kind for kind in ("dfew", "ferv39k") if any(kind in row.printed for row in found.rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for column in ("UAR", "WAR", "UAR of each run", f"{found.grid.reference} ahead in UAR by (95 %)"):
        table.add_column(column, justify="right")
    for kind in data:
        table.add_column(f"printed, {kind}", justify="right", style="dim")
    for row in found.rows:
        table.add_row(row.name, *_figures(row), *(_printed(row, kind) for kind in data))
    console.print(table)
    if found.grid.printed_with:
        told = f"printed: UAR/WAR in percent of {found.grid.paper}, {found.grid.where}, with {found.grid.printed_with}"
        console.print(f"{told}; theirs, not ours", style="dim")
    if found.grid.note:
        console.print(found.grid.note, style="dim")


def _figures(row: Row) -> tuple[str, ...]:
    ahead = "" if row.ahead is None else f"{row.ahead.value:+.3f} ({row.ahead.low:+.3f} to {row.ahead.high:+.3f})"
    return f"{row.uar.mean():.3f}", f"{row.war.mean():.3f}", " ".join(f"{uar:.3f}" for uar in row.uar.ravel()), ahead


def _printed(row: Row, kind: str) -> str:
    return "{:.2f}/{:.2f}".format(*row.printed[kind]) if kind in row.printed else ""
