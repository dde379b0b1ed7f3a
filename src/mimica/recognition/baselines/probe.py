"""The linear probe: one linear layer on the mean of a frozen encoder's frame features.

B clips, T frames, C classes, d joint dimension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.checkpoint import fill
from mimica.clips import ClipBatch
from mimica.encoders.towers import OnTowers, VisionTower, freeze, spread
from mimica.labels import LabelSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    """A linear probe has nothing to choose."""

    def facts(self) -> dict[str, Any]:
        """The choices as a checkpoint's JSON states them: none."""
        return {}


class Probe(OnTowers):
    """Logits by one linear layer over the mean of a clip's frames (arXiv 2103.00020, 3.2).

    The mean is brought to unit length and then multiplied by the encoder's own scale, so that it
    learns at the rates that suit the other methods' logits.
    """

    architecture = "linear-probe"

    def __init__(self, vision: VisionTower, space: LabelSpace, *, log_scale: float) -> None:
        super().__init__()
        self.vision, self.space, self.log_scale = vision, space, log_scale
        self.freeze_towers()
        self.classify = nn.Linear(vision.dim, len(space))
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)

    def forward(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C] in full precision."""
        with torch.no_grad():  # nothing below the layer learns
            frames = spread(self.vision(batch.face[batch.valid]), batch.valid).float()
        # At unit length the sum of a clip's frames is their mean.
        mean = F.normalize(frames.sum(1), dim=-1)
        with torch.autocast(mean.device.type, enabled=False):  # which would have the product in half precision
            logits: Tensor = self.classify(mean * math.exp(self.log_scale))
        return logits

    def freeze(self) -> Probe:
        """The same, without gradients."""
        freeze(self)
        return self

    def learned(self) -> dict[str, Tensor]:
        """What training changes: the linear layer."""
        return {name: t for name, t in self.state_dict().items() if name.startswith("classify.")}

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds of it, and the facts to build it anew."""
        return self.learned(), {"config": {}, "log_scale": self.log_scale}

    @classmethod
    def restored(
        cls, vision: VisionTower, space: LabelSpace, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], where: str
    ) -> Probe:
        """A frozen one of what `saved` gave. Raises CheckpointError where tensors are missing or do not fit."""
        probe = cls(vision, space, log_scale=facts["log_scale"]).freeze()
        fill(probe, tensors, where, leave="vision")
        return probe
