"""HTPC, the Hierarchical Temporal Prompt Cluster: what to expect, told to both towers layer by layer.

DuSE (arXiv 2604.12777), eqs. 2-8. M prompted layers, n prompt tokens, T frames, d_T and d_V widths
of the text and vision tower.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mimica.errors import UsageError, unknown
from mimica.recognition.duse.config import DEPTHS, DuseConfig


def prompted_layers(depth: str | int, *, vision_layers: int, text_layers: int) -> int:
    """How many layers take prompts: a share of the vision tower's, or the number itself.

    Shallow is one layer, normal a third and deep two thirds of the encoder layers (DuSE, III-B). A
    prompt couples one layer of each tower, so no more than the shallower tower has. Raises UsageError.

    >>> [prompted_layers(d, vision_layers=12, text_layers=12) for d in ("shallow", "normal", "deep")]
    [1, 4, 8]
    """
    if isinstance(depth, str):
        if depth not in DEPTHS:
            raise unknown("depth of DuSE", depth, [*DEPTHS, "a number of layers"])
        layers = max(1, round(DEPTHS[depth] * vision_layers))
    else:
        layers = depth
    most = min(vision_layers, text_layers)
    if not 0 <= layers <= most:
        raise UsageError(
            f"depth {depth} means {layers} prompted layers, but each couples a vision layer to a text layer and the "
            f"towers have {vision_layers} and {text_layers}; choose depth={most} or another number from 0 to {most}"
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

    The map is shared by all layers (eq. 6). In an `mlp` its biases start at zero: with the usual ones the
    prompts of a layer would start almost equal to each other. With `htpc="coop"` there is no map, and only
    the first text layer has prompts.
    """

    pe_scale: Tensor

    def __init__(self, config: DuseConfig, *, layers: int, text_width: int, vision_width: int) -> None:
        super().__init__()
        self.text = nn.Parameter(torch.randn(layers, config.tokens, text_width) * 0.02)
        self.couple = _coupling(config.coupling, text_width, vision_width) if config.htpc == "on" else None
        self.vision_width = vision_width
        pe_scale = torch.tensor(config.pe_scale if config.frame_pe == "sinusoid" else 0.0)
        if config.pe_learned and config.frame_pe == "sinusoid" and config.htpc == "on":
            self.pe_scale = nn.Parameter(pe_scale)
        else:
            self.register_buffer("pe_scale", pe_scale, persistent=False)

    def text_prompts(self) -> list[Tensor]:
        """What enters the text tower, layer by layer: M tensors [1, n, d_T]."""
        return [prompt[None] for prompt in self.text]

    def vision_prompts(self) -> Tensor:
        """What enters the vision tower, layer by layer, before time is added: [M, n, d_V]."""
        if self.couple is None:
            return self.text.new_zeros(0, self.text.shape[1], self.vision_width)
        prompts: Tensor = self.couple(self.text)
        return prompts


def _coupling(kind: str, text_width: int, vision_width: int) -> nn.Module:
    if kind == "linear":
        return nn.Linear(text_width, vision_width)
    if kind == "linear_relu":
        return nn.Sequential(nn.Linear(text_width, vision_width), nn.ReLU())
    couple = nn.Sequential(nn.Linear(text_width, text_width), nn.ReLU(), nn.Linear(text_width, vision_width))
    for module in couple:
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return couple


def timed(prompts: Tensor, pe_scale: Tensor, frame: Tensor) -> list[Tensor]:
    """Vision prompts for each picture, the first layer's told which frame of its clip it is in.

    `prompts` [M, n, d_V], `frame` [N] the frame's place in its clip; gives one [N, n, d_V] and M - 1 of
    [1, n, d_V]. The only sign of time order in the paper (III-B, Frame-Level Positional Encoding).
    """
    if len(prompts) == 0 or len(frame) == 0:
        return [prompt[None] for prompt in prompts]
    code = sinusoid(int(frame.max()) + 1, prompts.shape[-1]).to(prompts)[frame]
    first = prompts[0][None] + pe_scale * code[:, None, :]
    return [first, *(prompt[None] for prompt in prompts[1:])]
