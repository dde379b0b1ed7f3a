"""`mimica augment --data …`: the whole loop; `mimica augment filter` and `audit`: its last steps by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.loop import refuse_unwritable
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.loop_settings import AugmentSettings, FilterSettings
from mimica.generation.settings import OnFailure, PromptSettings

RECOGNISER = "recogniser"

if TYPE_CHECKING:
    from mimica.generation.augment import Augmented


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The whole loop: what lacks is planned, generated, inspected and kept or not, round by round.

    What recognition gains in each round is measured on people held out, and a class that cannot be made is named. At
    the end a recogniser is trained on real and generated clips, unless --no-train says otherwise.
    """

    data: str
    """table:FILE with unit curves, such as mimica data actor writes; its part train is learned from."""
    out: Path
    """Folder for every clip, generated.csv, loop.json and report.html; the same command again goes on there."""
    classes: tuple[str, ...] = ("auto",)
    """Which classes are made; auto for all that lack clips."""
    settings: AugmentSettings = field(default_factory=AugmentSettings)
    sampling: Sampling = field(default_factory=Sampling)
    filter: FilterSettings = field(default_factory=FilterSettings)
    server: str | None = None
    """Address of an OpenAI-compatible server that puts plans into words; without one the template does."""
    language_model: str | None = None
    """The name of the vision-language model on that server."""
    on_failure: OnFailure = "stop"
    """What to do where the server is down or refuses: stop, or go on with the template, which is said and counted."""
    device: str = "cpu"
    """Where the generator computes: cpu, or cuda."""
    train: bool = True
    """Train a recogniser on both in the end: generated clips are half of a batch at most, and none in its last part."""
    recipe: str = "duse_compact"
    """The recipe of that recogniser."""

    def run(self) -> int:
        """Run the loop, print what came of each class and where it lies, and train."""
        from functools import partial

        from rich.console import Console

        from mimica.cli.progress import counted
        from mimica.cli.train import Train
        from mimica.generation.augment import LOOP, TABLE, augment
        from mimica.generation.prepared import prepare
        from mimica.generation.report import write_report

        refuse_unwritable(self.out)
        classes = self._classes()
        console = Console()
        with console.status("") as status:
            ready = prepare(
                self.data, self.out, self.settings, sampling=self.sampling, filtering=self.filter,
                prompts=self._prompts(), device=self.device, doing=status.update,
            )  # fmt: skip
        with counted("generating") as progress:
            found = augment(
                ready.maker, ready.looks, self.settings, facts=ready.facts, progress=progress,
                told=partial(console.print, soft_wrap=True, highlight=False),
                classes=classes,
            )  # fmt: skip
        tell(found)
        print(self.out / LOOP)
        print(write_report(self.out))
        print(self.out / TABLE)
        if not found.kept:
            return 0
        if not self.train:
            print(f"mimica train {self.recipe} --data {self.data} --generated table:{self.out / TABLE} --out DIR")
            return 0
        again = (self.out / RECOGNISER).is_dir()
        return Train(
            recipe=self.recipe, data=self.data, generated=f"table:{self.out / TABLE}", out=self.out / RECOGNISER,
            hold=self.settings.hold, resume=again,
        ).run()  # fmt: skip

    def _classes(self) -> tuple[str, ...]:
        """Which classes, none for all that lack clips. Raises UsageError for one that there is not."""
        from mimica.data.clipset import space_of
        from mimica.generation.augment import refuse_unknown

        classes = () if self.classes == ("auto",) else self.classes
        refuse_unknown(classes, space_of(self.data).names)  # said before anything is opened
        return classes

    def _prompts(self) -> PromptSettings:
        return PromptSettings(
            server=self.server, language_model=self.language_model, on_failure=self.on_failure,
            backend=self.sampling.backend, cache=self.out / "prompts.cache" if self.server else None,
        )  # fmt: skip


def tell(found: Augmented) -> None:
    """Print what lacked, what was made and what is kept of each class, and how recognition changed."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("class", "real", "wanted", "made", "kept", "recall before", "after"):
        table.add_column(column, justify="left" if column == "class" else "right")
    after = found.rounds[-1].recall if found.rounds else found.recall
    for c, name in enumerate(found.pool.train.space.names):
        own = [one for one in found.made if one.wanted.label == name]
        kept = sum(one.record.kept for one in own)
        shares = [f"{value:.2f}" if value == value else "–" for value in (found.recall[c], after[c])]
        table.add_row(
            name, str(found.pool.counts[c]), str(found.last.wanted[c]), str(len(own)), str(kept), *shares
        )  # fmt: skip
    console = Console()
    console.print(table)
    for sentence in found.last.sentences():
        console.print(sentence, soft_wrap=True, highlight=False)
    if found.audit is not None:
        console.print(found.audit.sentence(), soft_wrap=True, highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Judge the clips of a loop again by other bounds, without making any: which are kept, and why others are not."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """What mimica augment --data wrote to."""
    filter: FilterSettings = field(default_factory=FilterSettings)

    def run(self) -> int:
        """Judge, write the table and the records anew, and print how many are kept."""
        from mimica.generation.refilter import refilter

        kept, judged, reasons = refilter(self.folder, self.filter)
        print(f"{kept} of {judged} clips are kept")
        for reason, clips in sorted(reasons.items(), key=lambda one: -one[1]):
            print(f"{clips:5d}  {reason}")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Look for anything of validation or test in the clips of a loop; exit code 1 where there is any."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """What mimica augment --data wrote to."""
    data: str
    """The data that it was made from, as it was named there."""

    def run(self) -> int:
        """Audit, and print every leak."""
        from mimica.generation.refilter import audited

        found = audited(self.folder, self.data)
        print(found.sentence())
        for leak in found.leaks:
            print(f"{leak.clip}: {leak.what}")
        return int(not found.clean)
