"""Many sources, read into files: each with its own outcome, so that one bad file costs only itself."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mimica.clips import STATUSES, Reading, Track
from mimica.errors import InputError, MimicaError, UsageError, unforeseen, unknown
from mimica.reading.events import Closed, Event, Opened, Seen
from mimica.reading.record import Outcome, Record
from mimica.reading.settings import Settings
from mimica.reading.sinks import FORMATS, UNITS, open_sink
from mimica.reading.sinks.spans import Spoken
from mimica.recognition.registry import facts as model_facts
from mimica.video.sources import resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do with every source: the model, how to read, where to write and in which formats.

    `out` None writes JSON lines to standard output and nothing else. `units` is the detector of Action Units to ask as
    well; with `model` None that alone is asked, and the one format is `units`.
    """

    model: str | None = "duse-compact"
    out: Path | None
    formats: tuple[str, ...] = ("csv", "html")
    settings: Settings = field(default_factory=Settings)
    blur_faces: bool = False
    units: str | None = None


Progress = Callable[[str, float, float | None], None]
"""Told the source, the seconds read so far, and the seconds in all where they are known."""


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
    people, spoken = set[int](), Spoken()
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
                _count(event, outcome, people, spoken, statuses)
                if isinstance(event, Seen):
                    progress(source, event.frame.time, duration)
    except MimicaError as error:
        named = source in str(error) or Path(source).name in str(error)
        outcome.state, outcome.error = "failed", str(error) if named else f"{source}: {error}"
    except BrokenPipeError:
        raise  # whoever reads standard output has enough: there is no one to go on for
    except Exception as error:
        outcome.state, outcome.error = "failed", unforeseen(source, error, "try again with fewer --jobs")
    else:
        outcome.outputs = [str(path) for _, path in _paths(job, name) if path != "-"]
    outcome.people, outcome.statuses = len(people), dict(statuses)
    outcome.labels = {said: spent for said, spent in spoken.time().items() if said not in STATUSES}
    return outcome


def _count(event: Event, outcome: Outcome, people: set[int], spoken: Spoken, statuses: Counter[str]) -> None:
    if isinstance(event, Track) and not statuses:  # units alone are asked: nobody is read, and all are followed
        people.add(event.person)
    elif isinstance(event, Reading):
        statuses[event.status] += 1
        if event.person is not None:
            people.add(event.person)
        spoken.append(event)
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


def check_formats(formats: Sequence[str]) -> None:
    """Raise UsageError for a format that does not exist."""
    for kind in formats:
        if kind not in (*FORMATS, UNITS):
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
    record = Record(job, model_facts(job.model) if job.model else {})
    found = list(_unwritten(resolve(sources), {str(Path(source).expanduser()) for source in sources}, record))
    named = record.named([source for source, error in found if not error])
    waiting = []
    for source, error in found:
        if error:
            yield Outcome(source=source, state="failed", error=error)
        elif not again and (done := record.done(source)):
            yield done
        else:
            waiting.append(source)
    if not waiting:
        return
    reader = _reader(job)  # first of all: a model that is refused leaves nothing behind, and is told of once
    work = partial(_alone, reader) if jobs == 1 or len(waiting) < 2 else _together
    del reader  # each of several processes has its own
    # Before anything is read: a folder that cannot be written to is known, and a run that is killed has its names.
    record.claim({source: named[source] for source in waiting})
    for outcome in work(job, [(source, named[source]) for source in waiting], jobs, progress, stopped):
        record.keep(outcome, named[outcome.source])
        yield outcome


def _unwritten(found: Iterator[tuple[str, str]], asked: set[str], record: Record) -> Iterator[tuple[str, str]]:
    """Without what earlier runs wrote into a folder that is read, such as annotated videos, unless it was named."""
    passed, left = 0, 0
    for source, error in found:
        ours = not error and source not in asked and record.wrote(source)
        passed, left = passed + ours, left + (not ours)
        if not ours:
            yield source, error
    if passed and not left:
        raise InputError("there is nothing to read but what earlier runs wrote; to read one of those, name it")


def _alone(
    reader: Any, job: Job, waiting: list[tuple[str, str]], jobs: int, progress: Progress, stopped: Callable[[], bool]
) -> Iterator[Outcome]:
    for source, name in waiting:
        if stopped():
            return
        yield read_source(reader, source, name, job, progress=progress, stopped=stopped)


def _together(
    job: Job, waiting: list[tuple[str, str]], jobs: int, progress: Progress, stopped: Callable[[], bool]
) -> Iterator[Outcome]:
    left = deque(waiting)
    while left and not stopped():
        under_way = yield from _pooled(job, left, jobs, progress, stopped)
        # When a process dies all of its pool do: one at a time shows which source it was, and reads the others.
        for each in under_way:
            if len(under_way) == 1 or (yield from _pooled(job, deque([each]), 1, progress, stopped)):
                yield Outcome(source=each[0], state="failed", error=f"{each[0]} {_DIED}")


_DIED = (
    "was not read to its end: the process that read it died, of this file or for want of memory; "
    "try again with fewer --jobs"
)


def _pooled(
    job: Job, left: deque[tuple[str, str]], jobs: int, progress: Progress, stopped: Callable[[], bool]
) -> Generator[Outcome, None, list[tuple[str, str]]]:
    """Take sources from `left` and read them, `jobs` at once; give back what was under way if a process died."""
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    context = get_context("spawn")  # torch does not survive a fork
    halt = context.Event()
    pending: dict[Future[Outcome | None], tuple[str, str]] = {}
    with ProcessPoolExecutor(min(jobs, len(left)), context, _start_worker, (job, jobs, halt)) as pool:
        try:
            while left or pending:
                if stopped():
                    halt.set()
                    left.clear()
                while left and len(pending) < jobs:  # no more than are read, so that only those are under way
                    pending[pool.submit(_work, *left[0])] = left[0]
                    left.popleft()
                for future in wait(pending, timeout=0.2, return_when=FIRST_COMPLETED).done:
                    outcome = future.result()
                    del pending[future]
                    if outcome is not None:
                        progress(outcome.source, outcome.seconds, outcome.seconds)
                        yield outcome
        except BrokenExecutor:
            return list(pending.values())
    return []


_worker: dict[str, Any] = {}


def _start_worker(job: Job, jobs: int, halt: Any) -> None:
    import signal
    from threading import Thread

    import torch

    # Were the parent killed, a process that read on would write where a run that is started again writes.
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and tells us through `halt`
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    _worker.update(job=job, reader=_reader(job), halt=halt)


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(source: str, name: str) -> Outcome | None:
    """The outcome of a source, None if it was not begun because all had been stopped by then."""
    if _worker["halt"].is_set():
        return None
    return read_source(_worker["reader"], source, name, _worker["job"], stopped=_worker["halt"].is_set)


def _reader(job: Job) -> Any:
    units = None
    if job.units:
        from mimica.units.registry import load as detector_of

        units = detector_of(job.units, device=job.settings.device)
    if job.model is None:
        from mimica.reading.units import UnitReader

        assert units is not None
        return UnitReader(units, job.settings)
    from mimica.reading.reader import Reader
    from mimica.recognition.registry import load

    return Reader(load(job.model, device=job.settings.device), job.settings, units=units)
