"""The knowledge base: cards of units, classes, compounds, time and training clips, that prompts are written from.

One card a line of JSON, below a first line that says the version and the digest of the rest. The same clips give the
same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np

from mimica.errors import InputError
from mimica.facs import CAVEAT, COMPOUNDS, EVERY_UNIT, Prototype, caption, prototypes
from mimica.generation.alignment import SHOWN, Alignment
from mimica.generation.measured import MeasuredClips

VERSION = 1
AMBIGUOUS = 0.2
"""The share of each class's clips that speak least for their class and make no exemplar."""

Kind = Literal["unit", "class", "compound", "time", "exemplar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One thing that is known: what it is, a text in plain words, the units it speaks of with their strengths.

    `label` is the class it belongs to, `subject` a digest of who is seen, for exemplars, which are clips to train on.
    """

    id: str
    kind: Kind
    text: str
    label: str = ""
    units: Mapping[int, float] = field(default_factory=dict)
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBase:
    """Cards in their order, with a version of their form and the digest of what they say."""

    cards: tuple[Card, ...]
    version: int = VERSION

    def lines(self) -> list[str]:
        """A line of JSON a card."""
        return [json.dumps(asdict(card), ensure_ascii=False, sort_keys=True) for card in self.cards]

    @property
    def sha256(self) -> str:
        """The digest of the cards, which changes where any of them does."""
        return hashlib.sha256("\n".join([str(self.version), *self.lines()]).encode()).hexdigest()

    def text(self) -> str:
        """The file: a first line about it, then a line a card."""
        about = {"mimica_knowledge": self.version, "cards": len(self.cards), "sha256": self.sha256, "caveat": CAVEAT}
        return "\n".join([json.dumps(about, ensure_ascii=False), *self.lines()]) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """The knowledge base of a file. Raises InputError where it is none, of another version, or was altered."""
        try:
            first, *rest = path.read_text(encoding="utf-8").split("\n")
            about = json.loads(first)
            found = [json.loads(line) for line in rest if line]
            cards = tuple(
                Card(**{**one, "units": {int(u): float(s) for u, s in one["units"].items()}}) for one in found
            )
            base, version, sha256 = cls(cards=cards), about["mimica_knowledge"], about["sha256"]
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; mimica augment plan writes it") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path} is no knowledge base; mimica augment plan writes one") from None
        if version != VERSION:
            raise InputError(f"{path} is of version {version}, this reads {VERSION}; run mimica augment plan again")
        if base.sha256 != sha256:
            raise InputError(f"{path} was altered since it was written; run mimica augment plan again")
        return base


def build(known: Alignment, clips: MeasuredClips | None = None) -> KnowledgeBase:
    """The knowledge base of what FACS and its sources say and, where there are any, of clips to train on."""
    cards = [*_units(), *_classes(known), *_compounds(), *_TIME]
    if clips is not None:
        cards += _exemplars(known, clips)
    return KnowledgeBase(cards=tuple(cards))


def hidden(subject: str) -> str:
    """A digest that stands for a person, so that no name is kept.

    >>> len(hidden("ann"))
    12
    """
    return hashlib.sha256(subject.encode()).hexdigest()[:12]


def _units() -> list[Card]:
    cards = []
    for unit in EVERY_UNIT.values():
        by = f" Muscle: {unit.muscle}." if unit.muscle else ""
        shapes = f" In ARKit: {', '.join(unit.arkit)}." if unit.arkit else ""
        text = f"Action Unit {unit.number}, {unit.name}: {unit.look}.{by}{shapes}"
        cards.append(Card(id=f"unit:{unit.number}", kind="unit", text=text, units={unit.number: 1.0}))
    return cards


def _classes(known: Alignment) -> list[Card]:
    cards = []
    for label in known.names:
        c, core = known.index(label), known.core(label)
        likely = {
            unit: share
            for unit, share in zip(known.units, known.probability[c], strict=True)
            if share >= 0.2 and unit not in core
        }
        also = ", ".join(f"{EVERY_UNIT[unit].look} ({share:.0%})" for unit, share in likely.items())
        said = " ".join(f"{one.source}: {_prototype(one)}." for one in prototypes(label))
        text = (
            f"{label}: {caption(core)}. {f'It often shows as well: {also}. ' if also and label != 'neutral' else ''}"
            f"{_confused(known, label)}Sources: {said or 'none, only clips.'} "
            f"Seen in {known.clips[c]} training clips. A prior, never a label."
        )
        strengths = {unit: round(float(known.intensity[c, known.units.index(unit)]), 4) for unit in core}
        cards.append(Card(id=f"class:{label}", kind="class", text=text, label=label, units=strengths))
    return cards


def _prototype(one: Prototype) -> str:
    optional = ", ".join(f"{unit} {share:.0%}" for unit, share in one.optional.items())
    return ("+".join(map(str, one.core)) or "no unit") + (f" ({optional})" if optional else "")


def _confused(known: Alignment, label: str) -> str:
    """The class that moves and whose probabilities are nearest, and the unit that tells them apart best."""
    c = known.index(label)
    apart = np.abs(known.probability - known.probability[c]).sum(1)
    apart[[c, *(i for i, name in enumerate(known.names) if name == "neutral")]] = np.inf
    if np.isinf(apart).all():
        return ""
    other = int(apart.argmin())
    tells = int((known.probability[c] - known.probability[other]).argmax())
    if known.probability[c, tells] - known.probability[other, tells] < 0.2:
        return f"Nearest to it is {known.names[other]}. "
    look = EVERY_UNIT[known.units[tells]].look
    return f"Nearest to it is {known.names[other]}, from which it differs in that {look}. "


def _compounds() -> list[Card]:
    return [
        Card(
            id=f"compound:{one.label.replace(' ', '-')}", kind="compound", label=one.label,
            text=f"{one.label}: {caption(one.core)}. {one.source}: {_prototype(one)}. A prior, never a label.",
            units={**dict.fromkeys(one.core, 1.0), **one.optional},
        )
        for one in COMPOUNDS
    ]  # fmt: skip


def _time(name: str, text: str) -> Card:
    return Card(id=f"time:{name}", kind="time", text=text)


_TIME = (
    _time("parts", "An expression has an onset, in which units set in, an apex, in which they hold, and an offset."),
    _time("curve", "A face moves smoothly: slow, fast, slow. Three straight lines are seen as unnatural."),
    _time("velocity", "Of smiles that come by themselves the greatest speed is in proportion to how far they go, and "
          "the duration of the onset hardly changes (Schmidt et al. 2003)."),
    _time("spontaneous", "What comes by itself sets in within 0.4 to 0.7 seconds."),
    _time("posed", "What is posed sets in faster, within 0.25 to 0.4 seconds, and goes further; posed raised brows are "
          "shorter too."),
    _time("apex", "An apex lasts 0.3 to 2 seconds; a felt smile 0.5 to 4 seconds in all."),
    _time("offset", "An offset takes as long as the onset or up to 1.6 times as long. In most clips in the wild the "
          "clip ends before the face is at rest again."),
    _time("lag", "Units of one expression set in within about 60 milliseconds of each other."),
    _time("brows", "In surprise and fear the brows lead the mouth by some 40 milliseconds."),
    _time("amused", "Amused smiles are larger, faster and longer, with raised cheeks and an open mouth more often "
          "(Ambadar et al. 2009)."),
    _time("micro", "An expression of less than half a second is a micro-expression; none is planned."),
)  # fmt: skip
"""What is known of time, in our own words."""


def _exemplars(known: Alignment, clips: MeasuredClips) -> list[Card]:
    """Cards of the clips that speak for their class, without the fifth of each class that does so least."""
    labels = [known.names[label] for label in clips.labels]
    peaks = [known.peak(curve, label) for curve, label in zip(clips.curves, labels, strict=True)]
    scores = np.array([known.consistency(peak, label) for peak, label in zip(peaks, labels, strict=True)])
    kept = ~ambiguous(scores, clips.labels)
    return [
        Card(
            id=f"exemplar:{clips.names[i]}", kind="exemplar", label=labels[i], subject=hidden(clips.subjects[i]),
            text=f"{labels[i]}: {caption(_active(known.units, peaks[i]))}.",
            units={u: round(float(s), 4) for u, s in zip(known.units, np.nan_to_num(peaks[i]), strict=True) if s > 0},
        )
        for i in np.flatnonzero(kept)
    ]  # fmt: skip


def _active(units: Sequence[int], peak: np.ndarray) -> list[int]:
    return [unit for unit, strength in zip(units, peak, strict=True) if strength >= SHOWN]


def ambiguous(scores: np.ndarray, labels: np.ndarray, share: float = AMBIGUOUS) -> np.ndarray:
    """Which clips [N] are of the share of their class with the lowest consistency; of equal ones the later.

    >>> ambiguous(np.array([3.0, 1.0, 2.0, 5.0, 4.0]), np.zeros(5, int)).tolist()
    [False, True, False, False, False]
    """
    out = np.zeros(len(scores), dtype=bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        worst_first = own[np.lexsort((-own, scores[own]))]
        out[worst_first[: int(share * len(own))]] = True
    return out
