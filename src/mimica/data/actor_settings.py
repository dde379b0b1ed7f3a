"""What to draw of the actor, stated and checked before anything is drawn: UsageError names what cannot be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from mimica.errors import require

Part = Literal["train", "test"]
Proportions = Literal["equal", "dfew"]
Task = Literal["emotion", "direction", "scene"]
Rendering = Literal["formula", "ict"]

SMALLEST, LARGEST = 16, 512
"""Sides of a picture in pixels. Below, nothing of a face is left to see; above, soft shapes gain nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSettings:
    """Which synthetic clips to draw."""

    clips: int
    """How many clips; of the task direction, part test, every second one is the one before it reversed."""
    render: Rendering = "formula"
    """How: by formula, flat and plain, or ict, a face in three dimensions (extra [render], asset ict-face)."""
    size: int = 64
    """Side of the pictures in pixels, 16 to 512."""
    frames: int = 16
    """How many frames each clip has."""
    proportions: Proportions = "equal"
    """As many clips of every class, or as many as DFEW has of it."""
    task: Task = "emotion"
    """What the label says: the expression, whether one sets in (onset) or goes (offset), or what stands behind it."""
    intensity: tuple[float, float] = (0.5, 1.0)
    """How strong an expression is at its apex, the least and the most, 0 to 1; 1 is as far as the face goes."""
    blend: float = 0.0
    """Share of clips, 0 to 1, whose face shows another expression as strongly as its own; neutral is left as it is."""
    scenes: bool = False
    """Write the scene beside each face, the actor small before it; the face then stands before plain grey."""
    polarity_agrees: float = 0.8
    """Share of clips before a scene of the polarity of the expression, 0 to 1; a third is by chance."""
    part: Part = "train"
    """Whose faces and scenes: those to train on or those to test on, which share nothing."""
    seed: int = 0
    """What all that is random depends on."""

    def __post_init__(self) -> None:
        low, high = self.intensity
        require(
            (self.clips >= 1, f"clips must be 1 or more, got {self.clips}"),
            (SMALLEST <= self.size <= LARGEST, f"size must be {SMALLEST} to {LARGEST} pixels, got {self.size}"),
            (self.frames >= 1, f"frames must be 1 or more, got {self.frames}"),
            (
                0 <= low <= high <= 1 and high > 0,
                f"intensity is two numbers from 0 to 1, the lower one first and not both 0, got {low:g} {high:g}",
            ),
            (0 <= self.blend <= 1, f"blend must be from 0 to 1, got {self.blend:g}"),
            (
                self.task == "emotion" or not self.blend,
                "a blend is of expressions that are the label; leave out blend, or take the task emotion",
            ),
            (
                self.task != "scene" or not self.scenes,
                "the pictures of the task scene are scenes themselves; leave out scenes",
            ),
            (
                self.render == "formula" or (not self.blend and not self.scenes and self.task != "scene"),
                "blends and scenes beside the face are drawn by formula alone; leave out render",
            ),
            (0 <= self.polarity_agrees <= 1, f"polarity-agrees must be from 0 to 1, got {self.polarity_agrees:g}"),
            (0 <= self.seed < 2**32, f"seed must be from 0 to {2**32 - 1}, got {self.seed}"),
            (
                self.task != "direction" or self.frames > 1,
                "a direction needs two frames or more; ask for more frames or for the task emotion",
            ),
            (
                self.task == "emotion" or self.proportions == "equal",
                f"the proportions of DFEW are those of expressions; the task {self.task} has them equal",
            ),
            (
                not self.paired or self.clips % 2 == 0,
                f"clips must be even, as each clip to test direction on comes with its reversal, got {self.clips}",
            ),
        )

    @property
    def paired(self) -> bool:
        """Whether each clip is followed by its exact reversal."""
        return self.task == "direction" and self.part == "test"

    def drawing(self) -> dict[str, Any]:
        """All that decides how a clip looks, as `clips` of `mimica.data.actor` and `.render` take it."""
        how = {name: value for name, value in asdict(self).items() if name not in ("clips", "render")}
        # A rendered face has none of these two, and its pictures depend on nothing that it does not have.
        return how if self.render == "formula" else {k: v for k, v in how.items() if k not in ("blend", "scenes")}
