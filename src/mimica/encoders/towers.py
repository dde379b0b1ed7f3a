"""What a tower is: a frozen encoder that takes prompts at every layer.

N items in a batch, n prompt tokens a layer, M prompted layers, D width of a tower, d joint dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

Prompts = Sequence[Tensor]
"""One tensor a prompted layer, first layer first, each [N, n, D] or [1, n, D]."""


class VisionTower(Protocol):
    """From pictures to joint features. `size` is the side in pixels it reads, `layers` and `width` its own."""

    size: int
    width: int
    layers: int
    dim: int

    def __call__(self, images: Tensor, prompts: Prompts = ()) -> Tensor:
        """Features [N, d] of images [N, 3, S, S]; prompts enter layer by layer and their outputs are dropped."""
        ...

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures as the tower wants them: from [..., 3, S, S] in 0 to 1, by its own statistics."""
        ...


class TextTower(Protocol):
    """From sentences to joint features."""

    width: int
    layers: int
    dim: int

    def __call__(self, sentences: Sequence[str], prompts: Prompts = ()) -> Tensor:
        """Features [len(sentences), d]; prompts enter layer by layer and their outputs are dropped."""
        ...


def freeze(module: nn.Module) -> nn.Module:
    """The same module, in evaluation mode and without gradients to its own weights."""
    return module.eval().requires_grad_(False)


def pixels(images: np.ndarray) -> Tensor:
    """Pictures uint8 [..., S, S, 3] as a float tensor [..., 3, S, S] in 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(images)).movedim(-1, -3).float().div_(255)
