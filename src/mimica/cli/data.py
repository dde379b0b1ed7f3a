"""`mimica data`: data to learn from and to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mimica.data.actor_settings import ActorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Draw labelled clips of the actor: a synthetic face whose Action Units are set over time.

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
        from mimica.data.actor_renders import render_of

        console = Console(stderr=True)
        columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=self.settings.clips)
            table = write_actor(self.out, self.settings, progress=lambda done: bar.update(task, completed=done))
        print(table)
        print(self.out / SHEET)
        how = render_of(self.settings).how
        print(f"{self.settings.clips} synthetic clips of {self.settings.frames} frames, {how}: no person.")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Pack labelled clips of cropped faces into one file that a machine with little beside torch can train on."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """fer2013:PATH, folder:PATH or table:FILE."""
    out: Path
    """The file to write, NAME.safetensors; train and pretrain read it as packed:FILE."""
    size: int = 48
    """The side in pixels of the faces, that of the encoder."""
    frames: int = 16
    """How many frames a clip has at most."""

    def run(self) -> int:
        """Pack the part to train on and, where there is one, that for calibration."""
        from mimica.data.clipset import load, load_held, space_of
        from mimica.data.packed import pack

        space = space_of(self.data)
        parts = {"train": load(self.data, size=self.size, frames=self.frames, space=space)}
        held = load_held(self.data, size=self.size, frames=self.frames, space=space)
        if held is not None:
            parts["calibration"] = held
        pack(parts, self.out)
        for part, clips in parts.items():
            print(f"{part}: {len(clips)} clips")
        print(self.out)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data to learn from and to measure on."""

    do: Annotated[Actor, tyro.conf.subcommand("actor")] | Annotated[Pack, tyro.conf.subcommand("pack")]
    """What to do."""

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()
