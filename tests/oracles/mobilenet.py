"""MobileNetV2 said plainly, by the names of torchvision and the table of the paper (arXiv 1801.04381)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TABLE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, repeats, stride of the first: table 2."""


def shapes() -> dict[str, tuple[int, ...]]:
    """The name and shape of every tensor, in the order of the file."""
    found: dict[str, tuple[int, ...]] = {}

    def layer(conv: str, norm: str, *shape: int) -> None:
        found[f"{conv}.weight"] = shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = shape[:1]
        found[f"{norm}.num_batches_tracked"] = ()

    layer("features.0.0", "features.0.1", 32, 3, 3, 3)
    inputs, number = 32, 1
    for expansion, channels, repeats, _ in TABLE:
        for _ in range(repeats):
            block, hidden, part = f"features.{number}.conv", inputs * expansion, 0
            if expansion > 1:
                layer(f"{block}.0.0", f"{block}.0.1", hidden, inputs, 1, 1)
                part = 1
            layer(f"{block}.{part}.0", f"{block}.{part}.1", hidden, 1, 3, 3)
            layer(f"{block}.{part + 1}", f"{block}.{part + 2}", channels, hidden, 1, 1)
            inputs, number = channels, number + 1
    layer("features.18.0", "features.18.1", 1280, 320, 1, 1)
    return found


def features(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """The feature map [N, 1280, S / 32, S / 32] of pictures [N, 3, S, S]."""
    return levels(x, w)[18]


def levels(x: Tensor, w: dict[str, Tensor]) -> dict[int, Tensor]:
    """The maps after each part of `features`, by torchvision's numbers."""
    found: dict[int, Tensor] = {}

    def layer(x: Tensor, conv: str, norm: str, *, stride: int = 1, bend: bool = True) -> Tensor:
        kernel = w[f"{conv}.weight"]
        groups = x.shape[1] // kernel.shape[1]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)
        mean, var = w[f"{norm}.running_mean"][:, None, None], w[f"{norm}.running_var"][:, None, None]
        x = (x - mean) / (var + 1e-5) ** 0.5 * w[f"{norm}.weight"][:, None, None] + w[f"{norm}.bias"][:, None, None]
        return x.clamp(0, 6) if bend else x

    x, number = layer(x, "features.0.0", "features.0.1", stride=2), 1
    for expansion, channels, repeats, first in TABLE:
        for repeat in range(repeats):
            block, stride, y, part = f"features.{number}.conv", first if repeat == 0 else 1, x, 0
            if expansion > 1:
                y, part = layer(y, f"{block}.0.0", f"{block}.0.1"), 1
            y = layer(y, f"{block}.{part}.0", f"{block}.{part}.1", stride=stride)
            y = layer(y, f"{block}.{part + 1}", f"{block}.{part + 2}", bend=False)
            x = x + y if stride == 1 and x.shape[1] == channels else y
            found[number] = x
            number += 1
    found[18] = layer(x, "features.18.0", "features.18.1")
    return found
