"""What tells people apart in face-api, said plainly, by the names and layout [H, W, in, out] of its file."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PARTS = (
    "conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down", "conv128_1",
    "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out",
)  # fmt: skip
"""What follows the first convolution, in order."""


def shapes() -> dict[str, tuple[int, ...]]:
    """The name and shape of every tensor, in the order of the file."""
    found: dict[str, tuple[int, ...]] = {}

    def layer(name: str, side: int, given: int, width: int) -> None:
        found[f"{name}/conv/filters"] = (side, side, given, width)
        for part in ("conv/bias", "scale/weights", "scale/biases"):
            found[f"{name}/{part}"] = (width,)

    layer("conv32_down", 7, 3, 32)
    given = 32
    for part in PARTS:
        width = int(part.removeprefix("conv").split("_")[0])
        layer(f"{part}/conv1", 3, given, width)
        layer(f"{part}/conv2", 3, width, width)
        given = width
    return found | {"fc": (256, 128)}


def features(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """The mean of the last map [N, 256] of pictures [N, 3, S, S] in 256ths of a shade about their mean."""

    def layer(x: Tensor, name: str, *, same: bool) -> Tensor:
        filters = w[f"{name}/conv/filters"].permute(3, 2, 0, 1)
        x = F.conv2d(x, filters, padding="same") if same else F.conv2d(x, filters, stride=2, padding="valid")
        of = {part: w[f"{name}/{part}"][:, None, None] for part in ("conv/bias", "scale/weights", "scale/biases")}
        return (x + of["conv/bias"]) * of["scale/weights"] + of["scale/biases"]

    x = layer(x, "conv32_down", same=False).clamp(min=0)
    x = F.max_pool2d(x, 3, 2)
    for part in PARTS:
        down = "down" in part
        found = layer(layer(x, f"{part}/conv1", same=not down).clamp(min=0), f"{part}/conv2", same=True)
        if down:
            pooled = F.avg_pool2d(x, 2, 2)
            N, W, (H, _) = len(x), found.shape[1], pooled.shape[2:]
            x = torch.zeros(N, W, *pooled.shape[2:], dtype=x.dtype)
            x[:, : pooled.shape[1]] = pooled
            if found.shape[2] != H:  # a row and a column of zeros below and to the right
                found = torch.cat([found, torch.zeros_like(found[:, :, :1])], 2)
                found = torch.cat([found, torch.zeros_like(found[:, :, :, :1])], 3)
        x = (found + x).clamp(min=0)
    return x.mean((2, 3))
