"""The most memory that `mimica predict` holds over an hour of video, against two minutes of it.

Both videos are the sample again and again, 640 x 360 at 24 frames a second, its packets copied without decoding.
8 frames a second are looked at, in every format but mp4, whose compression of an hour takes long. By default
only faces of 120 pixels and more are looked for, as the one here is: the whole then takes two thirds of the time,
and what is held over time (tracks, windows, readings) is the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av
import machine

SHORT, LONG = 2.0, 60.0
"""Minutes."""
GROWTH_GOAL, PEAK_GOAL = 1.1, 1200.0
"""The long one's peak over the short one's; megabytes."""


def repeat(source: Path, target: Path, minutes: float) -> float:
    """A video played again and again for so long, packets as they are; gives its length in seconds."""
    with av.open(target, "w") as long, av.open(source) as once:
        video = once.streams.video[0]
        copied = long.add_stream_from_template(video)
        packets = [packet for packet in once.demux(video) if packet.dts is not None]
        base = video.time_base
        turn = max(packet.pts + packet.duration for packet in packets) - min(packet.pts for packet in packets)
        for lap in range(round(minutes * 60 / float(turn * base))):
            once.seek(0)
            for packet in once.demux(video):
                if packet.dts is not None:
                    packet.pts, packet.dts = packet.pts + lap * turn, packet.dts + lap * turn
                    packet.stream, packet.time_base = copied, base
                    long.mux(packet)
    with av.open(target) as written:
        return float(written.duration or 0) / 1e6


def measure(source: Path, minutes: float, flags: list[str], threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        seconds = repeat(source, clip, minutes)
        ran = machine.run(machine.mimica("predict", clip, "--out", folder, *flags), env=machine.env(threads))
        machine.succeeded(ran)
        written = sum(path.stat().st_size for path in Path(folder).glob("clip.*") if path != clip)
    found = {"video_seconds": seconds, "peak_megabytes": ran.peak_megabytes, "written_megabytes": written / 1e6}
    found |= {"seconds": ran.seconds, "cpu_seconds": ran.cpu_seconds}
    print("{video_seconds:.0f} s of video: at most {peak_megabytes:.0f} MB, in {seconds:.0f} s".format(**found))
    return found


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--minutes", type=float, default=LONG)
    parser.add_argument("--min-face", type=int, default=120)
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv", "jsonl", "eaf", "vtt", "html"])
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle(), "threads": chosen.threads}
    from mimica import assets

    source = assets.file("sample-crying-to-laughing")
    flags = ["--min-face", str(chosen.min_face), "--format", *chosen.formats]
    result |= {"source": source.name, "flags": flags}
    short = measure(source, SHORT, flags, chosen.threads)
    long = measure(source, chosen.minutes, flags, chosen.threads)
    growth = long["peak_megabytes"] / short["peak_megabytes"]
    result |= {"short": short, "long": long, "growth": growth}
    result |= {"goal_growth": GROWTH_GOAL, "goal_megabytes": PEAK_GOAL}
    print(
        f"{growth:.2f} times the memory for the long video; goal {GROWTH_GOAL:g}:", machine.goal(growth <= GROWTH_GOAL)
    )
    print(f"goal {PEAK_GOAL:.0f} MB:", machine.goal(long["peak_megabytes"] <= PEAK_GOAL))
    machine.keep(chosen.json, result)


if __name__ == "__main__":
    main()
