"""How coders are compared. Every field is a flag of `mimica agree` and a keyword of `agreement`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mimica.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSettings:
    """Who is compared with whom, what words mean, and how finely time is cut."""

    tier: str | None = None
    """The tier, or person of a table, to compare; otherwise those named person 0, person 1 ..., or the only one."""
    person: tuple[str, ...] = ()
    """Who is who: 0=mother says that person 0 of OTHER is the tier mother; 0=mother 4=mother that 4 is her too."""
    labels: tuple[str, ...] = ()
    """What words mean: happy=happiness; nonsense= leaves a word out. Or a file of two columns, word and class."""
    step: float = 0.1
    """Seconds from one compared moment to the next."""
    block: float | None = None
    """Seconds that are drawn together for intervals; by default 10, or the mean annotation where that is longer."""
    all: bool = False
    """Compare readings of status unsure and low_quality too, by their label."""
    seed: int = 0
    """What the drawing for intervals depends on."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.step < math.inf:
            raise UsageError(f"step must be 0.001 seconds or more, got {self.step}")
        if self.block is not None and not self.step <= self.block < math.inf:
            raise UsageError(f"block must be at least the step of {self.step} seconds, got {self.block}")
