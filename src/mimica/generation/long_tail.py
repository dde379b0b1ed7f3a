"""A long-tailed set of drawn clips to try the augmentation loop on: DFEW's proportions to learn from, a balanced test.

train/, test/   what `mimica data actor` writes, of other people
clips.csv       both as one table
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from mimica.data.actor_folder import TABLE, write_actor
from mimica.data.actor_settings import ActorSettings, Part
from mimica.data.clipset import ABOUT_FILE, SPACE_FILE
from mimica.data.whole import whole

SIZE: Final = 48
FRAMES: Final = 9
INTENSITY: Final = (0.3, 0.7)
"""How strong expressions are: faces in the wild are seldom at the end of their range."""


def write_long_tail(
    out: Path, *, train: int, test: int, seed: int = 0, progress: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Draw so many clips to learn from and to test on, and give the path of the table of both.

    What is there already is kept. Its ranges are fixed: nothing was tuned on the test part.
    """
    parts: tuple[tuple[Part, int], ...] = (("train", train), ("test", test))
    rows, done = list[dict[str, str]](), 0
    for part, clips in parts:
        settings = ActorSettings(
            clips=clips, size=SIZE, frames=FRAMES, intensity=INTENSITY, part=part, seed=seed,
            proportions="dfew" if part == "train" else "equal",
        )  # fmt: skip
        table = write_actor(out / part, settings, progress=partial(_on, progress, done, train + test))
        done += clips
        with table.open(newline="", encoding="utf-8") as file:
            rows += [{**row, "path": f"{part}/{row['path']}"} for row in csv.DictReader(file)]
    for name in (SPACE_FILE, ABOUT_FILE):
        (out / name).write_bytes((out / "train" / name).read_bytes())
    with whole(out / TABLE) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out / TABLE


def _on(progress: Callable[[int, int], None], before: int, total: int, now: int) -> None:
    progress(before + now, total)
