"""`mimica augment`: more clips of the expressions that are scarce, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from mimica.cli.augment_generate import Generate, Train
from mimica.cli.augment_judge import Judge
from mimica.cli.augment_loop import Audit, Filter, Loop
from mimica.cli.augment_table import Demo, Table
from mimica.cli.augment_tune import Tune
from mimica.generation.settings import PlanSettings, PromptSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Plan clips: which Action Units they shall show, how strong, and when, by what FACS and your clips say.

    What FACS says is a prior that gives way to your training clips the more of them there are.
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """table:FILE with unit curves, such as mimica data actor writes; clips of other parts than train are not read."""
    out: Path
    """Folder to write to: plans.json, knowledge.jsonl and plans.png."""
    classes: tuple[str, ...] = ()
    """Which classes; all of the data's where none is named."""
    number: int = 1
    """How many plans a class."""
    units: tuple[int, ...] = ()
    """Action Units that every plan shall have, by their FACS numbers."""
    settings: PlanSettings = field(default_factory=PlanSettings)

    def run(self) -> int:
        """Write the plans, and print what is known of their classes."""
        from rich.console import Console
        from rich.table import Table

        from mimica.facs import CAVEAT
        from mimica.generation.write import PICTURE, PLANS, summary, write_plans

        plans, known = write_plans(
            self.data, self.out, classes=self.classes, number=self.number, units=self.units, settings=self.settings
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        rows = summary(plans, known)
        for column in rows[0]:
            table.add_column(column, justify="right" if column in ("clips", "plans") else "left", overflow="fold")
        for row in rows:
            table.add_row(*row.values())
        console = Console()
        console.print(table)
        console.print(CAVEAT, style="dim", soft_wrap=True)
        print(self.out / PLANS)
        print(self.out / PICTURE)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Put plans into words for a generator: by a vision-language model on a server of yours, or by a template.

    What the model writes is verified against the plan; without --server nothing leaves this machine.
    """

    plans: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PLANS")]
    """What mimica augment plan wrote: plans.json, or the folder that it is in."""
    out: Path | None = None
    """The file to write; prompts.json beside the plans where none is named."""
    image: Path | None = None
    """A picture of the face that the clips will begin with; it is sent to the server."""
    settings: PromptSettings = field(default_factory=PromptSettings)

    def run(self) -> int:
        """Write the prompts, and print them and how they came about."""
        from rich.console import Console

        from mimica.cli.progress import Bar, counted, heard
        from mimica.generation.write import PROMPTS, write_prompts

        beside = self.plans if self.plans.is_dir() else self.plans.parent
        out = self.out or beside / PROMPTS
        with counted("writing") as progress, Bar(quiet=True) as lines, heard(lines):
            written, report = write_prompts(self.plans, out, self.settings, image=self.image, progress=progress)
        console = Console()
        for one in written:
            console.print(f"{one.prompt.plan} ({one.prompt.writer})", style="bold", markup=False, highlight=False)
            console.print(one.prompt.text(), soft_wrap=True, markup=False, highlight=False)
        if report.accept_rate is not None:
            print(f"{report.passed} of {report.answers} answers passed ({report.accept_rate:.0%})")
        if self.settings.server:
            print(
                f"{report.retries} times asked again, {report.kept} from the cache, {report.fallbacks} by the template "
                f"instead ({report.fallback_rate:.0%}); texts compared by {report.embedding}"
            )
        print(out)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Make more clips of the expressions that are scarce: all of it with --data, which is `loop`, or step by step."""

    do: (
        Annotated[Plan, tyro.conf.subcommand("plan")]
        | Annotated[Prompt, tyro.conf.subcommand("prompt")]
        | Annotated[Train, tyro.conf.subcommand("train")]
        | Annotated[Generate, tyro.conf.subcommand("generate")]
        | Annotated[Filter, tyro.conf.subcommand("filter")]
        | Annotated[Audit, tyro.conf.subcommand("audit")]
        | Annotated[Loop, tyro.conf.subcommand("loop")]
        | Annotated[Table, tyro.conf.subcommand("table")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Judge, tyro.conf.subcommand("judge")]
        | Annotated[Tune, tyro.conf.subcommand("tune")]
    )
    """What to do."""

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()
