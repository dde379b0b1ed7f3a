"""Point-MAE features of a scan: 1,024 groups of 128 points through the encoder, and back onto the patches.

n points, M groups, S side in pixels, N patches.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mimica.anomaly.features import cloud
from mimica.anomaly.features.maker import Modality, points_of
from mimica.anomaly.features.pointmae_net import BnStats, PointMaeEncoder, PointMaeShape
from mimica.anomaly.features.weights import read, sha256
from mimica.anomaly.grid import finite, stretch_points
from mimica.anomaly.samples import Sample
from mimica.checkpoint import fill
from mimica.errors import CheckpointError, InputError, UsageError, unknown

GROUPS, GROUP = 1024, 128
"""Groups to a scan and points to a group."""
_DECODER = ("MAE_decoder.", "decoder_pos_embed.", "increase_dim.", "lm_head.", "cls_head_finetune.")
_ALONE = ("mask_token", "cls_token", "cls_pos")


class PointMae:
    """Point-MAE, pretrained on ShapeNet, from a file of one's own; C = 3 · 384 = 1152.

    `bn_stats` is `batch`, the statistics of the very scan, as the public code runs, or `running`, those of the
    pretraining, whose points lay fifty times farther apart. `unit_cloud` moves the scan to its middle and divides it
    by its radius first, as in pretraining. `groups` 1 or more.
    """

    modality: Modality = "xyz"

    def __init__(
        self, *, weights: Path, side: int = 224, cells: int = 28, bn_stats: BnStats = "batch",
        unit_cloud: bool = False, groups: int = GROUPS,
    ) -> None:  # fmt: skip
        if bn_stats not in ("batch", "running"):
            raise unknown("bn_stats of Point-MAE", bn_stats, ["batch", "running"])
        if groups < 1:
            raise UsageError(f"groups of Point-MAE must be 1 or more, got {groups}")
        self.side, self.cells, self.groups = side, cells, groups
        self.bn_stats, self.unit_cloud = bn_stats, unit_cloud
        self.sha256 = sha256(weights)
        self.encoder = opened(weights, bn_stats)

    @property
    def facts(self) -> dict[str, Any]:
        """What the features depend on."""
        options = {"bn_stats": self.bn_stats, "unit_cloud": self.unit_cloud, "groups": self.groups}
        return {"name": "pointmae", "side": self.side, "cells": self.cells, "version": 1, "options": options,
                "weights": self.sha256}  # fmt: skip

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, 1152]; what is not measured has none, and draws a patch towards zero."""
        image = stretch_points(points_of(sample), self.side)
        where = np.flatnonzero(np.isfinite(image).all(-1))
        points = image.reshape(-1, 3)[where]
        if len(points) < 4:
            raise InputError(f"{sample.name} has {len(points)} measured points, too few for groups of them")
        if self.unit_cloud:
            points = points - points.mean(0)
            points = points / max(float(np.linalg.norm(points, axis=1).max()), 1e-12)
        centres = points[cloud.farthest_points(points, self.groups)]
        members = points[cloud.neighbours(points, centres, GROUP)] - centres[:, None]
        with torch.inference_mode():
            features = self.encoder(torch.from_numpy(members), torch.from_numpy(centres)).numpy()
        patches = cloud.to_patches(points, where, centres, self.side, self.cells) @ features.astype(np.float64)
        return finite(patches, "pointmae", sample.name)


def opened(path: Path, bn_stats: BnStats = "batch") -> PointMaeEncoder:
    """The encoder with the weights of a file; every one of them used. Raises CheckpointError."""
    tensors = encoder_weights(read(path), str(path))
    try:
        width = tensors["norm.weight"].shape[0]
        depth = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("blocks.blocks."))
    except (KeyError, ValueError):
        raise CheckpointError(f"{path} is no Point-MAE: it holds no norm or no blocks") from None
    shape = PointMaeShape(
        width=width, depth=depth, heads=max(1, width // 64), taps=tuple(depth * i // 3 - 1 for i in (1, 2, 3))
    )
    encoder = PointMaeEncoder(shape, bn_stats)
    fill(encoder, tensors, str(path))
    return encoder.eval()


def encoder_weights(held: dict[str, Any], where: str) -> dict[str, torch.Tensor]:
    """The encoder's tensors by our names, of a checkpoint of Point-MAE's authors; its decoder is left out.

    Raises CheckpointError for a tensor that is of neither.
    """
    model = held.get("base_model", held)
    if not isinstance(model, dict):
        raise CheckpointError(f"{where} is no Point-MAE: its base_model holds no tensors by name")
    found = {}
    for full, tensor in model.items():
        name = full.removeprefix("module.")
        if name.startswith(_DECODER) or name.removeprefix("MAE_encoder.") in _ALONE:
            continue
        name = name.removeprefix("MAE_encoder.")
        if not re.match(r"(encoder|pos_embed|blocks|norm)\.", name) or not isinstance(tensor, torch.Tensor):
            raise CheckpointError(f"{where} is no Point-MAE: it holds '{full}'")
        found[name] = tensor
    return found
