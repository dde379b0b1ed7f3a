"""What a folder of cut faces remembers of each source, so that the work may be started again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mimica.data.whole import whole
from mimica.errors import InputError
from mimica.video.names import names
from mimica.video.sources import key, stamp

RECORD = "mimica.jsonl"
"""The file that remembers: a line for each source that was cut, of which the last one holds."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How one source went: its state, the sentence if it failed, whom it shows and what was cut.

    `looked` is the number of frames in which faces were looked for, `persons` how many were found, `left` how many of
    them have no clip for which reason; `why` says it of the source if it has none at all. `clips` holds the columns
    of each, without label and part; `notes` what was wrong with the source part way.
    """

    source: str
    state: Literal["done", "stopped", "failed", "skipped"] = "done"
    error: str = ""
    looked: int = 0
    persons: int = 0
    left: dict[str, int] = field(default_factory=dict)
    why: str = ""
    clips: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is remembered of a source: the name of its clips, its `stamp` when it was read, its outcome."""

    name: str
    stamp: str
    outcome: Outcome


class Record:
    """What a folder remembers of every source, by its absolute path. Nothing is read or written before it is asked.

    Raises InputError where the file is something else.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, out / RECORD
        self.entries: dict[str, Entry] = {}
        if self.path.exists():
            self._remember()

    def done(self, source: str) -> Outcome | None:
        """The outcome of an unchanged source that was cut, if its clips are there."""
        entry = self.entries.get(key(source))
        if entry is None or entry.outcome.state != "done" or entry.stamp != stamp(source):
            return None
        if not all((self.out / clip[view]).is_dir() for clip in entry.outcome.clips for view in ("path", "scene")):
            return None
        return replace(entry.outcome, source=source, state="skipped")

    def folders(self, source: str) -> set[Path]:
        """The folders of the clips that a source has so far."""
        entry = self.entries.get(key(source))
        return {(self.out / clip["path"]).parent for clip in entry.outcome.clips} if entry else set()

    def named(self, sources: Sequence[str]) -> dict[str, str]:
        """The name of the clips of each source, the one it had before if it was cut into this folder."""
        absolute = {key(source): source for source in sources}
        return names(sources, {absolute.get(k, k): entry.name for k, entry in self.entries.items() if entry.name})

    def keep(self, outcome: Outcome, name: str, stamp: str) -> None:
        """Remember an outcome at once. What was cut before of a source that fails now stays in the table."""
        before = self.entries.get(key(outcome.source))
        if outcome.state == "failed" and before is not None:
            outcome.clips, name = before.outcome.clips, before.name
        entry = Entry(name=name, stamp=stamp, outcome=outcome)
        self.entries[key(outcome.source)] = entry
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(key(outcome.source), entry))

    def _remember(self) -> None:
        """Read the file. A last line that a kill cut short is dropped, as is what failed and is gone by now."""
        try:
            *lines, torn = self.path.read_text(encoding="utf-8").split("\n")
            for line in lines:
                told = json.loads(line)
                known = told.pop("key")
                self.entries[known] = Entry(**told | {"outcome": Outcome(**told["outcome"])})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{self.path} is damaged or of another version; delete it, and every source is cut again"
            ) from None
        self.entries = {k: e for k, e in self.entries.items() if e.outcome.clips or not e.outcome.error or _exists(k)}
        if torn or len(lines) > 2 * len(self.entries):
            with whole(self.path) as path:
                path.write_text("".join(_line(k, entry) for k, entry in self.entries.items()), encoding="utf-8")


def _exists(path: str) -> bool:
    return Path(path).exists()


def _line(key: str, entry: Entry) -> str:
    return json.dumps({"key": key, **asdict(entry)}) + "\n"
