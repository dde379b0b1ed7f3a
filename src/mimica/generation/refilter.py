"""The clips of a loop judged again by other bounds, and audited: what `mimica augment filter` and `audit` do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mimica.checkpoint import put
from mimica.data.clipset import load, load_held
from mimica.data.pictures import PICTURES, read_frames
from mimica.errors import InputError, UsageError
from mimica.generation.augment import LOOP, TABLE, refusals, table
from mimica.generation.looks import Looks
from mimica.generation.loop_settings import FilterSettings
from mimica.generation.making import CLIPS
from mimica.generation.pool import barred, digest, measured_on
from mimica.generation.provenance import Audit, Provenance, audit, judged, read_provenance


def read_loop(folder: Path) -> dict[str, Any]:
    """What a loop left in its folder. Raises InputError in one sentence where it left nothing that can be read."""
    path = folder / LOOP
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, Any] = {**told, "clips": list(told["clips"]), "rounds": list(told["rounds"])}
        _ = told["classes"], told["data"]["spec"], told["stated"]["size"], told["stated"]["hold"]
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}; mimica augment --data … --out {folder} writes it"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is not what mimica augment writes; run the loop again") from None
    return found


def records_of(folder: Path, told: dict[str, Any]) -> list[Provenance]:
    """The record of every clip of a loop, in its order. Raises InputError for one that is missing or damaged."""
    return [read_provenance((folder / clip["clip"]).with_suffix(".json")) for clip in told["clips"]]


def refilter(folder: Path, settings: FilterSettings) -> tuple[int, int, dict[str, int]]:
    """Judge all clips of a loop by these bounds, and write records, table and `loop.json` anew.

    Gives how many are kept, how many there are, and how many each reason speaks against. How well classes are
    recognised is not measured anew: the same loop with the same bounds does it.
    """
    told = read_loop(folder)
    records, names = records_of(folder, told), told["classes"]
    if not records:
        raise InputError(f"{folder} holds no clip to judge; run the loop first")
    again = judged(records, names, settings)
    for one in again:
        one.write(folder / CLIPS / f"{Path(one.clip).name}.json")
    kept = [one for one in again if one.kept]
    put(folder / TABLE, table(kept, names).encode())
    for clip, one in zip(told["clips"], again, strict=True):
        clip |= {"kept": one.kept, "reasons": list(one.reasons)}
    for number, row in enumerate(told["rounds"]):
        own = [one for clip, one in zip(told["clips"], again, strict=True) if clip["round"] == number]
        row["accepted"] = [sum(one.kept for one in own if one.label == name) for name in names]
        row["refused"] = refusals(own)
    told["stated"]["filter"] = asdict(settings)
    put(folder / LOOP, (json.dumps(told, ensure_ascii=False) + "\n").encode())
    return len(kept), len(again), refusals(again)


def audited(folder: Path, spec: str) -> Audit:
    """Look for anything that is measured on in the clips of a loop over `spec`, by record, file and likeness.

    Raises UsageError for data that the loop was not made from, InputError for pictures that cannot be read.
    """
    from mimica.generation.prepared import eyes

    told = read_loop(folder)
    size, hold, records = int(told["stated"]["size"]), float(told["stated"]["hold"]), records_of(folder, told)
    held = load_held(spec, size=size, frames=None, hold=hold)
    if held is None or not _same_data(spec, size, hold, told["data"]):
        raise UsageError(f"{folder} was not made from {spec}, but from {told['data']['spec']}; name that with --data")
    parts = measured_on(spec, held, size)
    vision = eyes()
    known = Looks.of(vision, [clip for part in parts for clip in part.frames]).traces()
    middle = known.mean(0)
    held_back = replace(barred(parts), features=known - middle)
    files = {one.clip: folder / one.clip for one in records}
    seen = {clip: read_frames(path) for clip, path in files.items() if any(path.glob(PICTURES))}
    frames = {clip: [digest(picture) for picture in pictures] for clip, pictures in seen.items()}
    if len(seen) < len(records):  # those that are gone are found among the files, and nothing can be like them
        return audit(records, held_back, files=files, frames=frames)
    own = Looks.of(vision, [seen[one.clip] for one in records]).traces() if records else known[:0]
    return audit(records, held_back, files=files, frames=frames, features=own - middle)


def _same_data(spec: str, size: int, hold: float, stated: Mapping[str, Any]) -> bool:
    """Whether a loop that states this learned from the clips of `spec`, wherever they lie."""
    manifest = load(spec, part="train", size=size, frames=None, hold=hold, stored=True).manifest
    return all(stated.get(name) == manifest[name] for name in ("origin", "clips", "classes"))
