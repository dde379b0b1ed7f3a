"""What the teachers of the compact encoder have in common: small grey faces enlarged, looked at, pooled and projected.

N pictures, S side in pixels, d joint dimension. A teacher takes no prompts and never ships.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.encoders.compact import standard_greys


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherConfig:
    """The shape of a teacher: the side of its faces in pixels, the side they are enlarged to, its joint dimension.

    `dropout` is the share of the pooled features that is left out in training.
    """

    size: int = 48
    enlarged: int = 96
    dropout: float = 0.2
    dim: int = 256

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The config that a checkpoint's JSON states."""
        return cls(**facts)

    def facts(self) -> dict[str, Any]:
        """The config as a checkpoint's JSON states it."""
        return asdict(self)


class Teacher(nn.Module, ABC):
    """From grey faces to joint features; `begin` gives it the weights that it starts from."""

    def __init__(self, config: TeacherConfig) -> None:
        super().__init__()
        self.config = config
        self.size, self.dim = config.size, config.dim

    def ends_in(self, width: int) -> None:
        """Add what follows a last map of so many channels."""
        self.dropout = nn.Dropout(self.config.dropout)
        self.project = nn.Linear(width, self.dim, bias=False)

    @abstractmethod
    def begin(self) -> None:
        """Take over weights of an asset. Raises AssetError without it, CheckpointError where it is another's."""

    @abstractmethod
    def seen(self, x: Tensor) -> Tensor:
        """The last map [N, W, H, H] of enlarged faces [N, 3, E, E]."""

    def normalise(self, pixels: Tensor) -> Tensor:
        """As the compact encoder does, so that both can look at the same picture."""
        return standard_greys(pixels)

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, d] of normalised images [N, 3, S, S]."""
        side = self.config.enlarged
        x = F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
        x = self.seen(x.contiguous(memory_format=torch.channels_last))
        features: Tensor = self.project(self.dropout(x.mean((2, 3))))
        return features
