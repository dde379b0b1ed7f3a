"""What the scene brings to the face on clips of the actor whose faces are weak or ambiguous: OUS beside its rivals.

    mimica data actor --out train --clips 1050 --part train --seed 0 HOW
    mimica data actor --out held --clips 1400 --part train --seed 5 HOW
    mimica data actor --out test --clips 1400 --part test --seed 6 HOW
    HOW: --size 48 --frames 4 --intensity 0.15 0.4 --blend 0.3 --scenes --polarity-agrees 0.85

Faces are at 0.15 to 0.4 of their strength, and of three in ten a second expression is shown as strongly. The scene's
polarity is that of the label in 85 of 100 clips; things and palettes of the test scenes are in no scene that was
learned from, and faces stand before plain grey. All read the same frozen encoder: the face alone and the scene
alone by a linear layer on the mean over the frames, the face alone by DuSE, both by the product of what the linear
layers say, and OUS, which leans on what it says of the face by 0.7; and what OUS says of each view alone, the product
of the two, and OUS leaning otherwise. Weight decay, the epoch and temperatures are chosen on the clips held out, and so
was how much it leans: of 0, 0.1, 0.2 and so on the least by which, where the scene disagrees, it loses at most 10
points of UAR to what it says of the face alone. What it does not show: anything of real faces or of real scenes, where
no share of agreement is known.
"""

from __future__ import annotations

import argparse
import csv
import platform
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mimica.data.clipset import ClipSet, load
from mimica.encoders.cache import Cache
from mimica.encoders.named import open_encoder
from mimica.encoders.towers import DualEncoder
from mimica.experiments.pictures import draw_stages
from mimica.labels import EXPRESSIONS
from mimica.metrics.calibration import ece, fit_temperature
from mimica.metrics.classification import confusion, uar, war
from mimica.metrics.paired import paired_difference
from mimica.recognition.ous.model import CLUSTERED, Encoded, Ous
from mimica.recognition.registry import build
from mimica.recognition.registry import load as load_recogniser
from mimica.training.cache import fill
from mimica.training.cached import cached
from mimica.training.calibrate import logits_of_set
from mimica.training.recipes import Training, duse_compact, ous_compact, with_method
from mimica.training.runs import train_recogniser

PARTS = ("train", "held", "test")
C = len(EXPRESSIONS)
LEANS = (0.0, 0.3, 0.5, 0.6, 0.8)
Logits = dict[str, dict[str, np.ndarray]]
"""By method, then by part."""


def recipe(chosen: argparse.Namespace, seed: int = 0) -> Training:
    """The recipe that ships, for clips that move by themselves, with the options asked for.

    The part to select the epoch on is what is held out. It is not called validation, on which a run would fit
    its calibration on degraded copies: temperatures are fitted here, for all methods alike.
    """
    base = with_method(ous_compact(), None, chosen.options)
    loop = replace(base.loop, epochs=chosen.epochs, seed=seed, lr=chosen.lr, precision="no")
    return replace(
        base, encoder=chosen.encoder, frames=chosen.frames, longest=chosen.frames, shorten=0.0, balance=0.0,
        select_on="test", loop=loop,
    )  # fmt: skip


def agreeing(table: Path) -> np.ndarray:
    """Which clips [N] of a table stand before a scene of the polarity of their label."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array(
        [int(row["scene_polarity"]) == EXPRESSIONS.polarity[EXPRESSIONS.index(row["label"])] for row in rows]
    )


def actors(table: Path) -> np.ndarray:
    """The actor of each clip [N]."""
    with table.open(newline="") as file:
        return np.array([int(row["actor"]) for row in csv.DictReader(file)])


def seen_of(clips: ClipSet, how: Training, encoder: DualEncoder, cache: Cache) -> Encoded:
    """What the frozen tower saw of clips, out of the cache."""
    network = build(how.model, encoder, clips.space)
    assert isinstance(network, Ous)
    features = cached(cache, how, network, encoder.identity)
    rows = [features.row(None, digest) for digest in features.digests(clips)]
    whole = {name: torch.stack([row[name] for row in rows]).float() for name in rows[0]}
    return Encoded(valid=torch.ones(whole["faces"].shape[:2], dtype=torch.bool), **whole)


def linear(x: dict[str, Tensor], labels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Logits of a linear layer on features by part, of the weight decay that does best on what is held out."""
    mean, deviation = x["train"].mean(0), x["train"].std(0) + 1e-3
    x = {part: (of - mean) / deviation for part, of in x.items()}
    tried = [_linear(x, torch.from_numpy(labels["train"]), decay) for decay in (1e-3, 1e-2, 1e-1, 1.0)]
    return max(tried, key=lambda found: uar(confusion(labels["held"], found["held"].argmax(1), C)))


