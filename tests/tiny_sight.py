"""A tiny sight of random weights: 16 pixels, a few channels."""

from __future__ import annotations

import torch

from mimica.generation.rewards.sight import Shape, Sight, SightConfig


def small(shape: Shape = "strided") -> SightConfig:
    return SightConfig(shape=shape, size=16, width=8, maps=4, hidden=16, features=8)


def tiny_sight(shape: Shape = "strided", seed: int = 0) -> Sight:
    """One that is the same for a seed."""
    torch.manual_seed(seed)
    return Sight(small(shape)).eval()
