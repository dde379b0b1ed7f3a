"""Affective knowledge alignment: what classes look like in units, as FACS says and as training clips show it.

N clips, T frames of a clip, A units, C classes. Strengths of units are 0 to 1. What FACS says is a prior that counts
as `KAPPA` clips of a class; it rules a class of eight clips and gives way to two thousand. The paper's abstract names
the idea, "affective knowledge alignment through facial Action Units", and no formula: these are ours (README.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from mimica.errors import InputError, UsageError, unknown
from mimica.facs import LETTERS, PRIOR_CORES, UNITS, prototypes
from mimica.labels import LabelSpace

KAPPA = 20.0
"""How many clips of a class the prior counts as."""
SHOWN = 0.3
"""From which strength on a unit counts as shown."""
CORE = 0.7
"""A unit that at least so many clips of a class show is of its core; the bound of Du et al. 2014."""

_SURE, _ABSENT, _LISTED = 0.9, 0.05, 0.85
_LEAST_SPREAD, _USUAL_SPREAD = 0.1, 0.15
_LARGEST_LIFT = 3.0
_PEAK_FRAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What FACS says before any clip: how likely units are in a class [C, A], and how strong where they are [C, A]."""

    probability: np.ndarray
    intensity: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """What is known of classes in units: the prior shrunk toward what training clips show.

    `clips` [C] and `shown` [C, A] are counts, `probability` and `intensity` [C, A] the aligned knowledge, `spread` [A]
    the deviation of intensity within a class, `base` [A] the mean probability over classes, `lift` [C, A] how far a
    class is above it, `together` [A, A] how units go together within a class. `measured` [A] says which units the
    detector knows: the others rest on the prior, and no clip is judged by them.
    """

    names: tuple[str, ...]
    units: tuple[int, ...]
    clips: np.ndarray
    shown: np.ndarray
    probability: np.ndarray
    intensity: np.ndarray
    spread: np.ndarray
    base: np.ndarray
    lift: np.ndarray
    together: np.ndarray
    measured: np.ndarray

    def index(self, label: str) -> int:
        """The place of a class. Raises UsageError that lists those there are."""
        if label not in self.names:
            raise unknown("class", label, self.names)
        return self.names.index(label)

    def core(self, label: str) -> tuple[int, ...]:
        """The units that belong to a class whatever else is shown; none for neutral."""
        if label == "neutral":
            return ()
        likely = self.probability[self.index(label)]
        return tuple(unit for unit, share in zip(self.units, likely, strict=True) if share >= CORE)

    def terms(self, peaks: np.ndarray, label: str) -> np.ndarray:
        """What each unit says for a class against the mean of all [..., A], of peaks [..., A], in nats."""
        likely, base = self.probability[self.index(label)], self.base
        seen = 1 / (1 + np.exp(-10 * (np.nan_to_num(peaks) - SHOWN)))
        terms = seen * np.log(likely / base) + (1 - seen) * np.log((1 - likely) / (1 - base))
        return np.asarray(np.where(self.measured, terms, 0.0))

    def consistency(self, peaks: np.ndarray, label: str) -> np.ndarray:
        """How far peaks [..., A] speak for a class, the sum of `terms` [...]: above 0 for it, below 0 against it."""
        return np.asarray(self.terms(peaks, label).sum(-1))

    def peak(self, units: np.ndarray, label: str) -> np.ndarray:
        """The strengths [A] at the apex of a clip [T, A] by its class's own units; see `peak`."""
        return peak(units, weights(self.names, self.units)[self.index(label)])

    def facts(self) -> dict[str, Any]:
        """The alignment as JSON; see `from_facts`."""
        kept = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else list(value) for name, value in kept.items()}

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The alignment that JSON states. Raises InputError where it states none."""
        try:
            read: dict[str, Any] = {one.name: np.asarray(stated[one.name]) for one in fields(cls)}
            read |= {"names": tuple(stated["names"]), "units": tuple(int(unit) for unit in stated["units"])}
            return cls(**read)
        except (KeyError, TypeError, ValueError):
            raise InputError("this is no alignment of classes and units; mimica augment plan writes one") from None


def prior(names: Sequence[str], units: Sequence[int] = tuple(UNITS)) -> Prior:
    """How likely and how strong units are in classes by what sources say; 0.15 and 0.25 where none says anything.

    A unit of the core that we chose has 0.9; any other the mean over sources: 0.85 where it is of their core, the share
    they print where it is optional, else 0.05. Strengths are D for a core, C for what a source lists, B for the rest,
    or the letter that a source prints.
    """
    probability = np.full((len(names), len(units)), _ABSENT)
    intensity = np.full((len(names), len(units)), LETTERS["B"])
    for c, name in enumerate(names):
        listed = prototypes(name)
        if not listed:
            probability[c] = 0.15
        core = PRIOR_CORES.get(name, listed[0].core if listed else ())
        for a, unit in enumerate(units):
            shares = [_LISTED if unit in one.core else one.optional.get(unit, _ABSENT) for one in listed]
            letters = [one.letters[unit] for one in listed if unit in one.letters]
            if listed:
                probability[c, a] = _SURE if unit in core else np.mean(shares)
            if unit in core or any(share > _ABSENT for share in shares):
                intensity[c, a] = LETTERS[letters[0] if letters else "D" if unit in core else "C"]
    return Prior(probability=probability, intensity=intensity)


def weights(names: Sequence[str], units: Sequence[int] = tuple(UNITS)) -> np.ndarray:
    """How much each unit counts in finding the apex of a class [C, A]: the prior's lift where it is above 0.

    The lift of the aligned knowledge would need the peaks that are looked for here. A class without units of its own,
    neutral, counts all of them alike, so that its peak is where its face moves most.
    """
    lift = np.maximum(_lift(prior(names, units).probability), 0.0)
    return np.where(lift.sum(1, keepdims=True) < 1e-9, 1.0, lift)


def peak(units: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The strengths [A] at the apex of a clip [T, A]: the mean of the three frames whose weighted sum is largest.

    Frames in which nothing was measured (NaN in every unit) are passed over; a unit that the detector does not know is
    NaN throughout and stays so. Of frames that are alike the earlier ones are taken. Raises InputError where no frame
    was measured.
    """
    measured = units[~np.isnan(units).all(1)]
    if not len(measured):
        raise InputError("a clip has no frame in which units were measured; leave it out")
    activation = np.nan_to_num(measured) @ weight
    strongest = np.sort(np.argsort(-activation, kind="stable")[:_PEAK_FRAMES])
    return np.asarray(measured[strongest].mean(0))


