"""Which recording of one coder is which of the other, and who is who in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from shlex import quote

from mimica.errors import InputError, UsageError, unknown
from mimica.reading.agreement.coding import Coding, Recording, Stretch, file_name

_OURS = re.compile(r"person (\d+)")
_NOBODY = "no face"
"""What Mimica's own documents for ELAN call the tier of a person, and that of nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two coders say of one person in one source, in the source's own seconds.

    `person` is the first coder's name for them, or else the other's; `one` and `other` are the stretches of each
    coder, those of readings with overlaps; `one_file` and `other_file` are where they stand.
    """

    source: str
    person: str
    one: tuple[Stretch, ...]
    other: tuple[Stretch, ...]
    one_file: Path
    other_file: Path


def pairs(
    one: Coding, other: Coding, *, tier: str | None = None, person: Sequence[str] = ()
) -> tuple[list[Pair], list[str]]:
    """Everyone of whom both coders speak, and sentences on what only one of them speaks of.

    `tier` is the one tier of the first coder to compare; `person` says who is who: `0=mother` that the other's
    person 0 is the first's tier mother, `0` that person 0 is the only one there. Otherwise persons are those
    of the same name or number, or the only ones. Raises UsageError where it is not clear who is who,
    InputError where the coders speak of different sources.
    """
    given = dict(_split(each) for each in person)
    if len(given) < len(person):
        raise UsageError(f"--person {' '.join(person)} says twice who one of them is; each is one tier")
    for what, names, coding in (
        ("tier", {tier} - {None}, one), ("tier in --person", set(given.values()) - {""}, one),
        ("person in --person", given.keys(), other),
    ):  # fmt: skip
        known = _names(coding.recordings)
        for name in names - set(known):
            raise unknown(what, str(name), known)
    matched, notes = _sources(one, other)
    found: list[Pair] = []
    for mine, yours, source in matched:
        here, there = _timed(mine, yours), _timed(yours, mine)
        who = _who(here, there, tier, given)
        found += [
            Pair(
                source=source, person=name or " and ".join(others), one_file=mine.file, other_file=yours.file,
                one=here.people[name], other=tuple(stretch for each in others for stretch in there.people[each]),
            )
            for name, others in who.items()
        ]  # fmt: skip
        notes += _left(source, here, set(who), tier) + _left(source, there, {o for each in who.values() for o in each})
        if there.unseen:
            notes.append(f"{source}: no face was seen for {there.unseen:.1f} s")
    return found, notes


def _split(given: str) -> tuple[str, str]:
    name, _, tier = given.partition("=")
    return name.strip(), tier.strip()


def _names(recordings: Iterable[Recording]) -> list[str]:
    return list(dict.fromkeys(name for recording in recordings for name in recording.people))


def _sources(one: Coding, other: Coding) -> tuple[list[tuple[Recording, Recording, str]], list[str]]:
    """The recordings of both that are of one source, with its name, and notes on the others."""
    if len(one.recordings) == len(other.recordings) == 1:
        mine, yours = one.recordings[0], other.recordings[0]
        source = _named(mine, yours, other)
        if _alike(mine, yours) or not (mine.source and yours.source):
            return [(mine, yours, source)], []
        note = f"{mine.file} is of {mine.source}, {yours.file} of {yours.source}: they are taken as one source"
        return [(mine, yours, source)], [note]
    matched, used = [], set()
    for mine in one.recordings:
        near = [yours for yours in other.recordings if _alike(mine, yours)]
        same = [yours for yours in near if _alike(mine, yours) == max(_alike(mine, each) for each in near)]
        if len(same) > 1:
            where = " and ".join(f"{yours.source} in {yours.file}" for yours in same[:2])
            raise InputError(f"{mine.file} is of {mine.source}, which may be {where}; give those that belong together")
        if same and id(same[0]) in used:
            raise InputError(f"{same[0].source} is annotated twice in {one.path}; give one annotation of it")
        used |= {id(yours) for yours in same}
        matched += [(mine, yours, _named(mine, yours, other)) for yours in same]
    lone = [mine for mine in one.recordings if not any(mine is each for each, _, _ in matched)]
    alone = [yours for yours in other.recordings if id(yours) not in used]
    if not matched:
        raise InputError(
            f"{one.path} is of {_some(one.recordings)}, {other.path} of {_some(other.recordings)}; "
            "what is compared must be of files of the same name"
        )
    notes = [f"only in {one.path}: {_some(lone)}"] if lone else []
    return matched, notes + ([f"only in {other.path}: {_some(alone)}"] if alone else [])


def _named(mine: Recording, yours: Recording, other: Coding) -> str:
    """What the source of two recordings is called: as readings call it, if they are readings."""
    names = (yours.source, mine.source) if other.kind == "readings" else (mine.source, yours.source)
    return next((name for name in names if name), mine.file.stem)


def _alike(mine: Recording, yours: Recording) -> int:
    """How well two recordings go together: by path, by file name, by its stem, or not at all."""
    if mine.source and mine.source == yours.source:
        return 3
    ours, theirs = ({file_name(name).lower() for name in (each.source, *each.also) if name} for each in (mine, yours))
    if ours & theirs:
        return 2
    stems, others = ({PurePath(name).stem for name in names} for names in (ours, theirs))
    return int(bool(stems & others))


def _some(recordings: Sequence[Recording]) -> str:
    names = [recording.source or str(recording.file) for recording in recordings]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _timed(recording: Recording, other: Recording) -> Recording:
    """The recording in seconds of the source: those of the media file that the other is of, or else of the first."""
    if not recording.offsets:
        return recording
    stems = {PurePath(file_name(name)).stem.lower() for name in (other.source, *other.also)}
    fits = [offset for name, offset in recording.offsets.items() if PurePath(name).stem.lower() in stems]
    by = fits[0] if fits else next(iter(recording.offsets.values()))
    people = {
        who: tuple(replace(stretch, start=stretch.start + by, end=stretch.end + by) for stretch in said)
        for who, said in recording.people.items()
    }
    return replace(recording, people=people)


def _who(mine: Recording, yours: Recording, tier: str | None, given: Mapping[str, str]) -> dict[str, list[str]]:
    """The other's names of each person that the first coder names."""
    names = [tier] if tier is not None and tier in mine.people else [] if tier is not None else list(mine.people)
    if given:
        return _told(mine, yours, names, given)
    numbers = {_plain(name): name for name in yours.people}
    shared = {name: [numbers[_plain(name)]] for name in names if _plain(name) in numbers}
    if shared:
        return shared
    if len(names) == 1 and len(yours.people) == 1:
        return {names[0]: list(yours.people)}
    if not names or not yours.people:
        return {}
    someone = next(iter(yours.people))
    example = quote(f"{someone}={names[0]}" if names[0] else someone)
    raise UsageError(
        f"{_has(mine, names)}, {_has(yours)}; say who is who, such as --person {example}"
        + ("" if len(names) == 1 else ", or choose one with --tier")
    )


