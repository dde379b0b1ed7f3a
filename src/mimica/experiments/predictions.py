"""What every test clip was read as, as one table: all figures of a protocol are computed from it.

N clips, C classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimica import checkpoint
from mimica.errors import InputError

_BEFORE = ("clip", "fold", "group", "truth", "label", "confidence")
_AFTER = ("error",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """N clips: their names, the fold that tests each, what they are labelled, and probabilities [N, C] as read.

    `truth` int [N] are places in `labels`. A clip that could not be read has the reason in `errors` and
    nan for probabilities. `groups` is what the data parts its clips by, such as scenes, else empty.
    """

    labels: tuple[str, ...]
    clips: tuple[str, ...]
    folds: tuple[str, ...]
    groups: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    errors: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def guesses(self) -> np.ndarray:
        """The place of the likeliest class of each clip [N], C for one that could not be read."""
        likeliest = np.nan_to_num(self.probabilities, nan=-1.0).argmax(1)
        guesses: np.ndarray = np.where(self.read, likeliest, len(self.labels))
        return guesses

    @property
    def read(self) -> np.ndarray:
        """Which clips could be read, bool [N]."""
        read: np.ndarray = ~np.isnan(self.probabilities).any(1)
        return read


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The clips of several folds, one after the other."""
    return Predictions(
        labels=parts[0].labels,
        clips=tuple(clip for part in parts for clip in part.clips),
        folds=tuple(fold for part in parts for fold in part.folds),
        groups=tuple(group for part in parts for group in part.groups),
        truth=np.concatenate([part.truth for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        errors=tuple(error for part in parts for error in part.errors),
    )


def write_predictions(path: Path, found: Predictions) -> None:
    """Write the table as CSV, every digit of the probabilities kept. Raises CheckpointError where that fails."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_BEFORE, *found.labels, *_AFTER])
    names = (*found.labels, "")
    for i, (guess, shares) in enumerate(zip(found.guesses.tolist(), found.probabilities.tolist(), strict=True)):
        told = [max(shares), *shares] if names[guess] else [""] * (1 + len(shares))
        table.writerow(
            [found.clips[i], found.folds[i], found.groups[i], found.labels[found.truth[i]], names[guess], *told,
             found.errors[i]]
        )  # fmt: skip
    checkpoint.put(path, text.getvalue().encode())


def read_predictions(path: Path) -> Predictions:
    """The table that `write_predictions` wrote, to the last digit. Raises InputError for any other."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = csv.reader(file)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise InputError(f"cannot read {path} as a table of predictions: {error}") from None
    first, last = len(_BEFORE), len(head) - len(_AFTER)
    labels = tuple(head[first:last])
    if tuple(head[:first]) != _BEFORE or tuple(head[last:]) != _AFTER or not rows:
        raise InputError(f"{path} is no table of predictions: its columns must be {', '.join(_BEFORE)}, classes, error")
    try:
        return Predictions(
            labels=labels,
            clips=tuple(row[0] for row in rows),
            folds=tuple(row[1] for row in rows),
            groups=tuple(row[2] for row in rows),
            truth=np.array([labels.index(row[3]) for row in rows]),
            probabilities=np.array([[float(cell or "nan") for cell in row[first:last]] for row in rows]),
            errors=tuple(row[last] for row in rows),
        )
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} is no whole table of predictions: {error}") from None
