"""What frozen DuSE costs beside its bare vision tower: ViT-B/32 shape, depth normal, the same frames.

Prints one run's ratio and writes it as JSON. What it does not show: accuracy (the weights are random,
which costs the same), other depths unless asked for, what decoding and face finding cost.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.progress import track
from transformers import CLIPConfig, CLIPModel

from mimica.clips import ClipBatch
from mimica.encoders.clip import ClipVision
from mimica.encoders.towers import freeze
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse
from mimica.recognition.duse.prompts import prompted_layers


def frozen(vision: ClipVision, depth: str) -> Duse:
    """A frozen DuSE whose constants are random."""
    layers = prompted_layers(depth, vision_layers=vision.layers, text_layers=12)
    duse = Duse(vision, None, EXPRESSIONS, DuseConfig(depth=depth), log_scale=4.6, layers=layers).freeze()
    for constant in duse.folded().values():
        constant.normal_(std=0.02)
    return duse


def measured(duse: Duse, vision: ClipVision, batch: ClipBatch, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, the whole and the bare tower turn about, so that what else runs falls on both."""
    calls: dict[str, Callable[[], torch.Tensor]] = {
        "bare": lambda: vision(batch.face.flatten(0, 1)).cpu(),
        "whole": lambda: duse(batch).cpu(),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for number in track(range(-2, rounds), "measuring", transient=True):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                if number >= 0:  # the first two warm up
                    times[name].append(time.perf_counter() - began)
    return times


def main() -> None:
    chosen = _chosen()
    torch.manual_seed(0)
    vision = ClipVision(CLIPModel(CLIPConfig()))  # the library's default shape is ViT-B/32
    freeze(vision)
    duse = frozen(vision, chosen.depth).to(chosen.device)
    face = torch.randn(chosen.clips, chosen.frames, 3, vision.size, vision.size, device=chosen.device)
    batch = ClipBatch(face=face, valid=torch.ones(chosen.clips, chosen.frames, dtype=torch.bool, device=chosen.device))
    times = measured(duse, vision, batch, chosen.rounds)
    ratios = sorted(w / b for w, b in zip(times["whole"], times["bare"], strict=True))
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    result = {
        "ratio": statistics.median(times["whole"]) / statistics.median(times["bare"]),
        "quartiles_of_rounds": [low, high],
        "bare_seconds": statistics.median(times["bare"]),
        **{key: getattr(chosen, key) for key in ("clips", "frames", "depth", "rounds")},
        "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(f"frozen DuSE takes {result['ratio']:.3f} times its bare tower (half of the rounds {low:.3f} to {high:.3f})")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--depth", default="normal")
    parser.add_argument("--clips", type=int, default=1)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
