"""What a frozen encoder saw of clips, kept in a folder: computed once, mapped into memory, read in any order.

    cache.json                what the features depend on beside the clips, and who made them
    plain-0123….safetensors   a shard: some clips as they are in test, and which they are
    view3-4567….safetensors   a shard of the fourth augmented view

A shard appears whole or not at all, and says itself which clips it holds, so a folder needs no list of them: what is
missing is what no shard holds. R frames of a clip.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError, unknown

ABOUT = "cache.json"

PRECISIONS = {"fp16": torch.float16, "fp32": torch.float32}
"""How features are kept, by name."""

OF_VIEWS = ("augmentation", "seed", "frames of a view")
"""Parts of the key that only augmented views depend on."""

_FORMAT = 1
_KIND = "features"
_LENGTHS = "lengths"

Row = Mapping[str, Tensor]
"""Of one clip in one view: tensors [R, ...] by name."""


@dataclass(frozen=True, slots=True)
class _Place:
    shard: Path
    number: int


class Cache:
    """A folder of features by (view, clip): a view is None, as in test, or the number of an augmented one.

    A clip is named by its digest. `key` states what all features depend on, by words a user knows.
    """

    def __init__(self, path: Path, key: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        self.path, self.key, self.made = path, dict(key), dict(made)
        self._places: dict[tuple[int | None, str], _Place] = {}
        self._digests: dict[str, str] = {}
        self._opened: dict[Path, list[Row]] = {}
        for shard in sorted(path.glob("*.safetensors")):
            self._note(shard, _facts(shard))

    @classmethod
    def begun(cls, path: Path, key: Mapping[str, Any], made: Mapping[str, Any]) -> Cache:
        """The cache in a folder, as far as it is filled, or an empty one where there is none.

        More views may be asked for than it has, not fewer. Raises CheckpointError where it was made by another key.
        """
        if key["precision"] not in PRECISIONS:
            raise unknown("precision of features", key["precision"], PRECISIONS)
        if (path / ABOUT).exists():
            there = cls.opened(path)
            there.refuse_other(key, mend="give the same again to go on with it, or choose another --out")
            if there.views >= key["views"]:
                return there
        elif path.exists() and any(path.iterdir()):
            raise UsageError(f"{path} holds something else than a cache; choose another --out")
        about = {"format": _FORMAT, "kind": "cache", "key": key, "made": made}
        checkpoint.put(path / ABOUT, (json.dumps(about, indent=1) + "\n").encode())
        return cls(path, _plain(key), made)

    @classmethod
    def opened(cls, path: Path) -> Cache:
        """The cache in a folder. Raises CheckpointError where there is none, or a shard cannot be read."""
        try:
            about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
            if about["kind"] != "cache" or about["format"] != _FORMAT:
                raise ValueError
            return cls(path, about["key"], about["made"])
        except (OSError, ValueError, KeyError, TypeError):
            raise CheckpointError(f"{path} is no cache that can be read; mimica cache makes one") from None

    @property
    def views(self) -> int:
        """How many augmented views each clip has."""
        return int(self.key["views"])

    def refuse_other(self, key: Mapping[str, Any], *, mend: str, leave: Sequence[str] = ()) -> None:
        """Raise CheckpointError that names the parts of the key in which this cache is another than is wanted.

        `leave` are parts that make no difference; those of views make none where either has no views.
        """
        then, now = self.key, _plain(key)
        passed = {*leave, "views", *(() if then["views"] and now["views"] else OF_VIEWS)}
        parts = [part for part in now if part not in passed and then.get(part) != now[part]]
        if parts:
            told = "; ".join(f"{part}: {_told(then.get(part), now[part])}" for part in parts)
            raise CheckpointError(f"{self.path} was made with another {', '.join(parts)} ({told}); {mend}")

    def holds(self, view: int | None, digest: str) -> bool:
        """Whether a clip is there in a view."""
        return (view, digest) in self._places

    def changed(self, name: str) -> bool:
        """Whether a clip of that name is there as it once was or still is."""
        return name in self._digests

    def row(self, view: int | None, digest: str) -> Row:
        """The features of a clip in a view [R, ...] by name, in the memory that the file is mapped to."""
        place = self._places[view, digest]
        if place.shard not in self._opened:
            self._opened[place.shard] = _read(place.shard)
        return self._opened[place.shard][place.number]

    def add(self, view: int | None, clips: Sequence[tuple[str, str]], rows: Sequence[Row]) -> None:
        """Write a shard of clips, each by its name and digest. Raises UsageError for what fp16 cannot hold."""
        kept = PRECISIONS[self.key["precision"]]
        tensors = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        for name, whole in tensors.items():
            tensors[name] = whole.to(kept)
            if bool((~tensors[name].isfinite()).any()) and bool(whole.isfinite().all()):
                raise UsageError(f"some {name} are too large for fp16; make the cache with --precision fp32")
        tensors[_LENGTHS] = torch.tensor([len(next(iter(row.values()))) for row in rows])
        facts = {"kind": _KIND, "key": self._digest(view), "view": view, "clips": [list(clip) for clip in clips]}
        name = hashlib.sha256("\n".join(digest for _, digest in clips).encode()).hexdigest()[:16]
        shard = self.path / f"{'plain' if view is None else f'view{view}'}-{name}.safetensors"
        checkpoint.pack(shard, tensors, facts)
        self._note(shard, facts)

    def _digest(self, view: int | None) -> str:
        """A digest of what a shard of that view depends on beside its clips."""
        left = {"views", *(OF_VIEWS if view is None else ())}
        told = json.dumps({part: value for part, value in self.key.items() if part not in left}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def _note(self, shard: Path, facts: Mapping[str, Any]) -> None:
        if facts.get("kind") != _KIND or facts.get("key") != self._digest(facts.get("view")):
            raise CheckpointError(f"{shard} is not of this cache; take it out of {self.path}")
        for number, (name, digest) in enumerate(facts["clips"]):
            self._places[facts["view"], digest] = _Place(shard, number)
            self._digests[name] = digest


def _plain(key: Mapping[str, Any]) -> dict[str, Any]:
    """A key as JSON gives it back."""
    plain: dict[str, Any] = json.loads(json.dumps(key))
    return plain


def _told(then: Any, now: Any) -> str:
    """How a part of a key differs, of one with names only those that do."""
    if isinstance(then, dict) and isinstance(now, dict):
        other = [name for name in now if then.get(name) != now[name]]
        return ", ".join(f"{name} {_said(then.get(name))}, not {_said(now[name])}" for name in other)
    return f"{_said(then)}, not {_said(now)}"


def _said(value: Any) -> str:
    """A value in a sentence; a long one by its beginning."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}…"


def _facts(shard: Path) -> dict[str, Any]:
    """What a shard says of itself, without its tensors."""
    try:
        return checkpoint.packed_facts(shard)
    except CheckpointError:
        raise _broken(shard) from None


def _read(shard: Path) -> list[Row]:
    """The rows of a shard; its tensors are mapped and not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(shard, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        lengths = tensors.pop(_LENGTHS).tolist()
    except (OSError, SafetensorError, KeyError):
        raise _broken(shard) from None
    return list(_rows({name: torch.split(whole, lengths) for name, whole in tensors.items()}, len(lengths)))


def _rows(parts: Mapping[str, Sequence[Tensor]], number: int) -> Iterator[Row]:
    for i in range(number):
        yield {name: part[i] for name, part in parts.items()}


def _broken(shard: Path) -> CheckpointError:
    return CheckpointError(f"{shard} is damaged; delete it, and mimica cache makes anew what it held")
