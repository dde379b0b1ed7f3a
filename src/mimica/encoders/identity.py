"""A network that recognises who is seen, on small grey faces: a teacher of the compact encoder, never shipped.

The residual network of dlib (D. King, 2017; public domain) in the form that face-api has it, which was trained on
three million faces to tell people apart. What it knows of faces at large helps it to learn expressions from few; it
takes no prompts. N pictures, S side in pixels, d joint dimension.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.encoders.teacher import Teacher, TeacherConfig
from mimica.errors import CheckpointError

ASSET = "face-api-identity"
MANIFEST, WEIGHTS = "face_recognition_model-weights_manifest.json", "face_recognition_model.bin"

STAGES = ((32, 3, False), (64, 3, True), (128, 2, True), (256, 2, True), (256, 0, True))
"""Width of each stage, how many blocks keep the side, and whether a block before them halves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityConfig(TeacherConfig):
    """The shape of this teacher, whose last block needs faces of 112 pixels or so."""

    enlarged: int = 112

    def build(self) -> IdentityVision:
        """A tower of this shape, its weights random."""
        return IdentityVision(self)


def _convolution(given: int, width: int, side: int = 3, *, stride: int = 1) -> nn.Conv2d:
    """One that keeps the side and counts the border as zeros, or halves the side and cuts the border off."""
    return nn.Conv2d(given, width, side, stride=stride, padding=side // 2 if stride == 1 else 0)


class Block(nn.Module):
    """Two convolutions beside a way around them, which is halved by a mean and has zeros for channels it lacks."""

    def __init__(self, given: int, width: int, *, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.conv1 = _convolution(given, width, stride=2 if halve else 1)
        self.conv2 = _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, given, H, W] to [N, width, H', W']."""
        found: Tensor = self.conv2(self.conv1(x).relu())
        if self.halve:
            x = F.avg_pool2d(x, 2)
            (H, W), (h, w) = x.shape[2:], found.shape[2:]
            found = F.pad(found, (0, W - w, 0, H - h))
            x = F.pad(x, (0, 0, 0, 0, 0, found.shape[1] - x.shape[1]))
        return (found + x).relu()


class IdentityVision(Teacher):
    """A residual network; `begin` gives it the weights that tell people apart."""

    architecture = "identity"

    def __init__(self, config: IdentityConfig | None = None) -> None:
        super().__init__(config or IdentityConfig())
        self.stem = _convolution(3, 32, 7, stride=2)
        blocks, given = list[nn.Module](), 32
        for width, keeping, halving in STAGES:
            for number in range(keeping + halving):
                blocks.append(Block(given, width, halve=halving and number == 0))
                given = width
        self.blocks = nn.Sequential(*blocks)
        self.ends_in(given)

    def begin(self) -> None:
        """Take over the weights that tell people apart. Raises AssetError without the asset.

        Raises CheckpointError where its files are another network's.
        """
        from mimica.assets import find

        folder = find(ASSET)
        stored = _stored(json.loads((folder / MANIFEST).read_text()), (folder / WEIGHTS).read_bytes())
        parts = [part for part in self.modules() if isinstance(part, nn.Conv2d)]  # as the file has them
        # Of each a filter, a bias, and what a norm was folded to: a scale and a shift. The rest is their projection.
        theirs = [stored[i : i + 4] for i in range(0, len(stored) - 3, 4)]
        shapes = [[part.weight.shape, *3 * [part.weight.shape[:1]]] for part in parts]
        if [[value.shape for value in of_part] for of_part in theirs] != shapes:
            raise CheckpointError(f"{ASSET} holds other tensors than this network; mimica assets check {ASSET}")
        with torch.no_grad():
            for part, (filters, bias, scale, shift) in zip(parts, theirs, strict=True):
                assert part.bias is not None
                # Filters are small and scales large: a step of Adam would be too long for the one, too short for the
                # other, so both are made one.
                part.weight.copy_(filters * scale[:, None, None, None])
                part.bias.copy_(bias * scale + shift)

    def seen(self, x: Tensor) -> Tensor:
        """The last map [N, 256, h, h] of enlarged faces [N, 3, E, E]."""
        # What it was trained on is about so far from its mean, in 256ths of a shade.
        x = F.max_pool2d(self.stem(0.25 * x).relu(), 3, stride=2)
        found: Tensor = self.blocks(x)
        return found


def _stored(manifest: list[dict[str, Any]], content: bytes) -> list[Tensor]:
    """The tensors of a file of tensorflow.js in their order, filters as [out, in, H, W].

    Raises CheckpointError where the file is not as long as its manifest says.
    """
    found, at = [], 0
    for stated in manifest[0]["weights"]:
        shape, how = stated["shape"], stated.get("quantization")
        kind = np.dtype(np.uint8 if how else np.float32)
        size = prod(shape) * kind.itemsize
        if len(content) < at + size:
            raise CheckpointError(f"{WEIGHTS} of {ASSET} is cut short; mimica assets check {ASSET}")
        value = np.frombuffer(content[at : at + size], kind).reshape(shape).astype(np.float32)
        value = value * how["scale"] + how["min"] if how else value
        found.append(torch.from_numpy(value.transpose(3, 2, 0, 1).copy() if len(shape) == 4 else value.copy()))
        at += size
    return found
