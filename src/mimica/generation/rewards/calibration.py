"""Rewards brought to one scale, 0 to 1, by real clips and by worthless ones. B clips.

Worthless clips score 0 and the median real clip 0.7. The 5th and 95th percentile of real clips would be the other
choice; a generator that is not yet as good as the worst of them would then have nothing to climb, and what a frozen
picture is paid would be left to chance. What a reward takes for worthless is what would be easiest to make for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from torch import Tensor

from mimica.errors import InputError

REAL = 0.7
"""What the median real clip is rewarded with."""
LARGEST_HINGE = 0.95
"""The likeness to a person above which no more is ever paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """A reward's scale: what is worth 0, and what the median real clip has, which is worth 0.7."""

    worthless: float
    real: float

    def __call__(self, raw: Tensor) -> Tensor:
        """Rewards [B] on the scale, held to 0 to 1."""
        return (REAL * (raw - self.worthless) / (self.real - self.worthless)).clamp(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What real clips say of rewards.

    `scales` by the name of the reward; `jerk`, `speed`, `spread` of real motion (`terms.naturalness`); `hinge` the
    likeness above which nothing more is paid; `least_motion` the share of planned motion below which a clip is frozen.
    """

    scales: Mapping[str, Affine]
    jerk: float
    speed: tuple[float, float]
    spread: float
    hinge: float
    least_motion: float

    def facts(self) -> dict[str, Any]:
        """The calibration as JSON; see `from_facts`."""
        return asdict(self)

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The calibration that JSON states. Raises InputError where it states none."""
        try:
            scales = {
                str(name): Affine(worthless=float(one["worthless"]), real=float(one["real"]))
                for name, one in stated["scales"].items()
            }
            first, second = stated["speed"]
            numbers = {name: float(stated[name]) for name in ("jerk", "spread", "hinge", "least_motion")}
            return cls(scales=scales, speed=(float(first), float(second)), **numbers)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError("this is no calibration of rewards") from None
