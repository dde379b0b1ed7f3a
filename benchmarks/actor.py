"""What DuSE and its parts bring on clips of the synthetic actor: expressions, or the order of frames.

Each variant is trained on the train part and measured on the test part (other identities, styles and
scenes) with the same encoder, clips, loop and seeds; differences to DuSE have paired intervals over
resampled seeds and actors. In `direction` every test clip is followed by its exact reversal, so that a
model without a sense of order stands at 0.5. Prints a table of one run and writes it as JSON; what is
already trained in --out is not trained again. What it does not show: anything of real faces.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mimica.data import actor
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, from_actor
from mimica.encoders.named import open_encoder
from mimica.encoders.towers import DualEncoder
from mimica.experiments.ablate import Split, guessed
from mimica.metrics.classification import confusion, uar, war
from mimica.metrics.paired import paired_difference
from mimica.training.recipes import Training, duse_compact, with_method

TRAIN_SEED, TEST_SEED = 0, 1
VARIANTS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "emotion": {
        "DuSE": ("duse", []),
        "without HTPC": ("duse", ["htpc=coop"]),
        "without LSEA": ("duse", ["lsea=mean"]),
        "neither (CoOp)": ("coop", []),
        "zero-shot": ("zero-shot", []),
        "linear probe": ("linear-probe", []),
        "DuSE as printed": ("duse-paper", ["depth=deep"]),
    },
    "direction": {
        "DuSE": ("duse", []),
        "the paper's order signal": ("duse", ["order=none", "frame_pe=sinusoid"]),
        "no order signal": ("duse", ["order=none"]),
    },
}


def recipe(epochs: int, seed: int, frames: int, lr: float) -> Training:
    """How every variant is trained: the shipped recipe, for clips that move by themselves."""
    own = duse_compact()
    return replace(
        own, frames=frames, longest=frames, per_epoch=None, balance=0.0, shorten=0.0,
        augmentation=Augmentation(angle=6.0, scale=0.08, jitter=0.04, gamma=0.25, blur=0.0, erase=0.0, motion=0.0),
        loop=replace(own.loop, epochs=epochs, batch=16, seed=seed, lr=lr, precision="bf16", ema=0.0),
    )  # fmt: skip


def drawn(task: Any, part: Any, clips: int, frames: int, size: int) -> tuple[ClipSet, np.ndarray]:
    """Clips as the recogniser reads them, and the actor of each."""
    seed = TRAIN_SEED if part == "train" else TEST_SEED
    paired = task == "direction" and part == "test"
    found = actor.clips(clips // 2 if paired else clips, frames=frames, task=task, part=part, seed=seed)
    found = actor.reversed_pairs(found) if paired else found
    return from_actor(found, size=size), found.identity.numpy()


def seeds_of(name: str, chosen: argparse.Namespace) -> list[int]:
    """The seeds of a variant: of the letter of the paper, and of what cannot tell the order of frames, one is shown."""
    seeds: list[int] = chosen.seeds
    alone = name == "DuSE as printed" or (chosen.task == "direction" and name != "DuSE")
    return seeds[:1] if alone else seeds


def measured(chosen: argparse.Namespace, train: ClipSet, test: ClipSet, encoder: DualEncoder) -> dict[str, np.ndarray]:
    """What each variant takes the test clips for, a row a seed [S, N]."""
    variants = {name: VARIANTS[chosen.task][name] for name in chosen.only or VARIANTS[chosen.task]}
    found = {}
    with Progress() as bar:
        task = bar.add_task("training", total=sum(len(seeds_of(name, chosen)) for name in variants))
        for name, (method, options) in variants.items():
            rows = []
            for seed in seeds_of(name, chosen):
                lr = chosen.probe_lr if method == "linear-probe" else chosen.lr
                how = with_method(recipe(chosen.epochs, seed, chosen.frames, lr), method, options)
                out = chosen.out / chosen.task / name.replace(" ", "-") / str(seed)
                rows.append(guessed(how, encoder, Split(train=train, test=test), out))
                bar.advance(task)
                bar.console.print(f"{name}, seed {seed}: {(rows[-1] == test.labels).mean():.3f}")
            found[name] = np.stack(rows)
    return found


def main() -> None:
    chosen = _chosen()
    encoder, console = open_encoder(chosen.encoder), Console(width=None if sys.stdout.isatty() else 110)
    with console.status("drawing clips"):
        train, _ = drawn(chosen.task, "train", chosen.clips, chosen.frames, encoder.vision.size)
        test, actors = drawn(chosen.task, "test", chosen.test, chosen.frames, encoder.vision.size)
    result = _result(chosen, measured(chosen, train, test, encoder), test, actors)
    _print(result, console)
    machine.keep(chosen.json, result)


def _result(chosen: argparse.Namespace, found: dict[str, np.ndarray], test: ClipSet, actors: np.ndarray) -> Any:
    classes, first = len(test.space), next(iter(found))
    rows = {}
    for name, guess in found.items():
        tables = [confusion(test.labels, g, classes) for g in guess]
        rows[name] = {"war": [war(t) for t in tables], "uar": [uar(t) for t in tables]}
        if name != first:
            ours = found[first][: len(guess)]
            gap = paired_difference(test.labels, ours, guess, uar, classes=classes, groups=actors)
            rows[name]["duse_ahead_by"] = [gap.value, gap.low, gap.high]
    return {
        "what": "synthetic clips of the actor; WAR and UAR a seed, how far DuSE is ahead in UAR with its 95 % interval",
        "task": chosen.task,
        "variants": rows,
        "train_clips": chosen.clips, "test_clips": chosen.test, "frames": chosen.frames, "epochs": chosen.epochs,
        "seeds": chosen.seeds, "lr": chosen.lr, "probe_lr": chosen.probe_lr, "encoder": chosen.encoder,
        "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def _print(result: Any, console: Console) -> None:
    table = Table(box=None, title="synthetic clips, test part", title_justify="left")
    for column in ("", "WAR", "UAR", "seeds' UAR", "DuSE ahead in UAR by (95 %)"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in result["variants"].items():
        gap = row.get("duse_ahead_by")
        table.add_row(
            name, f"{np.mean(row['war']):.3f}", f"{np.mean(row['uar']):.3f}", " ".join(f"{u:.3f}" for u in row["uar"]),
            "" if gap is None else f"{gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f})",
        )  # fmt: skip
    console.print(table)


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=tuple(VARIANTS), default="emotion")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--clips", type=int, default=350)
    parser.add_argument("--test", type=int, default=700)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--probe-lr", type=float, default=1e-2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--encoder", default="compact")
    parser.add_argument("--out", type=Path, default=Path("runs/actor"))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
