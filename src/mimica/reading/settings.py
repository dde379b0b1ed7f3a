"""How a video is read. Every field is a flag of `mimica predict` and a keyword of `mimica.read`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mimica.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to read: which frames, which windows, whose faces, and when to say `unsure`."""

    faces: Literal["detect", "none"] = "detect"
    """Find faces, or take each picture as one face that is already cropped."""
    fps: float = 8.0
    """Frames a second that are looked at; the rest are passed over, true times stay."""
    window: int | None = None
    """Frames in a window, what one reading is about; the model's own number where not given."""
    stride: int | None = None
    """Frames from the start of a window to the start of the next; half a window where not given."""
    smooth: float = 0.0
    """Seconds over which a person's probabilities are averaged causally; 0 leaves them raw."""
    min_face: float | None = None
    """Smallest side in pixels of a face that is looked for; by default a fifteenth of the picture, at least 20."""
    unsure_below: float | None = None
    """Confidence below which a reading is unsure; the model's own fitted threshold where not given."""
    frame_rate: float = 25.0
    """Frames a second of a folder of pictures, which has no clock of its own."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:1, mps."""

    def __post_init__(self) -> None:
        for name in ("fps", "window", "stride", "min_face", "frame_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} must be a number above 0, got {value}")
        if not 0 <= self.smooth < math.inf:
            raise UsageError(f"smooth must be 0 or more seconds, got {self.smooth}")
        if self.unsure_below is not None and not 0 <= self.unsure_below <= 1:
            raise UsageError(f"unsure_below is a confidence from 0 to 1, got {self.unsure_below}")
        if self.faces not in ("detect", "none"):
            raise UsageError(f"faces is detect or none, got {self.faces!r}")
