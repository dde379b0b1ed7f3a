"""How long reading the sample clip takes, and where the time goes: decode, detect, track and crop, recognise, write.

Prints ratios of one run and writes them as JSON. What it does not show: other hardware, other videos,
several people at once.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mimica import assets, load
from mimica.reading.job import Job, read_source
from mimica.reading.reader import Reader
from mimica.video.read import Video, open_video


def timed(spent: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[name] += time.perf_counter() - began

    return wrapper


def measure(source: Path, formats: tuple[str, ...], out: Path) -> dict[str, float]:
    spent: dict[str, float] = defaultdict(float)
    reader = Reader(load())
    reader.detector.detect = timed(spent, "detect", reader.detector.detect)
    object.__setattr__(reader, "recogniser", _Timed(reader.recogniser, spent))
    frames = Video.frames

    def decoding(self: Video, convert: Any = None) -> Any:
        steps = frames(self, convert)
        advance = timed(spent, "decode", lambda: next(steps, None))
        while (frame := advance()) is not None:
            yield frame

    Video.frames = decoding  # type: ignore[method-assign]
    try:
        began = time.perf_counter()
        outcome = read_source(reader, str(source), source.stem, Job(out=out, formats=formats))
        whole = time.perf_counter() - began
    finally:
        Video.frames = frames  # type: ignore[method-assign]
    if outcome.state != "done":
        raise SystemExit(outcome.error)
    shares = {name: seconds / whole for name, seconds in spent.items()}
    return {"seconds": whole, **shares, "track, crop and write": 1 - sum(shares.values())}


class _Timed:
    def __init__(self, recogniser: Any, spent: dict[str, float]) -> None:
        self._recogniser = recogniser
        self.probabilities = timed(spent, "recognise", recogniser.probabilities)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recogniser, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--source", type=Path)
    chosen = parser.parse_args()
    source = chosen.source or assets.file("sample-crying-to-laughing")
    with open_video(source) as video:
        last = [(frame.index, frame.time) for frame in video][-1]
    result: dict[str, Any] = {"source": source.name, "frames": last[0] + 1, "video_seconds": last[1]}
    for name, formats in (("parquet", ("parquet",)), ("mp4 and html", ("mp4", "html"))):
        with tempfile.TemporaryDirectory() as out:
            measure(source, formats, Path(out))  # warm
            result[name] = found = measure(source, formats, Path(out))
        found["frames_per_second"] = result["frames"] / found["seconds"]
        print(f"{name}: {found['frames_per_second']:.0f} frames/s, {last[1] / found['seconds']:.1f} x real time")
        print("   " + ", ".join(f"{k} {v:.0%}" for k, v in found.items() if k not in ("seconds", "frames_per_second")))
    result["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["hardware"] = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
