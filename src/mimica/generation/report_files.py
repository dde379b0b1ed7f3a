"""What the augmentation loop leaves in its folder, read and checked before a report is made of it.

C classes, T frames, A units, S seeds. A number that is not known is NaN.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mimica.errors import InputError
from mimica.generation.provenance import Leak

LOOP, TUNING, STEPS, TABLE = "loop.json", "tuning/tuning.jsonl", "steps.json", "table.json"
MADE_BY = {
    LOOP: "mimica augment",
    TUNING: "mimica augment tune",
    STEPS: "mimica augment tune",
    TABLE: "mimica augment table",
}
"""Which command writes what."""

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A generated clip: where it lies, its curves planned and measured [T, A] of units by their FACS numbers."""

    path: str
    label: str
    kept: bool
    reasons: tuple[str, ...]
    round: int
    person: str
    units: tuple[int, ...]
    planned: np.ndarray
    measured: np.ndarray
    scores: Mapping[str, float]
    steps: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Clips asked for and accepted, recall of validation after it, all [C], and how many were refused for what."""

    asked: np.ndarray
    accepted: np.ndarray
    recall: np.ndarray
    seconds: float
    refused: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """The facts of a loop. `counts` and `wanted` are clips a class, `recall` that of validation before it, all [C].

    `audit` is what an audit said, None where none was made.
    """

    what: str
    version: str
    data: Mapping[str, Any]
    generator: Mapping[str, Any]
    classes: tuple[str, ...]
    counts: np.ndarray
    wanted: np.ndarray
    recall: np.ndarray
    rounds: tuple[Round, ...]
    given_up: tuple[str, ...]
    stop: str | None
    clips: tuple[Clip, ...]
    audit: str | None
    leaks: tuple[Leak, ...]
    cost: Mapping[str, float]

    @property
    def asked(self) -> np.ndarray:
        """Clips made of each class [C], in all rounds."""
        return self._sum("asked")

    @property
    def accepted(self) -> np.ndarray:
        """Clips kept of each class [C], of all rounds."""
        return self._sum("accepted")

    @property
    def seconds(self) -> float:
        """Seconds of computing, of all stages that were measured; NaN where none was."""
        known = [one for one in self.cost.values() if not np.isnan(one)]
        return float(sum(known)) if known else float("nan")

    def _sum(self, name: str) -> np.ndarray:
        none = np.zeros(len(self.classes))
        return np.asarray(sum((np.nan_to_num(getattr(one, name)) for one in self.rounds), none))

    def refused(self) -> dict[str, float]:
        """How many clips were refused for each kind of reason, of all rounds, most first."""
        kinds = dict.fromkeys(kind for one in self.rounds for kind in one.refused)
        total = {kind: float(np.nansum([one.refused.get(kind, 0) for one in self.rounds])) for kind in kinds}
        return dict(sorted(total.items(), key=lambda one: -one[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A way of training, measured with each seed: UAR, WAR and recall of scarce classes [S], of each class [S, C].

    `ahead` is by how much its tail recall is above the reference's, with its bounds; None for the reference.
    """

    name: str
    uar: np.ndarray
    war: np.ndarray
    tail: np.ndarray
    recall: np.ndarray
    ahead: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Arms beside each other, and what they came to in a sentence."""

    arms: tuple[Arm, ...]
    classes: tuple[str, ...]
    tail: tuple[str, ...]
    seeds: int
    reference: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Rewards and seconds a clip by the number of steps, each a row by name, of so many clips."""

    rows: tuple[Mapping[str, float], ...]
    clips: float


def read_loop(folder: Path) -> Loop:
    """The facts of a folder's loop. Raises InputError in one sentence where there are none, or none that are whole."""
    found = _stated(folder, LOOP, _loop)
    if found is None:
        raise InputError(f"{folder} has no {LOOP}, so no loop to report on; {MADE_BY[LOOP]} writes it")
    return found


def read_table(folder: Path) -> Table | None:
    """The table of arms, None where none was run."""
    return _stated(folder, TABLE, _table)


def read_steps(folder: Path) -> Steps | None:
    """Steps against quality, of the loop or else of its tuning, None where they were not measured."""
    return _stated(folder, STEPS, _steps) or _stated(folder, f"{Path(TUNING).parent}/{STEPS}", _steps)


def read_tuning(folder: Path) -> list[dict[str, float]] | None:
    """Numbers of each iteration by name, and why tuning stopped, if it did; None where nothing was tuned.

    Half a line at the end, which a killed run leaves, is passed over.
    """
    path = folder / TUNING
    text = _text(path)
    if text is None:
        return None
    lines = [line for line in text.splitlines() if line.strip()]
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        try:
            row = json.loads(line)
            rows.append({name: one if name == "stopped" else _number(one) for name, one in row.items()})
            row["iteration"] + 0
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            if number < len(lines) - 1:
                raise _broken(path, TUNING, f"line {number + 1} is no row of it") from None
    return rows


