"""MobileNetV2 (arXiv 1801.04381) as torchvision trained it on ImageNet: three of its middle maps, an asset to fetch.

S side in pixels, G cells to a side, N = G² patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mimica import assets
from mimica.anomaly.features.dino import normalised
from mimica.anomaly.features.maker import Modality, colour_of
from mimica.anomaly.grid import finite, stretch_colour
from mimica.anomaly.samples import Sample
from mimica.checkpoint import fill_from_torchvision
from mimica.errors import MissingExtra

ASSET = "mobilenet-v2"
LEVELS = (1, 4, 11)
"""The last block of 24, 32 and 96 channels: 56, 28 and 14 cells to a side at 224 pixels. Later ones know objects."""


class MobileNet:
    """Middle maps of MobileNetV2, each the mean over 3 x 3 as PatchCore has it, on one grid; C = 24 + 32 + 96 = 152."""

    modality: Modality = "rgb"

    def __init__(self, *, side: int = 224, cells: int = 28) -> None:
        self.side, self.cells = side, cells
        self.model = _body()

    @property
    def facts(self) -> dict[str, Any]:
        """What the features depend on."""
        (sha256,) = assets.get(ASSET).files.values()
        return {"name": "mobilenet", "side": self.side, "cells": self.cells, "version": 1, "weights": sha256}

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, 152]."""
        with torch.inference_mode(), _one_thread():
            pixels = normalised(stretch_colour(colour_of(sample), self.side))
            maps = self.model(pixels, output_hidden_states=True).hidden_states
            levels = [self._on_grid(F.avg_pool2d(maps[i], 3, 1, 1, count_include_pad=False)) for i in LEVELS]
            found = torch.cat(levels, 1)[0].flatten(1).T
        return finite(found.numpy(), "mobilenet", sample.name)

    def _on_grid(self, level: torch.Tensor) -> torch.Tensor:
        if level.shape[-1] >= self.cells:
            return F.adaptive_avg_pool2d(level, self.cells)
        return F.interpolate(level, size=(self.cells, self.cells), mode="bilinear", align_corners=False)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Convolutions add up in another order with another number of threads, and a bank may turn on their last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _body() -> Any:
    """The network with torchvision's weights. Raises AssetError without the asset."""
    try:
        from transformers import MobileNetV2Config, MobileNetV2Model
    except ImportError:
        raise MissingExtra("transformers", "anomaly") from None
    body: Any = MobileNetV2Model(MobileNetV2Config(tf_padding=False, layer_norm_eps=1e-5), add_pooling_layer=False)
    fill_from_torchvision(body, ASSET)
    return body.eval()
