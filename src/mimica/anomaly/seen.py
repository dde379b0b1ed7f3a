"""A part as the method sees it: one feature a patch and modality, and where the part is.

N patches, C channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mimica.anomaly.config import CifConfig
from mimica.anomaly.features.maker import FeatureMaker, Modality
from mimica.anomaly.foreground import part_of, unmeasured
from mimica.anomaly.samples import Sample
from mimica.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`features` float32 [N, C] by modality; `part` bool [N]; `unmeasured` [N] shares; `within` bool [N].

    `within` is false where an altered copy of a part shows nothing that was in the picture; `size` is H and W of the
    sample in pixels.
    """

    name: str
    size: tuple[int, int]
    features: Mapping[Modality, np.ndarray]
    part: np.ndarray
    unmeasured: np.ndarray
    within: np.ndarray

    @property
    def guide(self) -> Modality:
        """The modality that the hypergraph is built on: colour where there is any."""
        return "rgb" if "rgb" in self.features else "xyz"

    @property
    def content(self) -> str:
        """What tells one part from another, whatever it is called."""
        told = hashlib.sha256()
        for modality in sorted(self.features):
            told.update(self.features[modality].tobytes())
        return told.hexdigest()


def see(sample: Sample, makers: Sequence[FeatureMaker], config: CifConfig, within: np.ndarray | None = None) -> Seen:
    """Look at one sample. Raises InputError where it has not what features are made of, UsageError for other cells."""
    inside = np.ones(config.cells**2, bool) if within is None else within
    features = {maker.modality: maker(sample) for maker in makers}
    for modality, rows in features.items():
        if len(rows) != config.cells**2:
            raise UsageError(
                f"the {modality} features have {len(rows)} patches a part, the settings {config.cells}² = "
                f"{config.cells**2}; make both with the same cells"
            )
    return Seen(
        name=sample.name, size=sample.size, features=features, part=part_of(sample, config) & inside,
        unmeasured=unmeasured(sample, config), within=inside,
    )  # fmt: skip
