"""The augmentation loop: what lacks is made, inspected, kept or not, and recognition is measured anew, round by round.

    loop.json          what was done and found, written whole after each round
    clips/             every clip that was made, with its record (`making`)
    generated.csv      those that are kept, as a table to learn from beside the real ones
    label_space.json   the classes

C classes. A run that is stopped goes on where it was: clips that are there are not made again.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mimica import __version__
from mimica.checkpoint import put
from mimica.data.clipset import SPACE_FILE
from mimica.errors import InputError, UsageError, unknown
from mimica.facs import UNITS
from mimica.generation.allocate import Allocation, Round, allocate
from mimica.generation.ladder import SYNTHETIC
from mimica.generation.looks import Looks, Probe
from mimica.generation.loop_settings import AllocationSettings, AugmentSettings
from mimica.generation.making import CLIPS, Made, Maker, Wanted
from mimica.generation.pool import Pool, digest
from mimica.generation.provenance import Audit, Provenance, audit
from mimica.training.generated import Mixture

LOOP, TABLE = "loop.json", "generated.csv"
WEIGHT = Mixture().weight
"""What a generated clip counts where a real one counts 1, as in training."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """What a loop came to: its rounds with the seconds that each took, every clip, and the audit."""

    pool: Pool
    recall: tuple[float, ...]
    last: Allocation
    rounds: tuple[Round, ...] = ()
    seconds: tuple[float, ...] = ()
    made: tuple[Made, ...] = ()
    audit: Audit | None = None
    cost: Mapping[str, float] = field(default_factory=dict)

    @property
    def kept(self) -> list[Made]:
        """The clips to learn from."""
        return [one for one in self.made if one.record.kept]


def augment(
    maker: Maker,
    looks: Looks,
    settings: AugmentSettings,
    *,
    classes: Sequence[str] = (),
    allocation: AllocationSettings | None = None,
    facts: Mapping[str, Any] | None = None,
    progress: Progress = lambda done, total: None,
    told: Callable[[str], None] = lambda sentence: None,
) -> Augmented:
    """Make what lacks, in rounds, into `maker.out`; `looks` are those of the pool's clips to learn from.

    `classes` are all where none is named; `facts` are stated in `loop.json`, and a run with other facts is refused
    there. `told` hears a sentence after each round. Raises UsageError for a class that there is not, and where another
    loop lies in the folder.
    """
    pool, began = maker.pool, time.monotonic()
    names = pool.train.space.names
    stated = _stated(facts or {}, settings, classes, allocation, names)
    there = _clips_there(maker.out / LOOP, stated)
    held = Looks.of(maker.inspector.vision, pool.held.frames)
    before = maker.inspector.probe.recall(held, pool.held.labels)
    read = time.monotonic() - began
    made, rounds, seen = list[Made](), list[Round](), looks
    for number in range(settings.rounds + 1):
        next_one = _next(pool, before, rounds, settings.size, classes, allocation)
        found = _so_far(maker, before, next_one, rounds, made, read)
        last = number == settings.rounds or not any(next_one.clips)
        if last or len(made) >= there:  # one that goes on where another was stopped has first to come as far as that
            write(maker.out, found, stated)
        if last:
            break
        fresh = _round(maker, next_one, rounds, number, settings, progress)
        made += fresh
        seen = seen.joined(_looks(maker, fresh))
        rounds.append(_come_to(fresh, names, seen, made, maker, held))
        told(_sentence(number, rounds[-1], names))
    return found


def _so_far(
    maker: Maker, before: tuple[float, ...], last: Allocation, rounds: Sequence[Round], made: Sequence[Made],
    read: float,
) -> Augmented:  # fmt: skip
    """What a loop has come to; a round took as long as its clips, whenever they were made."""
    seconds = [sum(one.record.seconds for one in made if one.wanted.round == number) for number in range(len(rounds))]
    return Augmented(
        pool=maker.pool, recall=before, last=last, rounds=tuple(rounds), seconds=tuple(seconds), made=tuple(made),
        audit=_audited(maker, made),
        cost={"reading real clips": read, "generating and inspecting": sum(seconds)},
    )  # fmt: skip


def refuse_unknown(classes: Sequence[str], names: Sequence[str]) -> None:
    """Raise UsageError for a class that there is not."""
    for name in classes:
        if name not in names:
            raise unknown("class", name, names)


def _stated(
    facts: Mapping[str, Any], settings: AugmentSettings, classes: Sequence[str], allocation: AllocationSettings | None,
    names: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """What a loop depends on, as JSON gives it back. Raises UsageError for a class that there is not."""
    refuse_unknown(classes, names)
    how = {} if allocation is None else {"allocation": asdict(allocation)}
    stated: dict[str, Any] = json.loads(
        json.dumps({**facts, "settings": asdict(settings), "only": list(classes), **how})
    )
    return stated


def _next(
    pool: Pool, before: Sequence[float], rounds: Sequence[Round], size: int, classes: Sequence[str],
    settings: AllocationSettings | None,
) -> Allocation:  # fmt: skip
    """What to make next, by recall that few clips of validation do not decide."""
    names = pool.train.space.names
    clips = np.bincount(pool.held.labels, minlength=len(names)).tolist()
    told = [replace(one, recall=shrunk(one.recall, clips)) for one in rounds]
    return allocate(
        names, pool.counts, shrunk(before, clips), size, rounds=told, only=classes, settings=settings
    )  # fmt: skip


def shrunk(recall: Sequence[float], clips: Sequence[int]) -> tuple[float, ...]:
    """Recall [C] as what is made next goes by it, of so many clips [C] of validation: (right + 1)/(clips + 2).

    Where validation has one clip of a class, its recall is 0 or 1 by chance.

    >>> shrunk([1.0, 0.5], [1, 8])
    (0.6666666666666666, 0.5)
    """
    right = np.nan_to_num(np.asarray(recall, dtype=float)) * clips
    return tuple(((right + 1) / (np.asarray(clips) + 2)).tolist())


def _round(
    maker: Maker, wanted: Allocation, before: Sequence[Round], number: int, settings: AugmentSettings,
    progress: Progress,
) -> list[Made]:  # fmt: skip
    asked = np.sum([one.asked for one in before], 0) if before else np.zeros(len(wanted.names), int)
    list_of = [
        Wanted(label=name, number=int(first) + k, round=number)
        for name, clips, first in zip(wanted.names, wanted.clips, asked, strict=True)
        for k in range(clips)
    ]
    made: list[Made] = []
    for first in range(0, len(list_of), settings.batch):
        made += maker(list_of[first : first + settings.batch])
        progress(len(made), len(list_of))
    return made


def _looks(maker: Maker, made: Sequence[Made]) -> Looks:
    return Looks.of(maker.inspector.vision, [one.frames for one in made if one.record.kept])


def _come_to(
    fresh: Sequence[Made], names: Sequence[str], looks: Looks, made: Sequence[Made], maker: Maker, held: Looks
) -> Round:
    """What a round came to: how many were made and kept, and how well a probe that has them too recognises."""
    pool = maker.pool
    kept = [names.index(one.wanted.label) for one in made if one.record.kept]
    labels = np.concatenate([pool.train.labels, np.array(kept, dtype=int)])
    weight = np.concatenate([np.ones(len(pool.train)), np.full(len(kept), WEIGHT)])
    probe = Probe(looks, labels, len(names), weight=weight)
    asked, good = Counter(one.wanted.label for one in fresh), Counter(o.wanted.label for o in fresh if o.record.kept)
    return Round(
        asked=tuple(asked[name] for name in names), accepted=tuple(good[name] for name in names),
        recall=probe.recall(held, pool.held.labels),
    )  # fmt: skip


def _audited(maker: Maker, made: Sequence[Made]) -> Audit:
    files = {one.record.clip: maker.out / one.record.clip for one in made}
    frames = {one.record.clip: [digest(picture) for picture in one.frames] for one in made}
    return audit([one.record for one in made], maker.pool.barred, files=files, frames=frames)


def _sentence(number: int, one: Round, names: Sequence[str]) -> str:
    said = [f"{name} {good} of {asked}" for name, asked, good in zip(names, one.asked, one.accepted, strict=True)
            if asked]  # fmt: skip
    return f"round {number + 1}: kept {', '.join(said)}; mean recall of validation {np.nanmean(one.recall):.3f}"


def _clips_there(path: Path, stated: Mapping[str, Any]) -> int:
    """How many clips the loop in a folder has come to. Raises UsageError where it depends on something else."""
    if not path.is_file():
        return 0
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        ours, theirs, clips = _leaves(stated), _leaves(told["stated"]), len(told["clips"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} is not what mimica augment writes; choose another place with --out") from None
    if other := [name for name in ours | theirs if ours.get(name) != theirs.get(name)]:
        named = (
            name if name.startswith("another") else f"{name} {theirs.get(name, 'as usual')}, not "
            f"{ours.get(name, 'as usual')}" for name in other
        )  # fmt: skip
        raise UsageError(
            f"{path} is of a loop with {'; '.join(named)}. Give the same again to go on with it, or choose another "
            "place with --out"
        )
    return clips


def _leaves(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What a loop depends on, by the names that a user knows; what only says how far it goes is left out."""
    found: dict[str, Any] = {}
    for name, value in stated.items():
        if name in ("data", "generator"):
            found[f"another {name}"] = value
        elif isinstance(value, Mapping):
            said = "" if name in ("settings", "filter") else f"{name} "
            found |= {f"{said}{leaf}": one for leaf, one in value.items() if leaf not in ("rounds", "batch")}
        else:
            found["classes" if name == "only" else "pixels" if name == "size" else name] = value
    return found


