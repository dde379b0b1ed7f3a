"""What a source of scans holds, and what is wrong with it, before anything is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mimica.anomaly.scans.scan import Source
from mimica.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Scans of one category, split and defect: how many, with depth and with a mask, and of which sizes (W, H)."""

    category: str
    split: str | None
    defect: str | None
    scans: int
    with_depth: int
    with_mask: int
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was counted of the scans that could be read, and a sentence for each of the others."""

    counted: tuple[Counted, ...]
    wrong: tuple[str, ...]


def checked(source: Source, *, progress: Callable[[int, int], None] = lambda done, total: None) -> Checked:
    """Read every scan of a source once; `progress` is told how many were, and of how many."""
    read: dict[tuple[str, str | None, str | None], list[tuple[bool, bool, tuple[int, int]]]] = {}
    wrong = []
    for done, scan in enumerate(source.scans, 1):
        group = read.setdefault((scan.category, scan.split, scan.defect), [])
        try:
            sample = scan.read()
        except InputError as error:
            wrong.append(str(error))
        else:
            group.append((sample.xyz is not None, sample.mask is not None, sample.size[::-1]))
        progress(done, len(source.scans))
    counted = [
        Counted(
            category=category, split=split, defect=defect, scans=len(group), with_depth=sum(one[0] for one in group),
            with_mask=sum(one[1] for one in group), sizes=tuple(Counter(one[2] for one in group)),
        )
        for (category, split, defect), group in read.items()
    ]  # fmt: skip
    return Checked(counted=tuple(counted), wrong=tuple(wrong))
