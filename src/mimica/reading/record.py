"""What an output folder remembers of each source, so that a run may be started again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mimica import __version__
from mimica.data.whole import whole
from mimica.errors import InputError
from mimica.units.registry import identity
from mimica.video.names import names
from mimica.video.sources import key, stamp

if TYPE_CHECKING:
    from mimica.reading.job import Job

RECORD = "mimica.json"
"""The file in the output folder that remembers what was read, how, and to what end."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How one source went: its state, the sentence if it failed, what was written, what was read.

    `seconds` is the time of the source's last frame; `labels` how many seconds each class was shown for sure, of a
    photo by how many; `statuses` how many readings each status has.
    """

    source: str
    state: Literal["done", "stopped", "failed", "skipped"] = "done"
    error: str = ""
    outputs: list[str] = field(default_factory=list)
    people: int = 0
    seconds: float = 0.0
    labels: dict[str, float] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Record:
    """What an output folder remembers, so that a run that is started again reads only what is missing.

    `files` says of every file that was written there, or is about to be, which source it is of: whatever else
    lies in the folder is someone's own and stays as it is.
    """

    def __init__(self, job: Job, model: Mapping[str, Any]) -> None:
        self.path = None if job.out is None else job.out / RECORD
        self.formats = job.formats
        how = asdict(job.settings) | {
            "formats": job.formats,
            "blur": job.blur_faces,
            "model": model,
            "by": __version__,
        }
        if job.units:  # without, what earlier versions remembered stays true
            how |= {"units": job.units, "detector": identity(job.units)}
        self.how = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()[:16]
        self.entries: dict[str, dict[str, Any]] = {}
        self.files: dict[str, str] = {}
        if self.path and self.path.is_file():
            self.entries, self.files = _remembered(self.path)

    def done(self, source: str) -> Outcome | None:
        """The outcome of an unchanged source that was read to its end in the same way, if its outputs are there."""
        entry = self.entries.get(key(source))
        if not entry or entry["how"] != self.how or entry["file"] != stamp(source):
            return None
        outcome = Outcome(**entry["outcome"])
        if outcome.state != "done" or not all(Path(path).is_file() for path in outcome.outputs):
            return None
        outcome.state = "skipped"
        return outcome

    def named(self, sources: Sequence[str]) -> dict[str, str]:
        """A file name for the output of each source, the one it had before if it was read into this folder."""
        absolute = {key(source): source for source in sources}
        known = {absolute.get(k, k): entry["name"] for k, entry in self.entries.items()}
        return names(sources, known, self._free)

    def wrote(self, path: str) -> bool:
        """Whether a file is one that was written here."""
        here = self.path is not None and Path(path).resolve().parent == self.path.parent.resolve()
        return here and Path(path).name in self.files

    def claim(self, named: Mapping[str, str]) -> None:
        """Remember what the files of sources are to be called, before there are any."""
        for source, name in named.items():
            self.files |= dict.fromkeys(self._written(name), key(source))
        self.save()

    def keep(self, outcome: Outcome, name: str) -> None:
        """Remember an outcome at once; the file is replaced whole."""
        entry = {"name": name, "how": self.how, "file": stamp(outcome.source), "outcome": asdict(outcome)}
        self.entries[key(outcome.source)] = entry
        self.files = {file: of for file, of in self.files.items() if of != key(outcome.source) or self._lies(file)}
        self.save()

    def _written(self, name: str) -> list[str]:
        return [f"{name}.{kind}" for kind in self.formats]

    def _lies(self, file: str) -> bool:
        return self.path is not None and os.path.lexists(self.path.parent / file)

    def _free(self, source: str, name: str) -> bool:
        """Whether the files of a source may be called so: what has those names already is of the same source."""
        mine = key(source)
        return all(self.files.get(file, None if self._lies(file) else mine) == mine for file in self._written(name))

    def save(self) -> None:
        """Write the file, and the folder that it is in. Raises InputError where that cannot be done."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with whole(self.path) as part:
                part.write_text(json.dumps({"sources": self.entries, "files": self.files}, indent=1))
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}; choose another folder with --out") from None


def _remembered(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """What a record says of each source and of each file, if it is a record."""
    try:
        record = json.loads(path.read_text())
        entries: dict[str, dict[str, Any]] = record["sources"]
        files: dict[str, str] = {}
        for source, entry in entries.items():
            if not {"name", "how", "file", "outcome"} <= entry.keys():
                raise KeyError
            files |= {Path(file).name: source for file in Outcome(**entry["outcome"]).outputs}
        return entries, files | record.get("files", {})
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise InputError(
            f"{path} is damaged or of another version; delete it, and every source is read again"
        ) from None