def write(out: Path, found: Augmented, stated: Mapping[str, Any]) -> None:
    """Put what a loop came to into its folder: `loop.json`, and the table of the clips that are kept."""
    put(out / SPACE_FILE, (json.dumps(found.pool.train.space.facts(), indent=1, ensure_ascii=False) + "\n").encode())
    records = [one.record for one in found.kept]
    put(out / TABLE, table(records, found.pool.train.space.names).encode())
    put(out / LOOP, (json.dumps(_finite(facts(found, stated)), ensure_ascii=False) + "\n").encode())


def facts(found: Augmented, stated: Mapping[str, Any]) -> dict[str, Any]:
    """A loop as JSON; `stated` is what it depends on."""
    pool, seen = found.pool, found.audit
    refused = [refusals([one.record for one in found.made if one.wanted.round == r]) for r in range(len(found.rounds))]
    return {
        "what": SYNTHETIC, "mimica": __version__, "stated": dict(stated),
        "data": {"spec": pool.spec, **pool.train.manifest}, "classes": list(pool.train.space.names),
        "counts": pool.counts, "generator": stated.get("generator", {}), "recall": list(found.recall),
        "rounds": [
            {**asdict(one), "seconds": round(seconds, 2), "refused": why}
            for one, seconds, why in zip(found.rounds, found.seconds, refused, strict=True)
        ],
        "wanted": list(found.last.wanted), "given_up": list(found.last.given_up), "stop": found.last.stop,
        "clips": [_told(one) for one in found.made],
        "audit": None if seen is None else {
            "clips": seen.clips, "ways": list(seen.ways), "leaks": [asdict(one) for one in seen.leaks],
            "sentence": seen.sentence(),
        },
        "cost": {name: round(value, 2) for name, value in found.cost.items()},
    }  # fmt: skip