def align(
    units: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[int] | np.ndarray,
    space: LabelSpace,
    *,
    order: Sequence[int] = tuple(UNITS),
    kappa: float = KAPPA,
) -> Alignment:
    """Knowledge of the classes of a label space from unit curves [N, T, A] of training clips and from FACS.

    Clips may differ in their numbers of frames. With no clips at all it is the prior. Raises UsageError where shapes or
    labels do not fit, InputError for a clip in which nothing was measured.
    """
    names, order = space.names, tuple(order)
    shares = [np.asarray(one, dtype=float) for one in units]
    if any(one.ndim != 2 or one.shape[1] != len(order) for one in shares) or len(shares) != len(labels):
        raise UsageError(f"unit curves must be a label and [T, {len(order)}] a clip; some are not")
    if any(not 0 <= label < len(names) for label in labels):
        raise UsageError(f"labels must be 0 to {len(names) - 1}, the places of {', '.join(names)}")
    weight = weights(names, order)
    peaks = np.array([peak(one, weight[label]) for one, label in zip(shares, labels, strict=True)])
    return aligned(peaks.reshape(-1, len(order)), np.asarray(labels, dtype=int), names, order, kappa=kappa)


def aligned(
    peaks: np.ndarray, labels: np.ndarray, names: Sequence[str], order: Sequence[int], *, kappa: float = KAPPA
) -> Alignment:
    """The same from the peaks [N, A] of clips with labels [N]."""
    C, A = len(names), len(order)
    said = prior(names, order)
    measured = ~np.isnan(peaks).all(0) if len(peaks) else np.ones(A, dtype=bool)
    seen = np.nan_to_num(peaks) >= SHOWN
    clips = np.bincount(labels, minlength=C)
    shown, total = np.zeros((C, A), dtype=int), np.zeros((C, A))
    for c in range(C):
        shown[c] = seen[labels == c].sum(0)
        total[c] = np.where(seen, np.nan_to_num(peaks), 0.0)[labels == c].sum(0)
    probability = (shown + kappa * said.probability) / (clips[:, None] + kappa)
    probability[:, ~measured] = said.probability[:, ~measured]
    return Alignment(
        names=tuple(names), units=tuple(order), clips=clips, shown=shown, probability=probability,
        intensity=(total + kappa * said.intensity) / (shown + kappa),
        spread=_spread(peaks, labels, seen, total, shown), base=probability.mean(0), lift=_lift(probability),
        together=_together(np.nan_to_num(peaks), labels), measured=measured,
    )  # fmt: skip


def _lift(probability: np.ndarray) -> np.ndarray:
    """How far each class is above the mean of all classes [C, A], in nats, within bounds."""
    return np.asarray(np.clip(np.log(probability) - np.log(probability.mean(0)), -_LARGEST_LIFT, _LARGEST_LIFT))


def _spread(
    peaks: np.ndarray, labels: np.ndarray, seen: np.ndarray, total: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """The deviation [A] of shown strengths from their class's mean, pooled over classes; 0.15 where too few show it."""
    mean = total / np.maximum(shown, 1)
    squares = np.where(seen, (np.nan_to_num(peaks) - mean[labels]) ** 2, 0.0).sum(0)
    free = (shown.sum(0) - (shown > 0).sum(0)).astype(float)
    pooled = np.sqrt(squares / np.maximum(free, 1.0))
    return np.asarray(np.where(free > 0, np.maximum(_LEAST_SPREAD, pooled), _USUAL_SPREAD))


def _together(peaks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How units go together within classes [A, A]: the correlation of normal scores, shrunk by half to none.

    Ranks are taken within a class, for what goes with the class itself is in its probabilities already.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores = []
    for c in np.unique(labels):
        if len(own := peaks[labels == c]) > 2:
            normal = ndtri((rankdata(own, axis=0) - 0.5) / len(own))
            scores.append(normal - normal.mean(0))
    A = peaks.shape[1]
    if not scores:
        return np.eye(A)
    all_of_them = np.concatenate(scores)
    scatter = all_of_them.T @ all_of_them
    size = np.sqrt(np.diag(scatter))
    size = np.where(size < 1e-9, np.inf, size)
    together = 0.5 * scatter / np.outer(size, size)
    np.fill_diagonal(together, 1.0)
    return np.asarray(together)
