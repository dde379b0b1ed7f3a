"""mimica against `fer`, the small ready-made net that many take, on the same video in the same run.

Each reads the video in a process of its own, with its own detector and net, one after the other and turn about;
`fer` looks at the frames that mimica looks at, 8 a second, with its default detector (Haar cascades) and with its
other one (MTCNN). `fer` says something of each frame, mimica of each window of frames: to compare them, fer's
probabilities are averaged over mimica's windows. Agreement is no accuracy: nobody labelled this video, and where
the two differ either may be wrong.

`fer` brings TensorFlow and more, so it lives in an environment of its own: `make bench-fer` makes it, or
`python -m venv runs/fer && runs/fer/bin/pip install fer==25.10.3 'setuptools<81'`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

FPS = 8.0
DETECTORS = ("haar", "mtcnn")
NAMES = {"angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral",
         "sad": "sadness", "surprise": "surprise"}  # fmt: skip
HOW = "python -m venv runs/fer && runs/fer/bin/pip install fer==25.10.3 'setuptools<81'"


def read_with_fer(video: str, detector: str) -> None:
    """Inside fer's own environment: print a line of JSON for each frame that is looked at, with what fer says of it."""
    from fer import fer as inside

    cv2 = inside.cv2  # what fer itself reads videos with
    fer = inside.FER(mtcnn=detector == "mtcnn")
    print(json.dumps({"used": time.process_time()}), flush=True)
    capture = cv2.VideoCapture(video)
    tick = 0
    while capture.grab():
        at = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if at * FPS + 1e-2 < tick:
            continue
        tick = int(at * FPS + 1e-2) + 1
        faces = fer.detect_emotions(capture.retrieve()[1])
        widest = max(faces, key=lambda face: face["box"][2], default=None)
        said = {NAMES[name]: share for name, share in widest["emotions"].items()} if widest else None
        print(json.dumps({"time": at, "faces": len(faces), "said": said}), flush=True)
    print(json.dumps({"used": time.process_time()}), flush=True)


def of_fer(python: Path, video: Path, detector: str, env: dict[str, str]) -> dict[str, Any]:
    """What fer says and what it takes."""
    import machine

    ran = machine.succeeded(machine.run([str(python), __file__, "--inside", str(video), detector], env=env))
    lines = [(moment, json.loads(line)) for moment, line in ran.lines if line.startswith("{")]
    frames = [line for _, line in lines[1:-1]]
    return _taken(ran, lines, len(frames), sum(line["said"] is not None for line in frames)) | {"said": frames}


def of_mimica(video: Path, env: dict[str, str]) -> dict[str, Any]:
    """What mimica says and what it takes."""
    import machine

    command = [sys.executable, __file__, "--ours", str(video)]
    ran = machine.succeeded(machine.run(command, env=env))
    lines = [(moment, json.loads(line)) for moment, line in ran.lines]
    readings = [line for _, line in lines[1:-1]]
    told = [reading for reading in readings if reading["label"]]
    return _taken(ran, lines, lines[-1][1]["read"], len(told)) | {"said": readings}


def read_with_mimica(video: str) -> None:
    """Print a line when the networks are there, a line a reading, and how many frames were looked at."""
    from mimica import load
    from mimica.clips import Reading, reading_record
    from mimica.reading.events import Closed
    from mimica.reading.reader import Reader
    from mimica.reading.settings import Settings

    reader = Reader(load(), Settings(fps=FPS))
    print(json.dumps({"used": time.process_time()}), flush=True)
    for event in reader.read(video):
        if isinstance(event, Reading):
            print(json.dumps(reading_record(event)), flush=True)
        elif isinstance(event, Closed):
            print(json.dumps({"read": event.read, "used": time.process_time()}), flush=True)


def _taken(ran: Any, lines: list[tuple[float, dict[str, Any]]], frames: int, readings: int) -> dict[str, Any]:
    (ready, began), (over, ended) = lines[0], lines[-1]
    seconds, cpu = over - ready, ended["used"] - began["used"]
    return {
        "seconds_to_be_ready": ready, "seconds": seconds, "cpu_seconds": cpu, "peak_megabytes": ran.peak_megabytes,
        "frames": frames, "readings": readings, "frames_per_second": frames / seconds,
        "readings_per_second": readings / seconds, "frames_per_cpu_second": frames / cpu,
    }  # fmt: skip


