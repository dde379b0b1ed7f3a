"""Reads hundreds of damaged videos as `mimica predict` would and counts how that ended.

Each mutant is a small container of our own making, hurt in one to three places. It is read into every format by
a process of its own, so that a hang or a crash inside the decoder is seen and does not end the count. A mutant may
be read, wholly or in part, or be refused in one sentence that names it; anything else fails the run. What this does
not show: codecs and containers that are not among the seeds, and cameras.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import multiprocessing
import os
import platform
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

import machine
from mutants import mutant, seeds

FORMATS = ("csv", "parquet", "jsonl", "eaf", "vtt", "mp4", "html")
GOOD = ("read", "refused")
MEMORY = 8 * 2**30
"""Bytes that a process which reads may ask for; beyond that it is told that there is no more."""


# A process that can be watched


class Watched:
    """Does `work(argument)` in a process of its own and says how that ended; after the worst it starts another."""

    def __init__(self, work: Callable[..., Any], start: Callable[..., Any] | None = None, *given: Any) -> None:
        self._context = multiprocessing.get_context("spawn")  # torch does not survive a fork
        self._work, self._start, self._given = work, start, given
        self._process: Any = None

    def ask(self, argument: Any, limit: float) -> tuple[str, Any]:
        """`told` and the answer, `traceback` and its text, `hang` and the limit in seconds, or `crash` and the code."""
        if self._process is None:
            self._begin()
        self._ours.send(argument)
        if not self._ours.poll(limit):
            self.close()
            return "hang", limit
        try:
            answer: tuple[str, Any] = self._ours.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            code, self._process = self._process.exitcode, None
            return "crash", code
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _begin(self) -> None:
        self._ours, theirs = self._context.Pipe()
        given = (theirs, self._work, self._start, self._given)
        self._process = self._context.Process(target=_serve, args=given, daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        theirs.close()
        self._ours.recv()  # so that the limit is for the work and not for the start


def _serve(pipe: Any, work: Callable[..., Any], start: Callable[..., Any] | None, given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if start is not None:
        start(*given)
    pipe.send("ready")
    while True:
        try:
            argument = pipe.recv()
        except EOFError:
            return
        try:
            answer = ("told", work(argument))
        except BaseException:
            answer = ("traceback", traceback.format_exc())
        pipe.send(answer)


# Reading, in that process

_hands: dict[str, Any] = {}


def prepare(model: str, ways: tuple[str, ...], out: str) -> None:
    """Load the model once, and make a reader for each way of finding faces."""
    import torch

    from mimica.reading.job import Job
    from mimica.reading.reader import Reader
    from mimica.reading.settings import Settings
    from mimica.recognition.registry import load

    torch.set_num_threads(1)
    recogniser = load(model)
    for way in ways:
        settings = Settings(faces=way, window=min(8, recogniser.frames))  # type: ignore[arg-type]
        job = Job(model=model, out=Path(out), formats=FORMATS, settings=settings)
        _hands[way] = Reader(recogniser, settings), job
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))


def read(task: tuple[str, str]) -> dict[str, Any]:
    """How reading one mutant ended, what came to standard error meanwhile, and what is wrong with the tables."""
    from mimica.reading.job import read_source

    path, (reader, job) = Path(task[0]), _hands[task[1]]
    shutil.rmtree(job.out, ignore_errors=True)  # a hang leaves its part files behind
    with tempfile.TemporaryFile() as said:
        began, stderr = time.process_time(), os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            outcome = read_source(reader, str(path), path.stem, job)
        finally:
            seconds = time.process_time() - began
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
        said.seek(0)
        noise = said.read(2000).decode(errors="replace")
    wrong = list(_wrong(outcome.outputs)) if outcome.outputs else []
    wrong += [f"{left.name} was left behind" for left in job.out.glob(".*.part")]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return asdict(outcome) | {"noise": noise, "wrong": wrong, "megabytes": peak, "seconds": seconds}


def _wrong(outputs: list[str]) -> Iterator[str]:
    """What may not be in tables, whatever the video was."""
    from pyarrow import parquet

    by_kind = {Path(path).suffix: Path(path) for path in outputs}
    rows = [json.loads(line) for line in by_kind[".jsonl"].read_text().splitlines()]
    with by_kind[".csv"].open(newline="") as file:
        numbers = {".csv": sum(1 for _ in csv.reader(file)) - 1}
    numbers[".parquet"] = parquet.read_metadata(by_kind[".parquet"]).num_rows
    yield from (f"{number} rows in {kind}, not {len(rows)}" for kind, number in numbers.items() if number != len(rows))
    for row in rows:
        if not (math.isfinite(row["end"]) and 0 <= row["start"] <= row["end"]):
            yield f"a reading from {row['start']} to {row['end']} s"
    for earlier, later in itertools.pairwise(row for row in rows if row["person"] == 0):
        if later["start"] < earlier["start"]:
            yield f"a reading of {later['start']} s after one of {earlier['start']} s"


# The count


def verdict(name: str, ended: str, answer: Any) -> tuple[str, str]:
    """One word for how a mutant ended, and the details where it is none of `GOOD`."""
    from mimica.errors import DEFECT

    if ended != "told":
        return ended, str(answer)
    error = answer["error"]
    if DEFECT in error:
        return "traceback", error
    if answer["wrong"]:
        return "wrong table", "; ".join(answer["wrong"][:3])
    if answer["noise"]:
        return "noise", answer["noise"]
    if answer["state"] != "failed":
        return "read", ""
    return ("refused", "") if name in error and "\n" not in error else ("unclear", error)


class Count:
    """Mutants by turns of each seed and each way of finding faces, and how they ended."""

    def __init__(self, *, mutants: int, seed: int, ways: tuple[str, ...], limit: float, keep: Path | None) -> None:
        self.seed, self.ways, self.limit, self.keep = seed, ways, limit, keep
        self.ended: list[tuple[str, str]] = []
        self.failures: list[dict[str, Any]] = []
        self.sentences: Counter[str] = Counter()
        self.slow: list[int] = []
        self.seconds, self.peak = 0.0, 0
        self._numbers = iter(range(mutants))

    def run(self, folder: Path, bases: list[Path], watched: Watched) -> None:
        """Take mutants until none is left; several threads may, each with its own process."""
        for number in self._numbers:
            base = bases[number % len(bases)]
            data, how = mutant(base.read_bytes(), random.Random(f"{self.seed} {number}"))
            path = folder / f"mutant-{number:05d}{base.suffix}"
            path.write_bytes(data)
            task = str(path), self.ways[number // len(bases) % len(self.ways)]
            raw = watched.ask(task, self.limit)
            if raw[0] == "hang":  # on a machine with much else to do, time goes by without a hang
                self.slow.append(number)
                raw = watched.ask(task, 5 * self.limit)
            word, details = verdict(path.name, *raw)
            self.ended.append((base.name, word))
            if raw[0] == "told":
                self.peak = max(self.peak, raw[1]["megabytes"])
                self.seconds = max(self.seconds, raw[1]["seconds"])
                self.sentences[raw[1]["error"].replace(str(path), "FILE")] += word == "refused"
            if word not in GOOD:
                self.failures.append({"number": number, "of": base.name, "by": how, "ended": word, "details": details})
                print(f"{path.name} of {base.name} by {', '.join(how)}: {word}\n{details}")
                if self.keep is not None:
                    self.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, self.keep)
            path.unlink()
        watched.close()

    def facts(self) -> dict[str, Any]:
        """The counts, and every failure, as JSON."""
        return {
            "mutants": len(self.ended),
            "seed": self.seed,
            "ended": dict(Counter(word for _, word in self.ended)),
            "by_container": {
                base: dict(Counter(word for name, word in self.ended if name == base))
                for base in sorted({name for name, _ in self.ended})
            },
            "sentences": {said: number for said, number in self.sentences.most_common() if number},
            "failures": sorted(self.failures, key=lambda failure: failure["number"]),
            "past_the_limit_once": self.slow,
            "most_processor_seconds": round(self.seconds, 1),
            "peak_megabytes": self.peak,
        }


def fuzz(
    *, mutants: int, model: str, seed: int = 0, ways: tuple[str, ...] = ("none",), limit: float = 60.0,
    workers: int = 1, keep: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Read that many mutants and give the facts of the count."""
    count = Count(mutants=mutants, seed=seed, ways=ways, limit=limit, keep=keep)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        bases = seeds(Path(folder))
        outs = [str(Path(folder) / f"out-{i}") for i in range(workers)]
        threads = [Thread(target=count.run, args=(Path(folder), bases, Watched(read, prepare, model, ways, out)))
                   for out in outs]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return count.facts()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="duse-compact")
    parser.add_argument("--faces", nargs="+", choices=("detect", "none"), default=["none", "detect"])
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which reading a mutant is a hang")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the mutants that failed")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = fuzz(
        mutants=chosen.mutants, seed=chosen.seed, model=chosen.model, ways=tuple(chosen.faces), limit=chosen.limit,
        workers=chosen.workers, keep=chosen.keep,
    )  # fmt: skip
    import av

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, number))}" for name, number in sorted(av.library_versions.items())
    )
    found["software"] = f"Python {platform.python_version()}, PyAV {av.__version__}, {libraries}"
    found["date"] = time.strftime("%Y-%m-%d")
    print(found["ended"])
    machine.keep(chosen.json, found)
    return 1 if found["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
