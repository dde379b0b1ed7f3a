"""What a detector of Action Units is.

N faces, S side of a face view in pixels, U units in the order of `facs.UNITS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from mimica.facs import UNITS

ORDER = tuple(UNITS)
"""The units of every array of strengths, in their order, by FACS number."""


class UnitDetector(Protocol):
    """Says how strong each Action Unit looks in a face.

    `units` are those that it sees, by FACS number. `size` is the side in pixels of the face view that it looks at, and
    `margin` how far that reaches beyond the face's box (`faces.crop.square`). `card` says what it is, what it learned
    from and its limits.
    """

    name: str
    units: tuple[int, ...]
    size: int
    margin: float

    @property
    def card(self) -> Mapping[str, Any]:
        """What the detector says of itself."""
        ...

    def strengths(self, faces: np.ndarray) -> np.ndarray:
        """How strong units look in faces uint8 [N, S, S, 3], each for itself: float32 [N, U], 0 to 1.

        A unit that it does not see is NaN throughout, and all of a face that it can make nothing of.
        """
        ...


def unseen(faces: int) -> np.ndarray:
    """Strengths [N, U] of which none is known."""
    return np.full((faces, len(ORDER)), np.nan, np.float32)
