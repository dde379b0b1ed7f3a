"""Action Units by the blendshapes of MediaPipe's face landmarker, which have the names of ARKit's.

The map from blendshape to unit is `facs.Unit.arkit`, which is py-feat's (docs/pages/au_reference.md); of the left and
the right shape the stronger counts. No shape measures one unit alone: 23 and 24 come of the same shape, so do 25 and
26, and their columns are equal.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mimica import assets
from mimica.errors import AssetError, MissingExtra
from mimica.facs import UNITS
from mimica.units.detect import ORDER, unseen

ASSET = "face-landmarker"

DEAD = ("cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight")
"""Blendshapes that this landmarker names and hardly ever moves: their units count as unseen."""

_LIMITS = (
    "blendshapes follow the mesh of the face and are no Action Units; 6 and 9 are not seen; "
    "23 equals 24 and 25 equals 26, as each two come of one shape; not measured here against coded units"
)

CARD = MappingProxyType(
    {"name": "blendshapes", "what": "MediaPipe's face landmarker", "limits": _LIMITS, "licence": "Apache-2.0"}
)
"""What this detector says of itself."""


class Blendshapes:
    """Reads units off the blendshapes of MediaPipe's face landmarker (extra `[units]`, asset `face-landmarker`)."""

    name = "blendshapes"
    size, margin = 192, 0.25
    units = tuple(unit for unit in ORDER if not set(UNITS[unit].arkit) <= set(DEAD))
    card: Mapping[str, Any] = CARD

    def __init__(self) -> None:
        self._landmarker = _landmarker()

    def strengths(self, faces: np.ndarray) -> np.ndarray:
        """Strengths [N, U] of faces uint8 [N, S, S, 3]; all NaN where the landmarker finds no face."""
        import mediapipe as mp

        found = unseen(len(faces))
        for i, face in enumerate(faces):
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(face))
            shapes = self._landmarker.detect(image).face_blendshapes
            if shapes:
                found[i] = from_blendshapes({shape.category_name: shape.score for shape in shapes[0]})
        return found


def from_blendshapes(scores: Mapping[str, float]) -> np.ndarray:
    """Strengths [U] by the scores of blendshapes, each the largest of its unit's own; NaN without any of those.

    >>> found = from_blendshapes({"mouthSmileLeft": 0.2, "mouthSmileRight": 0.6})
    >>> [round(float(found[ORDER.index(unit)]), 2) for unit in (12, 15)]
    [0.6, nan]
    """
    found: np.ndarray = unseen(1)[0]
    for place, unit in enumerate(ORDER):
        own = [scores[shape] for shape in UNITS[unit].arkit if shape in scores and shape not in DEAD]
        if own:
            found[place] = min(max(*own, 0.0), 1.0)
    return found


def _landmarker() -> Any:
    try:
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions
    except ImportError:
        raise MissingExtra("mediapipe", "units") from None
    file = assets.file(ASSET)
    options = FaceLandmarkerOptions(
        # Read here: the library opens no file whose path has letters beyond ASCII on every system.
        base_options=BaseOptions(model_asset_buffer=file.read_bytes()), output_face_blendshapes=True, num_faces=1,
    )  # fmt: skip
    try:
        landmarker = FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError, OSError) as error:
        why = str(error).splitlines()[0]
        raise AssetError(f"mediapipe does not open {file}: {why}; mimica assets check {ASSET}") from None
    # At the end of the interpreter the library's threads have gone before it closes, and it would end in a traceback.
    atexit.register(setattr, landmarker, "_handle", None)
    return landmarker
