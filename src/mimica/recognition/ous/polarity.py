"""The polarity encoder of OUS: whether a scene is bright or bleak, by what a tower sees in its first layers.

OUS (arXiv 2405.18769), eq. 1 and "Other detail of network architecture". B clips, T frames, L patches, K layers,
D width of the tower, d joint dimension.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mimica.recognition.ous.config import OusConfig
from mimica.recognition.ous.streams import begin_as_nothing, mean_over_time

POLARITIES = (-1, 0, 1)
"""Negative, neutral and positive, in the order of the polarity logits."""

TAKES: dict[str, Callable[[Tensor], Tensor]] = {
    "patches": lambda tokens: tokens[:, 1:].mean(1),
    "cls": lambda tokens: tokens[:, 0],
    "both": lambda tokens: torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], -1),
}
"""What is taken of a layer's tokens [N, 1 + L, D], the class token first: [N, D], of both [N, 2 D]."""


class PolarityEncoder(nn.Module):
    """V_pol [B, d] of the early tokens of a clip's scenes, and the polarity logits [B, 3] that it is trained by.

    Each layer's tokens pass a norm of their own: those of one layer may be many times as long as another's.
    """

    def __init__(self, config: OusConfig, *, layers: int, width: int, dim: int) -> None:
        super().__init__()
        width *= 2 if config.polarity_tokens == "both" else 1
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.up, self.down = nn.Linear(layers * width, dim), nn.Linear(dim, dim)
        self.classify = nn.Linear(dim, len(POLARITIES))
        if config.start == "encoder":
            begin_as_nothing(self.down)

    def forward(self, early: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Of what was taken of the first layers [B, T, K, D] with `valid` [B, T]."""
        mean = mean_over_time(early, valid)
        calm = torch.cat([norm(mean[:, k]) for k, norm in enumerate(self.norms)], -1)
        polarity: Tensor = self.down(torch.relu(self.up(calm)))
        return polarity, self.classify(polarity)
