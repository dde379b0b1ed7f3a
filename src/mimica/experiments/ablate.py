"""Ablation: train every variant of a grid on the same clips with the same seeds, and hold each to the reference.

N test clips of all folds, S seeds, C classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mimica.checkpoint import put
from mimica.data.clipset import ClipSet
from mimica.data.generated import Generated
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.experiments.grids import Grid, Printed
from mimica.metrics.classification import Interval, confusion, uar, war
from mimica.metrics.paired import paired_difference
from mimica.recognition.registry import facts, load
from mimica.training.calibrate import logits_of_set
from mimica.training.generated import refuse
from mimica.training.generated import stated as stated_of
from mimica.training.recipes import Training
from mimica.training.results import made_with
from mimica.training.runs import train_recogniser

GUESSES = "guesses.json"
"""Beside each model: what it takes the test clips for, so that a table is made anew without reading them again."""


_CALLED = {"encoder_sha256": "encoder", "generated": "table or mixture of generated clips"}
"""What facts of a model are called where they differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What one fold is trained and tested on; `fold` is None where data has one split, `held` None without such.

    `generated` clips are trained on beside `train` by variants whose mixture has a share of them.
    """

    train: ClipSet
    test: ClipSet
    held: ClipSet | None = None
    fold: int | None = None
    generated: Generated | None = None

    def facts(self) -> dict[str, object]:
        """What an ablation states of it."""
        told: dict[str, object] = {
            "fold": self.fold, "train": dict(self.train.manifest), "test": dict(self.test.manifest),
        }  # fmt: skip
        return told if self.generated is None else {**told, "generated": self.generated.facts()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One variant: WAR and UAR of each fold [F] and seed [S], as fractions.

    `ahead` is how far the reference is ahead in UAR, of all folds together, with its 95 % interval over resampled
    seeds and groups of clips; None for the reference itself.
    """

    name: str
    war: np.ndarray
    uar: np.ndarray
    ahead: Interval | None
    printed: Printed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """What came of a grid. `stated` is what it was run on and with."""

    grid: Grid
    rows: tuple[Row, ...]
    stated: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """The ablation as JSON: fractions as measured, and apart from them percent as printed by the authors."""
        return {
            "ablation": self.grid.name,
            "where": self.grid.where,
            "reference": self.grid.reference,
            "rows": [
                {
                    "name": row.name,
                    "uar": row.uar.tolist(),
                    "war": row.war.tolist(),
                    "reference_ahead_in_uar": row.ahead and asdict(row.ahead),
                    "printed_percent_uar_war": dict(row.printed),
                }
                for row in self.rows
            ],
            "printed_with": self.grid.printed_with,
            "note": self.grid.note,
            **self.stated,
        }


def ablate(
    grid: Grid,
    encoder: DualEncoder,
    splits: Iterable[Split],
    *,
    seeds: Sequence[int],
    out: Path,
    report: Callable[[Mapping[str, float | int | str]], None] = lambda row: None,
    told: Callable[[str, float, float], None] = lambda name, uar, war: None,
) -> Ablation:
    """Train each variant on each split with each seed, unless it lies finished in `out`, and measure it.

    `told` hears the name and the UAR and WAR of each run once it is there. Raises UsageError where `out` holds a run
    with other settings, the reference is not among the variants, or generated clips are lacking that the grid is about.
    """
    if grid.reference not in [variant.name for variant in grid.variants]:
        raise UsageError(f"the others are held to '{grid.reference}', so it has to be among the variants")
    found: dict[str, list[list[np.ndarray]]] = {variant.name: [] for variant in grid.variants}
    truths, groups, stated = [], [], list[Mapping[str, object]]()
    for split in splits:
        _refuse_shared(split)
        _refuse_generated(grid, split)
        for variant in grid.variants:
            guesses = []
            for seed in seeds:
                recipe = replace(variant.recipe, loop=replace(variant.recipe.loop, seed=seed))
                folder = out / slug(variant.name) / (f"fold-{split.fold}" if split.fold else "") / f"seed-{seed}"
                guesses.append(guessed(recipe, encoder, split, folder, report))
                table = confusion(split.test.labels, guesses[-1], len(split.test.space))
                fold = f", fold {split.fold}" if split.fold else ""
                told(f"{variant.name}{fold}, seed {seed}", uar(table), war(table))
            found[variant.name].append(guesses)
        truths.append(split.test.labels)
        groups.append(_groups(split))
        stated.append(split.facts())
    classes = len(split.test.space)
    return Ablation(grid=grid, rows=_rows(grid, found, truths, groups, classes), stated=_stated(stated, seeds, encoder))


