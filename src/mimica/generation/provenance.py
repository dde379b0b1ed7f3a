"""Where each generated clip comes from, and whether anything of validation or test got into it.

A record lies beside every clip as JSON. People are named by a digest (`knowledge.hidden`), never by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from mimica import __version__
from mimica.assets import sha256_of
from mimica.checkpoint import put
from mimica.data.pictures import digest_of_folder
from mimica.errors import InputError
from mimica.generation.filter import Seen, filtered, nearest
from mimica.generation.loop_settings import FilterSettings

ALIKE = 0.98
"""A generated clip more like a clip of validation or test than this, cosine, is a leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """All that a generated clip was made from.

    `sha256` is that of the clip's file or of its pictures, `still_sha256` of the picture it began with; `person` and
    `exemplars` are who is seen in that picture and in the clips that the prompt was written from, as digests;
    `still_part` is the part of the data it is from, `made_from` are the clips of the data that all of it came of.
    `plan`, `prompt`, `generator`, `sampling` and `scores` are facts as their own rooms state them, `measured` the units
    [T][A] that were found in it, `probabilities` what held-out recognisers say, `passed` whether it passed the gates.
    """

    clip: str
    sha256: str
    label: str
    soft_label: tuple[float, ...]
    still_sha256: str
    still_part: str
    person: str
    exemplars: tuple[str, ...] = ()
    made_from: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)
    prompt: Mapping[str, Any] = field(default_factory=dict)
    generator: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    probabilities: tuple[float, ...] = ()
    passed: bool = True
    measured: tuple[tuple[float | None, ...], ...] = ()
    round: int = 0
    seconds: float = 0.0
    seed: int = 0
    steps: int = 0
    kept: bool = True
    reasons: tuple[str, ...] = ()
    version: str = __version__
    synthetic: bool = True

    def facts(self) -> dict[str, Any]:
        """The record as JSON; see `from_facts`."""
        return asdict(self)

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The record that JSON states. Raises InputError where it states none, or denies that the clip is synthetic."""
        try:
            given = {one.name: stated[one.name] for one in fields(cls)}
            for name in ("soft_label", "exemplars", "made_from", "probabilities", "measured", "reasons"):
                given[name] = tuple(tuple(one) if isinstance(one, list) else one for one in given[name])
        except (KeyError, TypeError):
            raise InputError("this is no record of a generated clip") from None
        if given["synthetic"] is not True:
            raise InputError(f"the record of {given['clip']} denies that the clip is synthetic; leave the clip out")
        return cls(**given)

    def write(self, path: Path) -> None:
        """Put the record in a file, whole."""
        put(path, (json.dumps(self.facts(), indent=1, ensure_ascii=False) + "\n").encode())


def seen_of(records: Sequence[Provenance], names: Sequence[str]) -> Seen:
    """What was measured of clips, as it was recorded; `names` are the classes."""

    def score(name: str) -> np.ndarray:
        return np.array([np.nan if (value := one.scores.get(name)) is None else value for one in records])

    return Seen(
        labels=np.array([names.index(one.label) for one in records]), consistency=score("consistency"),
        probabilities=np.array([one.probabilities for one in records], dtype=float), identity=score("identity"),
        nearest=score("nearest"), passed=np.array([one.passed for one in records]),
    )  # fmt: skip


def judged(records: Sequence[Provenance], names: Sequence[str], settings: FilterSettings) -> list[Provenance]:
    """The same records with the verdict of these bounds on what they tell."""
    return [
        replace(one, kept=verdict.kept, reasons=verdict.reasons, soft_label=tuple(round(s, 6) for s in verdict.label))
        for one, verdict in zip(records, filtered(seen_of(records, names), settings), strict=True)
    ]


def read_provenance(path: Path) -> Provenance:
    """The record in a file. Raises InputError that names it where it holds none."""
    try:
        return Provenance.from_facts(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the record {path}: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What no generated clip may come from: people of validation and test as digests, sha256 of their pictures and
    clips, and features [M, D] of their clips."""

    people: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()
    features: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What got into a clip that must not have."""

    clip: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found: how many clips it looked at, in how many ways, and every leak."""

    clips: int
    ways: tuple[str, ...]
    leaks: tuple[Leak, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing leaked in any way that was looked for."""
        return not self.leaks

    def sentence(self) -> str:
        """What to print."""
        looked = f"{self.clips} generated clips, by {', '.join(self.ways)}"
        if self.clean:
            return f"leakage audit: nothing of validation or test in {looked}"
        return f"leakage audit: {len({one.clip for one in self.leaks})} clips hold what they must not, of {looked}"


def audit(
    records: Sequence[Provenance], held_back: HeldBack, *, files: Mapping[str, Path] | None = None,
    frames: Mapping[str, Sequence[str]] | None = None, features: np.ndarray | None = None,
) -> Audit:  # fmt: skip
    """Look for anything of validation or test in generated clips, kept or not.

    People and pictures by digest and part always; with `files` by the clip's name that each is the file recorded; with
    `frames`, the digests of its pictures, that none is held back; with `features` [N, D] of the clips, by likeness to
    clips held back. A record whose part is not train is a leak.
    """
    leaks, ways = [], ["people", "pictures", "part"]
    for one in records:
        leaks += [Leak(clip=one.clip, what=what) for what in _of_record(one, held_back)]
    if files is not None:
        ways.append("files")
        leaks += [leak for one in records for leak in _of_file(one, files.get(one.clip))]
    if frames is not None:
        ways.append("frames")
        leaks += [
            Leak(clip=one.clip, what=f"its frame {t} is a picture held back, sha256 {digest[:12]}")
            for one in records for t, digest in enumerate(frames.get(one.clip, ())) if digest in held_back.digests
        ]  # fmt: skip
    if features is not None and held_back.features is not None:
        ways.append("likeness")
        alike, place = nearest(features, held_back.features)
        for one, value, which in zip(records, alike, place, strict=True):
            if value > ALIKE:
                leaks.append(Leak(clip=one.clip, what=f"it is like clip {which} held back, cosine {value:.3f}"))
    return Audit(clips=len(records), ways=tuple(ways), leaks=tuple(leaks))


def _of_record(one: Provenance, held_back: HeldBack) -> list[str]:
    found = []
    if one.still_part != "train":
        found.append(f"its still is of the part {one.still_part or 'unknown'}")
    if one.person in held_back.people:
        found.append(f"its still shows {one.person}, who is held back")
    found += [
        f"its prompt has an exemplar of {who}, who is held back" for who in one.exemplars if who in held_back.people
    ]
    found += [
        f"its {what} is held back, sha256 {digest[:12]}"
        for what, digest in (("still", one.still_sha256), ("file", one.sha256))
        if digest in held_back.digests
    ]
    return found


def _of_file(one: Provenance, path: Path | None) -> list[Leak]:
    if path is None or not path.exists():
        return [Leak(clip=one.clip, what="its file is not there")]
    same = (digest_of_folder(path) if path.is_dir() else sha256_of(path)) == one.sha256
    return [] if same else [Leak(clip=one.clip, what="its file is not the one recorded")]
