"""What training shows in the terminal: a bar a run, a line an epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Self


class Epochs:
    """A progress bar over all epochs; it is called with each row that training reports."""

    def __init__(self, epochs: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs = epochs
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TextColumn("loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
        )  # fmt: skip
        self.task = self.progress.add_task("", total=None, epoch=0, loss=float("nan"))
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
            return
        done = epoch * int(steps) + int(row["step"])
        if time.monotonic() - self.told > 0.2:
            self.told = time.monotonic()
            self.progress.update(
                self.task, completed=done, total=self.epochs * int(steps), epoch=epoch + 1, loss=float(row["loss"])
            )
