"""What every verb that trains lets one change about the loop, and what it asks of --out."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from mimica.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """How to train. What is not given is the recipe's own."""

    epochs: int | None = None
    """How many epochs."""
    batch: int | None = None
    """How many clips a batch of each process; a still is a clip of one frame."""
    accumulate: int | None = None
    """How many batches make a step."""
    lr: float | None = None
    """The learning rate at its peak."""
    schedule: str | None = None
    """How the rate falls: cosine, or plateau, to a third after five epochs without a lower loss in validation."""
    precision: str | None = None
    """How to compute: no (in full precision), bf16, or on a GPU fp16."""
    seed: int | None = None
    """What all that is random depends on."""
    save_every: int | None = None
    """How many steps may be lost when the run is killed; 0 for an epoch."""
    grad_checkpoint: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Take far less memory and up to half as long again; the weights come out the same."""

    ahead: int | None = None
    """How many batches are prepared in threads while the model computes; 0 for none."""

    def changes(self) -> dict[str, Any]:
        """The settings that were given, by name, None for the others."""
        return {**asdict(self), "grad_checkpoint": self.grad_checkpoint or None}


def refuse_unwritable(out: Path) -> None:
    """Raise UsageError where a folder is none or cannot be made: now, and not after the first epoch."""
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "may not be written to" if there.is_dir() else "is a file"
        raise UsageError(f"{there} {what}; choose another folder with --out")
