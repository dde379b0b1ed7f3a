"""How old a frame is when the reading of it comes out of `mimica predict camera:0 --out -`; what a slow machine drops.

No camera is needed: FFmpeg plays the sample video in real time where a camera would be, and everything behind that
is what a user runs, in a process of its own. Latency is the time from the last frame that a reading is about until
its line can be read from the pipe; that a window is over is only known by the next frame, so that 1 / fps seconds
of it are waiting. The second case asks for far more than two cores can do, to show what falling behind costs.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

CASES: dict[str, tuple[str, list[str]]] = {
    "as it comes": ("null", []),
    "too much asked": ("scale=1920:1080", ["--fps", "24", "--min-face", "20"]),
}
"""What is done to the picture, and the flags."""

_BEGAN = "filming since "
_DROPPED = re.compile(r"(\d+) of (\d+) frames to be read were dropped")
"""What the reading says at its end; what it says while it falls behind is of the last seconds alone."""


def film(url: str, arguments: list[str]) -> int:
    """Run mimica with `url` in the place of every camera; say on standard error when filming began."""
    from mimica.cli import main as run
    from mimica.video import camera, read

    def opened(name: str, notes: list[str]) -> Any:
        device = camera.open_camera(name, notes)
        print(f"{_BEGAN}{time.monotonic()}", file=sys.stderr, flush=True)
        return device

    camera.device_of = lambda name: (url, "lavfi")
    read.open_camera = opened
    return run(arguments)


def measure(source: Path, seconds: float, change: str, flags: list[str], threads: int) -> dict[str, Any]:
    """One filming of `seconds`: readings, latency in seconds, frames asked for and dropped."""
    url = f"movie={source}:loop=0,setpts=N/(24*TB),{change},trim=duration={seconds},realtime"
    command = [sys.executable, __file__, "--film", url, "predict", "camera:0", "--out", "-", *flags]
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=machine.env(threads))
        assert child.stdout is not None
        came = [(time.monotonic(), json.loads(line)) for line in child.stdout]
        code = child.wait()
        errors.seek(0)
        said = errors.read()
    if code:
        raise SystemExit(said)
    fps = float(flags[flags.index("--fps") + 1]) if "--fps" in flags else 8.0
    began = float(said.split(_BEGAN)[1].split()[0])
    late = [moment - began - (reading["end"] - 1 / fps) for moment, reading in came]
    inside = late[1:-1]  # the first waits for the networks to warm up, the last for no next frame
    dropped = _DROPPED.search(said)
    return {
        "readings": len(came), "p50": statistics.median(inside), "p95": statistics.quantiles(inside, n=20)[-1],
        "first": late[0], "worst": max(inside), "waiting_for_the_next_frame": 1 / fps,
        "dropped": int(dropped[1]) if dropped else 0, "asked": int(dropped[2]) if dropped else round(seconds * fps),
        "said": [line for line in said.splitlines() if "dropped" in line],
    }  # fmt: skip


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle(), "seconds": chosen.seconds, "threads": chosen.threads}
    from mimica import assets

    source = assets.file("sample-crying-to-laughing")
    result["source"] = source.name
    for name, (change, flags) in CASES.items():
        found = measure(source, chosen.seconds, change, flags, chosen.threads)
        result[name] = {"picture": change, "flags": flags, **found}
        print(f"{name}: latency p50 {found['p50']:.2f} s, p95 {found['p95']:.2f} s", end="; ")
        print(f"{found['dropped']} of {found['asked']} frames dropped, {found['readings']} readings")
        for line in found["said"]:
            print("   " + line)
    machine.keep(chosen.json, result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--film"]:
        sys.exit(film(sys.argv[2], sys.argv[3:]))
    main()
