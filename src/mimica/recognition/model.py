"""A recogniser: from clips of faces to calibrated probabilities of a label space.

B clips, T frames, S side in pixels, C classes, N heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from mimica.clips import Clip, ClipBatch
from mimica.encoders.towers import VisionTower, pixels
from mimica.labels import LabelSpace
from mimica.metrics.calibration import temperature_at

_CARD = (
    "architecture",
    "encoder",
    "data",
    "calibrated_on",
    "metrics",
    "held_out",
    "limits",
    "licence",
    "date",
    "sha256",
)
"""Which facts of a checkpoint stand on its card, in this order."""


class Network(Protocol):
    """The part of a recogniser that has weights: a batch of clips in, logits [B, C] out, before calibration."""

    vision: VisionTower

    def __call__(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C]."""
        ...


class Trainable(Network, Protocol):
    """A network that the loop can train and a checkpoint can hold."""

    architecture: str
    space: LabelSpace

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every weight, those that are learned with `requires_grad`."""
        ...

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds of it, and the facts to build it anew."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The logits of a batch with the weights that they came of.

    `logits` [B, C] are those before calibration; `frames` [B, T] the pooling weights, zero where a clip
    has no frame, which sum to 1; `classes` [B, N, C] the semantic weights, each head's sum to 1, or None
    where a model has no semantic attention.
    """

    logits: Tensor
    frames: Tensor
    classes: Tensor | None


@runtime_checkable
class Explains(Protocol):
    """A network that can show what its logits came of."""

    def explained(self, batch: ClipBatch) -> Explained:
        """The logits of a batch with the weights given to its frames and to the class texts."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A network whose features can be taken out by the names of its stages."""

    def features(self, batch: ClipBatch, stages: Sequence[str]) -> dict[str, Tensor]:
        """What a batch is at the stages asked for; `feature` [B, d] is what `logits` [B, C] are made of."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """A network with what it takes to trust its output.

    `frames` is how many frames a clip has at most, `window` how many it has unless asked otherwise
    (None: as many); `mirrored` has it read each clip and its mirror image. `temperature` is what the
    logits of faces of quality 1 are divided by, its logarithm larger by `temperature_slope` times what
    others lack of it; `unsure_below` is the confidence below which a reading is called unsure. All
    three were fitted on data that was neither trained nor tested on. `facts` is the model's card as data.
    """

    name: str
    network: Network
    space: LabelSpace
    frames: int
    window: int | None = None
    mirrored: bool = False
    temperature: float = 1.0
    temperature_slope: float = 0.0
    unsure_below: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def size(self) -> int:
        """The side in pixels of the face view that it reads."""
        return self.network.vision.size

    @property
    def card(self) -> dict[str, Any]:
        """What a page says of the model: what it is, what it learned from, its figures, its terms."""
        told = {key: self.facts[key] for key in _CARD if self.facts.get(key) not in (None, {}, "")}
        return {
            "name": self.name,
            "classes": ", ".join(self.space.names),
            **told,
            "temperature": round(self.temperature, 3),
            "temperature slope": round(self.temperature_slope, 3),
            "unsure below": round(self.unsure_below, 3),
        }

    def batch(self, clips: Sequence[Clip]) -> ClipBatch:
        """Clips as one batch, padded to the longest; faces uint8 [T, S, S, 3] become normalised floats."""
        T = max(len(clip.faces) for clip in clips)
        faces = np.zeros((len(clips), T, self.size, self.size, 3), np.uint8)
        valid = np.zeros((len(clips), T), bool)
        for i, clip in enumerate(clips):
            faces[i, : len(clip.faces)] = clip.faces
            valid[i, : len(clip.faces)] = True
        face = self.network.vision.normalise(pixels(faces).to(self.device))
        return ClipBatch(face=face, valid=torch.from_numpy(valid).to(self.device))

    def logits(self, clips: Sequence[Clip]) -> Tensor:
        """Logits [B, C] of clips before calibration; where `mirrored`, the mean with those of their mirror images."""
        with torch.inference_mode():
            batch = self.batch(clips)
            found = self.network(batch)
            if self.mirrored:
                found = (found + self.network(replace(batch, face=batch.face.flip(-1)))) / 2
        return found

    def embedded(self, clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
        """The logits [B, C] of clips with the video features [B, d] that they are made of, in one pass.

        The logits stand for the features of a network that shows none.
        """
        if not isinstance(self.network, Staged):
            logits = self.logits(clips)
            return logits, logits
        with torch.inference_mode():
            batch = self.batch(clips)
            looks = [batch, replace(batch, face=batch.face.flip(-1))] if self.mirrored else [batch]
            found = [self.network.features(look, ("feature", "logits")) for look in looks]
        logits, features = (torch.stack([of[stage] for of in found]).mean(0) for stage in ("logits", "feature"))
        return logits, features

    def probabilities(self, clips: Sequence[Clip]) -> np.ndarray:
        """Calibrated probabilities [B, C] of clips, in the order of the label space."""
        quality = np.array([np.median(clip.quality) for clip in clips])
        over = torch.from_numpy(temperature_at(self.temperature, self.temperature_slope, quality))
        return (self.logits(clips).double().cpu() / over[:, None]).softmax(-1).numpy()
