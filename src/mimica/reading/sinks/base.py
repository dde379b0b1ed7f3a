"""What every sink does: it writes beside the final name and moves the file there once it is whole."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self

from mimica.clips import Reading, Track
from mimica.errors import InputError
from mimica.reading.events import Closed, Event, Opened, Seen, Settled

Wants = Literal["none", "read", "every"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """What a sink may be told beyond its path.

    `blur_faces` makes every face that a sink draws beyond recognition. `link` is the path or address
    of the source as the written file should point to it, relative to that file or absolute.
    """

    blur_faces: bool = False
    link: str | None = None


class Sink(Protocol):
    """Takes the events of one source and writes one file.

    `wants` says which frames it has to see: none, those that are read, or every one. `path` is the
    final name of the file, None for standard output.
    """

    wants: ClassVar[Wants]
    path: Path | None

    def __init__(self, path: Path | None, options: SinkOptions) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def append(self, event: Event) -> None:
        """Take the next event. Raises InputError if the file cannot be written."""


class FileSink:
    """The common part of the sinks: the part file, the order of events, errors of writing in one sentence.

    The file is kept if the `with` block ends well, or if `Closed` came before an exception, as it
    does when reading is interrupted; otherwise nothing is left. A source that never opened leaves
    no file. Formats override the methods named after the events, and `_finish`.
    """

    wants: ClassVar[Wants] = "none"

    def __init__(self, path: Path | None, options: SinkOptions) -> None:
        self.path = path
        self.options = options
        self.closed: Closed | None = None
        self._opened: Opened | None = None

    @property
    def part(self) -> Path:
        """The file that is written until the source is at its end, beside the final one."""
        if self.path is None:
            raise ValueError("standard output has no part file")
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def opened(self) -> Opened:
        """The source that is being read."""
        if self._opened is None:
            raise ValueError("a sink was given an event before Opened")
        return self._opened

    @property
    def complete(self) -> bool:
        """Whether the whole source was read."""
        return self.closed is not None and self.closed.finished

    def __enter__(self) -> Self:
        if self.path is not None:
            with self.framed():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.part.touch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keep = self._opened is not None and (kind is None or self.closed is not None)
        kept = False
        try:
            if keep:
                with self.framed():
                    self._finish()
                    self._keep()
                kept = True
        finally:
            if not kept:
                self._forget()

    def append(self, event: Event) -> None:
        """Take the next event. Raises InputError if the file cannot be written."""
        with self.framed():
            if isinstance(event, Opened):
                if self._opened is not None:
                    raise ValueError("a sink takes one source; open another sink for the next")
                self._opened = event
                self._begin()
                return
            if isinstance(event, Closed):
                self.closed = event
            _HANDLERS[type(event)](self, event)

    @contextlib.contextmanager
    def framed(self) -> Iterator[None]:
        """Turns an error of the file system into one sentence that names the file."""
        try:
            yield
        except BrokenPipeError:
            raise  # whoever reads standard output has enough: nothing is wrong with the file
        except OSError as error:
            what = error.strerror or str(error)
            raise InputError(
                f"cannot write {self.path or 'to standard output'}: {what}; choose another place with --out"
            ) from None

    def _begin(self) -> None:
        """The source is known, as `opened`."""

    def _seen(self, event: Seen) -> None:
        """A frame came."""

    def _reading(self, event: Reading) -> None:
        """A reading came."""

    def _settled_to(self, event: Settled) -> None:
        """No reading whose window begins before this time is still to come."""

    def _track(self, event: Track) -> None:
        """A person's whole way through the source came."""

    def _ended(self, event: Closed) -> None:
        """The source is at its end."""

    def _finish(self) -> None:
        """Bring `part` to its final state; it is moved to `path` right after."""

    def _keep(self) -> None:
        """Give `part` its final name."""
        if self.path is not None:
            self.part.replace(self.path)

    def _abandon(self) -> None:
        """Let go of what is open; `part` is deleted right after."""

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self._abandon()
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.part.unlink(missing_ok=True)


_HANDLERS: dict[type, Any] = {
    Seen: lambda sink, event: sink._seen(event),
    Reading: lambda sink, event: sink._reading(event),
    Settled: lambda sink, event: sink._settled_to(event),
    Track: lambda sink, event: sink._track(event),
    Closed: lambda sink, event: sink._ended(event),
}


def version() -> str:
    """The version of this package, as it is installed."""
    try:
        return metadata.version("mimica")
    except metadata.PackageNotFoundError:
        return "unknown"


def as_json(value: object) -> str:
    """A mapping of facts as JSON, whatever stands in it."""
    return json.dumps(value, default=str, ensure_ascii=False)


def rounded(name: str, value: float) -> float:
    """A number as it is written: times (`start`, `end`) to a thousandth, all others to six significant digits."""
    return round(float(value), 3) if name in ("start", "end") else float(f"{float(value):.6g}")


def target(path: Path, link: str | None, source: str) -> str | None:
    """Where a file at `path` should point for its source: an address, a path, or None if there is no such file."""
    if link is not None:
        return link
    if not Path(source).is_file():
        return None
    try:
        return Path(os.path.relpath(Path(source).resolve(), path.resolve().parent)).as_posix()
    except ValueError:  # another drive
        return Path(source).resolve().as_posix()