def guessed(
    recipe: Training,
    encoder: DualEncoder,
    split: Split,
    folder: Path,
    report: Callable[[Mapping[str, float | int | str]], None] = lambda row: None,
) -> np.ndarray:
    """What a variant takes each test clip [N] for, trained and read unless that was done before."""
    path = _trained(recipe, encoder, split, folder)
    test = split.test if recipe.select_on == "test" else None
    path = path or train_recogniser(
        recipe, encoder, split.train, out=folder, held=split.held, test=test, generated=split.generated, resume=True,
        report=report,
    )  # fmt: skip
    made_of = {"model": facts(str(path))["sha256"], "test": split.test.manifest["digest"]}
    kept = folder / GUESSES
    if kept.is_file():
        told = json.loads(kept.read_text())
        if {key: told.get(key) for key in made_of} == made_of:
            return np.array(told["guesses"])
    network: Any = load(str(path)).network  # every network that a file holds was trained
    logits = logits_of_set(
        network, split.test, sampling=recipe.sampling, frames=recipe.tested, mirrored=recipe.mirrored
    )
    guesses = logits.argmax(1)
    put(kept, (json.dumps({**made_of, "guesses": guesses.tolist()}) + "\n").encode())
    return np.asarray(guesses)


def _trained(recipe: Training, encoder: DualEncoder, split: Split, folder: Path) -> Path | None:
    """The finished model of a run, if it is there. Raises UsageError where another one is."""
    for path in sorted(folder.glob("*.safetensors")):
        if path.stem == "state" or not path.with_suffix(".json").is_file():
            continue
        there = facts(str(path))
        wanted: dict[str, Any] = {
            "recipe": recipe.facts(),
            "data": dict(split.train.manifest),
            "encoder_sha256": encoder.identity,
        }
        if "selected_on" in there:  # else there was nothing to learn
            mixed = stated_of(split.generated if recipe.mixture.share else None, recipe.mixture)
            wanted["generated"] = mixed.get("generated")
        other = [name for name, value in json.loads(json.dumps(wanted)).items() if there.get(name) != value]
        if other:
            called = " and ".join(_CALLED.get(name, name) for name in other)
            raise UsageError(
                f"{path} was trained with another {called}; choose another folder with --out, or delete it to have it "
                "trained anew"
            )
        return path
    return None


def _rows(
    grid: Grid, found: Mapping[str, list[list[np.ndarray]]], truths: list[np.ndarray], groups: list[np.ndarray], C: int
) -> tuple[Row, ...]:
    truth, group = np.concatenate(truths), np.concatenate(groups)
    pooled = {name: np.concatenate([np.stack(seeds) for seeds in folds], axis=1) for name, folds in found.items()}
    rows = []
    for variant in grid.variants:
        tables = [
            [confusion(true, guess, C) for guess in seeds]
            for true, seeds in zip(truths, found[variant.name], strict=True)
        ]
        ahead = None
        if variant.name != grid.reference:
            ours, theirs = pooled[grid.reference], pooled[variant.name]
            ahead = paired_difference(truth, ours, theirs, uar, classes=C, groups=group)
        rows.append(Row(
            name=variant.name, ahead=ahead, printed=variant.printed,
            war=np.array([[war(table) for table in fold] for fold in tables]),
            uar=np.array([[uar(table) for table in fold] for fold in tables]),
        ))  # fmt: skip
    return tuple(rows)


def _refuse_shared(split: Split) -> None:
    if shared := set(split.train.names) & set(split.test.names):
        raise UsageError(
            f"{len(shared)} clips are learned from and measured on, such as {min(shared)}; name other data with --test"
        )


def _refuse_generated(grid: Grid, split: Split) -> None:
    """Raise before the first variant is trained what the last one would."""
    if split.generated is None:
        if grid.mixes:
            raise UsageError(f"the ablation {grid.name} needs generated clips; name them with --generated table:FILE")
        return
    for variant in grid.variants:
        if variant.recipe.mixture.share:
            refuse(variant.recipe, split.train, split.generated, variant.recipe.loop.batch)


def _groups(split: Split) -> np.ndarray:
    """Which test clips belong together: what their data says, told apart by fold; else each is its own."""
    groups = split.test.groups
    own = groups if groups is not None and any(groups) else split.test.names
    return np.array([f"{split.fold} {group}" for group in own])


def _stated(splits: Sequence[Mapping[str, object]], seeds: Sequence[int], encoder: DualEncoder) -> dict[str, Any]:
    return {
        "data": list(splits),
        "seeds": list(seeds),
        "encoder": encoder.name,
        **made_with(),
    }


def slug(name: str) -> str:
    """A name as a folder is called: small letters, digits and points, with hyphens between.

    >>> slug("neither (CoOp)")
    'neither-coop'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
