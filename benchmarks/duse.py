"""What frozen DuSE costs beside its bare vision tower: ViT-B/32 shape, depth normal, the same frames.

Prints one run's ratios and writes it as JSON. What it does not show: accuracy (the weights are random,
which costs the same), other depths unless asked for, what decoding and face finding cost.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import machine
import torch
from rich.progress import track
from torch.utils.flop_counter import FlopCounterMode
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


def calls_of(duse: Duse, vision: ClipVision, batch: ClipBatch) -> dict[str, Callable[[], torch.Tensor]]:
    """The two that are compared: the bare tower on every frame, and the whole recogniser on the clip."""
    return {"bare": lambda: vision(batch.face.flatten(0, 1)).cpu(), "whole": lambda: duse(batch).cpu()}


def flops(call: Callable[[], torch.Tensor]) -> float:
    """Additions and multiplications of one call's matrix products, which no noise touches."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())


def measured(calls: dict[str, Callable[[], torch.Tensor]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, the two turn about and the first of a round the second of the next.

    So what else runs falls on both, and neither always finds the memory that the other has let go of.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for number in track(range(-2, rounds), "measuring", transient=True):
            for name, call in sorted(calls.items(), reverse=bool(number % 2)):
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
    calls = calls_of(duse, vision, batch)
    times = measured(calls, chosen.rounds)
    ratios = sorted(w / b for w, b in zip(times["whole"], times["bare"], strict=True))
    result = {
        # What else a machine does only ever adds to a time, so that the fastest rounds are nearest to the cost itself.
        "ratio_of_fastest": min(times["whole"]) / min(times["bare"]),
        "ratio_of_medians": statistics.median(times["whole"]) / statistics.median(times["bare"]),
        "ratio_of_flops": flops(calls["whole"]) / flops(calls["bare"]),
        "quartiles_of_rounds": [ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]],
        "bare_seconds": min(times["bare"]),
        **{key: getattr(chosen, key) for key in ("clips", "frames", "depth", "rounds")},
        "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(
        "frozen DuSE takes {ratio_of_fastest:.3f} times its bare tower by the fastest rounds, "
        "{ratio_of_medians:.3f} by their medians, {ratio_of_flops:.3f} by its matrix products".format(**result)
    )
    machine.keep(chosen.json, result)


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
