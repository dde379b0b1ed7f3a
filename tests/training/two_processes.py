"""Runs of two processes that train together, and of one with the doubled batch; prints what became of each.

Started as a program by `test_processes.py`: it is the one process that loads torch, and forks all others.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers  # noqa: F401 - loaded once for all
from accelerate import PartialState  # noqa: F401 - the same

from mimica import assets
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.data.generated import Generated
from mimica.encoders.named import open_encoder
from mimica.errors import InputError, MimicaError
from mimica.labels import EXPRESSIONS
from mimica.recognition import registry
from mimica.recognition.duse.config import DuseConfig
from mimica.training import runs
from mimica.training.average import learned
from mimica.training.loop import LoopConfig, train
from mimica.training.processes import one_voice, processes
from mimica.training.recipes import Training
from tiny_runs import CONFIG, Line, Points, rows

RECIPE = Training(
    model=DuseConfig(depth="deep", tokens=2, heads=2), encoder="tiny", frames=3, longest=4, select_on="validation",
    loop=LoopConfig(epochs=3, batch=6, lr=1e-3, ema=0.5, save_every=1), augmentation=Augmentation(erase=0.0),
)  # fmt: skip


def clips(each: int, seed: int) -> ClipSet:
    """Every class is a pattern of its own, with a little noise."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)
    labels = np.arange(7 * each) % 7
    noise = np.random.default_rng(seed).normal(0, 8, (len(labels), 2, 48, 48, 1))
    frames = np.clip(patterns[labels][:, None, :, :, None] + noise, 0, 255).astype(np.uint8)
    names = [f"{i}.png" for i in range(len(labels))]
    stated = manifest("patterns", names, labels, EXPRESSIONS)
    return ClipSet(frames=list(frames), labels=labels, names=names, manifest=stated)


def recogniser(
    out: Path, encoder: str, batch: int, *, resume: bool = False, generated: Generated | None = None
) -> dict[str, Any]:
    """What a whole run leaves in this process."""
    networks, told = [], []

    def built(*given: Any) -> Any:
        networks.append(registry.build(*given))
        return networks[-1]

    runs.build = built  # type: ignore[assignment]
    recipe = replace(RECIPE, loop=replace(RECIPE.loop, batch=batch))
    path = runs.train_recogniser(
        recipe, open_encoder(encoder), clips(5, 0), out=out, held=clips(2, 1), generated=generated, resume=resume,
        report=told.append,
    )  # fmt: skip
    weights = b"".join(t.detach().numpy().tobytes() for t in learned(networks[-1]).values())
    return {"rows": rows(out), "weights": hashlib.sha256(weights).hexdigest(), "told": len(told), "path": str(path)}


def made() -> Generated:
    """Generated clips whose labels are soft."""
    generated = clips(2, 7)
    return Generated(clips=generated, shares=0.8 * np.eye(7)[generated.labels] + 0.2 / 7)


class Breaking(Points):
    """Of its batches the third of the second process cannot be read."""

    def batches(self, epoch: int, first: int = 0) -> Iterator[dict[str, torch.Tensor]]:
        for number, batch in enumerate(super().batches(epoch, first)):
            if number == 2 and processes().rank == 1:
                raise InputError("a clip is broken")
            yield batch


def broken(out: Path) -> dict[str, Any]:
    """How a run ends of which one process fails."""
    train(Line(), Breaking(), CONFIG, out=out)
    return {}


class Switching(Line):
    """A learner that takes one of two losses, by a number that all processes have to agree on; it fails by chance."""

    def forward(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        mean = (self.scale * self.out(self.frozen(batch["x"]))[:, 0] - batch["x"].sum(1)).square().mean()
        own = mean.detach() + 4 * processes().rank  # far apart, so that each alone would decide otherwise
        above = float(processes().agreed(own)) > 4.0
        return {"loss": mean if above else mean.sqrt() / 10, "above": torch.tensor(float(above))}


def switching(out: Path, data: Points) -> dict[str, Any]:
    """What a run leaves in this process whose processes decide together, or how it ends where one fails before."""
    learner = Switching()
    train(learner, data, CONFIG, out=out)
    weights = b"".join(t.detach().numpy().tobytes() for t in learned(learner).values())
    # The main process alone writes the log, and others may be here before its last row is.
    logged = {"rows": rows(out)} if processes().main else {}
    return {**logged, "weights": hashlib.sha256(weights).hexdigest()}


def alike(out: Path) -> dict[str, Any]:
    """How a run ends that no process can begin."""
    train(Line(), Points(2), replace(CONFIG, accumulate=9), out=out)
    return {}


def forked(folder: Path, number: int, work: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """What some work gives in each of so many processes that are launched together, or how it ends there."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(number):
        child = os.fork()
        if not child:
            place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
            os.environ.update(place, RANK=str(rank), WORLD_SIZE=str(number))
            try:
                with one_voice():
                    told = work()
            except MimicaError as error:
                told = {"error": f"{type(error).__name__}: {error}"}
            except SystemExit as leaving:
                told = {"left": type(leaving).__name__}
            (folder / f"{rank}.json").write_text(json.dumps(told))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(number)]


def main(folder: Path, encoder: str, sentences: str) -> None:
    assets.find = {"minilm": Path(sentences)}.__getitem__  # type: ignore[assignment]
    one, two = folder / "one", folder / "two"
    told = {
        "two": forked(folder / "a", 2, lambda: recogniser(two, encoder, 3)),
        "one": forked(folder / "b", 1, lambda: recogniser(one, encoder, 6)),
        "again": forked(folder / "c", 1, lambda: recogniser(two, encoder, 6, resume=True)),
        "two mixed": forked(folder / "h", 2, lambda: recogniser(folder / "mixed", encoder, 3, generated=made())),
        "one mixed": forked(folder / "i", 1, lambda: recogniser(folder / "whole", encoder, 6, generated=made())),
        "broken": forked(folder / "d", 2, lambda: broken(folder / "broken")),
        "switching": forked(folder / "f", 2, lambda: switching(folder / "switching", Points())),
        "broken while it decides": forked(folder / "g", 2, lambda: switching(folder / "breaking", Breaking())),
        "alike": forked(folder / "e", 2, lambda: alike(folder / "alike")),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
