"""Plans: which units a clip of a class shall show, how strong, and when. T frames, A units.

A plan is sampled from aligned knowledge: units by a Gaussian copula, so that what goes together comes together;
strengths from truncated normals; times as faces move (Schmidt et al. 2003; Ambadar et al. 2009; README.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from mimica.errors import InputError, UsageError
from mimica.facs import ANTAGONISTS, UNITS, Antagonists
from mimica.facs.units import known_unit
from mimica.generation.alignment import Alignment
from mimica.generation.settings import PlanSettings

WEAKEST = 0.15
"""The least strength of a unit that is planned."""
_LED = ("surprise", "fear")
_LEAD, _LAG = 0.04, 0.06
_CUT, _SEEN = 0.6, 0.1
_ONSET = {"spontaneous": (0.4, 0.7), "posed": (0.25, 0.4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """When a unit moves, in seconds from the first frame: it sets in at `onset`, is at its apex from `apex` on, and
    goes from `release` to `offset`; `back` is how far back to rest it goes, 0 to 1."""

    onset: float
    apex: float
    release: float
    offset: float
    back: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a clip shall show: a class, the strength of each unit at its apex, 0.15 to 1, and when it moves."""

    label: str
    number: int
    strengths: Mapping[int, float]
    motions: Mapping[int, Motion]
    settings: PlanSettings

    @property
    def name(self) -> str:
        """A name for files and messages, of class, seed and number."""
        return f"{self.label.replace(' ', '-')}-{self.settings.seed}-{self.number:04d}"

    def curves(self, order: Sequence[int] = tuple(UNITS)) -> np.ndarray:
        """The strength of each unit in each frame [T, A]; a unit that is not planned is 0 throughout."""
        time = np.arange(self.settings.frames) / self.settings.fps
        curves = np.zeros((len(time), len(order)))
        for a, unit in enumerate(order):
            if unit in self.strengths:
                move = self.motions[unit]
                gone = move.back * eased((time - move.release) / (move.offset - move.release))
                curves[:, a] = self.strengths[unit] * eased((time - move.onset) / (move.apex - move.onset)) * (1 - gone)
        return curves

    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and last frame of onset, apex and offset, which share the clip; without units, of the whole of it.

        An offset of which less than a tenth is seen before the clip ends is not there.
        """
        last = self.settings.frames - 1
        if not self.strengths:
            return ((0, last),)
        leading = max(self.strengths, key=lambda unit: self.strengths[unit])
        move, fps = self.motions[leading], self.settings.fps
        apex = int(np.clip(np.ceil(move.apex * fps), 1, last))
        release = int(np.clip(np.ceil(move.release * fps), apex + 1, last + 1))
        gone = move.back * eased((self.settings.last - move.release) / (move.offset - move.release))
        if release > last or gone < _SEEN:
            return ((0, apex - 1), (apex, last))
        return ((0, apex - 1), (apex, release - 1), (release, last))

    def scaled(self, intensity: float) -> Plan:
        """The same plan whose strongest unit has this strength, above 0 to 1, the others in proportion."""
        if not 0 < intensity <= 1:
            raise UsageError(f"an intensity is above 0 and at most 1, got {intensity:g}")
        by = intensity / max(self.strengths.values(), default=1.0)
        return replace(self, strengths={unit: strength * by for unit, strength in self.strengths.items()})

    def facts(self) -> dict[str, Any]:
        """The plan as JSON; see `from_facts`."""
        return {
            "name": self.name, "label": self.label, "number": self.number, "settings": asdict(self.settings),
            "units": [
                {"unit": unit, "strength": round(strength, 4), **_rounded(self.motions[unit])}
                for unit, strength in self.strengths.items()
            ],
        }  # fmt: skip

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The plan that JSON states. Raises InputError where it states none."""
        try:
            units = {int(one["unit"]): one for one in stated["units"]}
            times = ("onset", "apex", "release", "offset", "back")
            return cls(
                label=str(stated["label"]), number=int(stated["number"]), settings=PlanSettings(**stated["settings"]),
                strengths={unit: float(one["strength"]) for unit, one in units.items()},
                motions={unit: Motion(**{time: float(one[time]) for time in times}) for unit, one in units.items()},
            )  # fmt: skip
        except (KeyError, TypeError, ValueError):
            raise InputError("this is no plan; mimica augment plan writes them") from None


def _rounded(motion: Motion) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(motion).items()}