def _linear(x: dict[str, Tensor], truth: Tensor, decay: float) -> dict[str, np.ndarray]:
    layer = nn.Linear(x["train"].shape[1], C)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    best = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        best.zero_grad()
        loss = nn.functional.cross_entropy(layer(x["train"]), truth) + decay * layer.weight.square().sum() / 2
        loss.backward()
        return loss

    best.step(closure)
    with torch.no_grad():
        return {part: layer(of).numpy() for part, of in x.items()}


def calibrated(logits: dict[str, np.ndarray], held: np.ndarray) -> dict[str, np.ndarray]:
    """Logits over the temperature that fits what is held out."""
    temperature = fit_temperature(logits["held"], held)
    return {part: of / temperature for part, of in logits.items()}


def rivals(seen: dict[str, Encoded], labels: dict[str, np.ndarray]) -> Logits:
    """The face alone, the scene alone, and the product of both."""
    face = calibrated(linear({p: _mean(of.faces) for p, of in seen.items()}, labels), labels["held"])
    scene = calibrated(linear({p: _mean(of.scenes) for p, of in seen.items()}, labels), labels["held"])
    both = {part: _log_shares(face[part]) + _log_shares(scene[part]) for part in PARTS}
    return {"face alone": face, "scene alone": scene, "late fusion": calibrated(both, labels["held"])}


def trained(
    how: Training, encoder: DualEncoder, sets: dict[str, ClipSet], folder: Path, cache: Path | None = None
) -> Path:
    """The file of a recogniser, trained unless it lies in its folder."""
    return next(folder.glob(f"{how.method}-*.safetensors"), None) or train_recogniser(
        how, encoder, sets["train"], test=sets["held"], out=folder, cache=cache, resume=True
    )


def duse_says(chosen: argparse.Namespace, seed: int, encoder: DualEncoder, sets: dict[str, ClipSet]) -> Logits:
    """What DuSE, trained on the faces alone, says of them, by part."""
    how = replace(recipe(chosen, seed), method="duse", model=duse_compact().model)
    faces = {part: replace(clips, scenes=None) for part, clips in sets.items()}
    network: Any = load_recogniser(str(trained(how, encoder, faces, chosen.out / "duse" / str(seed)))).network
    said = {part: logits_of_set(network, clips, frames=chosen.frames) for part, clips in faces.items()}
    return {"DuSE, face alone": calibrated(said, faces["held"].labels)}


def ous_says(path: Path, seen: dict[str, Encoded], held: np.ndarray) -> Logits:
    """What a trained OUS says of both views and of each alone, by part."""
    network = load_recogniser(str(path)).network
    assert isinstance(network, Ous)
    with torch.inference_mode():
        stages = ("logits", "fused_logits", "face_logits", "scene_logits")
        said = {part: network.features(of, stages) for part, of in seen.items()}
    both, fused, face, scene = ({part: said[part][name].numpy() for part in PARTS} for name in stages)
    leaning = {
        f"OUS leaning by {lean:g}": {part: (1 - lean) * fused[part] + lean * face[part] for part in PARTS}
        for lean in LEANS
    }
    alone = {"OUS, face alone": calibrated(face, held), "OUS, scene alone": calibrated(scene, held)}
    product = {part: sum(_log_shares(one[part]) for one in alone.values()) for part in PARTS}
    return {
        "OUS": calibrated(both, held), **alone, "product of its two": calibrated(product, held),
        **{name: calibrated(of, held) for name, of in leaning.items()},
    }  # fmt: skip


def _mean(frames: Tensor) -> Tensor:
    return nn.functional.normalize(frames, dim=-1).mean(1)


def _log_shares(logits: np.ndarray) -> np.ndarray:
    found: np.ndarray = torch.from_numpy(logits).log_softmax(-1).numpy()
    return found


def scores(
    found: dict[str, np.ndarray], truth: np.ndarray, agrees: np.ndarray, groups: np.ndarray, first: str
) -> dict[str, Any]:
    """Figures of each method's logits [S, N, C], and how far the `first` is ahead of it in UAR."""
    guess = {name: of.argmax(-1) for name, of in found.items()}
    rows: dict[str, Any] = {}
    for name, of in found.items():
        shares = torch.from_numpy(of).softmax(-1).numpy()
        row: dict[str, Any] = {"ece": [ece(s.max(1), s.argmax(1) == truth) for s in shares]}
        for where, chosen in (("all", agrees >= 0), ("agreeing", agrees), ("disagreeing", ~agrees)):
            tables = [confusion(truth[chosen], g[chosen], C) for g in guess[name]]
            row[where] = {"uar": [uar(t) for t in tables], "war": [war(t) for t in tables]}
            if name != first:
                pair = guess[first][:, chosen], guess[name][:, chosen]
                gap = paired_difference(truth[chosen], *pair, uar, classes=C, groups=groups[chosen])
                row[where]["ahead"] = [gap.value, gap.low, gap.high]
        rows[name] = row
    return rows


