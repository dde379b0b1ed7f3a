"""`mimica augment table` and `mimica augment demo`: whether generated clips help a recogniser, and by which part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.loop import refuse_unwritable
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.loop_settings import AugmentSettings, FilterSettings

if TYPE_CHECKING:
    from mimica.experiments.arms import Comparison
    from mimica.experiments.augmented import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Train a recogniser with and without generated clips, and with each part of the loop left out; print the verdict.

    The loop is run for each arm that learns from generated clips. The same command again does only what is missing.
    """

    data: str
    """table:FILE with unit curves and a part to test on, such as mimica data actor writes."""
    out: Path
    """Folder for the loops, every model, table.json and report.html."""
    arms: tuple[str, ...] = ()
    """Which arms: none, class-balanced sampling, logit adjustment, unfiltered, without ASI, without guidance, without
    RL (where an --adapter is given), full; all of them where none is named."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each arm is trained once with each."""
    tail: tuple[str, ...] = ()
    """The scarce classes whose recall is asked for; the two of fewest clips where none is named."""
    recipe: str = "duse_compact"
    """The recipe of the recogniser."""
    epochs: int | None = None
    """How many epochs each is trained; as the recipe has it where none is given."""
    per_epoch: int | None = None
    """How many clips an epoch has; as the recipe has it where none is given."""
    settings: AugmentSettings = field(default_factory=AugmentSettings)
    sampling: Sampling = field(default_factory=Sampling)
    filter: FilterSettings = field(default_factory=FilterSettings)

    def run(self) -> int:
        """Run the loops, train the arms, and print the table."""
        from mimica.experiments.augmented import ARMS, Asked, compare_arms
        from mimica.training.recipes import training, with_loop

        refuse_unwritable(self.out)
        recipe = with_loop(training(self.recipe), epochs=self.epochs)
        if self.per_epoch is not None:
            recipe = replace(recipe, per_epoch=self.per_epoch or None)
        asked = Asked(arms=self.arms or ARMS, seeds=self.seeds, tail=self.tail)
        with _Shown() as heard:
            found = compare_arms(
                self.data, self.out, recipe, asked, settings=self.settings, sampling=self.sampling,
                filtering=self.filter, heard=heard,
            )  # fmt: skip
        tell(found)
        print(self.out / "table.json")
        print(self.out / "report.html")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The whole loop once on drawn clips with three arms: none, class-balanced sampling, full.

    It shows the machinery on a long-tailed set of drawn faces, and prints whether it helped there. It says nothing of
    people. About half an hour on two cores; the same command again goes on where it was stopped.
    """

    out: Path
    """Folder for the clips, the models, table.json and report.html."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """As small as it can be: does everything once, in three minutes, and shows no effect."""
    sampling: Sampling = field(default_factory=Sampling)

    def run(self) -> int:
        """Draw, run the loop, train, and print the verdict."""
        from mimica.experiments.augmented import demo

        refuse_unwritable(self.out)
        with _Shown() as heard:
            found = demo(self.out, quick=self.quick, sampling=self.sampling, heard=heard)
        tell(found)
        print(self.out / "report.html")
        return 0


class _Shown:
    """What is told of long work: what is done now, a bar of clips, and sentences that stay."""

    def __enter__(self) -> Heard:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        from mimica.experiments.augmented import Heard

        console = Console()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console,
            disable=not console.is_terminal, transient=True,
        )  # fmt: skip
        self._bar.start()
        task = self._bar.add_task("", total=None)

        def doing(what: str) -> None:
            self._bar.update(task, description=what, completed=0, total=None)

        def progress(done: int, total: int) -> None:
            self._bar.update(task, description="generating", completed=done, total=total)

        def told(sentence: str) -> None:
            console.print(sentence, highlight=False, soft_wrap=True)

        return Heard(doing=doing, progress=progress, told=told)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def tell(found: Comparison) -> None:
    """Print the arms, and the verdict."""
    from rich.console import Console
    from rich.table import Table as Printed

    table = Printed(box=None, pad_edge=False, header_style="bold")
    tail = " and ".join(found.tail)
    for column in ("", "UAR", "WAR", f"recall of {tail}", "ahead (95 %)"):
        table.add_column(column, justify="left" if not column else "right")
    for one in found.outcomes:
        ahead = "" if one.ahead is None else f"{one.ahead.value:+.3f} ({one.ahead.low:+.3f} to {one.ahead.high:+.3f})"
        figures = (f"{value.mean():.3f}" for value in (one.uar, one.war, one.tail))
        table.add_row(one.name, *figures, ahead)
    console = Console()
    console.print(table)
    console.print(f"ahead of {found.reference}, in that recall", style="dim", soft_wrap=True)
    console.print(found.sentence(), highlight=False, soft_wrap=True)