def _stated(folder: Path, name: str, read: Callable[[Any], Read]) -> Read | None:
    text = _text(folder / name)
    if text is None:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise _broken(folder / name, name, "it is no JSON") from None
    if not isinstance(said, dict):
        raise _broken(folder / name, name, "it is no object")
    try:
        return read(said)
    except KeyError as error:
        raise _broken(folder / name, name, f"it has no {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise _broken(folder / name, name, str(error)) from None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def _broken(path: Path, name: str, why: str) -> InputError:
    return InputError(f"{path} is not what {MADE_BY[name]} writes: {why}; have it written again")


def _loop(said: Any) -> Loop:
    classes = _names(said, "classes")
    C, audit = len(classes), _facts(said, "audit")
    return Loop(
        what=str(said["what"]), version=str(said.get("mimica") or "–"), data=_facts(said, "data"),
        generator=_facts(said, "generator"), classes=classes, counts=_numbers(said, "counts", C),
        wanted=_numbers(said, "wanted", C, absent=True), recall=_numbers(said, "recall", C, absent=True),
        rounds=tuple(_round(one, C) for one in _objects(said, "rounds")),
        given_up=_names(said, "given_up", absent=True), stop=str(said["stop"]) if said.get("stop") else None,
        clips=tuple(_clip(one) for one in _objects(said, "clips")),
        audit=str(audit.get("sentence") or "it says nothing") if audit else None,
        leaks=tuple(_leak(one) for one in _objects(audit, "leaks", absent=True)),
        cost=_by_name(said, "cost"),
    )  # fmt: skip


def _leak(said: Any) -> Leak:
    return Leak(clip=str(said["clip"]), what=str(said["what"]))


def _round(said: Any, C: int) -> Round:
    return Round(
        asked=_numbers(said, "asked", C), accepted=_numbers(said, "accepted", C),
        recall=_numbers(said, "recall", C, absent=True), seconds=_number(said.get("seconds")),
        refused=_by_name(said, "refused"),
    )  # fmt: skip


def _clip(said: Any) -> Clip:
    units = tuple(int(unit) for unit in _list(said, "units"))
    planned = _numbers(said, "planned", -1, len(units))
    return Clip(
        path=str(said["clip"]), label=str(said["label"]), kept=bool(said["kept"]), reasons=_names(said, "reasons"),
        round=int(said.get("round") or 0), person=str(said.get("person") or "–"), units=units, planned=planned,
        measured=_numbers(said, "measured", len(planned), len(units), absent=True), scores=_by_name(said, "scores"),
        steps=_number(said.get("steps")), seconds=_number(said.get("seconds")),
    )  # fmt: skip


def _table(said: Any) -> Table:
    classes = _names(said, "classes")
    return Table(
        classes=classes, tail=_names(said, "tail"), seeds=len(_list(said, "seeds")), reference=str(said["reference"]),
        arms=tuple(_arm(one, len(classes)) for one in _objects(said, "arms")), sentence=str(said["sentence"]),
    )  # fmt: skip


def _arm(said: Any, C: int) -> Arm:
    uar, ahead = _numbers(said, "uar", -1), said.get("ahead")
    S = len(uar)
    return Arm(
        name=str(said["name"]), uar=uar, war=_numbers(said, "war", S), tail=_numbers(said, "tail", S),
        recall=_numbers(said, "recall", S, C) if S else np.empty((0, C)),
        ahead=None if ahead is None else (_number(ahead["value"]), _number(ahead["low"]), _number(ahead["high"])),
    )  # fmt: skip


def _steps(said: Any) -> Steps:
    rows = [{str(name): _number(one) for name, one in row.items()} for row in _objects(said, "rows")]
    if any("steps" not in row for row in rows):
        raise ValueError("a row has no 'steps'")
    return Steps(rows=tuple(sorted(rows, key=lambda row: row["steps"])), clips=_number(said.get("of")))


def _number(said: Any) -> float:
    value = float("nan") if said is None else float(said)
    return value if np.isfinite(value) else float("nan")


def _numbers(said: Any, name: str, *shape: int, absent: bool = False) -> np.ndarray:
    """Numbers of a shape, in which -1 is any length; where they may be absent they are NaN then."""
    if absent and said.get(name) is None:
        return np.full(shape, np.nan)
    try:
        found = np.array(said[name], dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"its '{name}' are not numbers in rows of one length") from None
    if len(found.shape) != len(shape) or any(n not in (-1, m) for n, m in zip(shape, found.shape, strict=True)):
        wanted = " by ".join("any number" if n < 0 else str(n) for n in shape)
        raise ValueError(f"its '{name}' should be {wanted} and are {' by '.join(map(str, found.shape)) or 'one'}")
    return np.where(np.isfinite(found), found, np.nan)


def _list(said: Any, name: str, *, absent: bool = False) -> Sequence[Any]:
    if absent and said.get(name) is None:
        return []
    found = said[name]
    if not isinstance(found, list):
        raise ValueError(f"its '{name}' is no list")
    return found


def _objects(said: Any, name: str, *, absent: bool = False) -> Sequence[dict[str, Any]]:
    found = _list(said, name, absent=absent)
    if not all(isinstance(one, dict) for one in found):
        raise ValueError(f"its '{name}' are not objects")
    return found


def _names(said: Any, name: str, *, absent: bool = False) -> tuple[str, ...]:
    return tuple(str(one) for one in _list(said, name, absent=absent))


def _facts(said: Any, name: str) -> Mapping[str, Any]:
    found = said.get(name) or {}
    if not isinstance(found, dict):
        raise ValueError(f"its '{name}' is no object")
    return found


def _by_name(said: Any, name: str) -> dict[str, float]:
    return {key: _number(one) for key, one in _facts(said, name).items()}
