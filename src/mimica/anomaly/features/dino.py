"""DINO ViT-B/8 (arXiv 2104.14294), which the paper uses for colour, and DINOv2 (arXiv 2304.07193) beside it.

S side in pixels, G cells to a side, N = G² patches, d width of the tower.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica.anomaly.features.maker import Modality, colour_of
from mimica.anomaly.features.weights import from_folder, from_tensors, read, sha256
from mimica.anomaly.grid import finite, stretch_colour
from mimica.anomaly.samples import Sample
from mimica.errors import CheckpointError, UsageError

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's."""

_SINGLE = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
    "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
    "norm.weight": "layernorm.weight",
    "norm.bias": "layernorm.bias",
}
_IN_LAYER = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


class _Tower:
    """A frozen vision transformer: patch tokens after the last norm, without the class token."""

    modality: Modality = "rgb"
    name: str
    model: Any

    def __init__(self, *, side: int, cells: int, seen_at: int, weights: Path) -> None:
        patch = int(self.model.config.patch_size)
        if seen_at != patch * cells:
            raise UsageError(f"{self.name} at {seen_at} pixels has {seen_at // patch} patches to a side, not {cells}")
        self.side, self.cells, self.seen_at = side, cells, seen_at
        self.sha256 = sha256(weights)

    @property
    def facts(self) -> dict[str, Any]:
        """What the features depend on."""
        return {"name": self.name, "side": self.side, "cells": self.cells, "version": 1, "weights": self.sha256}

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, d]."""
        with torch.inference_mode():
            pixels = normalised(stretch_colour(colour_of(sample), self.seen_at))
            tokens = self.model(pixels, **self._options()).last_hidden_state[0, 1:]
        return finite(tokens.numpy(), self.name, sample.name)

    def _options(self) -> dict[str, Any]:
        return {}


class Dino(_Tower):
    """DINO ViT/8 from the original `.pth` or from a folder as the hub has it; C = 768 of ViT-B."""

    name = "dino"

    def __init__(self, *, weights: Path, side: int = 224, cells: int = 28) -> None:
        self.model = (
            from_folder("ViTModel", weights, add_pooling_layer=False) if weights.is_dir() else original(weights)
        )
        super().__init__(side=side, cells=cells, seen_at=side, weights=weights)

    def _options(self) -> dict[str, Any]:
        return {"interpolate_pos_encoding": int(self.model.config.image_size) != self.seen_at}


class DinoV2(_Tower):
    """DINOv2 from a folder as the hub has it; patches of 14 pixels, so that it sees 14 · G to a side; C = 384 of S."""

    name = "dinov2s"

    def __init__(self, *, weights: Path, side: int = 224, cells: int = 28) -> None:
        self.model = from_folder("Dinov2Model", weights)
        super().__init__(side=side, cells=cells, seen_at=int(self.model.config.patch_size) * cells, weights=weights)


def normalised(rgb: np.ndarray) -> Tensor:
    """Pixels [1, 3, S, S] as towers of ImageNet take them, of colour [S, S, 3]."""
    standard = (rgb - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return torch.from_numpy(np.ascontiguousarray(standard.transpose(2, 0, 1)[None], np.float32))


def original(path: Path) -> Any:
    """A ViT with the weights of a file of DINO's authors; every one of them used. Raises CheckpointError."""
    from transformers import ViTConfig

    tensors = renamed(read(path), str(path))
    position = tensors["embeddings.position_embeddings"]
    projection = tensors["embeddings.patch_embeddings.projection.weight"]
    layers = 1 + max(int(key.split(".")[2]) for key in tensors if key.startswith("encoder.layer."))
    width, patch = projection.shape[0], projection.shape[-1]
    config = ViTConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=max(1, width // 64), patch_size=patch,
        intermediate_size=tensors["encoder.layer.0.intermediate.dense.weight"].shape[0],
        image_size=round((position.shape[1] - 1) ** 0.5) * patch, layer_norm_eps=1e-6, qkv_bias=True,
        hidden_act="gelu",
    )  # fmt: skip
    return from_tensors("ViTModel", config, tensors, str(path), add_pooling_layer=False)


def renamed(held: dict[str, Any], where: str) -> dict[str, Tensor]:
    """Weights by the names of the hub's files; the original has query, key and value in one matrix.

    Raises CheckpointError for a name that DINO does not have, and where one is missing that the shape is told by.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in held.items():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
        if name in _SINGLE:
            tensors[_SINGLE[name]] = tensor
        elif match and match[2] == "attn.qkv":
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                tensors[f"encoder.layer.{match[1]}.attention.attention.{part}.{match[3]}"] = third.clone()
        elif match and match[2] in _IN_LAYER:
            tensors[f"encoder.layer.{match[1]}.{_IN_LAYER[match[2]]}.{match[3]}"] = tensor
        else:
            raise CheckpointError(f"{where} is no DINO backbone: it holds '{name}'")
    needed = [*_SINGLE.values(), "encoder.layer.0.intermediate.dense.weight"]
    if missing := [name for name in needed if name not in tensors]:
        raise CheckpointError(f"{where} is no whole DINO backbone: without {', '.join(missing[:3])}")
    return tensors
