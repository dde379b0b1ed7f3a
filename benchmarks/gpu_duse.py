"""What a training step of DuSE costs on a GPU: ViT-B/32, B/16 and L/14 shapes in bf16, random weights.

For each shape, with and without layers computed anew in the backward pass, and with and without torch.compile of
the towers' layers: seconds a step (forward, backward, Adam; the median), clips a second, the most memory that
tensors took, and the share of the GPU's bf16 peak that the step's matrix products come to. Those products are
counted once, without what is computed anew, so that the share speaks of useful work. Needs torch and transformers
beside mimica, and CUDA. What it does not show: loading data (benchmarks/loader.py), several GPUs, accuracy.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPConfig, CLIPModel
from words import Words

from mimica.clips import ClipBatch
from mimica.encoders.clip import ClipText, ClipVision
from mimica.encoders.towers import recompute
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse

LARGE = {
    "vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
                      "num_attention_heads": 16, "patch_size": 14},
    "text_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "projection_dim": 768,
}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {"B/32": {}, "B/16": {"vision_config": {"patch_size": 16}}, "L/14": LARGE}
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "RTX 4090": 165e12}
"""Dense bf16 operations a second by the makers' sheets, SXM where there are several; the first name that fits."""


def network(shape: dict[str, Any], device: str) -> Duse:
    """A DuSE at depth normal on towers of random weights."""
    torch.manual_seed(0)
    model = CLIPModel._from_config(CLIPConfig(**shape), attn_implementation="sdpa")
    vision, text = ClipVision(model), ClipText(model, Words())
    return Duse(vision, text, EXPRESSIONS, DuseConfig(), log_scale=4.6).to(device).train()


def batch_of(clips: int, frames: int, size: int, device: str) -> tuple[ClipBatch, Tensor]:
    """Noise, and labels."""
    face = torch.randn(clips, frames, 3, size, size, device=device)
    valid = torch.ones(clips, frames, dtype=torch.bool, device=device)
    return ClipBatch(face=face, valid=valid), torch.arange(clips, device=device) % len(EXPRESSIONS)


def step_of(duse: Duse, batch: ClipBatch, labels: Tensor) -> Callable[[], None]:
    """Forward in bf16, backward, Adam on weights in full precision: as the training loop has it."""
    adam = torch.optim.Adam([weight for weight in duse.parameters() if weight.requires_grad], lr=1e-3)

    def step() -> None:
        adam.zero_grad()
        with torch.autocast(batch.face.device.type, dtype=torch.bfloat16):
            loss = F.cross_entropy(duse(batch).float(), labels)
        loss.backward()
        adam.step()

    return step


def flops(step: Callable[[], None]) -> float:
    """Additions and multiplications of a step's matrix products."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def compiled(duse: Duse) -> None:
    """Have every layer of both towers compiled; all layers of a tower share what comes of it."""
    for tower in (duse.vision, duse.text):
        for layer in tower.tower.encoder.layers:
            layer.compile()


def measured(step: Callable[[], None], steps: int, warm: int) -> dict[str, float]:
    """Seconds a step, median and fastest, and the most memory of tensors in bytes, all of it and beyond the start."""
    gc.collect()
    torch.cuda.empty_cache()
    before, seconds = torch.cuda.memory_allocated(), list[float]()
    for number in range(warm + steps):
        if number == warm:
            torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        began = time.perf_counter()
        step()
        torch.cuda.synchronize()
        if number >= warm:
            seconds.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated()
    return {
        "seconds": statistics.median(seconds),
        "fastest": min(seconds),
        "bytes": peak,
        "bytes_of_step": peak - before,
    }


def row(name: str, chosen: argparse.Namespace, peak: float | None) -> dict[str, Any]:
    """One shape in its four ways; what the GPU has no room for says so."""
    duse = network(SHAPES[name], "cuda")
    batch, labels = batch_of(chosen.clips, chosen.frames, duse.vision.size, "cuda")
    one, two = (flops(step_of(duse, *batch_of(n, chosen.frames, duse.vision.size, "cuda"))) for n in (1, 2))
    work = one + (chosen.clips - 1) * (two - one)  # the class texts cost the same for one clip as for many
    found: dict[str, Any] = {"flops_of_step": work}
    for compiling in (False, True):
        if compiling and chosen.no_compile:
            continue
        if compiling:
            compiled(duse)
        for anew in (False, True):
            recompute(duse, anew)
            way = f"{'compiled' if compiling else 'eager'}{', checkpointed' if anew else ''}"
            try:
                told: dict[str, Any] = measured(step_of(duse, batch, labels), chosen.steps, chosen.warm)
                told |= {"clips_per_second": chosen.clips / told["seconds"]}
                told |= {"share_of_peak": peak and work / told["seconds"] / peak}
            except torch.cuda.OutOfMemoryError:
                told = {"out_of_memory": True}
            found[way] = told
            print(_line(name, way, told), flush=True)
    return found


def _line(name: str, way: str, told: dict[str, Any]) -> str:
    if "out_of_memory" in told:
        return f"{name:5} {way:22} out of memory"
    share = "" if told["share_of_peak"] is None else f", {told['share_of_peak']:.1%} of the peak"
    return (
        f"{name:5} {way:22} {told['seconds'] * 1e3:8.1f} ms a step, {told['clips_per_second']:7.1f} clips/s, "
        f"{told['bytes'] / 2**30:6.2f} GiB ({told['bytes_of_step'] / 2**30:.2f} of the step){share}"
    )


def main() -> None:
    chosen = _chosen()
    if not torch.cuda.is_available():
        raise SystemExit("this measures a GPU, and torch finds no CUDA here; benchmarks/train_step.py measures a CPU")
    device = torch.cuda.get_device_name()
    peak = chosen.peak * 1e12 if chosen.peak else next((p for name, p in PEAKS.items() if name in device), None)
    result: dict[str, Any] = {
        "device": device, "peak": peak, "torch": torch.__version__, "precision": "bf16",
        **{key: getattr(chosen, key) for key in ("clips", "frames", "steps")},
        "date": datetime.now(UTC).date().isoformat(), "shapes": {},
    }  # fmt: skip
    print(f"{device}, {chosen.clips} clips of {chosen.frames} frames a step")
    for name in chosen.shapes:
        result["shapes"][name] = row(name, chosen, peak)
        torch.compiler.reset()
        gc.collect()
        machine.keep(chosen.json, result)


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--peak", type=float, help="the GPU's dense bf16 teraflops, where it is not known here")
    parser.add_argument("--no-compile", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
