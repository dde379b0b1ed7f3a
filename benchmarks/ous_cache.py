"""OUS on the ViT-B/32 shape learning from a cache beside learning from frames: supply, whole epochs, bytes.

The towers have random weights, which cost what trained ones do; clips are noise in memory, so that nothing is decoded:
with files, frames cost more still. `supply` is what it takes to have the features of a batch: frames made ready
and seen by the tower, or rows taken from the cache, whose files lie in the memory of the system. An `epoch` is every
step of one, the validation after it left out, by the training loop itself, the first epoch of a run left out too;
`rest` is what an epoch from the cache is spent on. Supplies go turn about, and so do runs; ratios are of one run.

`fp16` is how far a cache in half precision is from one in full: the features, as a share of their largest value, and
the loss of each epoch of two runs that are otherwise the same. What it does not show: accuracy, other shapes, a GPU,
data that is larger than memory.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from transformers import CLIPConfig, CLIPModel
from words import Words

from mimica.clips import ClipBatch
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.encoders.cache import Cache
from mimica.encoders.clip import ClipText, ClipVision
from mimica.encoders.towers import DualEncoder, freeze
from mimica.labels import EXPRESSIONS
from mimica.recognition.ous.model import Encoded, Ous
from mimica.training.batches import Batches
from mimica.training.cache import PUBLISHED_CLIPS, fill, network_of, size_of
from mimica.training.cached import CachedBatches, cached, encoded
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training, recipe_of
from mimica.training.runs import train_recogniser

SUPPLY_GOAL, EPOCH_GOAL = 50, 15
NOTHING = Augmentation(angle=0, scale=0, jitter=0, flip=0, gamma=0, blur=0, erase=0, motion=0)


def encoder_of(shape: CLIPConfig) -> DualEncoder:
    """Both towers of that shape with random weights."""
    torch.manual_seed(0)
    model = CLIPModel._from_config(shape, attn_implementation="sdpa")
    freeze(model)
    return DualEncoder(
        name="random", vision=ClipVision(model), text=ClipText(model, Words()), log_scale=4.6, identity="random"
    )


def clips_of(number: int, frames: int, size: int) -> ClipSet:
    """Clips of noise before noise."""
    random = np.random.default_rng(0)
    faces, scenes = (
        [random.integers(0, 255, (frames, size, size, 3), dtype=np.uint8) for _ in range(number)] for _ in range(2)
    )
    labels, names = np.arange(number) % len(EXPRESSIONS), [f"noise {i}" for i in range(number)]
    stated = manifest("noise", names, labels, EXPRESSIONS)
    return ClipSet(frames=faces, scenes=scenes, labels=labels, names=names, manifest=stated)


def recipe_for(chosen: Any) -> Training:
    """OUS as the recipe for ViT-L/14 has it, with nothing augmented, on a tower that does not matter here."""
    whole = recipe_of(chosen.method)
    return replace(
        whole, encoder="random", augmentation=NOTHING, sampling="uniform", frames=chosen.frames, longest=chosen.frames,
        balance=0.0, shorten=0.0, select_on="last",
        loop=LoopConfig(epochs=1 + chosen.epochs, batch=chosen.batch, lr=2e-4, save_every=0, ahead=whole.loop.ahead),
    )  # fmt: skip


def supplies(network: Ous, frames: Batches, features: CachedBatches) -> dict[str, Callable[[], Encoded]]:
    """What gives the features of the first batch of an epoch, from frames and from the cache."""

    def of_frames() -> Encoded:
        batch = next(frames.batches(0))
        views = {name: network.vision.normalise(batch[name]) for name in ("face", "scene")}
        return network.encode(ClipBatch(valid=batch["valid"], **views))

    def of_cache() -> Encoded:
        seen = encoded(next(features.batches(0)))
        assert seen is not None
        return seen

    return {"frames": of_frames, "cache": of_cache}


def fastest(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The least seconds of each; what else a machine does only ever adds. One round before warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in track(range(-1, rounds), "measuring", transient=True):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if number >= 0:
                times[name].append(time.perf_counter() - began)
    return {name: min(of) for name, of in times.items()}


class Clock:
    """A report that notes how long each epoch but the first took, and its loss."""

    def __init__(self) -> None:
        self.seconds, self.losses = list[float](), list[float]()
        self._began: float | None = None

    def __call__(self, row: Mapping[str, Any]) -> None:
        now = time.perf_counter()
        if "steps" in row:
            return
        self.losses.append(float(row["loss"]))
        if self._began is not None:
            self.seconds.append(now - self._began)
        self._began = now


def epochs(recipe: Training, encoder: DualEncoder, clips: ClipSet, out: Path, cache: Path | None) -> Clock:
    """A run, its epochs timed."""
    clock = Clock()
    train_recogniser(recipe, encoder, clips, out=out, cache=cache, report=clock)
    return clock


def rest(network: Ous, features: CachedBatches) -> dict[str, float]:
    """Seconds of the parts of a step from the cache."""
    batch = next(features.batches(0))
    seen, labels = encoded(batch), batch["label"]
    assert seen is not None
    shift = torch.zeros(len(EXPRESSIONS))
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    adam = torch.optim.AdamW(learned, lr=0.0, weight_decay=0.0)

    def step() -> None:
        network.taught(seen, labels, shift=shift)["loss"].backward()

    parts: dict[str, Callable[[], Any]] = {
        "cache": lambda: next(features.batches(0)),
        "class texts, forward": network.class_features,
        "class texts, both ways": lambda: network.class_features().sum().backward(),
        "forward": lambda: network.taught(seen, labels, shift=shift),
        "both ways": step,
        "optimizer": adam.step,
    }
    return fastest(parts, 3)


def apart(full: Cache, half: Cache, digests: list[str]) -> dict[str, float]:
    """How far features in half precision are off at most, as a share of the largest of their kind."""

    def far(name: str) -> float:
        pairs = [(full.row(None, digest)[name], half.row(None, digest)[name].float()) for digest in digests]
        largest: Tensor = torch.stack([one.abs().max() for one, _ in pairs]).max()
        return float(torch.stack([(one - other).abs().max() for one, other in pairs]).max() / largest)

    return {name: far(name) for name in full.row(None, digests[0])}


def measured(chosen: Any, shape: CLIPConfig, folder: Path) -> dict[str, Any]:
    """All figures of one run."""
    encoder, recipe = encoder_of(shape), recipe_for(chosen)
    clips = clips_of(chosen.clips, chosen.frames, encoder.vision.size)
    caches: dict[str, Cache] = {}
    for precision in track(("fp16", "fp32"), "filling", transient=True):
        caches[precision] = fill(folder / precision, recipe, encoder, clips, precision=precision)
    network = network_of(recipe, encoder, clips).train()
    how: dict[str, Any] = {
        "batch": chosen.batch, "frames": chosen.frames, "shorten": 0.0, "augmentation": NOTHING,
    }  # fmt: skip
    features = CachedBatches(clips, cached(caches["fp16"], recipe, network, encoder.identity), **how)
    supply = fastest(supplies(network, Batches(clips, **how), features), chosen.rounds)
    runs: dict[str, Clock] = {}
    for name, cache in track({"frames": None, "fp16": "fp16", "fp32": "fp32"}.items(), "training", transient=True):
        place = None if cache is None else folder / cache
        runs[name] = epochs(recipe, encoder, clips, folder / f"run-{name}", place)
    shards = sum(file.stat().st_size for file in (folder / "fp16").glob("*.safetensors"))
    size = size_of(recipe, network, precision="fp16", views=0)
    return {
        "supply_seconds": supply,
        "supply_ratio": supply["frames"] / supply["cache"],
        "epoch_seconds": {name: min(clock.seconds) for name, clock in runs.items()},
        "epoch_ratio": min(runs["frames"].seconds) / min(runs["fp16"].seconds),
        "steps": features.steps,
        "rest_seconds_a_step": rest(network, features),
        "bytes_a_clip": {"said": size.clip, "on_disk": shards / chosen.clips},
        "published_bytes": {name: number * size.clip for name, number in PUBLISHED_CLIPS.items()},
        "fp16": {
            "features_apart": apart(caches["fp32"], caches["fp16"], features.digests),
            "losses_apart": _losses_apart(runs["fp32"], runs["fp16"]),
        },
        "fp32": {"losses_apart_from_frames": _losses_apart(runs["frames"], runs["fp32"])},
    }


def _losses_apart(one: Clock, other: Clock) -> float:
    return max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2, help="that are timed; one before warms up")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", default="ous", help="ous, ous-paper or ous-repo")
    parser.add_argument("--tiny", action="store_true", help="a tower of no size, to see whether all of it runs")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle()}
    result |= {
        key: getattr(chosen, key) for key in ("clips", "frames", "batch", "epochs", "rounds", "method", "threads")
    }
    torch.set_num_threads(chosen.threads)
    # The library's default shape is ViT-B/32.
    shape = CLIPConfig(**_TINY) if chosen.tiny else CLIPConfig()
    with tempfile.TemporaryDirectory() as folder:
        result |= measured(chosen, shape, Path(folder))
    result["goals"] = {"supply": SUPPLY_GOAL, "epoch": EPOCH_GOAL}
    _print(result)
    machine.keep(chosen.json, result)


def _print(result: Mapping[str, Any]) -> None:
    supply, epoch, parts = result["supply_seconds"], result["epoch_seconds"], result["rest_seconds_a_step"]
    print(
        f"supply of a batch: {supply['frames']:.3f} s from frames, {supply['cache'] * 1e3:.1f} ms from the cache, "
        f"{result['supply_ratio']:.0f} times; goal {SUPPLY_GOAL}: {machine.goal(result['supply_ratio'] >= SUPPLY_GOAL)}"
    )
    print(
        f"an epoch: {epoch['frames']:.2f} s from frames, {epoch['fp16']:.2f} s from the cache, "
        f"{result['epoch_ratio']:.1f} times; goal {EPOCH_GOAL}: {machine.goal(result['epoch_ratio'] >= EPOCH_GOAL)}"
    )
    print("a step from the cache: " + ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in parts.items()))
    held = result["bytes_a_clip"]
    told = ", ".join(f"{name} {number / 1e9:.2f} GB" for name, number in result["published_bytes"].items())
    print(f"bytes a clip: {held['said']:,} said, {held['on_disk']:,.0f} on disk; {told}")
    far = ", ".join(f"{name} {share:.1e}" for name, share in result["fp16"]["features_apart"].items())
    print(f"fp16 from fp32: {far} of the largest, losses {result['fp16']['losses_apart']:.1e} apart")
    print(f"fp32 from frames: losses {result['fp32']['losses_apart_from_frames']:.1e} apart")


_TINY: dict[str, Any] = {
    "vision_config": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 6, "num_attention_heads": 2,
                      "image_size": 32, "patch_size": 16},
    "text_config": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2},
    "projection_dim": 32,
}  # fmt: skip


if __name__ == "__main__":
    main()
