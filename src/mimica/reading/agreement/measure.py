"""How far two coders agree: kappa, agreement and coverage, over all, by person and by class.

M moments of a person, C classes, B blocks of time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mimica.errors import InputError
from mimica.metrics.agreement import Figure, by_chance, kappa, observed, one_against_rest, over_blocks
from mimica.notice import NOTICE
from mimica.reading.agreement.coding import Coding, Stretch, read_coding
from mimica.reading.agreement.moments import NOTHING, Moments, moments, refuse_overlaps
from mimica.reading.agreement.pairs import Pair, pairs
from mimica.reading.agreement.settings import AgreementSettings
from mimica.reading.agreement.words import classes, meanings, space_of

BLOCK = 10.0
"""Seconds of a block at least, where the user does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """How far two coders agree on some time: seconds in which the one, the other and both say a class.

    `agreement` is the share of `both` in which they say the same, `chance` the share in which they would if
    neither knew of the other. Figures without a value are undefined there.
    """

    one: float
    other: float
    both: float
    kappa: Figure
    agreement: Figure
    chance: float | None

    @property
    def covered(self) -> float | None:
        """The share of the first coder's time of which the other speaks too."""
        return self.both / self.one if self.one else None

    @property
    def other_covered(self) -> float | None:
        """The share of the other's time of which the first coder speaks too."""
        return self.both / self.other if self.other else None

    def facts(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "one_seconds": round(self.one, 3), "other_seconds": round(self.other, 3),
            "both_seconds": round(self.both, 3), "one_covered": self.covered, "other_covered": self.other_covered,
            "kappa": asdict(self.kappa), "agreement": asdict(self.agreement), "chance": self.chance,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPerson:
    """How far two coders agree on one person in one source."""

    source: str
    person: str
    agreed: Agreed


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClass:
    """How far two coders agree on one class against the rest, in the time of which both speak.

    `one`, `other` and `both` are seconds in which they say it. Of `segments`, annotations of this class by the first
    coder of which the other says anything, `found` are those where the other says the class for half of that or more.
    """

    label: str
    one: float
    other: float
    both: float
    kappa: Figure
    segments: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two coders agree, and on what the figures rest.

    `confusion` [C, C] is in moments, `step` seconds each: classes of the first coder in rows. Intervals are
    over `blocks` blocks of `block` seconds. `left_out` is seconds in which one coder says a class and the other
    something that is none, by what that is. `words` are words that are not the name of their class. `notes` are
    sentences on what was not compared and why a figure is undefined.
    """

    one: Coding
    other: Coding
    labels: tuple[str, ...]
    step: float
    block: float
    blocks: int
    overall: Agreed
    people: tuple[OfPerson, ...]
    classes: tuple[OfClass, ...]
    confusion: np.ndarray
    left_out: Mapping[str, float]
    words: Mapping[str, str]
    notes: tuple[str, ...]
    moments: tuple[Moments, ...] = field(repr=False)

    def facts(self) -> dict[str, Any]:
        """The agreement as JSON; shares are fractions."""
        return {
            "one": {"path": str(self.one.path), "kind": self.one.kind},
            "other": {"path": str(self.other.path), "kind": self.other.kind},
            "labels": list(self.labels), "step": self.step, "block": self.block, "blocks": self.blocks,
            "overall": self.overall.facts(),
            "people": [
                {"source": each.source, "person": each.person, **each.agreed.facts()} for each in self.people
            ],
            "classes": [
                {**asdict(each), **{name: round(getattr(each, name), 3) for name in ("one", "other", "both")}}
                for each in self.classes
            ],
            "confusion": self.confusion.tolist(), "left_out_seconds": dict(self.left_out), "words": dict(self.words),
            "notes": list(self.notes), "notice": NOTICE,
        }  # fmt: skip


def agreement(one: Path | str, other: Path | str, settings: AgreementSettings | None = None) -> Agreement:
    """How far an annotation agrees with readings, or with another annotation.

    Both are files or folders as `read_coding` takes them. Readings come second, whichever way round they are given.
    Raises InputError for what cannot be read or has no time in common, UsageError where it is unclear who is who.
    """
    settings = settings or AgreementSettings()
    first, second = read_coding(Path(one)), read_coding(Path(other))
    if first.kind == "readings" and second.kind == "annotation":
        first, second = second, first
    found, notes = pairs(first, second, tier=settings.tier, person=settings.person)
    for pair in found:
        for coding, file, stretches in ((first, pair.one_file, pair.one), (second, pair.other_file, pair.other)):
            if coding.kind == "annotation":
                refuse_overlaps(file, pair.person, stretches)
    labels, said, words = _meant(first, second, found, settings)
    timed = [moments(pair, *each, step=settings.step, all=settings.all) for pair, each in zip(found, said, strict=True)]
    notes += _lengthless(found)
    _refuse_nothing(first, second, timed, notes)
    return _measured(first, second, labels, timed, settings, notes=notes, words=words)


def _meant(
    one: Coding, other: Coding, found: Sequence[Pair], settings: AgreementSettings
) -> tuple[tuple[str, ...], list[tuple[dict[str, int], dict[str, int]]], dict[str, str]]:
    """The classes that are compared, each pair's words as classes, and the words that are not a class by name."""
    meant = meanings(settings.labels)
    space = space_of(one.labels or other.labels, (w for pair in found for w in _words(pair.one + pair.other)), meant)
    said = [
        (classes(_words(pair.one), space, meant, _where(pair.one_file, pair)),
         classes(_words(pair.other), space, meant, _where(pair.other_file, pair)))
        for pair in found
    ]  # fmt: skip
    read_as = {word: space.names[place] for each in said for side in each for word, place in side.items()}
    return space.names, said, {word: label for word, label in read_as.items() if word.lower() != label.lower()}


def _where(file: Path, pair: Pair) -> str:
    return f"{file}, {pair.person}" if pair.person else str(file)


def _words(stretches: Sequence[Stretch]) -> list[str]:
    return [stretch.word for stretch in stretches if stretch.word is not None]


def _lengthless(found: Sequence[Pair]) -> list[str]:
    number = sum(stretch.start == stretch.end for pair in found for stretch in (*pair.one, *pair.other))
    told = f"{number} readings or annotations have no length, such as those of photos, which mimica evaluate is for"
    return [told] if number else []


def _refuse_nothing(one: Coding, other: Coding, timed: Sequence[Moments], notes: Sequence[str]) -> None:
    if not any(each.both.any() for each in timed):
        mine, yours = (sum(float((getattr(e, side) != NOTHING).sum()) * e.step for e in timed)
                       for side in ("one", "other"))  # fmt: skip
        raise InputError(
            f"{one.path} and {other.path} never both say a class of one person ({mine:.1f} s and {yours:.1f} s are "
            f"compared){'; ' if notes else ''}{'; '.join(notes)}"
        )


def _measured(
    one: Coding, other: Coding, labels: tuple[str, ...], timed: Sequence[Moments], settings: AgreementSettings,
    *, notes: list[str], words: Mapping[str, str],
) -> Agreement:  # fmt: skip
    block = settings.block or _block(one, other, timed)
    C = len(labels)
    by_block: defaultdict[tuple[str, int], np.ndarray] = defaultdict(lambda: np.zeros((C, C), dtype=np.int64))
    people = []
    for each in timed:
        tables = _tables(each, block, C)
        people.append(OfPerson(
            source=each.pair.source, person=each.pair.person,
            agreed=_agreed([each], np.array(list(tables.values())).reshape(-1, C, C), settings.seed),
        ))  # fmt: skip
        for place, table in tables.items():
            by_block[each.pair.source, place] += table  # neighbours in one picture are not independent either
    blocks = np.array(list(by_block.values()))
    overall = _agreed(timed, blocks, settings.seed)
    return Agreement(
        one=one, other=other, labels=labels, step=settings.step, block=block, blocks=len(blocks), overall=overall,
        people=tuple(people), classes=tuple(_classes(labels, timed, blocks, settings, one.kind == "annotation")),
        confusion=blocks.sum(0), left_out=_left_out(timed), words=words, moments=tuple(timed),
        notes=(*notes, *_undefined(people, labels, timed)),
    )  # fmt: skip


def _block(one: Coding, other: Coding, timed: Sequence[Moments]) -> float:
    """Ten seconds, or the mean length of the annotations where that is longer."""
    sides = [side for side, coding in (("one", one), ("other", other)) if coding.kind == "annotation"]
    lengths = [s.end - s.start for each in timed for side in sides for s in getattr(each.pair, side)]
    return max(BLOCK, float(np.mean(lengths)) if lengths else 0.0)


def _tables(each: Moments, block: float, C: int) -> dict[int, np.ndarray]:
    """A table [C, C] of each block of time in which both say a class, by the block's number."""
    both = each.both
    numbers, place = np.unique(np.floor(each.times[both] / block).astype(np.int64), return_inverse=True)
    tables = np.zeros((len(numbers), C, C), dtype=np.int64)
    np.add.at(tables, (place, each.one[both], each.other[both]), 1)
    return dict(zip(numbers.tolist(), tables, strict=True))


def _agreed(timed: Sequence[Moments], blocks: np.ndarray, seed: int) -> Agreed:
    said = [(each.one != NOTHING, each.other != NOTHING, each.both) for each in timed]
    steps = [each.step for each in timed]
    one, other, both = (
        sum(float(np.sum(side)) * step for side, step in zip(sides, steps, strict=True))
        for sides in zip(*said, strict=True)
    )
    chance = float(by_chance(blocks.sum(0)))
    return Agreed(
        one=one, other=other, both=both, kappa=over_blocks(blocks, kappa, seed=seed),
        agreement=over_blocks(blocks, observed, seed=seed), chance=None if np.isnan(chance) else chance,
    )  # fmt: skip


def _classes(
    labels: tuple[str, ...], timed: Sequence[Moments], blocks: np.ndarray, settings: AgreementSettings, events: bool
) -> list[OfClass]:
    table = blocks.sum(0) * settings.step
    segments = _segments(timed) if events else {}
    return [
        OfClass(
            label=label, one=float(table[c].sum()), other=float(table[:, c].sum()), both=float(table[c, c]),
            kappa=over_blocks(blocks, partial(_of_class, place=c), seed=settings.seed),
            segments=len(segments.get(c, ())), found=sum(segments.get(c, ())),
        )
        for c, label in enumerate(labels)
    ]  # fmt: skip


def _of_class(tables: np.ndarray, place: int) -> np.ndarray:
    return kappa(one_against_rest(tables, place))


def _segments(timed: Sequence[Moments]) -> dict[int, list[bool]]:
    """By class, of each annotation of the first coder that the other speaks of, whether the other finds it."""
    found: dict[int, list[bool]] = {}
    for each in timed:
        for place in np.unique(each.one_at[each.both]).tolist():
            there = each.both & (each.one_at == place)
            c = int(each.one[there][0])
            found.setdefault(c, []).append(bool((each.other[there] == c).mean() >= 0.5))
    return found


def _left_out(timed: Sequence[Moments]) -> dict[str, float]:
    seconds: Counter[str] = Counter()
    for each in timed:
        for says, silent, at, stretches in (
            (each.one, each.other, each.other_at, each.pair.other), (each.other, each.one, each.one_at, each.pair.one),
        ):  # fmt: skip
            places, numbers = np.unique(
                at[(says != NOTHING) & (silent == NOTHING) & (at != NOTHING)], return_counts=True
            )
            for place, number in zip(places.tolist(), numbers.tolist(), strict=True):
                stretch = stretches[place]
                why = stretch.status if stretch.status != "ok" else stretch.word or "(no word)"
                seconds[why] += number * each.step
    return {why: round(time, 3) for why, time in seconds.most_common()}


def _undefined(people: Sequence[OfPerson], labels: tuple[str, ...], timed: Sequence[Moments]) -> list[str]:
    """Why a person has no kappa, or one that says nothing."""
    told = []
    for each, when in zip(people, timed, strict=True):
        name = f"{each.source}, {each.person}"
        mine, yours = ({labels[c] for c in np.unique(side[when.both]).tolist()} for side in (when.one, when.other))
        if not when.both.any():
            told.append(f"{name}: there is no time in which both say a class, so there is no kappa")
        elif len(mine | yours) == 1:
            told.append(f"{name}: both say only {min(mine)}, so kappa is undefined")
        elif len(mine) == 1 or len(yours) == 1:
            told.append(f"{name}: one of both says only {min(mine if len(mine) == 1 else yours)}, so kappa is 0")
    return told
