"""Learn to see Action Units: a head on a frozen encoder's stem, from synthetic faces whose units are known.

N faces, K views of each, U units in the order of `facs.UNITS`, C channels and g places a side of the stem's grid.

Faces are drawn and seen once, a few hundred at a time, each lot in a file of its own under `out/seen`: a run that is
started again draws only what is missing. The loop is that of every training, and resumes as that does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica import checkpoint
from mimica.data.actor_settings import Part, Rendering
from mimica.data.actor_units import UnitFaces, unit_faces
from mimica.data.augment import Augmentation, augmented, draws, generator
from mimica.encoders.compact import CompactVision
from mimica.encoders.named import open_vision
from mimica.encoders.towers import pixels
from mimica.errors import CheckpointError, UsageError, unknown
from mimica.facs import UNITS
from mimica.metrics.correlation import correlations
from mimica.training.loop import Batch, LoopConfig, Report, train
from mimica.training.results import made_with
from mimica.units.compact import HeadConfig, UnitHead, head_on, save_compact

LIMITS = (
    "learned from faces drawn by formula and rendered heads alone; not measured on people, nor by group of people; on "
    "real video a preview"
)
_LOT = 350
_LICENCE = "research and evaluation; see WEIGHTS_LICENSE.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTraining:
    """How to learn units: the encoder that is stood on, the head, the loop, how many faces, what happens to them.

    `formula` and `ict` are how many faces are drawn by formula and rendered to learn from; `held` is the share of
    those that are drawn beside them of other actors, to measure on. `views` is how many times each face is looked at,
    augmented anew each time but the first.
    """

    encoder: str
    loop: LoopConfig
    head: HeadConfig = field(default_factory=HeadConfig)
    formula: int = 7000
    ict: int = 3500
    held: float = 0.1
    views: int = 2
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(erase=0.1, blur=0.3, motion=0.0))

    def facts(self) -> dict[str, Any]:
        """The recipe as a checkpoint states it."""
        return {**asdict(self), "loop": self.loop.facts()}

    @property
    def ways(self) -> dict[Rendering, int]:
        """How many faces are drawn in which way."""
        ways: dict[Rendering, int] = {"formula": self.formula, "ict": self.ict}
        return {way: number for way, number in ways.items() if number}


def units_compact() -> UnitTraining:
    """Units on the compact encoder, from the actor in both of its ways to be drawn."""
    return UnitTraining(encoder="compact", loop=LoopConfig(epochs=24, batch=64, lr=2e-3, weight_decay=0.05, ema=0.99))


RECIPES: dict[str, Callable[[], UnitTraining]] = {"units_compact": units_compact}
"""The recipes of detectors of units, by name."""

WAYS: dict[str, dict[str, Any]] = {"actor": {}, "actor:formula": {"ict": 0}, "actor:ict": {"formula": 0}}
"""What may be learned from, by what `--data` calls it, with what it changes of a recipe."""


def drawn_as(data: str) -> dict[str, Any]:
    """What data of that name changes of a recipe. Raises UsageError for any but the actor."""
    if data not in WAYS:
        raise unknown("data to learn units from", data, WAYS)
    return WAYS[data]


def train_units(
    recipe: UnitTraining,
    *,
    out: Path,
    resume: bool = False,
    report: Report = lambda row: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Learn units; gives the path of `out/compact-units.safetensors`.

    After each epoch the correlation of each unit on held-out actors is measured, and nothing is chosen by it.
    `progress` is told how many faces have been drawn, and of how many. Raises UsageError where nothing is to be drawn,
    AssetError or MissingExtra where faces cannot be rendered.
    """
    if not recipe.ways:
        raise UsageError("there is nothing to learn from: ask for some faces by formula or by ict")
    vision, identity = _encoder(recipe.encoder)
    grids, units, held = _everything(recipe, vision, identity, out / "seen", progress)
    torch.manual_seed(recipe.loop.seed)
    head = head_on(vision, recipe.head)

    def validate(module: nn.Module) -> Mapping[str, float]:
        return {f"{way}_r": float(np.nanmean(found)) for way, found in measured(head, held).items()}

    data = UnitBatches(grids, units, batch=recipe.loop.batch, seed=recipe.loop.seed)
    stated = {name: value for name, value in recipe.facts().items() if name != "loop"}
    train(
        UnitLearner(head), data, recipe.loop, out=out, resume=resume, validate=validate, report=report,
        facts={**stated, "identity": identity},
    )  # fmt: skip
    path = out / "compact-units.safetensors"
    save_compact(path, head, encoder=recipe.encoder, identity=identity, facts=_facts(recipe, head.eval(), held))
    return path


