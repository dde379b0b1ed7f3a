"""How well CIF finds defects, over several numbers of shots, several seeds, and variants of its choices.

Features are what takes time: every scan is looked at once for all numbers of shots, seeds and variants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.detector import Detector, GoodPart
from mimica.anomaly.features.maker import FeatureMaker
from mimica.anomaly.foreground import part_of
from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.scan import TEST, Scan, Source
from mimica.anomaly.seen import Seen, see
from mimica.anomaly.shots import by_seed, enough, good_scans
from mimica.anomaly.vary import varied
from mimica.errors import InputError, UsageError
from mimica.metrics.detection import DetectionFigures, detection_figures

Told = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured: `variants` by name, each with every number of shots and every seed from 0 to `seeds` - 1."""

    variants: Mapping[str, CifConfig]
    shots: tuple[int, ...] = (1, 2, 4)
    seeds: int = 5

    def __post_init__(self) -> None:
        if not self.shots or min(self.shots) < 1:
            raise UsageError(f"shots takes numbers of 1 or more, got {' '.join(map(str, self.shots)) or 'none'}")
        if self.seeds < 1:
            raise UsageError(f"seeds must be 1 or more, got {self.seeds}")
        grids = {(config.side, config.cells, config.seed) for config in self.variants.values()}
        if len(grids) != 1:
            raise UsageError("variants differ in side, cells or seed; features are made once for all of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Figures of one variant, number of shots and seed on a category: of `all` its test parts, and by defect."""

    variant: str
    shots: int
    seed: int
    all: DetectionFigures
    defects: Mapping[str, DetectionFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A category: every run, how many good and defective parts they were measured on, and a sentence for each part
    that could not be read or judged."""

    category: str
    runs: tuple[Run, ...]
    good: int
    defective: int
    wrong: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """The same for JSON; what cannot be told is null."""
        runs = [
            {"variant": r.variant, "shots": r.shots, "seed": r.seed, "all": plain(asdict(r.all)),
             "defects": {name: plain(asdict(figures)) for name, figures in r.defects.items()}}
            for r in self.runs
        ]  # fmt: skip
        return {"good": self.good, "defective": self.defective, "wrong": list(self.wrong), "runs": runs}

    @classmethod
    def from_facts(cls, category: str, stated: Mapping[str, Any]) -> Measured:
        """What `facts` stated."""
        runs = tuple(
            Run(
                variant=r["variant"], shots=r["shots"], seed=r["seed"], all=_figures(r["all"]),
                defects={name: _figures(figures) for name, figures in r["defects"].items()},
            )
            for r in stated["runs"]
        )  # fmt: skip
        return cls(
            category=category, runs=runs, good=stated["good"], defective=stated["defective"],
            wrong=tuple(stated["wrong"]),
        )  # fmt: skip


def plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures for JSON; null for nan."""
    return {name: None if np.isnan(value) else value for name, value in figures.items()}


def _figures(stated: Mapping[str, float | None]) -> DetectionFigures:
    return DetectionFigures(**{name: float("nan") if value is None else value for name, value in stated.items()})


Part = tuple[str, float, int]
"""Where the part is depends on these of its choices: foreground, plane_distance, fills."""


def _place(config: CifConfig) -> Part:
    return config.foreground, config.plane_distance, config.fills


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """A sample as every variant sees it; its `mask` is on its own pixels."""

    seen: Mapping[Part, Seen]
    defect: str | None = None
    mask: np.ndarray | None = None


@dataclass(slots=True, kw_only=True)
class _Looker:
    """Looks at every scan once, whatever it is needed for."""

    makers: Sequence[FeatureMaker]
    configs: Sequence[CifConfig]
    told: Callable[[], None] = lambda: None
    wrong: list[str] = field(default_factory=list)
    _shots: dict[str, tuple[_Looked, tuple[_Looked, ...]] | None] = field(default_factory=dict)

    def test(self, scan: Scan) -> _Looked | None:
        """A part to measure on; None where it cannot be read, of which `wrong` tells."""
        try:
            return self._look(scan.read())
        except InputError as error:
            self.wrong.append(str(error))
            return None
        finally:
            self.told()

    def shot(self, scan: Scan) -> tuple[_Looked, tuple[_Looked, ...]] | None:
        """A good part and its altered copies."""
        if scan.name not in self._shots:
            try:
                self._shots[scan.name] = self._good(scan.read())
            except InputError as error:
                self.wrong.append(str(error))
                self._shots[scan.name] = None
            self.told()
        return self._shots[scan.name]

    def _good(self, sample: Sample) -> tuple[_Looked, tuple[_Looked, ...]]:
        config = max(self.configs, key=lambda config: config.augmentations)
        copies = (varied(sample, number, config) for number in range(config.augmentations))
        return self._look(sample), tuple(self._look(copy, within) for copy, within in copies)

    def _look(self, sample: Sample, within: np.ndarray | None = None) -> _Looked:
        first = see(sample, self.makers, self.configs[0], within)
        places = {_place(config): config for config in self.configs}
        seen = {place: replace(first, part=part_of(sample, c) & first.within) for place, c in places.items()}
        return _Looked(seen=seen, defect=sample.defect, mask=sample.mask)


def measure(source: Source, category: str, makers: Sequence[FeatureMaker], plan: Plan, told: Told) -> Measured:
    """Every run of a plan on one category: shots of its train by seed, measured on its test.

    A scan that cannot be read or judged is left out and told of; another good part stands in for a shot. Raises
    UsageError where there are fewer good parts than shots, InputError where there is nothing to measure on.
    """
    tests = _tests(source, category)
    pool = good_scans(source, category)
    enough(source.name, category, len(pool), max(plan.shots))
    looker = _Looker(makers=makers, configs=list(plan.variants.values()))
    first = {scan.name for seed in range(plan.seeds) for scan in islice(by_seed(pool, seed), max(plan.shots))}
    counts = _Counts(told, f"looking at {category}", len(tests) + len(first))
    looker.told = counts
    seeds = [list(_shots(looker, pool, seed, max(plan.shots))) for seed in range(plan.seeds)]
    if min(map(len, seeds)) < max(plan.shots):
        raise InputError(
            f"{category}: {min(map(len, seeds))} good parts can be read, too few for {max(plan.shots)} shots; "
            f"the first that cannot: {looker.wrong[0]}"
        )
    parts = {scan.name: looked for scan in tests if (looked := looker.test(scan)) is not None}
    counts = _Counts(told, f"judging {category}", len(plan.variants) * len(plan.shots) * plan.seeds)
    runs = []
    unfit: dict[str, str] = {}
    for variant, config in plan.variants.items():
        for shots in plan.shots:
            for seed, good in enumerate(seeds):
                detector = Detector.of([_good_part(one, config) for one in good[:shots]], makers, config)
                run = _judged(detector, parts, unfit)
                runs.append(Run(variant=variant, shots=shots, seed=seed, all=run[0], defects=run[1]))
                counts()
    bad = [looked.defect not in (GOOD, None) for looked in parts.values()]
    return Measured(
        category=category, runs=tuple(runs), good=len(bad) - sum(bad), defective=sum(bad),
        wrong=(*looker.wrong, *unfit.values()),
    )  # fmt: skip


class _Counts:
    """Counts up to a total, telling of each."""

    def __init__(self, told: Told, what: str, total: int) -> None:
        self.told, self.what, self.total, self.done = told, what, total, 0

    def __call__(self) -> None:
        self.done += 1
        self.told(self.what, self.done, max(self.total, self.done))


def _tests(source: Source, category: str) -> tuple[Scan, ...]:
    found = source.chosen(category, TEST) if TEST in source.splits else ()
    if not any(scan.defect == GOOD for scan in found) or all(scan.defect in (GOOD, None) for scan in found):
        raise InputError(f"{source.name} has not both good and defective parts of {category} in test to measure on")
    return tuple(scan for scan in found if scan.defect is not None)


def _shots(looker: _Looker, pool: tuple[Scan, ...], seed: int, most: int) -> Iterator[Any]:
    """The first readable ones by seed."""
    found = 0
    for scan in by_seed(pool, seed):
        if found < most and (looked := looker.shot(scan)) is not None:
            found += 1
            yield looked


def _good_part(looked: tuple[_Looked, tuple[_Looked, ...]], config: CifConfig) -> GoodPart:
    part, copies = looked
    place = _place(config)
    return GoodPart(
        seen=part.seen[place], copies=tuple(copy.seen[place] for copy in copies[: config.augmentations])
    )  # fmt: skip


def _judged(
    detector: Detector, parts: Mapping[str, _Looked], unfit: dict[str, str]
) -> tuple[DetectionFigures, dict[str, DetectionFigures]]:
    """The figures of all test parts, and of each defect beside the good ones."""
    judged = []
    for name, looked in parts.items():
        try:
            found = detector.judge(looked.seen[_place(detector.config)])
        except InputError as error:
            unfit.setdefault(name, str(error))
            continue
        judged.append((looked.defect, found.score, looked.mask, found.heat))
    defects = sorted({str(defect) for defect, *_ in judged if defect != GOOD})
    return _of(judged), {name: _of([one for one in judged if one[0] in (GOOD, name)]) for name in defects}


def _of(judged: Sequence[tuple[str | None, float, np.ndarray | None, np.ndarray]]) -> DetectionFigures:
    masked = [(mask, heat) for _, _, mask, heat in judged if mask is not None]
    return detection_figures(
        np.array([defect != GOOD for defect, *_ in judged], bool), np.array([score for _, score, *_ in judged]),
        [mask for mask, _ in masked], [heat for _, heat in masked],
    )  # fmt: skip
