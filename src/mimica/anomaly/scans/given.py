"""Scans as they are named one beside the other: sources, single point clouds, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mimica.anomaly.samples import Sample
from mimica.anomaly.scans.pictures import PICTURES, colour
from mimica.anomaly.scans.scan import TEST, Scan, Source
from mimica.anomaly.scans.sources import KINDS, open_samples
from mimica.errors import InputError, UsageError

_CLOUDS = (".ply", ".pcd")


def given(words: Sequence[str], split: str | None = None) -> Source:
    """The scans of all that is named: sources `kind:PATH`, or files of their own, pictures, PLY or PCD.

    Of a source with splits those of one split, `test` where none is named and there is one. Raises UsageError for
    what is neither, or a split that no source has, InputError where two scans have one name.
    """
    scans = [scan for word in words for scan in _of(word, split)]
    names = set[str]()
    for scan in scans:
        if scan.name in names:
            raise InputError(f"two parts are called {scan.name}; score them into two folders")
        names.add(scan.name)
    return Source(name=" ".join(words), scans=tuple(scans))


def _of(word: str, split: str | None) -> tuple[Scan, ...]:
    kind, colon, _ = word.partition(":")
    path = Path(word).expanduser()
    if (not colon or kind not in KINDS) and path.is_file():
        if path.suffix.lower() in _CLOUDS:
            return open_samples(f"{path.suffix.lower()[1:]}:{path}").scans
        if path.suffix.lower() not in PICTURES:
            raise UsageError(f"{word} is no picture and no PLY or PCD; give such a file or KIND:PATH")
        return (Scan(name=path.stem, category=path.parent.name, files=(path,), load=partial(_picture, path)),)
    source = open_samples(word)
    if split is None:
        split = TEST if TEST in source.splits else None
    return source.chosen(split=split)


def _picture(path: Path) -> Sample:
    return Sample(name=path.stem, rgb=colour(path))
