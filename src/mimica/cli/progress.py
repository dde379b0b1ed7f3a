"""What long work shows in the terminal, and how it is stopped: of training, and of many sources."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from mimica.reading.job import Job
    from mimica.reading.record import Outcome

_PIPE = 110
"""How many letters wide a line of a table is where nothing says so."""


class Epochs:
    """A progress bar over all epochs; it is called with each row that training reports."""

    def __init__(self, epochs: int, *, quiet: bool = False) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs = epochs
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TextColumn("loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(), disable=quiet,
        )  # fmt: skip
        self.task = self.progress.add_task("", total=None, visible=False, epoch=0, loss=float("nan"))
        self.told = 0.0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, row: Mapping[str, float | int | str]) -> None:
        """Show a row: of a step in the bar, of a whole epoch as a line."""
        epoch, steps = int(row["epoch"]), row.get("steps")
        if steps is None:  # the row of a whole epoch
            shown = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
            self.progress.console.print(f"epoch {epoch + 1} of {self.epochs}: {shown}", highlight=False)
            if "warning" in row:
                self.progress.console.print(str(row["warning"]), style="yellow", highlight=False)
            return
        done = epoch * int(steps) + int(row["step"])
        if time.monotonic() - self.told > 0.2:
            self.told = time.monotonic()
            self.progress.update(
                self.task, completed=done, total=self.epochs * int(steps), epoch=epoch + 1, loss=float(row["loss"]),
                visible=True,
            )  # fmt: skip


def speak_of_any_name(streamed: bool) -> None:
    """A name that a terminal or a log cannot show is shown with marks in it; a stream of readings is UTF-8."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", encoding="utf-8" if streamed else None)


class Stop:
    """True once Ctrl-C was pressed; a second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.pressed = False

    def __call__(self) -> bool:
        """Whether it was pressed."""
        return self.pressed

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGINT, self._press)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _press(self, *_: object) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        print("stopping; what is finished is kept (press again to end at once)", file=sys.stderr)


class Bar:
    """A line of progress for each source that is being read."""

    def __init__(self, quiet: bool) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"), TimeRemainingColumn(),
            disable=quiet, transient=True,
        )  # fmt: skip
        self.lines: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, source: str, at: float, of: float | None, doing: str = "") -> None:
        """Show how far a source is read, of how much where that is known, in seconds, and what is being done."""
        if source not in self.lines:
            self.lines[source] = self.progress.add_task(plain(Path(source).name), total=of, at="")
        shown = f"{at:.1f} s" if of is None else f"{at:.1f} of {of:.1f} s"
        self.progress.update(self.lines[source], completed=at, total=of, at=f"{shown} {plain(doing)}".rstrip())

    def done(self, source: str) -> None:
        """Take the line of a source away, to have room for the next."""
        if source in self.lines:
            self.progress.remove_task(self.lines.pop(source))

    def say(self, text: str) -> None:
        """One line above the bars, on standard error where there is no terminal."""
        if self.progress.disable:
            from rich.console import Console

            Console(stderr=True, soft_wrap=True).print(text)
        else:
            self.progress.console.print(text)


def read_all(job: Job, sources: Sequence[str], *, jobs: int, again: bool, quiet: bool) -> tuple[list[Outcome], int]:
    """Read sources with a line of progress each, unless `quiet`; say at once what failed and what is to be minded.

    Gives how each went and the exit code: 1 where one failed or Ctrl-C was pressed, else 0.
    """
    from mimica.reading.job import run

    stop, outcomes = Stop(), []
    with Bar(quiet) as bar, heard(bar), stop:
        for outcome in run(job, sources, jobs=jobs, again=again, progress=bar, stopped=stop):
            outcomes.append(outcome)
            if outcome.state == "failed":
                bar.say(f"[red]failed[/] {plain(outcome.error)}")
            for warning in outcome.warnings:
                bar.say(f"[yellow]{plain(Path(outcome.source).name)}[/] {plain(warning)}")
    return outcomes, 1 if stop() or any(outcome.state == "failed" for outcome in outcomes) else 0


def console_of_tables(*, stderr: bool = False) -> Console:
    """The console to print tables to; a pipe has no width of its own and is given one that most tables fit in."""
    from rich.console import Console

    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_PIPE)


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar in a terminal, told how much is done and of how much."""
    with counted_by_name() as told:
        told(what, 0, None)
        yield lambda done, total: told(what, done, total)


@contextmanager
def counted_by_name(*, transient: bool = False) -> Iterator[Callable[[str, int, int | None], None]]:
    """Progress bars in a terminal, one for each name that is told, with how much is done and of how much.

    `transient` ones are taken away at the end.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=transient) as bar:
        tasks: dict[str, TaskID] = {}

        def told(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(plain(name), total=total)
            bar.update(tasks[name], completed=done, total=total)

        yield told


@contextmanager
def heard(bar: Bar) -> Iterator[None]:
    """What the package warns of while it reads, such as a camera that is too fast, as lines of the bar."""
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            bar.say(f"[yellow]{plain(record.getMessage())}[/]")

    log, lines = logging.getLogger("mimica"), Lines(logging.WARNING)
    log.addHandler(lines)
    try:
        yield
    finally:
        log.removeHandler(lines)


def plain(text: str) -> str:
    """Text whose brackets are brackets and no style."""
    from rich.markup import escape

    return escape(text)
