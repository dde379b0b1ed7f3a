"""`mimica data`: data to learn from and to measure on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.progress import counted
from mimica.data.actor_settings import ActorSettings
from mimica.data.faces_settings import FacesSettings
from mimica.data.scenes_settings import ScenesSettings
from mimica.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.data.check import Checked
    from mimica.data.faces_record import Outcome


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
        from mimica.data.actor_folder import SHEET, write_actor
        from mimica.data.actor_renders import render_of

        with counted("drawing") as progress:
            table = write_actor(self.out, self.settings, progress=lambda done: progress(done, self.settings.clips))
        print(table)
        print(self.out / SHEET)
        how = render_of(self.settings).how
        print(f"{self.settings.clips} synthetic clips of {self.settings.frames} frames, {how}: no person.")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Pack labelled clips of cropped faces into one file that a machine with little beside torch can train on."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """fer2013:PATH, folder:PATH, table:FILE, dfew:PATH, ferv39k:PATH, mafw:PATH or list:FILE."""
    out: Path
    """The file to write, NAME.safetensors; train and pretrain read it as packed:FILE."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    size: int = 48
    """The side in pixels of the faces, that of the encoder."""
    frames: int = 16
    """How many frames a clip has at most."""

    def run(self) -> int:
        """Pack the part to train on and, where there is one, that for calibration."""
        from mimica.data.clipset import load, load_held, space_of
        from mimica.data.packed import pack

        space = space_of(self.data)
        size, frames, fold = self.size, self.frames, self.fold
        parts = {"train": load(self.data, size=size, frames=frames, space=space, fold=fold, stored=False)}
        held = load_held(self.data, size=size, frames=frames, space=space, fold=fold, stored=False)
        if held is not None:
            parts["calibration"] = held
        pack(parts, self.out)
        for part, clips in parts.items():
            print(f"{part}: {len(clips)} clips")
        print(self.out)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Cut the faces out of raw videos, photos or folders of frames: a training set with the scene behind each face.

    Faces are found, followed and cut, a folder of pictures each; train and evaluate --faces none read them as
    table:DIR/clips.csv, and faces.csv says of every source what was found. The same command again does only what is
    missing, and keeps the labels that were written into clips.csv meanwhile.
    """

    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...")]
    """Files, folders, globs, or asset:NAME."""
    out: Path
    """Folder to write to: clips/, their table clips.csv, the report faces.csv and about.json."""
    settings: FacesSettings = field(default_factory=FacesSettings)
    labels: Path | None = None
    """A table of labels: CSV or Parquet with the columns source and label, and perhaps part."""
    classes_by_folder: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The label of each source is the name of the folder that it lies in."""
    device: str = "cpu"
    """Where the face detector runs: cpu, cuda, cuda:1, mps."""
    again: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Cut again what an earlier run into the same folder has done."""

    def run(self) -> int:
        """Cut what is missing; 0 if all went well, 1 if some failed."""
        from rich.console import Console

        from mimica.cli.progress import Bar, Stop, heard, plain, speak_of_any_name
        from mimica.data.faces_folder import write_faces
        from mimica.data.faces_labels import Labels

        if not self.sources:
            raise UsageError("name at least one file, folder or glob to cut faces out of")
        speak_of_any_name(False)
        labels = Labels(file=self.labels, by_folder=self.classes_by_folder)
        stop, outcomes = Stop(), []
        with Bar(not Console().is_terminal) as bar, heard(bar), stop:
            for outcome in write_faces(
                self.out, self.sources, self.settings, labels=labels, device=self.device, again=self.again,
                progress=bar, stopped=stop,
            ):  # fmt: skip
                outcomes.append(outcome)
                bar.done(outcome.source)
                if outcome.state == "failed":
                    bar.say(f"[red]failed[/] {plain(outcome.error)}")
                for note in outcome.notes if outcome.state == "done" else ():
                    bar.say(f"[yellow]{plain(Path(outcome.source).name)}[/] {plain(note)}")
        self._tell(outcomes)
        return 1 if stop() or any(outcome.state == "failed" for outcome in outcomes) else 0

    def _tell(self, outcomes: list[Outcome]) -> None:
        """What came of it, in a few lines."""
        from mimica.data.faces_tables import REPORT, TABLE, summary

        for line in summary(self.out, outcomes):
            print(line)
        print(self.out / TABLE)
        print(self.out / REPORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """Put the faces of a data set before drawn scenes, where none with scenes is at hand.

    A face and its scene are a folder of PNG frames each; train reads them as table:DIR/clips.csv. The part test
    stands before scenes unlike all others. The same command again goes on where one was stopped.
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """fer2013:PATH, folder:PATH, table:FILE, packed:FILE, dfew:PATH, ferv39k:PATH, mafw:PATH or list:FILE."""
    out: Path
    """Folder to write to: clips/, scenes/, their table clips.csv, label_space.json and about.json."""
    settings: ScenesSettings = field(default_factory=ScenesSettings)
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    frames: int = 16
    """How many frames a clip has at most."""

    def run(self) -> int:
        """Place what is missing, and print where the table lies."""
        from mimica.data.scenes_folder import load_parts, write_scenes

        parts = load_parts(self.data, size=self.settings.size, frames=self.frames, fold=self.fold)
        with counted("placing") as progress:
            table = write_scenes(self.out, parts, self.settings, progress=progress)
        for part, clips in parts.items():
            print(f"{part}: {len(clips)} clips")
        print(table)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Find what is wrong with a data set on disk: numbers of clips, folds, labels, clips that are missing or empty.

    Exit code 1 where anything is wrong. Short clips are counted and are no fault.
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """dfew:PATH, ferv39k:PATH, mafw:PATH, list:FILE, or list:ORDER:FILE where the list numbers its classes; or
    table:FILE, whose clips have a scene beside the face all or none."""
    strict: bool = True
    """With --no-strict the exit code is 0 whatever was found."""
    open: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Decode the first frame of every clip as well, which takes minutes."""
    json: Path | None = None
    """Write what was found to this file, with every clip by name."""

    def run(self) -> int:
        """Print the counts and what is wrong."""
        import json

        from rich.console import Console

        from mimica.checkpoint import put_at
        from mimica.data.check import checked
        from mimica.data.check_table import checked_table
        from mimica.data.clipset import parse, published, space_of

        kind, path = parse(self.data)
        with counted("looking at clips") as progress:
            if kind == "table":
                found = checked_table(path, space_of(self.data), decode=self.open, progress=progress)
            else:
                found = checked(published(self.data), decode=self.open, progress=progress)
        _print(found, Console())
        if self.json:
            put_at(self.json, f"{json.dumps(found.facts(), indent=1, ensure_ascii=False)}\n".encode(), "--json")
        return int(self.strict and bool(found.wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Write a data set as a table of its own that train and evaluate read as table:FILE. No picture is copied."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """dfew:PATH, ferv39k:PATH, mafw:PATH, list:FILE, or list:ORDER:FILE where the list numbers its classes."""
    out: Path
    """The table to write, NAME.csv; label_space.json comes beside it where the classes are not the usual seven."""
    fold: int | None = None
    """Only this fold, with its parts; without, all clips, each with the fold that tests it."""
    strict: bool = True
    """With --no-strict what cannot be used is left out, and said."""

    def run(self) -> int:
        """Write the table, and say what it holds."""
        from mimica.data.clipset import published
        from mimica.data.table import import_table

        left: list[str] = []
        data = published(self.data)
        with counted("looking at clips") as progress:
            wrong = None if self.strict else left.append
            rows = import_table(data, self.out, fold=self.fold, wrong=wrong, progress=progress)
        for why in left[:_SHOWN]:
            print(f"left out: {why}")
        if left[_SHOWN:]:
            print(f"left out as well: {len(left) - _SHOWN} more; mimica data check lists all that is wrong")
        print(f"{rows} clips of {data.name}")
        print(self.out)
        return 0


def _print(found: Checked, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    counts = Table(box=None, pad_edge=False, header_style="bold")
    counts.add_column(found.name)
    for name in (*found.classes, "all"):
        counts.add_column(name[:4], justify="right")
    for tally in found.tallies:
        said = tally.published or tally.found
        pairs = [*zip(tally.found, said, strict=True), (sum(tally.found), sum(said))]
        counts.add_row(tally.part, *(str(n) if n == p else f"{n} ({p})" for n, p in pairs))
    console.print(counts)
    if any(tally.published not in (None, tally.found) for tally in found.tallies):
        console.print("in brackets the published number where it is another", style="dim")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("what", "where", "how many", "which"):
        table.add_column(column, justify="right" if column == "how many" else "left", overflow="fold")
    for finding in sorted(found.findings, key=lambda one: not one.wrong):
        more = f" … and {len(finding.which) - _SHOWN} more" if finding.which[_SHOWN:] else ""
        what = finding.what if finding.wrong else f"(no fault) {finding.what}"
        which = ", ".join(finding.which[:_SHOWN]) + more
        table.add_row(*(escape(text) for text in (what, finding.where, str(finding.number), which)))
    if found.findings:
        console.print(table)
    number = len(found.wrong)
    console.print("nothing is wrong" if not number else f"{number} thing{'s are' if number > 1 else ' is'} wrong")


_SHOWN = 5
"""How many examples of a thing are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data to learn from and to measure on."""

    do: (
        Annotated[Actor, tyro.conf.subcommand("actor")]
        | Annotated[Faces, tyro.conf.subcommand("faces")]
        | Annotated[Scenes, tyro.conf.subcommand("scenes")]
        | Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Import, tyro.conf.subcommand("import")]
        | Annotated[Pack, tyro.conf.subcommand("pack")]
    )
    """What to do."""

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()