def _told(one: Made) -> dict[str, Any]:
    record = one.record
    return {
        "clip": f"{CLIPS}/{one.wanted.name}.mp4", "label": record.label, "kept": record.kept,
        "reasons": list(record.reasons), "round": one.wanted.round, "person": record.person, "units": list(UNITS),
        "planned": np.round(one.planned, 3).tolist(), "measured": [list(row) for row in record.measured],
        "scores": dict(record.scores), "steps": record.steps, "seconds": record.seconds,
    }  # fmt: skip


def refusals(records: Sequence[Provenance]) -> dict[str, int]:
    """Why clips are not kept, and how many for each reason, its number left out; a clip may have several."""
    return dict(Counter(_kind(why) for one in records for why in one.reasons))


def _kind(reason: str) -> str:
    return reason.rsplit(" ", 1)[0].rstrip(":") if reason[-1].isdigit() else reason


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def table(records: Sequence[Provenance], names: Sequence[str], *, plain: bool = False) -> str:
    """Clips as the table that `mimica train --generated` takes.

    What share of a clip is of which class is told, unless `plain`: then it is all of its own.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "part", "made_from", "still_part", *names])
    for one in records:
        shares = [float(name == one.label) for name in names] if plain else one.soft_label
        said = (f"{share:.6f}" for share in shares)
        writer.writerow([one.clip, one.label, "train", ";".join(one.made_from), one.still_part, *said])
    return text.getvalue()
