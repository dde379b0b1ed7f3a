"""Which good parts of a source are the shots: by a seed, so that the first k are among the first k + 1."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.scan import TRAIN, Scan, Source
from mimica.errors import InputError, UsageError


def good_scans(source: Source, category: str) -> tuple[Scan, ...]:
    """The scans of a category that shots are taken from: the good ones of train, or all where there are no splits.

    Raises InputError where there is none.
    """
    scans = source.chosen(category)
    found = tuple(s for s in scans if s.defect in (GOOD, None) and (s.split == TRAIN if source.splits else True))
    if not found:
        raise InputError(f"{source.name} has no good part of {category} to learn from; they are those of train/good")
    return found


def by_seed(scans: tuple[Scan, ...], seed: int) -> Iterator[Scan]:
    """The scans in an order that depends on the seed and on their number alone: the first k of it are k shots."""
    for place in np.random.default_rng(seed).permutation(len(scans)):
        yield scans[place]


def drawn(source: Source, shots: int, seed: int) -> list[Sample]:
    """So many good parts of a source of one category, read.

    Raises UsageError where there are several categories, or fewer parts than shots, InputError for a bad scan.
    """
    if len(source.categories) > 1:
        first = source.categories[0]
        raise UsageError(
            f"{source.name} holds several categories, and a bank is of one; name one of "
            f"{', '.join(source.categories)}: {source.name.rstrip('/')}/{first}"
        )
    scans = good_scans(source, source.categories[0])
    enough(source.name, source.categories[0], len(scans), shots)
    return [scan.read() for scan in islice(by_seed(scans, seed), shots)]


def enough(source: str, category: str, there: int, shots: int) -> None:
    """Raise UsageError where there are fewer good parts than shots, or shots are none."""
    if shots < 1:
        raise UsageError(f"shots must be 1 or more, got {shots}")
    if there < shots:
        parts = "good part" if there == 1 else "good parts"
        raise UsageError(
            f"{source} has {there} {parts} of {category} to learn from, not {shots}; ask for fewer --shots"
        )
