"""The machine that figures come from, how busy it was with other things, and the file that keeps them."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

CORES = 2
"""How many cores everything here is measured on, so that larger machines can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a process went: seconds by the clock and of all cores, the most memory it held in megabytes (10^6 bytes).

    Memory is never less than what the process that started it held then: Linux counts from before the program is
    loaded. Whoever measures memory starts children before anything heavy, or has them tell of their own.
    `lines` holds what it printed, each line with the moment it came, in seconds since the process was started.
    """

    code: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    lines: tuple[tuple[float, str], ...]
    errors: str


def flags(description: str | None) -> argparse.ArgumentParser:
    """A parser of the flags that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=CORES, help="of torch; 1 where others use the cores")
    return parser


def settle() -> dict[str, Any]:
    """Keep this process and its children to two cores; what is known of the machine at the start."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    return {
        "processor": _processor(),
        "cores": min(CORES, os.cpu_count() or 1),
        "load_at_start": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "date": datetime.now(UTC).date().isoformat(),
    }


def mimica(*arguments: object) -> list[str]:
    """A command line of mimica, in this Python."""
    return [sys.executable, "-m", "mimica", *map(str, arguments)]


def env(threads: int) -> dict[str, str]:
    """The environment of a process whose torch has so many threads."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Ran:
    """Run a process to its end, its standard output read line by line."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
        assert child.stdout is not None
        lines = tuple((time.perf_counter() - began, line.rstrip("\n")) for line in child.stdout)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        errors.seek(0)
        kilobyte = 1 if sys.platform == "darwin" else 1024  # Darwin counts bytes
        return Ran(
            code=child.returncode, seconds=seconds, cpu_seconds=used.ru_utime + used.ru_stime,
            peak_megabytes=used.ru_maxrss * kilobyte / 1e6, lines=lines, errors=errors.read(),
        )  # fmt: skip


def succeeded(ran: Ran) -> Ran:
    """The same, if it went well; otherwise what it said ends the measurement."""
    if ran.code:
        raise SystemExit(ran.errors or f"ended with code {ran.code}")
    return ran


def best(measure: Callable[[], dict[str, Any]], rounds: int, by: str = "seconds") -> dict[str, Any]:
    """The round that took least: what else a machine does only ever adds to a time."""
    return min((measure() for _ in range(rounds)), key=lambda found: found[by])


def goal(reached: bool) -> str:
    """How a figure stands to what was aimed at."""
    return "reached" if reached else "missed"


def keep(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write the figures as JSON, if a file was named; numbers to four digits that count."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_rounded(result), indent=1, ensure_ascii=False) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
