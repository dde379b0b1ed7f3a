"""Arms: the same recogniser on the same real clips, with or without help for scarce classes, held to one of them.

N test clips, S seeds, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mimica.data.generated import Generated
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.experiments.ablate import Split, guessed, slug
from mimica.metrics.classification import Interval, confusion, recalls, uar, war
from mimica.metrics.paired import paired_difference
from mimica.training.recipes import Training

MOST_LOST = 0.01
"""How much WAR may fall for more recall of the tail to count as help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to help scarce classes: a recipe, and generated clips where it has any."""

    name: str
    recipe: Training
    generated: Generated | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an arm came to: UAR, WAR and recall of the tail [S], recalls [S, C] with NaN for a class without clips.

    `ahead` is how far it is ahead of the reference in recall of the tail, with the 95 % interval over resampled seeds
    and people; `ahead_in_war` the same in WAR; None for the reference itself.
    """

    name: str
    uar: np.ndarray
    war: np.ndarray
    tail: np.ndarray
    recall: np.ndarray
    ahead: Interval | None
    ahead_in_war: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of all arms. `tail` are the names of the scarce classes, `stated` what it was run with."""

    classes: tuple[str, ...]
    tail: tuple[str, ...]
    reference: str
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    stated: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return {
            "classes": list(self.classes), "tail": list(self.tail), "reference": self.reference,
            "seeds": list(self.seeds), "sentence": self.sentence(),
            "arms": [
                {
                    "name": one.name, "uar": one.uar.tolist(), "war": one.war.tolist(), "tail": one.tail.tolist(),
                    "recall": [[None if np.isnan(v) else v for v in row] for row in one.recall.tolist()],
                    "ahead": one.ahead and asdict(one.ahead),
                    "ahead_in_war": one.ahead_in_war and asdict(one.ahead_in_war),
                }
                for one in self.outcomes
            ],
            **self.stated,
        }  # fmt: skip

    def sentence(self, judged: str = "full") -> str:
        """Whether an arm helps: whether it finds more of the tail than the reference without loss of WAR."""
        named = {one.name: one for one in self.outcomes}
        if missing := [name for name in (judged, self.reference) if name not in named]:
            return f"no verdict: {' and '.join(missing)} was not run"
        ours, theirs = named[judged], named[self.reference]
        gained, lost = ours.ahead, ours.ahead_in_war
        assert gained is not None
        assert lost is not None
        said = (
            f"recall of {' and '.join(self.tail)} {ours.tail.mean():.3f} against {theirs.tail.mean():.3f} with "
            f"{self.reference} ({gained.value:+.3f}, {gained.low:+.3f} to {gained.high:+.3f}), WAR "
            f"{ours.war.mean():.3f} against {theirs.war.mean():.3f}; seeds {', '.join(map(str, self.seeds))}"
        )
        if gained.low > 0 and lost.value >= -MOST_LOST:
            return f"Generated clips helped: {said}."
        if gained.high < 0:
            return f"Generated clips did harm: {said}."
        why = "at the price of WAR" if gained.low > 0 else "the interval holds 0"
        return f"It is not shown that generated clips helped, {why}: {said}."


def compare(
    arms: Sequence[Arm],
    encoder: DualEncoder,
    split: Split,
    *,
    reference: str,
    tail: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    stated: Mapping[str, Any] | None = None,
    told: Callable[[str], None] = lambda sentence: None,
) -> Comparison:
    """Train each arm with each seed, unless it lies finished in `out`, and measure all on the same test clips.

    `told` hears a sentence about each run. Raises UsageError for a tail that the data does not have, and where `out`
    holds a run with other settings.
    """
    space = split.test.space
    if reference not in [arm.name for arm in arms] or not seeds:
        raise UsageError(f"the others are held to '{reference}', so it has to be among the arms, with a seed or more")
    scarce = [space.index(name) for name in tail]
    guesses = {arm.name: _guesses(arm, encoder, split, seeds, out, told) for arm in arms}
    held = partial(_ahead, split, guesses, reference)
    outcomes = []
    for arm in arms:
        tables = [confusion(split.test.labels, one, len(space)) for one in guesses[arm.name]]
        other = arm.name != reference
        outcomes.append(Outcome(
            name=arm.name, uar=np.array([uar(one) for one in tables]), war=np.array([war(one) for one in tables]),
            tail=np.array([tail_recall(one, scarce) for one in tables]),
            recall=np.stack([recalls(one) for one in tables]),
            ahead=held(arm.name, partial(tail_recall, scarce=scarce)) if other else None,
            ahead_in_war=held(arm.name, war) if other else None,
        ))  # fmt: skip
    return Comparison(
        classes=space.names, tail=tuple(tail), reference=reference, seeds=tuple(seeds), outcomes=tuple(outcomes),
        stated=stated or {},
    )  # fmt: skip


def tail_recall(table: np.ndarray, scarce: Sequence[int]) -> float:
    """The mean recall of the scarce classes, of those that have clips in a table [C, C]; 0 where none has."""
    found = recalls(table)[list(scarce)]
    return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0


def _guesses(
    arm: Arm, encoder: DualEncoder, split: Split, seeds: Sequence[int], out: Path, told: Callable[[str], None]
) -> np.ndarray:
    """What an arm takes each test clip for [S, N]."""
    found = []
    for seed in seeds:
        recipe = replace(arm.recipe, loop=replace(arm.recipe.loop, seed=seed))
        own = replace(split, generated=arm.generated)
        found.append(guessed(recipe, encoder, own, out / slug(arm.name) / f"seed-{seed}"))
        table = confusion(split.test.labels, found[-1], len(split.test.space))
        told(f"{arm.name}, seed {seed}: UAR {uar(table):.3f}, WAR {war(table):.3f}")
    return np.stack(found)


def _ahead(
    split: Split, guesses: Mapping[str, np.ndarray], reference: str, name: str, figure: Callable[[np.ndarray], float]
) -> Interval:
    groups = split.test.groups
    own = np.array(groups if groups is not None and any(groups) else split.test.names)
    return paired_difference(
        split.test.labels, guesses[name], guesses[reference], figure, classes=len(split.test.space), groups=own
    )
