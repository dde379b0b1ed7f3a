"""How long a newcomer waits: `mimica --help`, and the first reading of a ten-second clip, each from a fresh process.

The disk's cache is warm; a machine that was just switched on takes longer. What the seconds by the clock show
depends on what else runs; the seconds of the cores less so.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import av
import machine

CLIP_SECONDS = 10.0
HELP_GOAL, FIRST_GOAL = 0.5, 4.0
"""Seconds of the processor for the help; seconds by the clock until the first reading."""


def cut(source: Path, target: Path, seconds: float) -> None:
    """The first seconds of a video, its packets as they are."""
    with av.open(source) as whole, av.open(target, "w") as part:
        video = whole.streams.video[0]
        copied = part.add_stream_from_template(video)
        for packet in whole.demux(video):
            if packet.dts is not None and packet.pts * video.time_base < seconds:
                packet.stream = copied
                part.mux(packet)


def waited(arguments: list[object], env: dict[str, str]) -> dict[str, Any]:
    """Seconds until the first line came and until the end, and the seconds that the cores spent by then."""
    ran = machine.succeeded(machine.run(machine.mimica(*arguments), env=env))
    first, line = ran.lines[0]
    return {"first_line": first, "seconds": ran.seconds, "cpu_seconds": ran.cpu_seconds, "line": line}


def several(rounds: int, arguments: list[object], env: dict[str, str]) -> dict[str, Any]:
    """The best and the median of some fresh processes."""
    runs = [waited(arguments, env) for _ in range(rounds)]
    found: dict[str, Any] = {}
    for name in ("first_line", "seconds", "cpu_seconds"):
        values = [run[name] for run in runs]
        found[name] = {"best": min(values), "median": statistics.median(values)}
    return found | {"line": runs[-1]["line"]}


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle(), "rounds": chosen.rounds, "threads": chosen.threads}
    from mimica import assets

    env = machine.env(chosen.threads)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        cut(assets.file("sample-crying-to-laughing"), clip, CLIP_SECONDS)
        help_ = several(chosen.rounds, ["--help"], env)
        reading = several(chosen.rounds, ["predict", clip, "--out", "-"], env)
    told = json.loads(reading.pop("line"))
    help_.pop("line")
    result |= {"help": help_ | {"goal_cpu_seconds": HELP_GOAL}}
    result |= {"first_reading": reading | {"goal_seconds": FIRST_GOAL, "window": [told["start"], told["end"]]}}
    used, first, whole = help_["cpu_seconds"], reading["first_line"], reading["seconds"]
    print(f"mimica --help: {used['best']:.2f} s of CPU (median {used['median']:.2f})", end="; ")
    print(f"goal {HELP_GOAL:g}: {machine.goal(used['best'] <= HELP_GOAL)}")
    print(f"first reading of {CLIP_SECONDS:g} s: after {first['best']:.2f} s (median {first['median']:.2f})", end="; ")
    print(f"goal {FIRST_GOAL:g}: {machine.goal(first['best'] <= FIRST_GOAL)}; the whole: {whole['best']:.2f} s")
    machine.keep(chosen.json, result)


if __name__ == "__main__":
    main()
