"""Which model is measured on which clips: the folds of a data set, or its one split, and what forbids it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimica import checkpoint
from mimica.data.clipset import PUBLISHED, Item, items, parse, published
from mimica.errors import CheckpointError, InputError, UsageError, unknown
from mimica.labels import LabelSpace
from mimica.recognition.registry import locate

PROTOCOLS = {
    "5fold": "a model for each of five folds, each measured on the clips that its fold tests",
    "split": "one model, measured on the part test of data with one split",
}
"""How data is measured, by name."""

_ORIGIN = re.compile(r"(?P<data>.*), part (?P<part>\w+)(?: of fold (?P<fold>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A model, by its file and what that states, and the clips that it is measured on; `fold` is None for one split."""

    fold: int | None
    model: Path
    facts: Mapping[str, Any]
    space: LabelSpace
    items: tuple[Item, ...]
    root: Path

    @property
    def name(self) -> str:
        """What tables call it: the number of the fold, or test."""
        return "test" if self.fold is None else str(self.fold)

    @property
    def learned_from(self) -> str:
        """What the model says that it learned from; empty where it says nothing."""
        return str(_data(self.facts).get("origin", ""))

    def clip(self, item: Item) -> str:
        """The name of a clip: its path within the data."""
        path = item.path.relative_to(self.root) if item.path.is_relative_to(self.root) else item.path
        return path.as_posix()


def planned(spec: str, protocol: str, model: str) -> list[Planned]:
    """What a protocol measures of data, fold by fold; `{fold}` in `model` stands for the number of the fold.

    Nothing but names, labels and what models state is read. Raises UsageError for a protocol that the data does not
    have and where models are missing, all of which are named; CheckpointError for a model that learned from
    what it would be measured on, or where models differ in their classes; InputError for data that is not whole.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    folds = _folds(spec, protocol, model)
    files = _models(model, folds)
    facts = {fold: _facts(path) for fold, path in files.items()}
    space = _one_space(files, facts)
    listed = {fold: items(spec, space=space, fold=fold) for fold in folds}
    # Data without parts is measured whole, so that whoever learned from it learned from what is measured.
    learned = {fold: _counts([item for item in listed[fold] if item.part in ("", "train")], space) for fold in folds}
    _, path = parse(spec)
    found = []
    for fold in folds:
        tests = tuple(item for item in listed[fold] if item.part in ("", "test"))
        if not tests:
            raise InputError(f"{spec} has no clip of the part test" + (f" in fold {fold}" if fold else ""))
        if _learned(facts[fold], path, fold, learned, parted=any(item.part for item in listed[fold])):
            raise _refusal(files[fold], facts[fold], fold)
        root = path if path.is_dir() else path.parent
        found.append(Planned(fold=fold, model=files[fold], facts=facts[fold], space=space, items=tests, root=root))
    return found


def _folds(spec: str, protocol: str, model: str) -> Sequence[int | None]:
    kind, _ = parse(spec)
    there = published(spec).folds if kind in PUBLISHED else 0
    if protocol == "split":
        if there:
            raise UsageError(f"{spec} is published in {there} folds; measure them with --protocol {there}fold")
        if "{fold}" in model:
            raise UsageError(f"one split has one model and no folds; leave {{fold}} out of --model {model}")
        return [None]
    if there != 5 and kind != "table":
        raise UsageError(f"{spec} has no five folds; measure its part test with --protocol split")
    return [1, 2, 3, 4, 5]


def _models(pattern: str, folds: Sequence[int | None]) -> dict[int | None, Path]:
    """The file of each fold's model."""
    found, missing = {}, []
    for fold in folds:
        name = pattern.replace("{fold}", str(fold))
        try:
            found[fold] = locate(name)
        except UsageError:
            if "{fold}" not in pattern:
                raise
            missing.append(f"fold {fold} ({name})")
        except CheckpointError as error:
            missing.append(f"fold {fold} ({error})")
    if missing:
        raise UsageError(
            f"there is no model of {', '.join(missing)}; train what is missing, or name other models with --model, "
            "where {fold} stands for the number"
        )
    return found


def _facts(path: Path) -> dict[str, Any]:
    facts = checkpoint.read_facts(path)
    lacking = [name for name in ("frames", "temperature", "labels") if name not in facts]
    if facts.get("kind") != "recogniser" or lacking:
        told = f"does not state {', '.join(lacking)}" if lacking else f"is of the kind '{facts.get('kind')}'"
        raise CheckpointError(f"{path} {told} and is no recogniser; give the file that mimica train wrote")
    return facts


def _one_space(files: Mapping[int | None, Path], facts: Mapping[int | None, Mapping[str, Any]]) -> LabelSpace:
    """The label space that all the models have."""
    spaces = {}
    for fold, path in files.items():
        try:
            spaces[fold] = LabelSpace.from_facts(facts[fold]["labels"])
        except (KeyError, UsageError) as error:
            raise CheckpointError(f"{path.with_suffix('.json')} states no label space: {error}") from None
    first, *others = spaces
    for fold in others:
        if spaces[fold].names != spaces[first].names:
            raise CheckpointError(
                f"{files[fold]} and {files[first]} were trained on other classes: {', '.join(spaces[fold].names)} "
                f"and {', '.join(spaces[first].names)}; give models of one label space"
            )
    return spaces[first]


def _learned(
    facts: Mapping[str, Any], data: Path, fold: int | None, learned: Mapping[int | None, Mapping[str, int]], *,
    parted: bool,
) -> bool:  # fmt: skip
    """Whether a model says that it learned from clips that it would be measured on.

    It says so by the name of its data, or, where that was renamed, by the fold that it states and its clips of
    each class. Models that learned from anything else may be measured.
    """
    stated = _ORIGIN.match(str(_data(facts).get("origin", "")))
    if stated is None:
        return False
    part, at = stated["part"], int(stated["fold"]) if stated["fold"] else None
    named = Path(stated["data"]).stem.casefold() == data.stem.casefold()
    counted = _data(facts).get("classes") == learned.get(at)
    if not parted:
        return named and counted
    return (named or (at is not None and counted)) and (part != "train" or at != fold)


def _refusal(file: Path, facts: Mapping[str, Any], fold: int | None) -> CheckpointError:
    here = "it" if fold is None else f"what fold {fold} tests"
    wanted = "its part train, if it has one, or other data" if fold is None else f"the part train of fold {fold}"
    return CheckpointError(
        f"{file} learned from '{_data(facts)['origin']}' and cannot be measured on {here}; give a model that "
        f"learned from {wanted}"
    )


def _data(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    data = facts.get("data")
    return data if isinstance(data, Mapping) else {}


def _counts(listed: Sequence[Item], space: LabelSpace) -> dict[str, int]:
    number = Counter(item.label for item in listed)
    return {name: number[place] for place, name in enumerate(space.names)}