def _told(mine: Recording, yours: Recording, names: Sequence[str], given: Mapping[str, str]) -> dict[str, list[str]]:
    who: dict[str, list[str]] = {}
    for name, meant in given.items():
        if name not in yours.people:
            continue
        if not meant and len(names) != 1:
            raise UsageError(f"{_has(mine, names)}; say which of them is {name} with --person {name}=NAME")
        target = meant or names[0]
        if target in mine.people:
            who.setdefault(target, []).append(name)
    return who


def _plain(name: str) -> str:
    ours = _OURS.fullmatch(name.strip())
    return ours[1] if ours else name.strip()


def _has(recording: Recording, names: Sequence[str] | None = None) -> str:
    what = "tiers" if recording.file.suffix.lower() == ".eaf" else "persons"
    return f"{recording.file} has the {what} {_lengths(recording, names)}"


def _lengths(recording: Recording, names: Sequence[str] | None = None) -> str:
    told = [
        f"{name or 'without a name'} ({_seconds(recording.people[name]):.1f} s)"
        for name in (recording.people if names is None else names)
    ]
    return ", ".join(told) or "no one"


def _seconds(stretches: Sequence[Stretch]) -> float:
    """The time that stretches take together, overlaps counted once."""
    total, until = 0.0, float("-inf")
    for stretch in sorted(stretches, key=lambda each: each.start):
        total += max(0.0, stretch.end - max(stretch.start, until))
        until = max(until, stretch.end)
    return total


def _left(source: str, recording: Recording, used: set[str], tier: str | None = None) -> list[str]:
    """A sentence on the people of a recording that are not compared, if it was not asked for."""
    left = [name for name in recording.people if name not in used and name != _NOBODY]
    if tier is not None or not left:
        return []
    return [f"{source}: not compared, of {recording.file.name}: {_lengths(recording, left)}"]
