"""What a face detector is, and which there are by name.

A detector is anything with `detect`. `load_detector` finds one by name; further ones join by a line in
`_LOADERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np

from mimica.clips import Face
from mimica.errors import unknown


class Detector(Protocol):
    """Finds faces in pictures."""

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of each picture, best score first.

        Pictures are uint8 [H, W, 3] RGB, all of one size within a call. Boxes may extend past the
        frame, as a face at its edge does. What is found does not depend on how the pictures are
        split over calls.
        """
        ...


@runtime_checkable
class Refiner(Detector, Protocol):
    """A detector that can also follow a known face to its exact place, far cheaper than finding it."""

    def refine(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[list[Face | None]]:
        """The faces near known boxes, in their order; None where there is no face any more.

        `boxes` holds one array [N, 4] for each picture: where each face was a moment ago.
        """
        ...


class WholeFrame:
    """Takes each whole picture for one face: for pictures that were cut to a face beforehand."""

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """One face a picture, as large as the picture, score 1, without landmarks."""
        return [[Face(box=np.array([0.0, 0.0, image.shape[1], image.shape[0]]), score=1.0)] for image in images]


def load_detector(name: str = "mtcnn", *, min_face: float | None = None, device: str = "cpu") -> Detector:
    """The detector of that name: `mtcnn`, or `none` for `WholeFrame`.

    `min_face` is the side in pixels of the smallest face looked for, None what suits the picture; time
    grows with its inverse square. Raises UsageError for an unknown name, AssetError where its weights are not there.
    """
    if name not in DETECTORS:
        raise unknown("face detector", name, DETECTORS)
    return DETECTORS[name](min_face, device)


def _mtcnn(min_face: float | None, device: str) -> Detector:
    from mimica.faces.mtcnn import Mtcnn

    return Mtcnn(min_face=min_face, device=device)


DETECTORS: Mapping[str, Callable[[float | None, str], Detector]] = MappingProxyType(
    {"mtcnn": _mtcnn, "none": lambda min_face, device: WholeFrame()}
)
"""Every face detector by name: what makes it from the smallest face in pixels and the device."""
