"""Trained judges of drawn faces: a sight as the detectors of a judge, and what is real, calibrated. N clips, T frames.

    sight = load_sight()                             # the one that rewards
    judge = judge_on(clips, targets, sight=sight)    # clips to train on, with their own curves as plans
    judge(made, wanted).total(judge.settings)

What it rewards the other measures: `load_sight(which="held-out")`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mimica.errors import UsageError
from mimica.generation.loop_settings import RewardSettings
from mimica.generation.rewards.integrity import wholeness
from mimica.generation.rewards.judge import Detectors, Judge, Sees, calibrated
from mimica.generation.rewards.sight import Sight, load_sight
from mimica.generation.targets import Targets


def detectors(sight: Sight, pools: Mapping[str, Tensor], *, found: Sees | None = None) -> Detectors:
    """A sight as what a judge judges by, with `pools` of real frames of everyone who may be seen (`pools_of`).

    Integrity is a formula (`wholeness`). A drawn face is always there, so that without `found` none is looked for.
    """
    return Detectors(
        units=sight.units, embed=sight.embed, recogniser=sight.recogniser, integrity=wholeness, found=found,
        pools=pools,
    )  # fmt: skip


def pools_of(sight: Sight, clips: Tensor, people: Sequence[str]) -> dict[str, Tensor]:
    """Features [P, D] of all frames of real clips [N, T, 3, H, W], by the person [N] who is seen in them."""
    if len(clips) != len(people):
        raise UsageError(f"pools need the person of each clip; got {len(clips)} clips and {len(people)} people")
    with torch.no_grad():
        features = sight.embed(clips)
    places: dict[str, list[int]] = {}
    for place, person in enumerate(people):
        places.setdefault(person, []).append(place)
    return {person: features[here].flatten(0, 1) for person, here in places.items()}


def judge_on(
    clips: Tensor,
    targets: Targets,
    *,
    sight: Sight | None = None,
    pools: Mapping[str, Tensor] | None = None,
    settings: RewardSettings | None = None,
) -> Judge:
    """A judge that is calibrated on real clips to train on [N, T, 3, H, W], with their own curves as plans.

    `sight` is the one that rewards where none is given. Without `pools` every second clip of each person makes them,
    and the others are calibrated on: give pools where clips of further people shall be judged.
    Raises UsageError for pools that lack someone, InputError where clips are too few, or where a reward would pay
    worthless clips as well as real ones.
    """
    sight = sight or load_sight()
    if pools is None:
        known, others = _halves(targets.people)
        pools = pools_of(sight, clips[known], [targets.people[place] for place in known])
        clips, targets = clips[others], targets.take(others)
    return calibrated(detectors(sight, pools), settings or RewardSettings(), clips, targets)


def _halves(people: Sequence[str]) -> tuple[list[int], list[int]]:
    """Places of every second clip of each person, or of the only one, and those of the others.

    Whether it is the first clip of someone changes from person to person: where all show the same classes in the same
    order, both halves then have all of them.
    """
    places: dict[str, list[int]] = {}
    for place, person in enumerate(people):
        places.setdefault(person, []).append(place)
    known, others = list[int](), list[int]()
    for number, here in enumerate(places.values()):
        first = number % 2 if len(here) > 1 else 0
        known += here[first::2]
        others += here[1 - first :: 2]
    return sorted(known), sorted(others)
