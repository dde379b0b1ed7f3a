"""Whether a prompt says what its plan says: the same verdict for the same words, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from mimica.facs import EVERY_UNIT
from mimica.generation.alignment import Alignment
from mimica.generation.lexicon import demographics, other_classes, units_in
from mimica.generation.plan import Plan
from mimica.generation.template import Prompt, named_spans, tokens

NEAR = 0.6
"""The least Jaccard index of the units that a prompt names and those of its plan."""
FOREIGN = -1.0
"""Below this lift a unit that is not planned speaks against the class, and may not be named."""
_SEEN = {unit.number for unit in EVERY_UNIT.values() if unit.region not in ("head", "gaze")} - {45, 46}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with a prompt, a sentence each (nothing if it passes), the units it names, how near they are."""

    wrong: tuple[str, ...]
    units: frozenset[int]
    jaccard: float

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong


def jaccard(one: Collection[int], other: Collection[int]) -> float:
    """How much two sets have in common, 0 to 1; two that are empty have all.

    >>> jaccard({6, 12}, {6, 12, 25})
    0.6666666666666666
    """
    union = {*one, *other}
    return len({*one} & {*other}) / len(union) if union else 1.0


def verify(prompt: Prompt, plan: Plan, known: Alignment, *, tokens_at_most: int = 512) -> Verdict:
    """Whether a prompt names the core of its class, little beside its plan, no other class, no age, race or gender.

    Head, gaze, blinks and winks are free. Numbers come from the plan, so that a prompt with digits does not pass.
    """
    planned = frozenset(plan.strengths)
    named = frozenset(units_in(prompt.face(), planned=planned)) & _SEEN
    near = jaccard(named, planned)
    text = prompt.text()
    checks = (
        _missing({*known.core(plan.label)} & planned, named),
        f"it says too little of the plan or too much beside it (agreement {near:.2f}, at least {NEAR} is needed); the "
        f"plan has {_looks(planned)}" if near < NEAR else "",
        _foreign(named - planned, plan.label, known),
        _listed("it names another expression", other_classes(f"{prompt.summary} {text}", plan.label)),
        _listed("it says of which age, race or gender someone is", demographics(f"{prompt.summary} {text}")),
        _listed("it gives numbers, which the plan gives", re.findall(r"\d+", f"{prompt.summary} {text}")),
        f"it has {tokens(text)} tokens, at most {tokens_at_most} are read" if tokens(text) > tokens_at_most else "",
        "its parts are not the plan's" if [(s.name, s.frames) for s in prompt.spans] != named_spans(plan) else "",
        "" if all(any(s.regions.values()) for s in prompt.spans) else "one of its parts says nothing",
    )  # fmt: skip
    return Verdict(wrong=tuple(check for check in checks if check), units=named, jaccard=near)


def _missing(core: Collection[int], named: Collection[int]) -> str:
    return f"it does not say that {_looks(lacking)}" if (lacking := {*core} - {*named}) else ""


def _foreign(beside: Collection[int], label: str, known: Alignment) -> str:
    lift = dict(zip(known.units, known.lift[known.index(label)], strict=True))
    against = [unit for unit in beside if lift.get(unit, 0.0) < FOREIGN]
    return f"it says that {_looks(against)}, which speaks against {label}" if against else ""


def _looks(units: Collection[int]) -> str:
    return " and ".join(EVERY_UNIT[unit].look for unit in sorted(units)) or "a face at rest"


def _listed(what: str, words: Collection[str]) -> str:
    return f"{what}: {', '.join(dict.fromkeys(words))}" if words else ""
