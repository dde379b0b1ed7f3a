"""The inspector: features, a bank of good parts, and a threshold, from a sample to what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mimica.anomaly.bank import Bank, fill, grown
from mimica.anomaly.config import CifConfig
from mimica.anomaly.features.maker import FeatureMaker
from mimica.anomaly.heat import heat_map, part_score, resized
from mimica.anomaly.samples import Sample
from mimica.anomaly.search import Found, examine
from mimica.anomaly.seen import Seen, see
from mimica.anomaly.threshold import Calibration
from mimica.anomaly.units import Units, units_of
from mimica.anomaly.vary import varied
from mimica.errors import InputError

FOLDS = 8
"""Shots are left out one by one to calibrate, or, of more shots than this, an eighth of them at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one part.

    `score` is 0 or more, and higher is worse; `false_alarm`, 0 to 1, is the share of good parts expected to score
    as high; `defective` says that this share is below what is allowed. `heat` float32 [H, W] lies on the sample's
    own pixels, and `views` [N] are the scores of patches by view, each in its own unit.
    """

    name: str
    score: float
    false_alarm: float
    defective: bool
    heat: np.ndarray
    views: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodPart:
    """A good part as it was seen, and its altered copies, from which a bank is filled and a threshold learned."""

    seen: Seen
    copies: tuple[Seen, ...]


class Detector:
    """A bank with the features that filled it; `Detector.fit` makes one from a few good parts."""

    def __init__(self, makers: Sequence[FeatureMaker], bank: Bank, units: Units, calibration: Calibration) -> None:
        self.makers, self.bank, self.units, self.calibration = list(makers), bank, units, calibration

    @property
    def config(self) -> CifConfig:
        """The choices that the bank was made by."""
        return self.bank.config

    @classmethod
    def fit(cls, shots: Sequence[Sample], makers: Sequence[FeatureMaker], config: CifConfig | None = None) -> Detector:
        """A detector from a few good parts, at least one. Raises InputError where one of them will not do."""
        config = config or CifConfig()
        return cls.of([good_part(shot, makers, config) for shot in shots], makers, config)

    @classmethod
    def of(cls, parts: Sequence[GoodPart], makers: Sequence[FeatureMaker], config: CifConfig) -> Detector:
        """The same from good parts that were looked at before: features are what takes time."""
        if config.shot_order == "content":
            parts = sorted(parts, key=lambda part: part.seen.content)
        bank = fill([part.seen for part in parts], config)
        good = _from_outside(parts, bank)
        units = units_of([one for own in good for one in own], bank)
        scores = tuple(tuple(_scored(found, units, config)[0] for _, found in own) for own in good)
        return cls(makers, bank, units, Calibration(scores=scores))

    def add_shot(self, sample: Sample) -> None:
        """One more good part into the bank; nothing is fitted anew. Its scores before that join the calibration."""
        part = good_part(sample, self.makers, self.config)
        fresh = [_scored(examine(self.bank, seen), self.units, self.config)[0] for seen in (part.seen, *part.copies)]
        self.bank = grown(self.bank, part.seen)
        self.units = self.units.grown(self.bank)
        self.calibration = self.calibration.joined(fresh)

    def see(self, sample: Sample) -> Seen:
        """Look at a sample; `judge` says what is wrong with it."""
        return see(sample, self.makers, self.config)

    def score(self, sample: Sample) -> Finding:
        """What is wrong with one part. Raises InputError where it cannot be judged."""
        return self.judge(self.see(sample))

    def judge(self, seen: Seen) -> Finding:
        """What is wrong with a part that was looked at before."""
        found = examine(self.bank, seen)
        score, heat = _scored(found, self.units, self.config)
        chance = self.calibration.false_alarm(score)
        return Finding(
            name=seen.name, score=score, false_alarm=chance, defective=chance < self.config.false_alarms,
            heat=resized(heat, *seen.size), views=self.units.apply(found),
        )  # fmt: skip


def good_part(sample: Sample, makers: Sequence[FeatureMaker], config: CifConfig) -> GoodPart:
    """Look at a good part and at its altered copies."""
    copies = []
    for number in range(config.augmentations):
        copy, within = varied(sample, number, config)
        copies.append(see(copy, makers, config, within))
    return GoodPart(seen=see(sample, makers, config), copies=tuple(copies))


def _from_outside(parts: Sequence[GoodPart], bank: Bank) -> list[list[tuple[Seen, dict[str, Found]]]]:
    """What good parts look like to a bank that they are not in: that of other shots, or, of one, its copies."""
    if len(parts) == 1:
        return [[(copy, examine(bank, copy)) for copy in parts[0].copies]]
    found = []
    folds = min(len(parts), FOLDS)
    for fold in range(folds):
        others = fill([part.seen for number, part in enumerate(parts) if number % folds != fold], bank.config)
        for part in parts[fold::folds]:
            found.append([(seen, examine(others, seen)) for seen in (part.seen, *part.copies)])
    return found


def _scored(found: Mapping[str, Found], units: Units, config: CifConfig) -> tuple[float, np.ndarray]:
    heat = heat_map(found, units, config)
    score = part_score(found, heat, config)
    if not np.isfinite(score):
        raise InputError("the score is not a finite number; colour or depth is damaged")
    return score, heat
