"""HTPC, the Hierarchical Temporal Prompt Cluster: what to expect, told to both towers layer by layer.

DuSE (arXiv 2604.12777), eqs. 2-8. M prompted layers, n prompt tokens, T frames, d_T and d_V widths
of the text and vision tower.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mimica.errors import UsageError

DEPTHS = {"shallow": 0.0, "normal": 1 / 3, "deep": 2 / 3}


def prompted_layers(depth: str | int, *, vision_layers: int, text_layers: int) -> int:
    """How many layers take prompts: a share of the vision tower's, or the number itself.

    Shallow is one layer, normal a third and deep two thirds of the encoder layers (DuSE, III-B). A
    prompt couples one layer of each tower, so no more than the shallower tower has. Raises UsageError.

    >>> [prompted_layers(d, vision_layers=12, text_layers=12) for d in ("shallow", "normal", "deep")]
    [1, 4, 8]
    """
    if isinstance(depth, str):
        if depth not in DEPTHS:
            raise UsageError(f"unknown depth '{depth}'; choose from {', '.join(DEPTHS)} or a number of layers")
        layers = max(1, round(DEPTHS[depth] * vision_layers))
    else:
        layers = depth
    most = min(vision_layers, text_layers)
    if not 0 <= layers <= most:
        raise UsageError(
            f"depth {depth} means {layers} prompted layers, but each couples a vision layer to a text layer and the "
            f"towers have {vision_layers} and {text_layers}; choose a number from 0 to {most}"
        )
    return layers


def sinusoid(frames: int, width: int) -> Tensor:
    """The fixed position code [T, D] of Vaswani et al. (arXiv 1706.03762): sines, then cosines, interleaved."""
    place = torch.arange(frames, dtype=torch.float32)[:, None]
    speed = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    code = torch.zeros(frames, width)
    code[:, 0::2] = torch.sin(place * speed)
    code[:, 1::2] = torch.cos(place * speed[: width // 2])
    return code


class PromptCluster(nn.Module):
    """Text prompts [M, n, d_T], the only prompts that are learned, and the one map that makes vision prompts of them.

    The map is Linear, ReLU, Linear with biases at zero, shared by all layers (eq. 6): with its usual
    biases the prompts of a layer would start almost equal to each other.
    """

    def __init__(
        self, *, layers: int, tokens: int, text_width: int, vision_width: int, time_scale: float = 0.02
    ) -> None:
        super().__init__()
        self.text = nn.Parameter(torch.randn(layers, tokens, text_width) * 0.02)
        self.couple = nn.Sequential(nn.Linear(text_width, text_width), nn.ReLU(), nn.Linear(text_width, vision_width))
        for module in self.couple:
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        # At its printed scale of 1 the sinusoid would drown prompts that start at a deviation near 0.02.
        self.time_scale = nn.Parameter(torch.tensor(time_scale))

    def text_prompts(self) -> list[Tensor]:
        """What enters the text tower, layer by layer: M tensors [1, n, d_T]."""
        return [prompt[None] for prompt in self.text]

    def vision_prompts(self) -> Tensor:
        """What enters the vision tower, layer by layer, before time is added: [M, n, d_V]."""
        prompts: Tensor = self.couple(self.text)
        return prompts


def timed(prompts: Tensor, time_scale: Tensor, frame: Tensor) -> list[Tensor]:
    """Vision prompts for each picture, the first layer's told which frame of its clip it is in.

    `prompts` [M, n, d_V], `frame` [N] the frame's place in its clip; gives one [N, n, d_V] and M - 1 of
    [1, n, d_V]. The only sign of time order in the paper (III-B, Frame-Level Positional Encoding).
    """
    if len(prompts) == 0:
        return []
    code = sinusoid(int(frame.max()) + 1, prompts.shape[-1]).to(prompts)[frame]
    first = prompts[0][None] + time_scale * code[:, None, :]
    return [first, *(prompt[None] for prompt in prompts[1:])]
