"""LSEA, the Latent Semantic Emotion Aggregator: what was seen, folded together with what the classes mean.

DuSE (arXiv 2604.12777), eqs. 9-13. B clips, T frames, C classes, N heads, d joint dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregated:
    """`feature` [B, d] is V_g; `frames` [B, T] the pooling weights; `classes` [B, N, C] the semantic weights."""

    feature: Tensor
    frames: Tensor
    classes: Tensor


class Aggregator(nn.Module):
    """Attention over time, pooling into one feature, and a mix with the class texts that it resembles.

    `beta` is the share of what was seen against what the classes mean; `scale` the first sharpness
    of the semantic attention, learned from there.
    """

    def __init__(
        self, *, dim: int, heads: int = 4, attention_heads: int = 8, beta: float = 0.7, scale: float = 10.0
    ) -> None:
        super().__init__()
        self.heads, self.attention_heads, self.beta = heads, attention_heads, beta
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.score = nn.Linear(dim, 1)
        self.maps = nn.Linear(dim, heads * dim, bias=False)
        self.scale = nn.Parameter(torch.tensor(scale))
        # At the start: the encoder's own frame features, their plain mean, and heads that change nothing.
        # A random start would throw away the alignment of pictures and texts that the encoder came with.
        for layer in (self.out, self.score):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.maps.weight.copy_(torch.eye(dim).repeat(heads, 1) + 0.01 * torch.randn(heads * dim, dim) / dim**0.5)

    def class_maps(self, classes: Tensor) -> Tensor:
        """Class texts [C, d] through every head's map: F~ [N, C, d]."""
        return self._mapped(F.normalize(classes, dim=-1)).transpose(0, 1)

    def forward(self, frames: Tensor, valid: Tensor, class_maps: Tensor) -> Aggregated:
        """Frame features [B, T, d] with `valid` [B, T], and class texts as `class_maps` [N, C, d] gives them."""
        moved = frames + self._over_time(frames, valid)  # eqs. 9, 10
        weights = self.score(moved)[..., 0].masked_fill(~valid, -torch.inf).softmax(-1)  # eq. 11
        seen = self._mapped(F.normalize(torch.einsum("bt,btd->bd", weights, moved), dim=-1))  # V~ [B, N, d]
        alike = torch.einsum("bnd,ncd->bnc", F.normalize(seen, dim=-1), F.normalize(class_maps, dim=-1))
        classes = (self.scale * alike).softmax(-1)  # eq. 12
        meant = torch.einsum("bnc,ncd->bnd", classes, class_maps)  # T~
        feature = (self.beta * seen + (1 - self.beta) * meant).mean(1)  # eq. 13
        return Aggregated(feature=feature, frames=weights, classes=classes)

    def _mapped(self, x: Tensor) -> Tensor:
        mapped: Tensor = self.maps(x)
        return mapped.view(*x.shape[:-1], self.heads, -1)

    def _over_time(self, frames: Tensor, valid: Tensor) -> Tensor:
        B, T, d = frames.shape
        q, k, v = self.qkv(self.norm(frames)).view(B, T, 3, self.attention_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=valid[:, None, None, :])
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(B, T, d))
        return out
