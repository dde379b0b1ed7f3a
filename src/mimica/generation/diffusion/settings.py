"""How to train the tiny generator and how to generate with any, stated and checked before anything is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mimica.errors import UsageError
from mimica.generation.settings import GuidanceSettings, SamplingSettings

Backend = Literal["tiny", "wan", "ltx", "cogvideox"]

SUITS: dict[Backend, tuple[int, float, float]] = {
    "tiny": (4, 2.5, 0.5), "wan": (40, 5.0, 1.0), "ltx": (40, 3.0, 1.0), "cogvideox": (50, 6.0, 1.0)
}  # fmt: skip
"""Steps, guidance and temperature of each generator: of the large ones what their authors give, of ours measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyTraining:
    """How to train the tiny generator: first its rig, then its flow."""

    rig_epochs: int = 10
    """How many epochs the rig learns, which guesses what each unit does to a face."""
    epochs: int = 60
    """How many epochs the flow learns."""
    fresh: int = 64
    """How many clips an epoch has, drawn anew for each where no data is given."""
    again: int = 8
    """How often each of them is seen."""
    batch: int = 8
    """How many clips of as many frames as the first epoch's a batch has; of longer ones as many fewer."""
    frames: tuple[int, ...] = (9, 9, 13, 17)
    """How many frames the clips of one epoch, the next, and so on have, 9 to 17."""
    lr: float = 1e-3
    """The learning rate of the flow at its peak; the rig's is twice as high."""
    drop: float = 0.12
    """Share of the clips from which the still is kept, and of those from which the plan is, 0.1 to 0.15 is usual."""
    ema: float = 0.995
    """Decay of the average of the weights that is kept."""
    precision: str = "no"
    """How to compute: no (in full precision), bf16, or on a GPU fp16."""
    seed: int = 0
    """What all that is random depends on."""
    save_every: int = 50
    """How many steps may be lost when the run is killed."""

    def __post_init__(self) -> None:
        for name in ("rig_epochs", "epochs", "fresh", "again", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        if self.fresh * self.again < self.batch:
            raise UsageError(
                f"an epoch of {self.fresh} clips, each seen {self.again} times, fills no batch of {self.batch}"
            )
        if not self.frames or any(not 9 <= frames <= 17 for frames in self.frames):
            raise UsageError(f"the tiny generator makes 9 to 17 frames, got {' '.join(map(str, self.frames))}")
        if not 0 <= self.drop < 1:
            raise UsageError(f"drop must be from 0 to below 1, got {self.drop:g}")

    def facts(self) -> dict[str, Any]:
        """The settings as a checkpoint's JSON states them."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How clips are made from noise."""

    backend: Backend = "tiny"
    """The generator: tiny, a preview of 48 pixels on a CPU, or wan, ltx, cogvideox (extra [generate], a GPU)."""
    model: str | None = None
    """Its weights: for tiny the file that mimica augment train wrote, for the others a folder or a name on the hub."""
    adapter: Path | None = None
    """What mimica augment tune wrote for it, adapter.safetensors; none where it is used as it was trained."""
    steps: int | None = None
    """How many steps from noise to a clip; what suits the generator where none is given."""
    guidance: float | None = None
    """How much the plan counts beyond what it was learned to; 1 for no more, None for what suits the generator."""
    seed: int = 0
    """What all that is random depends on."""

    def __post_init__(self) -> None:
        _, guidance = self.how
        if guidance.weight > 20:
            raise UsageError(f"guidance must be 0 to 20, got {guidance.weight:g}")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"seed must be from 0 to {2**32 - 1}, got {self.seed}")

    @property
    def how(self) -> tuple[SamplingSettings, GuidanceSettings]:
        """Steps and guidance, as given or as suits the generator. Raises UsageError."""
        steps, weight, temperature = SUITS[self.backend]
        return (
            SamplingSettings(steps=steps if self.steps is None else self.steps, temperature=temperature),
            GuidanceSettings(weight=weight if self.guidance is None else self.guidance),
        )
