"""Which scenes are drawn behind faces, stated and checked before anything is: UsageError names what cannot be."""

from __future__ import annotations

from dataclasses import dataclass

from mimica.data.actor_settings import LARGEST, SMALLEST
from mimica.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenesSettings:
    """Which scenes stand behind the faces."""

    size: int = 48
    """Side of the pictures in pixels, 16 to 512: that of the encoder."""
    polarity_agrees: float = 0.8
    """Share of clips before a scene of the polarity of their label, 0 to 1; a third is by chance."""
    seed: int = 0
    """What the scenes depend on."""

    def __post_init__(self) -> None:
        require(
            (SMALLEST <= self.size <= LARGEST, f"size must be {SMALLEST} to {LARGEST} pixels, got {self.size}"),
            (0 <= self.polarity_agrees <= 1, f"polarity-agrees must be from 0 to 1, got {self.polarity_agrees:g}"),
            (0 <= self.seed < 2**32, f"seed must be from 0 to {2**32 - 1}, got {self.seed}"),
        )
