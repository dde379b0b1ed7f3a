"""What the files written of each source are called, so that none of them takes another's place."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType


def names(
    sources: Sequence[str],
    known: Mapping[str, str] = MappingProxyType({}),
    free: Callable[[str, str], bool] = lambda source, name: True,
) -> dict[str, str]:
    """A file name for the output of each source: its stem, and where two share one, as much more as tells them apart.

    `known` holds the names that an output folder already gave to sources: they keep them, and no other
    source gets one of those. `free` says of a source and a name whether the folder has room for it; the last and
    longest form of a name is given in any case.

    >>> names(["a/clip.mp4", "b/clip.mp4", "c/other.mov", "c/other.mp4"])
    {'a/clip.mp4': 'a-clip', 'b/clip.mp4': 'b-clip', 'c/other.mov': 'other-mov', 'c/other.mp4': 'other-mp4'}
    >>> names(["b/clip.mp4"], known={"a/clip.mp4": "clip"})
    {'b/clip.mp4': 'clip-mp4'}
    """
    chosen = {source: known[source] for source in sources if source in known and free(source, known[source])}
    taken = {name.lower() for name in known.values()}
    left = [source for source in sources if source not in chosen]
    for form in range(_FORMS):
        spelled = {source: _spelled(source, form) for source in left}
        wanted = Counter(name.lower() for name in spelled.values())
        for source, name in spelled.items():
            alone = wanted[name.lower()] == 1 and name.lower() not in taken
            if form == _FORMS - 1 or (alone and free(source, name)):
                chosen[source] = name
        taken |= {name.lower() for name in chosen.values()}
        left = [source for source in left if source not in chosen]
    return {source: chosen[source] for source in sources}


_FORMS = 4

_LONGEST = 180
"""Bytes that are kept of a source's own name: file systems take 255, with the ending and the marks of a part file."""


def _spelled(source: str, form: int) -> str:
    """A source's name at four lengths; the last is its own alone."""
    path = Path(os.path.abspath(source.replace(":", "-")))  # so that "." and ".." have names
    suffix = path.suffix.removeprefix(".").lower() or "folder"
    whole = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    stem = path.stem.encode()[:_LONGEST].decode(errors="ignore")
    return (
        stem,
        f"{stem}-{suffix}",
        f"{path.parent.name}-{stem}".encode()[-_LONGEST:].decode(errors="ignore"),
        f"{stem}-{suffix}-{whole}",
    )[form]
