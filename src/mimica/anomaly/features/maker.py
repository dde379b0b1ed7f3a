"""What makes features of a part, and the list of those that do.

N patches row by row, C channels. Every maker takes one part at a time, so that nothing depends on the batch.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from mimica.anomaly.samples import Sample
from mimica.errors import InputError, UsageError, unknown

Modality = Literal["rgb", "xyz"]

NONE = "none"
"""The word for a modality that is left out."""


class FeatureMaker(Protocol):
    """From a sample to one feature a patch; the same sample always makes the same bytes at one number of threads."""

    modality: Modality

    @property
    def facts(self) -> dict[str, Any]:
        """All that features depend on: the maker's `name`, its options, the sha256 of its weights if it has any."""
        ...

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, C]. Raises InputError where the sample has not what they are made of."""
        ...


RGB = ("colour", "mobilenet", "dinov2s", "dino")
XYZ = ("normals", "fpfh", "pointmae")

_PLACES = {"colour": "colour:Colour", "mobilenet": "mobilenet:MobileNet", "dinov2s": "dino:DinoV2", "dino": "dino:Dino",
           "normals": "normals:Normals", "fpfh": "fpfh:Fpfh", "pointmae": "pointmae:PointMae"}  # fmt: skip
_OPTIONS = {"pointmae": ("bn_stats", "unit_cloud", "groups")}
_WITH_WEIGHTS = ("dinov2s", "dino", "pointmae")


def make(
    rgb: str = NONE, xyz: str = NONE, *, rgb_weights: Path | None = None, xyz_weights: Path | None = None,
    side: int = 224, cells: int = 28, **options: Any,
) -> list[FeatureMaker]:  # fmt: skip
    """The makers of those names, colour's before depth's; `none` leaves a modality out.

    `dinov2s`, `dino` and `pointmae` need `weights`, a file or folder of one's own. What else is named is an option
    of the maker that has it (`bn_stats`). Raises UsageError for an unknown name, and where both are left out.
    """
    known = _OPTIONS.get(xyz, ())
    for option in options:
        if option not in known:
            raise unknown("option of these features", option, known or ["none"])
    found: list[FeatureMaker] = []
    for modality, name, weights, names in (("rgb", rgb, rgb_weights, RGB), ("xyz", xyz, xyz_weights, XYZ)):
        if name == NONE:
            continue
        if name not in names:
            raise unknown(f"{modality} features", name, (*names, NONE))
        if (weights is None) == (name in _WITH_WEIGHTS):
            needs = "needs weights, a path of your own" if weights is None else "has no weights to choose"
            raise UsageError(f"{name} {needs}: {modality}_weights")
        module, _, maker = _PLACES[name].partition(":")
        kind = getattr(import_module(f"mimica.anomaly.features.{module}"), maker)
        given = {"weights": weights} if weights is not None else {}
        found.append(kind(side=side, cells=cells, **given, **(options if name in _OPTIONS else {})))
    if not found:
        raise UsageError("both modalities are left out; choose features of colour, of depth, or of both")
    return found


def colour_of(sample: Sample) -> np.ndarray:
    """The colour [H, W, 3] of a sample. Raises InputError where it has none."""
    if sample.rgb is None:
        raise InputError(f"{sample.name} has no colour, which these features are made of; leave rgb features out")
    return sample.rgb


def points_of(sample: Sample) -> np.ndarray:
    """The points [H, W, 3] of a sample. Raises InputError where it has none, or not one was measured."""
    if sample.xyz is None:
        raise InputError(f"{sample.name} has no depth, which these features are made of; leave xyz features out")
    if not sample.measured.any():
        raise InputError(f"{sample.name} has depth in which not one point was measured; look at the sensor's file")
    return sample.xyz
