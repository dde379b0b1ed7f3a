"""What clips shall show: a still, a plan as unit curves, a class, who is seen. N targets, T frames, A units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mimica.errors import UsageError

LEAST_PLANNED = 0.05
"""A unit that stays below this throughout a clip is not planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """N clips to be made: stills [N, 3, H, W] in 0 to 1, plans [N, T, A] in 0 to 1, labels [N], who is seen."""

    images: Tensor
    curves: Tensor
    labels: Tensor
    people: tuple[str, ...]
    prompts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.curves), len(self.labels), len(self.people)}
        if len(lengths | ({len(self.prompts)} if self.prompts is not None else set())) > 1 or self.curves.ndim != 3:
            raise UsageError(
                f"targets need a still, a plan [T, A], a label and a person each; got {len(self.images)} stills, plans "
                f"{list(self.curves.shape)}, {len(self.labels)} labels, {len(self.people)} people"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, places: Sequence[int]) -> Targets:
        """The targets at these places, in this order; one may be taken more than once."""
        index = list(places)
        return Targets(
            images=self.images[index], curves=self.curves[index], labels=self.labels[index],
            people=tuple(self.people[i] for i in index),
            prompts=None if self.prompts is None else tuple(self.prompts[i] for i in index),
        )  # fmt: skip

    @property
    def planned(self) -> Tensor:
        """Which units each plan moves, bool [N, A]; none for neutral."""
        return planned(self.curves)


def planned(curves: Tensor) -> Tensor:
    """Which units plans [B, T, A] move, bool [B, A]."""
    return curves.amax(1) > LEAST_PLANNED
