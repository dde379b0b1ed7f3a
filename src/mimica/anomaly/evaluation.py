"""Figures of several categories, kept while they are measured: by category, by defect, and their mean.

Deviations are over seeds, of figures that are means over categories first where they are of several.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mimica import __version__
from mimica.anomaly.config import CifConfig
from mimica.anomaly.features.maker import FeatureMaker
from mimica.anomaly.measure import Measured, Plan, Told, measure, plain
from mimica.anomaly.scans.scan import Source
from mimica.checkpoint import put_at
from mimica.errors import UsageError
from mimica.metrics.detection import DetectionFigures

FIGURES = tuple(f.name for f in fields(DetectionFigures))
"""i_auroc, i_ap, p_auroc, p_ap, aupro30, aupro10, aupro05, aupro01."""
ABOUT = (
    "i_ of whole parts, p_ of pixels, ap average precision; aupro as MVTec 3D-AD defines it, over all scores, up to "
    "30, 10, 5 and 1 % of good pixels; masks as they are on disk; by defect against all good parts"
)

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Each figure's mean and standard deviation over seeds, nan where it cannot be told, and each `seed`'s own."""

    mean: Figures
    std: Figures
    seeds: tuple[Figures, ...]

    def facts(self) -> dict[str, Any]:
        """The means by their keys, and beside them `std` and `seeds`; null for nan."""
        return {**plain(self.mean), "std": plain(self.std), "seeds": [plain(one) for one in self.seeds]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured of a plan, by category."""

    source: str
    features: Sequence[Mapping[str, Any]]
    plan: Plan
    measured: Mapping[str, Measured]

    @property
    def wrong(self) -> tuple[str, ...]:
        """A sentence for each part that was left out."""
        return tuple(told for one in self.measured.values() for told in one.wrong)

    @property
    def defects(self) -> tuple[str, ...]:
        """Every kind of defect that was measured on."""
        return tuple(sorted({name for one in self.measured.values() for run in one.runs for name in run.defects}))

    def summary(self, variant: str, shots: int, *, category: str | None = None, defect: str | None = None) -> Summary:
        """The figures of a variant and number of shots: of all categories or one, of all defects or one."""
        seeds = []
        for seed in range(self.plan.seeds):
            found = [
                run.defects.get(defect) if defect else run.all
                for name, one in self.measured.items() if category in (None, name)
                for run in one.runs if (run.variant, run.shots, run.seed) == (variant, shots, seed)
            ]  # fmt: skip
            seeds.append({name: _mean(getattr(one, name) for one in found if one) for name in FIGURES})
        return Summary(
            mean={name: _mean(one[name] for one in seeds) for name in FIGURES},
            std={name: _std([one[name] for one in seeds]) for name in FIGURES}, seeds=tuple(seeds),
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Everything for JSON: settings, `results` by variant and number of shots, and the runs they come from."""
        results = {
            variant: {
                str(shots): {
                    "mean": self.summary(variant, shots).facts(),
                    "categories": {
                        c: {
                            **self.summary(variant, shots, category=c).facts(),
                            "defects": {
                                d: self.summary(variant, shots, category=c, defect=d).facts()
                                for d in self.defects if any(d in run.defects for run in self.measured[c].runs)
                            },
                        }
                        for c in self.measured
                    },
                    "defects": {d: self.summary(variant, shots, defect=d).facts() for d in self.defects},
                }
                for shots in self.plan.shots
            }
            for variant in self.plan.variants
        }  # fmt: skip
        return {"figures": ABOUT, "mimica": __version__, "results": results if self.measured else {}}


def evaluate(
    source: Source, makers: Sequence[FeatureMaker], plan: Plan, *, keep: Path | None = None,
    told: Told = lambda what, done, total: None, stop: Callable[[], bool] = lambda: False,
) -> Evaluation:  # fmt: skip
    """Measure a plan on every category of a source, one after the other.

    `keep` is a JSON file that is written after each category: with it the same call goes on where one was stopped.
    Raises UsageError where that file is of other settings, InputError where it cannot be written to, and what
    `measure` raises.
    """
    settings = _settings(source, makers, plan)
    measured = {} if keep is None else _kept(keep, settings)
    for category in source.categories:
        if stop():
            break
        if category in measured:
            continue
        measured[category] = measure(source, category, makers, plan, told)
        found = _evaluation(source, makers, plan, measured)
        if keep is not None:
            _keep(keep, settings, found)
    return _evaluation(source, makers, plan, measured)


def _evaluation(
    source: Source, makers: Sequence[FeatureMaker], plan: Plan, measured: Mapping[str, Measured]
) -> Evaluation:
    features = [maker.facts for maker in makers]
    return Evaluation(source=source.name, features=features, plan=plan, measured=dict(sorted(measured.items())))


def _settings(source: Source, makers: Sequence[FeatureMaker], plan: Plan) -> dict[str, Any]:
    counts = {category: len(source.chosen(category)) for category in source.categories}
    stated = {
        "source": source.name, "scans": counts, "shots": list(plan.shots), "seeds": plan.seeds,
        "features": {maker.modality: maker.facts for maker in makers},
        "variants": {name: config.facts() for name, config in plan.variants.items()},
    }  # fmt: skip
    return dict(json.loads(json.dumps(stated)))


def _kept(path: Path, settings: Mapping[str, Any]) -> dict[str, Measured]:
    """What was measured before. Raises UsageError for a file of other settings or of something else."""
    if not path.exists():
        return {}
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        before, stated = there["settings"], there["runs"]
        other = [name for name, value in settings.items() if before.get(name) != value]
        if not other:
            return {category: Measured.from_facts(category, one) for category, one in stated.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} is not what this command writes; choose another place with --json") from None
    raise UsageError(
        f"{path} holds figures of other {' and '.join(other)}; give the same again to go on with them, or choose "
        "another place with --json"
    )


def _keep(path: Path, settings: Mapping[str, Any], found: Evaluation) -> None:
    whole = {
        **found.facts(), "settings": settings, "runs": {name: one.facts() for name, one in found.measured.items()}
    }  # fmt: skip
    put_at(path, (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode(), "--json")


def nearest_of(config: CifConfig) -> CifConfig:
    """Plain nearest neighbours with all else as it is: the same features, as large a bank, the same threshold."""
    return config.changed(["memory=plain", "layers=0", "search=nearest", "node_units=false"])


def _mean(values: Iterable[float]) -> float:
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def _std(values: Sequence[float]) -> float:
    """Of a sample; nan with fewer than two."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.std(there, ddof=1)) if len(there) > 1 else float("nan")