def eased(share: np.ndarray | float) -> np.ndarray:
    """How far a movement has come, 0 to 1, at a share of its time: with the least jerk, 10x³ − 15x⁴ + 6x⁵.

    Flash & Hogan 1985. Its speed is greatest in the middle and in proportion to how far it goes, as that of smiles is
    (Schmidt et al. 2003).

    >>> eased(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist()
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    x = np.clip(share, 0.0, 1.0)
    return np.asarray(x**3 * (10 - 15 * x + 6 * x**2))


def plan(
    known: Alignment, label: str, number: int = 0, *, units: Sequence[int] = (), settings: PlanSettings | None = None
) -> Plan:
    """The plan of a class with this number. It depends on class, number, settings and knowledge alone.

    `units` are wanted whatever is likely. Neutral has no units and no motion. Raises UsageError for a class or a unit
    that is not known, and for units that exclude each other.
    """
    settings = settings or PlanSettings()
    c = known.index(label)
    wanted = tuple(dict.fromkeys(known_unit(unit).number for unit in units))
    _refuse(known, label, wanted)
    random = np.random.default_rng([settings.seed, number, *label.encode()])
    strengths: dict[int, float] = {}
    if label != "neutral" or wanted:
        strengths = _strengths(known, c, wanted, random)
        strengths = settled(strengths, {u: known.probability[c, a] for a, u in enumerate(known.units)}, label, wanted)
    return Plan(
        label=label, number=number, strengths=strengths, motions=_motions(strengths, label, settings, random),
        settings=settings,
    )  # fmt: skip


def _refuse(known: Alignment, label: str, wanted: Sequence[int]) -> None:
    for unit in wanted:
        if unit not in known.units:
            raise UsageError(f"Action Unit {unit} cannot be planned; choose from {', '.join(map(str, known.units))}")
    for pair in ANTAGONISTS:
        if pair.clash(dict.fromkeys(wanted, 1.0), label):
            these, those = (" and ".join(str(u) for u in group if u in wanted) for group in (pair.these, pair.those))
            raise UsageError(f"Action Units {these} and {those} exclude each other; ask for one side of them")


def _strengths(known: Alignment, c: int, wanted: Sequence[int], random: np.random.Generator) -> dict[int, float]:
    """Which units, and how strong: two draws of a copula, one for presence and one for strength."""
    from scipy.special import ndtr, ndtri

    likely, mean, spread = known.probability[c], known.intensity[c], known.spread
    uniform = ndtr(random.standard_normal((2, len(likely))) @ np.linalg.cholesky(known.together).T)
    certain = {*known.core(known.names[c]), *wanted}
    on = [unit in certain or uniform[0, a] > 1 - likely[a] for a, unit in enumerate(known.units)]
    low, high = ndtr((WEAKEST - mean) / spread), ndtr((1.0 - mean) / spread)
    strength = np.clip(mean + spread * ndtri(low + uniform[1] * (high - low)), WEAKEST, 1.0)
    return {unit: float(strength[a]) for a, unit in enumerate(known.units) if on[a]}


def settled(
    strengths: Mapping[int, float], likely: Mapping[int, float], label: str, wanted: Sequence[int] = ()
) -> dict[int, float]:
    """The same units without antagonists: of two sides, the one that is less likely in the class gives way.

    It goes down to the strength at which both are possible, and away where that is below the weakest. What is wanted
    gives way last.
    """
    kept = dict(strengths)
    for pair in ANTAGONISTS:
        if not pair.clash(kept, label):
            continue
        these, those = (tuple(u for u in side if kept.get(u, 0.0) > pair.above) for side in (pair.these, pair.those))
        for unit in min(these, those, key=lambda side: max((u in wanted, likely.get(u, 0.0)) for u in side)):
            kept[unit] = pair.above
            if pair.above < WEAKEST:
                del kept[unit]
    return kept


def _motions(
    strengths: Mapping[int, float], label: str, settings: PlanSettings, random: np.random.Generator
) -> dict[int, Motion]:
    """When each unit moves: one onset, apex and offset of the expression, each unit a little before or after it.

    Six in ten clips in the wild end before the face is at rest again, and so do six in ten plans.
    """
    rise = random.uniform(*_ONSET[settings.manner])
    fall = rise * random.uniform(1.0, 1.6)
    hold, back = random.uniform(0.3, 2.0), random.uniform(0.8, 1.0)
    cut, part, place, first = random.random() < _CUT, random.random(), random.random(), random.uniform(0.0, 0.1)
    latest = settings.last - fall * (part if cut else 1.0)
    room = latest - rise - hold
    start = max(room if cut else place * room, first * settings.last)
    release = max(start + rise + 0.1, min(start + rise + hold, latest))
    late = dict(zip(strengths, np.clip(random.normal(0.0, _LAG, len(strengths)), -2 * _LAG, 2 * _LAG), strict=True))
    motions = {}
    for unit in strengths:
        lead = _LEAD if label in _LED and known_unit(unit).region == "brow" else 0.0
        onset = float(np.clip(start + late[unit] - lead, 0.0, release - rise - 0.02))
        motions[unit] = Motion(
            onset=onset, apex=onset + rise, release=float(release), offset=float(release + fall), back=float(back)
        )
    return motions


def clashes(strengths: Mapping[int, float], label: str = "") -> list[Antagonists]:
    """Which antagonists a face with these strengths would need at once."""
    return [pair for pair in ANTAGONISTS if pair.clash(strengths, label)]
