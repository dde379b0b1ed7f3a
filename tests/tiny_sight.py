"""A sight that learned for a few seconds: 24 pixels, the actors of a few epochs."""

from __future__ import annotations

import torch

from mimica.generation.rewards.sight import Shape, Sight, SightConfig


def small(shape: Shape = "strided") -> SightConfig:
    return SightConfig(shape=shape, size=16, width=8, maps=4, hidden=16, features=8)


def tiny_sight(shape: Shape = "strided", seed: int = 0) -> Sight:
    """One of random weights."""
    torch.manual_seed(seed)
    return Sight(small(shape)).eval()
