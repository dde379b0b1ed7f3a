"""Many sources, read into files: each with its own outcome, so that one bad file costs only itself."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from mimica import __version__, assets
from mimica.clips import Reading
from mimica.errors import InputError, MimicaError, UsageError, unknown
from mimica.reading.events import Closed, Event, Opened, Seen
from mimica.reading.settings import Settings
from mimica.reading.sinks import FORMATS, open_sink
from mimica.recognition.registry import facts as model_facts

RECORD = "mimica.json"
"""The file in the output folder that remembers what was read, how, and to what end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do with every source: the model, how to read, where to write and in which formats.

    `out` None writes JSON lines to standard output and nothing else.
    """

    model: str = "duse-compact"
    out: Path | None
    formats: tuple[str, ...] = ("csv", "html")
    settings: Settings = field(default_factory=Settings)
    blur_faces: bool = False


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How one source went: its state, the sentence if it failed, what was written, what was read.

    `seconds` is the time of the source's last frame; `labels` how many sure readings each class has;
    `statuses` how many readings each status has.
    """

    source: str
    state: Literal["done", "stopped", "failed", "skipped"] = "done"
    error: str = ""
    outputs: list[str] = field(default_factory=list)
    people: int = 0
    seconds: float = 0.0
    labels: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


Progress = Callable[[str, float, float | None], None]
"""Told the source, the seconds read so far, and the seconds in all where they are known."""


