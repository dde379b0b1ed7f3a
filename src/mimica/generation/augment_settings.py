"""What the augmentation loop is to do, stated and checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass

from mimica.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """How much the loop makes, and of what it begins."""

    rounds: int = 3
    """How many rounds at most: after each it is measured what lacks still."""
    size: int = 60
    """How many clips a round has at most."""
    frames: int = 9
    """How many frames a clip has, at 8 a second; the nearest number that the generator can make is taken."""
    batch: int = 8
    """How many clips are made at once; fewer take less memory."""
    hold: float = 0.15
    """Share of the people of train that are held out to validate with, where the data has no part for that."""

    def __post_init__(self) -> None:
        require(
            (self.rounds >= 1, f"rounds must be 1 or more, got {self.rounds}"),
            (self.size >= 1, f"size must be 1 or more, got {self.size}"),
            (self.frames >= 4, f"frames must be 4 or more, got {self.frames}"),
            (self.batch >= 1, f"batch must be 1 or more, got {self.batch}"),
            (0 < self.hold < 0.5, f"hold must be above 0 and below 0.5, got {self.hold:g}"),
        )
