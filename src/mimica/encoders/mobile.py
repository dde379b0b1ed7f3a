"""MobileNetV2 (arXiv 1801.04381) on small grey faces: a teacher of the compact encoder, never shipped.

N pictures, S side in pixels, d joint dimension. It begins with what ImageNet taught it and so learns more
from few faces than a tower that begins at random; it takes no prompts and is too slow to read with.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.checkpoint import fill_from_torchvision
from mimica.encoders.compact import standard_greys

ASSET = "mobilenet-v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileConfig:
    """The shape of the teacher: the side of its faces in pixels, the side they are enlarged to, its joint dimension.

    `dropout` is the share of the pooled features that is left out in training.
    """

    size: int = 48
    enlarged: int = 96
    dropout: float = 0.2
    dim: int = 256

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> MobileConfig:
        """The config that a checkpoint's JSON states."""
        return cls(**facts)

    def facts(self) -> dict[str, Any]:
        """The config as a checkpoint's JSON states it."""
        return asdict(self)

    def build(self) -> MobileVision:
        """A tower of this shape, its weights random."""
        return MobileVision(self)


class MobileVision(nn.Module):
    """From grey faces to joint features; `begin` gives it the weights of ImageNet."""

    architecture = "mobile"

    def __init__(self, config: MobileConfig | None = None) -> None:
        from transformers import MobileNetV2Config, MobileNetV2Model

        super().__init__()
        self.config = config = config or MobileConfig()
        self.size, self.dim = config.size, config.dim
        shape = MobileNetV2Config(image_size=config.enlarged, tf_padding=False, layer_norm_eps=1e-5)
        self.body = MobileNetV2Model(shape, add_pooling_layer=False)
        for part in self.body.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 0.1  # the library's 0.997 is TensorFlow's, which counts from the other end
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(1280, config.dim, bias=False)

    def begin(self) -> None:
        """Take over the weights that torchvision trained on ImageNet. Raises AssetError without the asset.

        Raises CheckpointError where its file is another network's.
        """
        fill_from_torchvision(self.body, ASSET)

    def normalise(self, pixels: Tensor) -> Tensor:
        """As the compact encoder does, so that both can look at the same picture."""
        return standard_greys(pixels)

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, d] of normalised images [N, 3, S, S]."""
        side = self.config.enlarged
        x = F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
        x = self.body(x.contiguous(memory_format=torch.channels_last)).last_hidden_state
        features: Tensor = self.project(self.dropout(x.mean((2, 3))))
        return features
