"""Source frames a second from a file to written readings, and what they go into.

A video of 640 x 360 with one face, 8 frames a second looked at, windows of 16 with a stride of 8, the models
loaded already, two cores. Of the time, `decode` is FFmpeg and the conversion to RGB; `detect` finds faces;
`track` judges, follows and crops them; `encode` is the recogniser, whose vision tower is nearly all of it;
`write` is all that the sinks do, for mp4 drawing and compressing among it. What it does not show: other
hardware, other videos, several people at once, the start.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import machine

FPS, WINDOW, STRIDE = 8.0, 16, 8
GOALS = {"parquet": 45.0, "mp4 html": 30.0}
"""Source frames a second to be reached with each choice of formats."""

Spent = dict[str, float]


def timed(spent: Spent, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[name] += time.perf_counter() - began

    return wrapper


@contextmanager
def watched() -> Iterator[Spent]:
    """The seconds that go into each part while it lasts; no part lies in another."""
    from mimica.faces.mtcnn import Mtcnn
    from mimica.reading.reader import _Run
    from mimica.reading.sightings import Sightings
    from mimica.reading.sinks.base import FileSink
    from mimica.recognition.frames import KeptFrames
    from mimica.video.read import Video

    spent: Spent = defaultdict(float)
    parts = (
        ("detect", Mtcnn, ("detect",)), ("track", Sightings, ("_who",)), ("track", _Run, ("_views",)),
        ("encode", KeptFrames, ("views",)),
        ("write", FileSink, ("__enter__", "append", "__exit__")),
    )  # fmt: skip
    frames = Video.frames

    def decoding(self: Video, *arguments: Any, **named: Any) -> Iterator[Any]:
        steps = frames(self, *arguments, **named)
        advance = timed(spent, "decode", lambda: next(steps, None))
        while (frame := advance()) is not None:
            yield frame

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Video, "frames", decoding))
        for name, owner, methods in parts:
            for method in methods:
                stack.enter_context(mock.patch.object(owner, method, timed(spent, name, getattr(owner, method))))
        yield spent


def measure(reader: Any, source: Path, formats: tuple[str, ...]) -> dict[str, Any]:
    """One reading of the source: seconds by the clock and of both cores, frames a second, the share of each part."""
    from mimica.reading.job import Job, read_source

    with tempfile.TemporaryDirectory() as out, watched() as spent:
        began, used = time.perf_counter(), time.process_time()
        outcome = read_source(reader, str(source), source.stem, Job(out=Path(out), formats=formats))
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
    if outcome.state != "done":
        raise SystemExit(outcome.error)
    if missing := {"decode", "detect", "track", "encode", "write"} - set(spent):
        raise SystemExit(f"what was watched is not where it was: {', '.join(sorted(missing))} took no time at all")
    shares = {name: spent[name] / seconds for name in ("decode", "detect", "track", "encode", "write")}
    return {"seconds": seconds, "cpu_seconds": cpu, "shares": shares | {"rest": 1 - sum(shares.values())}}


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle()}
    import torch

    from mimica import assets, load
    from mimica.reading.reader import Reader
    from mimica.reading.settings import Settings
    from mimica.video.read import open_video

    torch.set_num_threads(chosen.threads)
    source = chosen.source or assets.file("sample-crying-to-laughing")
    with open_video(source) as video:
        last = [(frame.index, frame.time) for frame in video][-1]
    frames, lasts = last[0] + 1, last[1]
    result |= {"source": source.name, "frames": frames, "video_seconds": lasts}
    result |= {"fps": FPS, "window": WINDOW, "stride": STRIDE, "rounds": chosen.rounds, "threads": chosen.threads}
    reader = Reader(load(), Settings(fps=FPS, window=WINDOW, stride=STRIDE))
    for formats, aim in GOALS.items():
        of = tuple(formats.split())
        measure(reader, source, of)  # warm
        result[formats] = found = machine.best(lambda of=of: measure(reader, source, of), chosen.rounds)
        found |= {"frames_per_second": (speed := frames / found["seconds"]), "goal": aim}
        found["frames_per_cpu_second"] = frames / found["cpu_seconds"]
        print(f"{formats}: {speed:.0f} frames/s, {lasts / found['seconds']:.1f} x real time", end="; ")
        print(f"goal {aim:g}: {machine.goal(speed >= aim)}; {found['frames_per_cpu_second']:.0f} a second of one core")
        print("   " + ", ".join(f"{name} {share:.0%}" for name, share in found["shares"].items()))
    machine.keep(chosen.json, result)


if __name__ == "__main__":
    main()
