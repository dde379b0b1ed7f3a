"""Whether words matter: DuSE is trained on six classes of the actor and reads the seventh by its description alone.

Each class in turn is left out of training; then all seven are described and clips of the test part (other
identities, styles and scenes) are read. `recall` is the share of the left-out class's clips that are read as it,
with all seven to choose from, so that chance is a seventh; `auroc` says whether its clips score higher for its text
than others' do, chance 0.5. Beside it stand the same model with a text in the place of the description that
describes nothing, and the encoder as it is, with nothing learned. Intervals are of a bootstrap over actors, of all
classes together. What it does not show: anything of real faces, nor that the encoder never met the class: `compact`
was pretrained with captions of all seven. What is trained already in --out is not trained again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from actor import drawn, recipe
from rich.console import Console
from rich.table import Table

from mimica.cli.progress import Epochs
from mimica.data.clipset import ClipSet, of_classes
from mimica.encoders.named import open_encoder
from mimica.encoders.towers import DualEncoder
from mimica.labels import EXPRESSIONS
from mimica.recognition.baselines.match import as_it_is
from mimica.recognition.registry import load
from mimica.training.calibrate import as_clip, logits_of
from mimica.training.runs import train_recogniser

NOTHING = "a thing that is somewhere"
"""What stands for a description in the control: it speaks of no face."""
DRAWS = 1000


def scores(network: Any, test: ClipSet) -> np.ndarray:
    """Shares [N, 7] of the test clips."""
    return np.asarray(torch.from_numpy(logits_of(network, map(as_clip, test.frames))).softmax(-1))


def trained(name: str, chosen: Any, encoder: DualEncoder, train: ClipSet) -> str:
    """The recogniser that never saw a class, trained unless it is there."""
    out = chosen.out / name
    if not list(out.glob("duse-*.json")):
        rest = of_classes(train, [other for other in EXPRESSIONS.names if other != name])
        how = recipe(chosen.epochs, chosen.seed, chosen.frames, chosen.lr)
        with Epochs(chosen.epochs) as report:
            train_recogniser(how, encoder, rest, out=out, resume=True, report=report)
    return str(out)


def read(name: str, chosen: Any, encoder: DualEncoder, train: ClipSet, test: ClipSet) -> dict[str, np.ndarray]:
    """The shares of all test clips by the model that never saw a class, and by its control."""
    path, place = trained(name, chosen, encoder, train), EXPRESSIONS.index(name)
    texts = list(EXPRESSIONS.descriptions)
    texts[place] = (NOTHING,)
    control = replace(EXPRESSIONS, descriptions=tuple(texts))
    return {
        "by its description": scores(load(path, space=EXPRESSIONS).network, test),
        "by a text of nothing": scores(load(path, space=control).network, test),
    }


def recall(shares: np.ndarray, mine: np.ndarray, place: int) -> float:
    """The share of a class's clips that is read as it."""
    return float((shares[mine].argmax(1) == place).mean()) if mine.any() else float("nan")


def auroc(shares: np.ndarray, mine: np.ndarray, place: int) -> float:
    """How often a clip of the class scores higher for it than one of another class; a tie counts half."""
    ours, theirs = shares[mine, place], shares[~mine, place]
    if not len(ours) or not len(theirs):
        return float("nan")
    return float((ours[:, None] > theirs).mean() + 0.5 * (ours[:, None] == theirs).mean())


def interval(
    figure: Callable[[np.ndarray, np.ndarray, int], float], found: dict[int, np.ndarray], labels: np.ndarray,
    actors: np.ndarray, seed: int,
) -> list[float]:  # fmt: skip
    """The mean of a figure over the left-out classes, with its 95 % interval over resampled actors."""
    random, members = np.random.default_rng(seed), [np.flatnonzero(actors == one) for one in np.unique(actors)]

    def mean(n: np.ndarray) -> float:
        return float(np.nanmean([figure(shares[n], labels[n] == place, place) for place, shares in found.items()]))

    draws = [
        mean(np.concatenate([members[i] for i in random.integers(len(members), size=len(members))]))
        for _ in range(DRAWS)
    ]
    return [mean(np.arange(len(labels))), *map(float, np.quantile(draws, (0.025, 0.975)))]


def main() -> None:
    chosen = _chosen()
    result: dict[str, Any] = {"machine": machine.settle()}
    torch.set_num_threads(chosen.threads)
    encoder, console = open_encoder(chosen.encoder), Console(width=None if sys.stdout.isatty() else 130)
    size = encoder.vision.size
    with console.status("drawing clips"):
        train, _ = drawn("emotion", "train", chosen.clips, chosen.frames, size)
        test, actors = drawn("emotion", "test", chosen.test, chosen.frames, size)
    found: dict[str, dict[int, np.ndarray]] = {}
    for name in chosen.classes:
        for way, shares in read(name, chosen, encoder, train, test).items():
            found.setdefault(way, {})[EXPRESSIONS.index(name)] = shares
    bare = scores(as_it_is(encoder, EXPRESSIONS).network, test)
    found["the encoder as it is"] = {EXPRESSIONS.index(name): bare for name in chosen.classes}
    result |= {key: getattr(chosen, key) for key in ("clips", "test", "frames", "epochs", "lr", "seed", "encoder")}
    result |= {"threads": chosen.threads, "chance": {"recall": 1 / len(EXPRESSIONS), "auroc": 0.5}, "ways": {}}
    for way, by_class in found.items():
        result["ways"][way] = {
            figure.__name__: {
                "mean": interval(figure, by_class, test.labels, actors, chosen.seed),
                "classes": {
                    EXPRESSIONS.names[place]: figure(shares, test.labels == place, place)
                    for place, shares in by_class.items()
                },
            }
            for figure in (recall, auroc)
        }
    low = result["ways"]["by its description"]["recall"]["mean"][1]
    result["above_chance"] = low > result["chance"]["recall"]
    _print(result, console)
    machine.keep(chosen.json, result)


def _print(result: dict[str, Any], console: Console) -> None:
    table = Table(box=None, title="synthetic clips, the class that was left out of training", title_justify="left")
    names = list(result["ways"]["by its description"]["recall"]["classes"])
    for column in ("", "recall (95 %)", "AUROC (95 %)", *(name[:4] for name in names)):
        table.add_column(column, justify="right" if column else "left")
    for way, figures in result["ways"].items():
        means = ["{:.3f} ({:.3f} to {:.3f})".format(*figures[kind]["mean"]) for kind in ("recall", "auroc")]
        table.add_row(way, *means, *(f"{figures['recall']['classes'][name]:.2f}" for name in names))
    console.print(table)
    console.print(f"chance 0.143; read by its description above it: {machine.goal(result['above_chance'])}")


def _chosen() -> Any:
    parser = machine.flags(__doc__)
    parser.add_argument("--classes", nargs="+", choices=EXPRESSIONS.names, default=list(EXPRESSIONS.names))
    parser.add_argument("--clips", type=int, default=350)
    parser.add_argument("--test", type=int, default=700)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", default="compact")
    parser.add_argument("--out", type=Path, default=Path("runs/seventh"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