class UnitLearner(nn.Module):
    """A head with the cross-entropy of each unit's strength as its loss: strengths are shares, 0 to 1."""

    def __init__(self, head: UnitHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch, and how far strengths are off on average."""
        logits = self.head(batch["grid"].float())
        loss = F.binary_cross_entropy_with_logits(logits, batch["units"])
        return {"loss": loss, "off": (logits.sigmoid() - batch["units"]).abs().mean().detach()}


class UnitBatches:
    """The batches of an epoch: of every face one view, in an order of its own; functions of (seed, epoch)."""

    def __init__(self, grids: Tensor, units: Tensor, *, batch: int, seed: int) -> None:
        self.grids, self.units, self.batch, self.seed = grids, units, batch, seed
        self.steps = max(1, len(units) // batch)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, `grid` [B, C, g, g] and `units` [B, U], from batch `first` on."""
        random = generator(self.seed, epoch, 2**62)
        order = torch.from_numpy(random.permutation(len(self.units)))
        view = torch.from_numpy(random.integers(0, len(self.grids), len(self.units)))
        for step in range(first, self.steps):
            chosen = order[step * self.batch : (step + 1) * self.batch]
            yield {"grid": self.grids[view[chosen], chosen], "units": self.units[chosen]}


Seen = Mapping[str, tuple[Tensor, Tensor]]
"""Grids [N, C, g, g] of faces and their units [N, U], by the way that they were drawn."""


def measured(head: UnitHead, held: Seen) -> dict[str, np.ndarray]:
    """Pearson's correlation of each unit [U] over faces, by the way that they were drawn."""
    found = {}
    with torch.inference_mode():
        for way, (grids, units) in held.items():
            told = torch.cat([head.eval()(part.float()) for part in torch.split(grids, 256)]).sigmoid()
            found[way] = correlations(told.numpy(), units.numpy())
    return found


def _encoder(named: str) -> tuple[CompactVision, str]:
    path = Path(named) if named.endswith(".safetensors") else checkpoint.SHIPPED / f"{named}.safetensors"
    if not path.is_file():
        raise unknown("compact encoder", named, ["compact", "the path of one that was pretrained"])
    identity = str(checkpoint.read_facts(path).get("sha256"))
    vision = open_vision(str(path) if path == Path(named) else named, identity=identity, asked_by=path)
    if not isinstance(vision, CompactVision):
        raise CheckpointError(f"{path} is no compact encoder; units are learned on the stem of one")
    return vision, identity


def _everything(
    recipe: UnitTraining, vision: CompactVision, identity: str, folder: Path, progress: Callable[[int, int], None]
) -> tuple[Tensor, Tensor, Seen]:
    """What is learned from, grids [K, N, C, g, g] and units [N, U], and what is measured on."""
    ways = recipe.ways
    held_of = {way: max(1, round(number * recipe.held)) for way, number in ways.items()}
    done, total = 0, sum(ways.values()) + sum(held_of.values())

    def seen(way: Rendering, part: Part, number: int, views: int) -> tuple[Tensor, Tensor]:
        nonlocal done
        lots = []
        for first in range(0, number, _LOT):
            many = min(_LOT, number - first)
            lots.append(_lot(recipe, vision, identity, folder, way, part, range(first, first + many), views))
            done += many
            progress(done, total)
        return torch.cat([grids for grids, _ in lots], 1), torch.cat([units for _, units in lots])

    learned = [seen(way, "train", number, recipe.views) for way, number in ways.items()]
    held = {way: seen(way, "test", number, 1) for way, number in held_of.items()}
    return (
        torch.cat([grids for grids, _ in learned], 1),
        torch.cat([units for _, units in learned]),
        {way: (grids[0], units) for way, (grids, units) in held.items()},
    )


def _lot(
    recipe: UnitTraining, vision: CompactVision, identity: str, folder: Path, way: Rendering, part: Part,
    numbers: range, views: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Grids [K, n, C, g, g] and units [n, U] of a lot of faces: from its file, or drawn, seen, and put there."""
    how = {
        "encoder": identity, "augmentation": asdict(recipe.augmentation), "views": views, "seed": recipe.loop.seed,
        "faces": len(numbers),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()[:12]
    path = folder / f"{way}-{part}-{numbers.start:06d}-{digest}.safetensors"
    if path.exists():
        tensors, _ = checkpoint.unpack(path)
        return tensors["grids"], tensors["units"]
    faces = unit_faces(
        len(numbers), first=numbers.start, size=vision.size, part=part, seed=recipe.loop.seed, render=way
    )
    grids = torch.stack([_grids(vision, faces, recipe, numbers, view) for view in range(views)])
    units = torch.from_numpy(faces.units)
    checkpoint.pack(path, {"grids": grids, "units": units}, {"kind": "seen faces", **how})
    return grids, units


def _grids(vision: CompactVision, faces: UnitFaces, recipe: UnitTraining, numbers: Sequence[int], view: int) -> Tensor:
    """What the stem makes of faces [n, C, g, g] in half precision, as they are in the first view and else augmented."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(faces), 64):
            shown = pixels(faces.pictures[first : first + 64])
            if view:
                u = draws(recipe.loop.seed, view, list(numbers)[first : first + 64])
                shown = augmented(shown[:, None], u, recipe.augmentation)[:, 0]
            found.append(vision.grid(vision.normalise(shown)).half().contiguous())
    return torch.cat(found)


def _facts(recipe: UnitTraining, head: UnitHead, held: Seen) -> dict[str, Any]:
    found = measured(head, held)
    by_unit = {
        way: {f"AU{unit}": round(float(r), 3) for unit, r in zip(UNITS, values, strict=True)}
        for way, values in found.items()
    }
    means = {f"{way}_r": round(float(np.nanmean(values)), 3) for way, values in found.items()}
    held_out = {way: len(units) for way, (_, units) in held.items()}
    return {
        "recipe": recipe.facts(), **made_with(1), "metrics": means, "correlation": by_unit, "limits": LIMITS,
        "licence": _LICENCE, "data": {"origin": "the actor, synthetic", **recipe.ways, "held_out": held_out},
    }  # fmt: skip
