"""How faces are cut out of videos, stated and checked before anything is read: UsageError names what cannot be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mimica.errors import require

Keep = Literal["largest", "all"]
Format = Literal["jpg", "png"]

SMALLEST, LARGEST = 16, 1024
"""Sides of a view in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesSettings:
    """Which faces are kept, and how they are cut out."""

    size: int = 224
    """Side of the pictures in pixels, 16 to 1024."""
    margin: float = -0.05
    """How much wider than the box of the face a picture is, as a fraction; mimica predict looks at -0.05."""
    fps: float = 30.0
    """Frames a second at most; a source that has fewer is kept whole."""
    min_face: float | None = None
    """Smallest side in pixels of a face that is kept; by default all that mimica predict finds."""
    min_frames: int = 8
    """A person seen in fewer frames is left out; photos have one frame and are kept."""
    min_quality: float = 0.6
    """A person whose median quality, 0 to 1, is below this is left out; what lies below 0.6 is read badly."""
    keep: Keep = "largest"
    """The person whose face takes most of the pictures over time, or all."""
    scene_mask_face: bool = False
    """Black out the face in the scene beside it, for a recogniser of that option; other faces stay."""
    align: bool = True
    """Turn heads upright by the line of their eyes, without trembling; otherwise as mimica predict cuts them."""
    format: Format = "jpg"
    """jpg is small, png without loss."""

    def __post_init__(self) -> None:
        require(
            (SMALLEST <= self.size <= LARGEST, f"size must be {SMALLEST} to {LARGEST} pixels, got {self.size}"),
            (-0.9 <= self.margin <= 4, f"margin is a fraction from -0.9 to 4, got {self.margin:g}"),
            (0 < self.fps < math.inf, f"fps must be a number above 0, got {self.fps:g}"),
            (
                self.min_face is None or 12 <= self.min_face < math.inf,
                f"min-face must be 12 pixels or more, got {self.min_face}",
            ),
            (self.min_frames >= 1, f"min-frames must be 1 or more, got {self.min_frames}"),
            (0 <= self.min_quality <= 1, f"min-quality must be from 0 to 1, got {self.min_quality:g}"),
            (self.keep in ("largest", "all"), f"keep is largest or all, got {self.keep!r}"),
            (self.format in ("jpg", "png"), f"format is jpg or png, got {self.format!r}"),
        )
