"""How many clips of which classes are made next: by what lacks, what is recognised badly, and what is accepted.

C classes. Counts and recalls are of clips to train on and to validate with; a test set is never asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mimica.errors import UsageError
from mimica.generation.loop_settings import AllocationSettings

SCARCE = 30
"""A class of fewer clips than this may be given more of them."""
_TRIED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round came to: clips asked for and accepted a class, and the recall of validation after training [C]."""

    asked: tuple[int, ...]
    accepted: tuple[int, ...]
    recall: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What to make next: `clips` a class, of a round's `shares`.

    `wanted` is how many clips each class shall have, `lacking` how many of those it lacks still. `given_up` are classes
    that need real clips, as next to nothing made for them is accepted. `stop` says why nothing more is to be made.
    """

    names: tuple[str, ...]
    wanted: tuple[int, ...]
    lacking: tuple[int, ...]
    shares: tuple[float, ...]
    clips: tuple[int, ...]
    given_up: tuple[str, ...] = ()
    stop: str | None = None

    def sentences(self) -> tuple[str, ...]:
        """What to tell a user beside the numbers."""
        said = tuple(f"{name} needs real clips: next to nothing made for it is accepted" for name in self.given_up)
        return said if self.stop is None else (*said, self.stop)


def wanted(counts: Sequence[int], level: float) -> np.ndarray:
    """How many clips each class shall have [C]: n_max^(1 − q) n_c^q, at q = 0 all as many, at 1 as they are.

    >>> wanted([100, 25], 0.5).tolist()
    [100, 50]
    """
    n = np.asarray(counts, dtype=float)
    found = np.where(n > 0, n.max() ** (1 - level) * np.maximum(n, 1) ** level, 0.0)
    return np.asarray(np.round(found).astype(int))


def deficits(counts: Sequence[int], settings: AllocationSettings) -> np.ndarray:
    """How many clips each class lacks [C]: up to what it shall have, at most `most` times what it has.

    A class with no clip at all gets none: there is nothing to learn its motion from, or to check it by.
    """
    n = np.asarray(counts)
    most = np.where(n < SCARCE, settings.most_scarce, settings.most) * n
    return np.asarray(np.clip(wanted(counts, settings.level) - n, 0, np.floor(most)).astype(int))


def accept_rates(rounds: Sequence[Round], classes: int, least: float) -> np.ndarray:
    """Which share of clips made is accepted [C], of all rounds, never below `least`; 1 where none were asked for."""
    asked, accepted = np.zeros(classes), np.zeros(classes)
    for one in rounds:
        asked, accepted = asked + one.asked, accepted + one.accepted
    return np.asarray(np.where(asked > 0, np.maximum(least, accepted / np.maximum(asked, 1)), 1.0))


def shares(lacking: np.ndarray, recall: np.ndarray, rates: np.ndarray, settings: AllocationSettings) -> np.ndarray:
    """Which share of a round each class has [C]: in proportion to D (1 − recall)^γ ā^(−1/2), none above the limit.

    What is above the limit goes to the others in proportion. One class alone has all: there is no other to have it.
    A class that is recognised without fail has none, however few its clips.
    """
    weight = lacking * (1 - np.nan_to_num(recall)) ** settings.focus / np.sqrt(rates)
    if not weight.any():
        return np.zeros(len(weight))
    found = weight / weight.sum()
    limit = max(settings.limit, 1 / int((weight > 0).sum()))
    full = np.zeros(len(found), dtype=bool)
    while (found > limit + 1e-12).any():
        full |= found > limit
        rest = np.where(full, 0.0, weight)
        left = 1 - limit * full.sum()
        found = np.where(full, limit, left * rest / rest.sum() if rest.any() else 0.0)
    return np.asarray(found)


def allocate(
    names: Sequence[str],
    counts: Sequence[int],
    recall: Sequence[float],
    size: int,
    *,
    rounds: Sequence[Round] = (),
    only: Collection[str] = (),
    settings: AllocationSettings | None = None,
) -> Allocation:
    """What to make in the next round of at most `size` clips.

    `counts` [C] are real clips to train on, `recall` [C] is that of validation before any clip was made, `rounds` what
    was done so far; `only` these classes are made, all where none is named. A class whose clips are next to never
    accepted is given up; nothing is made any more where the mean recall rose in none of the last rounds.
    """
    settings, C = settings or AllocationSettings(), len(names)
    if not len(counts) == len(recall) == C or any(len(one.asked) != C or len(one.recall) != C for one in rounds):
        raise UsageError(f"give a count and a recall for each of {C} classes, got {len(counts)} and {len(recall)}")
    if size < 1 or min(counts, default=0) < 0 or not max(counts, default=0):
        raise UsageError(f"a round needs a clip or more, and counts of which one is above 0, got {size} and {counts}")
    asked = np.sum([one.asked for one in rounds], 0) if rounds else np.zeros(C, int)
    made = np.sum([one.accepted for one in rounds], 0) if rounds else np.zeros(C, int)
    lost = (asked >= _TRIED) & (made < settings.least_accepted * asked)
    lacking = np.maximum(deficits(counts, settings) - made, 0)
    if only:
        lacking = np.where([name in only for name in names], lacking, 0)
    rates = accept_rates(rounds, C, settings.least_accepted)
    now = np.asarray(rounds[-1].recall if rounds else recall, dtype=float)
    part = shares(np.where(lost, 0, lacking), now, rates, settings)
    stop = _stop([recall, *(one.recall for one in rounds)], part, settings)
    clips = np.zeros(C, int) if stop else np.minimum(_whole(part, size), np.ceil(lacking / rates).astype(int))
    return Allocation(
        names=tuple(names), wanted=tuple(wanted(counts, settings.level).tolist()), lacking=tuple(lacking.tolist()),
        shares=tuple(part.tolist()), clips=tuple(clips.tolist()), stop=stop,
        given_up=tuple(name for name, gone in zip(names, lost, strict=True) if gone),
    )  # fmt: skip


def _stop(recalls: Sequence[Sequence[float]], part: np.ndarray, settings: AllocationSettings) -> str | None:
    mean = [float(np.nanmean(np.asarray(one, dtype=float))) for one in recalls]
    if len(mean) > settings.rounds and max(mean[-settings.rounds :]) <= max(mean[: -settings.rounds]):
        return f"the mean recall of validation rose in none of the last {settings.rounds} rounds"
    if not part.any():
        return "no class lacks clips that could be made for it"
    return None


def _whole(part: np.ndarray, size: int) -> np.ndarray:
    """Whole clips by shares, to the sum of them: the largest remainders are rounded up, the first of equal ones."""
    exact = part * size
    clips = np.floor(exact + 1e-9).astype(int)
    left = round(exact.sum()) - int(clips.sum())
    clips[np.argsort(clips - exact, kind="stable")[:left]] += 1
    return np.asarray(clips)
