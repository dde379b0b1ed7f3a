"""What each choice in pretraining the compact encoder brings: short trainings that differ in one of them.

Every row is trained from random weights with the same seed on the same faces, for far fewer epochs than what ships,
and measured on the part that is kept for calibration, by captions alone. What it does not show: whether a choice
that helps early helps as much after many epochs. One seed; the standard error of WAR is stated. Rows that are
trained already in --out are not trained again.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import machine
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mimica import checkpoint
from mimica.cli.progress import Epochs
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, load, load_held
from mimica.encoders.compact import CompactConfig
from mimica.training import runs
from mimica.training.recipes import Pretraining, pretraining, with_loop

_LUMA = (0.299, 0.587, 0.114)


def variants(recipe: Pretraining) -> dict[str, Pretraining]:
    """The recipe, and the same with one thing changed."""
    weak = Augmentation(angle=0.0, scale=0.0, jitter=0.0, gamma=0.0, blur=0.0, erase=0.0, cover=0.0)
    return {
        "as it is": recipe,
        "the stem of before": replace(recipe, encoder=CompactConfig()),
        "nothing but mirror images": replace(recipe, augmentation=weak),
        "no mixup": replace(recipe, mixup=0.0),
        "no average of weights": with_loop(recipe, ema=0.0),
        "classes as they come": replace(recipe, balance=0.0),
        "classes made equal": replace(recipe, balance=1.0),
        "hard labels": recipe,
        "with a teacher": recipe,
        "with renders": recipe,
    }


def joined(faces: ClipSet, renders: ClipSet) -> ClipSet:
    """Both, all of them grey."""
    grey = [np.rint(frames @ np.array(_LUMA)).astype(np.uint8)[..., None] for frames in renders.frames]
    return replace(
        faces, frames=[*faces.frames, *grey], labels=np.concatenate([faces.labels, renders.labels]),
        names=[*faces.names, *renders.names], manifest={"faces": faces.manifest, "renders": renders.manifest},
    )  # fmt: skip


def trained(name: str, recipe: Pretraining, chosen: Any, faces: ClipSet, held: ClipSet) -> dict[str, float]:
    """The figures of a variant on `held`."""
    out = chosen.out / name.replace(" ", "-")
    path = out / "compact.safetensors"
    if not path.exists():
        # One text a class, at right angles to all others, is a class and nothing that words could say of it.
        classes = torch.eye(len(faces.space)), list(range(len(faces.space)))
        bare = mock.patch.object(runs, "caption_features", return_value=classes)
        if name == "with renders":
            faces = joined(faces, load(chosen.renders, size=recipe.encoder.size))
        teachers = [chosen.teacher] if name == "with a teacher" else []
        with Epochs(recipe.loop.epochs) as report, bare if name == "hard labels" else nullcontext():
            runs.pretrain(recipe, faces, out=out, held=held, teachers=teachers, report=report, resume=True)
    return {key: float(value) for key, value in checkpoint.read_facts(path)["metrics"].items()}


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("data", help="as mimica pretrain takes it, with a part for calibration")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("runs/levers"))
    parser.add_argument("--teacher", type=Path, help="an encoder; without, there is no such row")
    parser.add_argument("--renders", help="such as table:renders/clips.csv; without, there is no such row")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle(), "epochs": chosen.epochs, "threads": chosen.threads}
    torch.set_num_threads(chosen.threads)
    recipe = with_loop(pretraining("compact"), epochs=chosen.epochs)
    faces, held = load(chosen.data, size=recipe.encoder.size), load_held(chosen.data, size=recipe.encoder.size)
    if held is None:
        raise SystemExit(f"{chosen.data} has no part for calibration to measure on")
    rows: dict[str, dict[str, float]] = {}
    for name, variant in variants(recipe).items():
        if (name == "with a teacher" and not chosen.teacher) or (name == "with renders" and not chosen.renders):
            continue
        rows[name] = trained(name, variant, chosen, faces, held)
        print(json.dumps({name: rows[name]}), flush=True)
    _print(rows, len(held))
    told = {"data": dict(held.manifest), "seed": recipe.loop.seed, "rows": rows}
    machine.keep(chosen.json, result | told | {"date": datetime.now(UTC).date().isoformat()})


def _print(rows: dict[str, dict[str, float]], number: int) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "WAR", "UAR", "to the first"):
        table.add_column(column, justify="right" if column else "left")
    first = rows["as it is"]["war"]
    for name, row in rows.items():
        table.add_row(name, f"{row['war']:.3f}", f"{row['uar']:.3f}", f"{row['war'] - first:+.3f}")
    Console().print(table)
    print(f"{number} faces; the standard error of a WAR is {(first * (1 - first) / number) ** 0.5:.3f}")


if __name__ == "__main__":
    main()
