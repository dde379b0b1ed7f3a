"""A tiny generator of clips with random weights: 16 pixels, two channels of code."""

from __future__ import annotations

from pathlib import Path

import torch

from mimica.generation.diffusion.codec import CodecConfig
from mimica.generation.diffusion.tiny import Tiny, TinyConfig

SMALL = TinyConfig(codec=CodecConfig(size=16, code=2), look=16, width=16, told=16)


def tiny_generator(seed: int = 0) -> Tiny:
    """One whose layers that begin at zero do not, so that it depends on all that it is told."""
    torch.manual_seed(seed)
    made = Tiny(SMALL)
    with torch.no_grad():
        for weight in made.network.parameters():
            if not weight.any():
                weight.normal_(std=0.05)
    still, frames = torch.nn.functional.interpolate(torch.rand(2 * 20, 3, 4, 4), size=16, mode="bilinear").chunk(2)
    made.codec.fit(still, frames)
    made.network.eval()
    return made


def write_tiny(path: Path) -> Path:
    tiny_generator().save(path)
    return path
