"""How to train a sight, stated and checked before anything is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from mimica.errors import UsageError, require

Which = Literal["rewarding", "held-out"]
WHICH: tuple[Which, ...] = ("rewarding", "held-out")
"""The two that judge: what the one has rewarded, the other measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SightTraining:
    """How to train a sight on drawn actors: who is drawn for each epoch, and how often each clip is looked at."""

    epochs: int = 60
    """How many epochs it learns."""
    people: int = 64
    """How many people an epoch has, drawn anew for each."""
    clips: int = 4
    """How many clips each of them is seen in."""
    frames: int = 3
    """How many frames of a clip are looked at, the apex among them."""
    again: int = 3
    """How often each clip is looked at, augmented anew each time."""
    batch: int = 16
    """How many people a batch has, two clips of each."""
    lr: float = 2e-3
    """Learning rate at its peak."""
    ema: float = 0.99
    """Decay of the average of the weights that is kept."""
    precision: str = "no"
    """How to compute: no (in full precision), bf16, or on a GPU fp16."""
    seed: int = 0
    """What all that is random depends on; the held-out one has people of its own for the same seed."""
    save_every: int = 100
    """How many steps may be lost when the run is killed."""
    tested: int = 210
    """On how many clips of other actors it is measured at the end, 7 of each."""

    def __post_init__(self) -> None:
        for name in ("epochs", "frames", "again"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        require(
            (self.tested >= 14, f"tested must be at least 14, the clips of two actors, not {self.tested}"),
            (self.clips >= 2, f"clips must be at least 2, lest nobody be seen twice, not {self.clips}"),
            (
                2 <= self.batch <= self.people,
                f"batch must be 2 to {self.people}, the people of an epoch, not {self.batch}",
            ),
        )

    def facts(self) -> dict[str, Any]:
        """The settings as a checkpoint's JSON states them."""
        return asdict(self)