def resolve(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each source to read, with an empty error, or what was asked for with the error it gives.

    Globs and folders become what they hold; `asset:NAME` a file of that asset.
    """
    from mimica.video.sources import expand, is_camera

    told = set()
    for asked in sources:
        try:
            meant = [str(assets.file(asked.removeprefix("asset:")))] if asked.startswith("asset:") else expand([asked])
            found = [(source, "") for source in meant]
        except MimicaError as error:
            found = [(asked, str(error))]
        for source, error_ in found:
            which = source if error_ or is_camera(source) else str(Path(source).resolve())
            if which not in told:
                told.add(which)
                yield source, error_


def names(sources: Sequence[str], known: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """A file name for the output of each source: its stem, and where two share one, as much more as tells them apart.

    `known` holds the names that an output folder already gave to sources: they keep them, and no other
    source gets one of those.

    >>> names(["a/clip.mp4", "b/clip.mp4", "c/other.mov", "c/other.mp4"])
    {'a/clip.mp4': 'a-clip', 'b/clip.mp4': 'b-clip', 'c/other.mov': 'other-mov', 'c/other.mp4': 'other-mp4'}
    >>> names(["b/clip.mp4"], known={"a/clip.mp4": "clip"})
    {'b/clip.mp4': 'clip-mp4'}
    """
    chosen = {source: known[source] for source in sources if source in known}
    taken = {name.lower() for name in known.values()}
    left = [source for source in sources if source not in chosen]
    for form in range(_FORMS):
        spelled = {source: _spelled(source, form) for source in left}
        wanted = Counter(name.lower() for name in spelled.values())
        for source, name in spelled.items():
            if form == _FORMS - 1 or (wanted[name.lower()] == 1 and name.lower() not in taken):
                chosen[source] = name
        taken |= {name.lower() for name in chosen.values()}
        left = [source for source in left if source not in chosen]
    return {source: chosen[source] for source in sources}


_FORMS = 4


def _spelled(source: str, form: int) -> str:
    """A source's name at four lengths; the last is its own alone."""
    path = Path(os.path.abspath(source.replace(":", "-")))  # so that "." and ".." have names
    suffix = path.suffix.removeprefix(".").lower() or "folder"
    whole = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return (
        path.stem,
        f"{path.stem}-{suffix}",
        f"{path.parent.name}-{path.stem}",
        f"{path.stem}-{suffix}-{whole}",
    )[form]


def read_source(
    reader: Any,
    source: str,
    name: str,
    job: Job,
    *,
    progress: Progress = lambda source, at, of: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Read one source into every format of the job. Never raises for what is wrong with the source."""
    from mimica.reading.sinks.base import SinkOptions

    outcome = Outcome(source=source)
    people: set[int] = set()
    labels: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    duration: float | None = None
    try:
        with ExitStack() as stack:
            options = SinkOptions(blur_faces=job.blur_faces, link=_link(source))
            sinks = [stack.enter_context(open_sink(kind, path, options)) for kind, path in _paths(job, name)]
            every = any(sink.wants == "every" for sink in sinks)
            for event in reader.read(source, every_frame=every, stopped=stopped):
                for sink in sinks:
                    sink.append(event)
                duration = event.duration if isinstance(event, Opened) else duration
                _count(event, outcome, people, labels, statuses)
                if isinstance(event, Seen):
                    progress(source, event.frame.time, duration)
    except MimicaError as error:
        outcome.state, outcome.error = "failed", str(error)
    except BrokenPipeError:
        raise  # whoever reads standard output has enough: there is no one to go on for
    except (OSError, MemoryError) as error:
        outcome.state, outcome.error = "failed", f"{type(error).__name__}: {error}; check the disk and the permissions"
    else:
        outcome.outputs = [str(path) for _, path in _paths(job, name) if path != "-"]
    outcome.people, outcome.labels, outcome.statuses = len(people), dict(labels), dict(statuses)
    return outcome


def _count(event: Event, outcome: Outcome, people: set[int], labels: Counter[str], statuses: Counter[str]) -> None:
    if isinstance(event, Reading):
        statuses[event.status] += 1
        if event.person is not None:
            people.add(event.person)
        if event.status == "ok" and event.label:
            labels[event.label] += 1
    elif isinstance(event, Closed):
        outcome.seconds, outcome.notes, outcome.warnings = event.last_time, list(event.notes), list(event.warnings)
        outcome.state = "done" if event.finished else "stopped"


def _paths(job: Job, name: str) -> list[tuple[str, Path | Literal["-"]]]:
    if job.out is None:
        return [("jsonl", "-")]
    return [(kind, job.out / f"{name}.{kind}") for kind in job.formats]


def _link(source: str) -> str | None:
    path = Path(source)
    return str(path.absolute()) if path.exists() else None


class Record:
    """What an output folder remembers, so that a run that is started again reads only what is missing."""

    def __init__(self, job: Job, model: Mapping[str, Any]) -> None:
        self.path = None if job.out is None else job.out / RECORD
        how = asdict(job.settings) | {
            "formats": job.formats,
            "blur": job.blur_faces,
            "model": model,
            "by": __version__,
        }
        self.how = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()[:16]
        self.entries = _entries(self.path) if self.path and self.path.is_file() else {}

    def done(self, source: str) -> Outcome | None:
        """The outcome of an unchanged source that was read to its end in the same way, if its outputs are there."""
        entry = self.entries.get(str(Path(source).absolute()))
        if not entry or entry["how"] != self.how or entry["file"] != _identity(source):
            return None
        outcome = Outcome(**entry["outcome"])
        if outcome.state != "done" or not all(Path(path).is_file() for path in outcome.outputs):
            return None
        outcome.state = "skipped"
        return outcome

    def named(self, sources: Sequence[str]) -> dict[str, str]:
        """A file name for the output of each source, the one it had before if it was read into this folder."""
        absolute = {str(Path(source).absolute()): source for source in sources}
        known = {absolute.get(key, key): entry["name"] for key, entry in self.entries.items()}
        return names(sources, known)

    def keep(self, outcome: Outcome, name: str) -> None:
        """Remember an outcome at once; the file is replaced whole."""
        key = str(Path(outcome.source).absolute())
        entry = {"name": name, "how": self.how, "file": _identity(outcome.source), "outcome": asdict(outcome)}
        self.entries[key] = entry
        self.save()

    def save(self) -> None:
        """Write the file, and the folder that it is in. Raises InputError where that cannot be done."""
        if self.path is None:
            return
        part = self.path.with_name(f".{RECORD}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"sources": self.entries}, indent=1))
            part.replace(self.path)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}; choose another folder with --out") from None


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    """What a record says of each source, if it is a record."""
    try:
        entries: dict[str, dict[str, Any]] = json.loads(path.read_text())["sources"]
        for entry in entries.values():
            if not {"name", "how", "file", "outcome"} <= entry.keys():
                raise KeyError
            Outcome(**entry["outcome"])
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise InputError(
            f"{path} is damaged or of another version; delete it, and every source is read again"
        ) from None
    return entries


def _identity(source: str) -> str:
    """Size and time of change of a file; a folder of pictures has those of all of them."""
    path = Path(source)
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(str(stamps).encode()).hexdigest()[:16]


def check_formats(formats: Sequence[str]) -> None:
    """Raise UsageError for a format that does not exist."""
    for kind in formats:
        if kind not in FORMATS:
            raise unknown("format", kind, FORMATS)


def run(
    job: Job,
    sources: Sequence[str],
    *,
    jobs: int = 1,
    again: bool = False,
    progress: Progress = lambda source, at, of: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Read all sources; give the outcome of each as it is done.

    Those that an earlier run into the same folder read to the end in the same way are skipped, unless
    `again`. With `jobs` above 1 as many sources are read at once, each in its own process. Raises
    UsageError for an unknown format, what `mimica.load` raises for the model, and InputError for a folder
    that cannot be written to.
    """
    check_formats(job.formats)
    if jobs < 1:
        raise UsageError(f"jobs must be 1 or more, got {jobs}")
    record = Record(job, model_facts(job.model))
    found = list(resolve(sources))
    named = record.named([source for source, error in found if not error])
    waiting = []
    for source, error in found:
        if error:
            yield Outcome(source=source, state="failed", error=error)
        elif not again and (done := record.done(source)):
            yield done
        else:
            waiting.append(source)
    if waiting:
        record.save()  # so that a folder that cannot be written to is known before anything is read
    work = _alone if jobs == 1 or len(waiting) < 2 else _together
    for outcome in work(job, [(source, named[source]) for source in waiting], jobs, progress, stopped):
        record.keep(outcome, named[outcome.source])
        yield outcome


def _alone(
    job: Job, waiting: list[tuple[str, str]], jobs: int, progress: Progress, stopped: Callable[[], bool]
) -> Iterator[Outcome]:
    reader = _reader(job) if waiting else None
    for source, name in waiting:
        if stopped():
            return
        yield read_source(reader, source, name, job, progress=progress, stopped=stopped)


def _together(
    job: Job, waiting: list[tuple[str, str]], jobs: int, progress: Progress, stopped: Callable[[], bool]
) -> Iterator[Outcome]:
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    _reader(job)  # so that whatever is missing is said once, here, and not by every process
    context = get_context("spawn")  # torch does not survive a fork
    halt = context.Event()
    with ProcessPoolExecutor(min(jobs, len(waiting)), context, _start_worker, (job, jobs, halt)) as pool:
        pending = {pool.submit(_work, source, name): source for source, name in waiting}
        while pending:
            if stopped():
                halt.set()
                pending = {future: source for future, source in pending.items() if not future.cancel()}
            for future in wait(pending, timeout=0.2, return_when=FIRST_COMPLETED).done:
                outcome = _result(future, pending.pop(future))
                if outcome is not None:
                    progress(outcome.source, outcome.seconds, outcome.seconds)
                    yield outcome


def _result(future: Future[Outcome | None], source: str) -> Outcome | None:
    try:
        return future.result()
    except BrokenExecutor:
        why = "one of the processes that read was killed, perhaps for want of memory; try again with fewer --jobs"
        return Outcome(source=source, state="failed", error=f"{source} was not read to its end: {why}")


_worker: dict[str, Any] = {}


def _start_worker(job: Job, jobs: int, halt: Any) -> None:
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and tells us through `halt`
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    _worker.update(job=job, reader=_reader(job), halt=halt)


def _work(source: str, name: str) -> Outcome | None:
    """The outcome of a source, None if it was not begun because all had been stopped by then."""
    if _worker["halt"].is_set():
        return None
    return read_source(_worker["reader"], source, name, _worker["job"], stopped=_worker["halt"].is_set)


def _reader(job: Job) -> Any:
    from mimica.reading.reader import Reader
    from mimica.recognition.registry import load

    return Reader(load(job.model, device=job.settings.device), job.settings)
