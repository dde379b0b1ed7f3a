"""How long training waits for its data: clips on disk beside a training step of DuSE on a ViT-B/32, two cores.

Jpegs of 224 pixels are drawn into folders of 70, as long as DFEW's clips are in the median; a step is of 2 clips of
16 frames, of random weights, which costs the same. The share of the time that the loop stands and waits is measured
with batches prepared ahead in threads, and with none for comparison. What it does not show: a disk slower than this
one's memory of files read before, videos, and models much faster than ViT-B/32 on these cores (`clips_per_second`
is what the loader gives when nothing else wants the cores).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np
from rich.progress import track
from words import Words

SIZE, LONG, FRAMES, BATCH = 224, 70, 16, 2
GOAL = 0.05
"""The share of the time that may be waited."""


class Watched:
    """Batches that note when each was asked for and when it was had, in seconds."""

    def __init__(self, data: Any) -> None:
        self.data, self.steps = data, data.steps
        self.asked, self.had = list[float](), list[float]()

    def batches(self, epoch: int, first: int = 0) -> Iterator[Mapping[str, Any]]:
        rest = self.data.batches(epoch, first)
        while True:
            self.asked.append(time.perf_counter())
            batch = next(rest, None)
            self.had.append(time.perf_counter())
            if batch is None:
                return
            yield batch

    def waited(self) -> dict[str, float]:
        """From the first batch to the last: seconds a step, and the share of them that was waited."""
        first, last = self.had[0], self.had[self.steps - 1]
        waits = [had - asked for asked, had in zip(self.asked[1 : self.steps], self.had[1:], strict=False)]
        seconds = (last - first) / (self.steps - 1)
        return {"share": sum(waits) / (last - first), "step_seconds": seconds, "longest_wait": max(waits)}


def draw(folder: Path, clips: int) -> int:
    """Folders of jpegs on which a smooth picture with some grain drifts; gives the bytes of them all."""
    from PIL import Image

    random, size = np.random.default_rng(0), 0
    for clip in track(range(clips), "drawing", transient=True):
        place = folder / f"{clip:05d}"
        place.mkdir()
        coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        whole = np.asarray(coarse.resize((SIZE + LONG, SIZE), Image.Resampling.BICUBIC)).astype(np.int16)
        whole = np.clip(whole + random.normal(0, 6, whole.shape), 0, 255).astype(np.uint8)
        for frame in range(LONG):
            path = place / f"{frame:03d}.jpg"
            Image.fromarray(whole[:, frame : frame + SIZE]).save(path, quality=90)
            size += path.stat().st_size
    return size


def learner() -> Any:
    """DuSE on a ViT-B/32, both towers of random weights."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    from mimica.encoders.clip import ClipText, ClipVision
    from mimica.encoders.towers import freeze
    from mimica.labels import EXPRESSIONS
    from mimica.recognition.duse.config import DuseConfig
    from mimica.recognition.duse.model import Duse
    from mimica.training.runs import _Learner

    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig())  # the library's default shape is ViT-B/32
    vision, text = ClipVision(model), ClipText(model, Words())
    for tower in (vision, text):
        freeze(tower)
    return _Learner(Duse(vision, text, EXPRESSIONS, DuseConfig(), log_scale=4.6))


def measured(data: Any, module: Any, steps: int) -> dict[str, float]:
    """One epoch of so many steps."""
    from mimica.training.loop import LoopConfig, train

    watched = Watched(data)
    config = LoopConfig(epochs=1, batch=BATCH, lr=1e-3, save_every=0)
    with tempfile.TemporaryDirectory() as out:
        train(module, watched, config, out=Path(out))
    return watched.waited()


def compared(folder: Path, steps: int, threads: int, aheads: Sequence[int]) -> dict[str, Any]:
    """The loader alone, and beside the model with so many batches prepared ahead."""
    from mimica.data.clipset import Item
    from mimica.data.files import load_files
    from mimica.labels import EXPRESSIONS
    from mimica.training.batches import Batches
    from mimica.training.recipes import duse_vit_b32

    how, clips = duse_vit_b32(), BATCH * steps
    size = draw(folder, clips) / (clips * LONG)
    items = [Item(path=path, label=i % 7) for i, path in enumerate(sorted(folder.iterdir()))]
    data = load_files(items, size=SIZE, frames=None, space=EXPRESSIONS, origin="drawn", stored=True)

    def batches(ahead: int) -> Batches:
        return Batches(
            data, batch=BATCH, frames=FRAMES, balance=0.0, shorten=0.0, sampling=how.sampling,
            augmentation=how.augmentation, ahead=ahead,
        )  # fmt: skip

    began = time.perf_counter()
    number = BATCH * sum(1 for _ in batches(threads).batches(0))
    found: dict[str, Any] = {"jpeg_bytes": size, "clips_per_second": number / (time.perf_counter() - began)}
    module = learner()
    return found | {f"ahead {ahead}": measured(batches(ahead), module, steps) for ahead in aheads}


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--ahead", type=int, nargs="+", default=[0, 2])
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle()}
    import torch

    torch.set_num_threads(chosen.threads)
    result |= {"size": SIZE, "frames_of_a_clip": LONG, "frames": FRAMES, "batch": BATCH, "steps": chosen.steps}
    result |= {"threads": chosen.threads, "goal": GOAL}
    with tempfile.TemporaryDirectory() as folder:
        result |= compared(Path(folder), chosen.steps, chosen.threads, chosen.ahead)
    for ahead in chosen.ahead:
        found = result[f"ahead {ahead}"]
        print(
            f"{ahead} batches ahead: {found['share']:.1%} of {found['step_seconds']:.2f} s a step waited, "
            f"at most {found['longest_wait']:.2f} s; goal {GOAL:.0%}: {machine.goal(found['share'] < GOAL)}"
        )
    print(f"alone, the loader gives {result['clips_per_second']:.1f} clips a second")
    machine.keep(chosen.json, result)


if __name__ == "__main__":
    main()