def agreement(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> dict[str, Any]:
    """How often the label of a window is that of fer's mean over it; kappa is what is left of it beyond chance."""
    pairs: list[tuple[str, str, str]] = []
    for reading in ours:
        said = [f["said"] for f in theirs if f["said"] and reading["start"] <= f["time"] < reading["end"]]
        if reading["label"] and said:
            mean = {name: sum(share[name] for share in said) / len(said) for name in NAMES.values()}
            pairs.append((reading["label"], max(mean, key=lambda name: mean[name]), reading["status"]))
    sure = [(a, b) for a, b, status in pairs if status == "ok"]
    return {
        "windows": len(pairs), "same": _same([(a, b) for a, b, _ in pairs]), "windows_sure": len(sure),
        "same_where_sure": _same(sure), "kappa": _kappa([(a, b) for a, b, _ in pairs]),
        "mimica": dict(Counter(a for a, _, _ in pairs)), "fer": dict(Counter(b for _, b, _ in pairs)),
    }  # fmt: skip


def _same(pairs: list[tuple[str, str]]) -> float | None:
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else None


def _kappa(pairs: list[tuple[str, str]]) -> float | None:
    same = _same(pairs)
    if same is None:
        return None
    ours, theirs = (Counter(side) for side in zip(*pairs, strict=True))
    chance = sum(ours[name] * theirs[name] for name in ours) / len(pairs) ** 2
    return (same - chance) / (1 - chance) if chance < 1 else None


def show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = ("", "frames/s", "a core", "readings", "readings/s", "ready after", "peak", "same label", "kappa")
    for name in columns:
        table.add_column(name, justify="right" if name else "left")
    for name in ("mimica", *(f"fer, {detector}" for detector in DETECTORS)):
        found = result[name]
        same = found.get("agreement")
        table.add_row(
            name, f"{found['frames_per_second']:.1f}", f"{found['frames_per_cpu_second']:.1f}",
            str(found["readings"]), f"{found['readings_per_second']:.1f}",
            f"{found['seconds_to_be_ready']:.1f} s", f"{found['peak_megabytes']:.0f} MB",
            f"{same['same']:.0%} of {same['windows']}" if same else "", f"{same['kappa'] or 0:.2f}" if same else "",
        )  # fmt: skip
    Console(width=110).print(table)
    print("A reading of fer is about a frame, one of mimica about a window of frames; the same label: as mimica's.")
    for detector in DETECTORS:
        same = result[f"fer, {detector}"]["agreement"]
        print(f"windows by label: mimica {same['mimica']}; fer, {detector} {same['fer']}")


def main() -> None:
    import machine

    parser = machine.flags(__doc__)
    parser.add_argument("--fer", type=Path, default=Path("runs/fer"), help="the environment that has fer")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    python = chosen.fer / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        raise SystemExit(f"there is no fer in {chosen.fer}; get it with: {HOW}")
    result: dict[str, Any] = {"machine": machine.settle(), "threads": chosen.threads, "rounds": chosen.rounds}
    from mimica import assets

    source = chosen.source or assets.file("sample-crying-to-laughing")
    result |= {"source": source.name, "fps": FPS, "fer": "25.10.3"}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": str(chosen.threads)}
    env = machine.env(chosen.threads) | quiet
    runs: dict[str, list[dict[str, Any]]] = {}
    for _ in range(chosen.rounds):
        runs.setdefault("mimica", []).append(of_mimica(source, env))
        for detector in DETECTORS:
            runs.setdefault(f"fer, {detector}", []).append(of_fer(python, source, detector, env))
    for name, found in runs.items():
        result[name] = min(found, key=lambda one: one["seconds"])
    ours = result["mimica"].pop("said")
    for detector in DETECTORS:
        found = result[f"fer, {detector}"]
        found["agreement"] = agreement(ours, found.pop("said"))
    show(result)
    machine.keep(chosen.json, result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        read_with_fer(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["--ours"]:
        read_with_mimica(sys.argv[2])
    else:
        main()
