"""`mimica data`: data to learn from and to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mimica.data.actor_settings import ActorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Draw labelled clips of the actor: a synthetic face, drawn by formula, whose Action Units are set over time.

    Each clip is a folder of numbered PNG frames; train and evaluate read them as table:DIR/clips.csv. The same
    command again goes on where one was stopped.
    """

    out: Path
    """Folder to write to: clips/, their table clips.csv, label_space.json, about.json and sheet.png."""
    settings: ActorSettings

    def run(self) -> int:
        """Draw what is missing, and print where the table and the sheet lie."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from mimica.data.actor_folder import SHEET, write_actor

        console = Console(stderr=True)
        columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=self.settings.clips)
            table = write_actor(self.out, self.settings, progress=lambda done: bar.update(task, completed=done))
        print(table)
        print(self.out / SHEET)
        print(f"{self.settings.clips} synthetic clips of {self.settings.frames} frames, drawn by formula: no person.")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data to learn from and to measure on."""

    do: Annotated[Actor, tyro.conf.subcommand("actor")] | Annotated[None, tyro.conf.Suppress]
    """What to do."""  # None is never offered: without a second member there is no choice, and so no word `actor`

    def run(self) -> int:
        """Do what was chosen."""
        assert self.do is not None
        return self.do.run()