def main() -> None:
    chosen, console = _chosen(), Console(width=140)
    encoder, how = open_encoder(chosen.encoder), recipe(chosen)
    tables = {part: getattr(chosen, part) for part in PARTS}
    sets = {
        part: load(f"table:{table}", part="test" if part == "test" else "train", size=encoder.vision.size,
                   frames=chosen.frames, scenes=True)
        for part, table in tables.items()
    }  # fmt: skip
    for part, clips in sets.items():
        cache = fill(chosen.out / "cache", how, encoder, clips, precision="fp32")
        console.print(f"{part}: {len(clips)} clips")
    labels = {part: clips.labels for part, clips in sets.items()}
    seen = {part: seen_of(clips, how, encoder, cache) for part, clips in sets.items()}
    of_seeds = []
    for seed in chosen.seeds:
        folder = chosen.out / chosen.name / str(seed)
        path = trained(recipe(chosen, seed), encoder, sets, folder, cache=chosen.out / "cache")
        by_duse = duse_says(chosen, seed, encoder, sets)
        of_seeds.append(rivals(seen, labels) | by_duse | ous_says(path, seen, labels["held"]))
        console.print(f"seed {seed} done")
    result: dict[str, Any] = {"what": __doc__.splitlines()[0]}
    for part in ("held", "test")[: 1 if chosen.held_only else 2]:
        found = {name: np.stack([one[name][part] for one in of_seeds]) for name in of_seeds[0]}
        result[part] = scores(found, labels[part], agreeing(tables[part]), actors(tables[part]), "OUS")
        _print(part, result[part], console)
    if chosen.picture:
        _draw(path, seen["test"], labels["test"], chosen.picture)
    machine.keep(chosen.json, result | _stated(chosen, sets, encoder))


def _draw(path: Path, seen: Encoded, truth: np.ndarray, picture: Path) -> None:
    """The features of test clips at the four stages of the paper's figure."""
    network = load_recogniser(str(path)).network
    assert isinstance(network, Ous)
    with torch.inference_mode():
        stages = {name: of.numpy() for name, of in network.features(seen, CLUSTERED).items()}
    draw_stages(stages, truth, EXPRESSIONS.names, picture, title="test clips of the actor by t-SNE")


def _stated(chosen: argparse.Namespace, sets: dict[str, ClipSet], encoder: DualEncoder) -> dict[str, Any]:
    return {
        "data": {part: dict(clips.manifest) for part, clips in sets.items()}, "encoder_sha256": encoder.identity,
        "seeds": chosen.seeds, "epochs": chosen.epochs, "lr": chosen.lr, "options": chosen.options,
        "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def _print(part: str, rows: dict[str, Any], console: Console) -> None:
    table = Table(box=None, title=part, title_justify="left")
    for column in ("", "WAR", "UAR", "agreeing", "disagreeing", "ECE", "OUS ahead (95 %)", "ahead where it disagrees"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in rows.items():
        uars = [f"{np.mean(row[where]['uar']):.3f}" for where in ("all", "agreeing", "disagreeing")]
        ahead = [
            "{:+.3f} ({:+.3f} to {:+.3f})".format(*row[w]["ahead"]) for w in ("all", "disagreeing") if name != "OUS"
        ]
        table.add_row(name, f"{np.mean(row['all']['war']):.3f}", *uars, f"{np.mean(row['ece']):.3f}", *ahead)
    console.print(table)


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for part in PARTS:
        parser.add_argument(f"--{part}", type=Path, required=True, help="the clips.csv of mimica data actor")
    parser.add_argument("--encoder", required=True, help="one that has seen faces and scenes")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--options", nargs="*", default=[], help="of OUS, NAME=VALUE")
    parser.add_argument("--name", default="ous", help="of the folder of this kind of OUS in --out")
    parser.add_argument("--out", type=Path, default=Path("runs/ous-scene"))
    parser.add_argument("--held-only", action="store_true", help="to choose by, with the test clips unseen")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path, help="for the features of the last seed at four stages")
    return parser.parse_args()


if __name__ == "__main__":
    main()
