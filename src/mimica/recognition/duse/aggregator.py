"""LSEA, the Latent Semantic Emotion Aggregator: what was seen, folded together with what the classes mean.

DuSE (arXiv 2604.12777), eqs. 9-13. B clips, T frames, C classes, N heads, d joint dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.errors import UsageError
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.prompts import sinusoid


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregated:
    """All that an aggregator makes of clips, step by step.

    `moved` [B, T, d] is V_m, `frames` [B, T] the pooling weights, `pooled` [B, d] V_o, `seen` and `meant`
    [B, N, d] are V~ and T~, `classes` [B, N, C] the semantic weights, `feature` [B, d] V_g. Without
    semantic attention `seen`, `meant` and `classes` are None.
    """

    moved: Tensor
    frames: Tensor
    pooled: Tensor
    seen: Tensor | None
    meant: Tensor | None
    classes: Tensor | None
    feature: Tensor


class Mean(nn.Module):
    """The plain mean of a clip's frames: what stands in for the aggregator when it is taken out (table III)."""

    def class_maps(self, classes: Tensor) -> Tensor:
        """No head, no map: [0, C, d]."""
        return classes.new_zeros(0, *classes.shape)

    def forward(self, frames: Tensor, valid: Tensor, class_maps: Tensor) -> Aggregated:
        """Frame features [B, T, d] with `valid` [B, T]; the class texts are without effect."""
        weights = valid / valid.sum(-1, keepdim=True).clamp(min=1)
        pooled = torch.einsum("bt,btd->bd", weights.to(frames), frames)
        return Aggregated(
            moved=frames, frames=weights, pooled=pooled, seen=None, meant=None, classes=None, feature=pooled
        )


class Aggregator(nn.Module):
    """Attention over time, pooling into one feature, and a mix with the class texts that it resembles."""

    scale: Tensor

    def __init__(self, config: DuseConfig, *, dim: int) -> None:
        super().__init__()
        self.config = config
        if dim % config.attention_heads:
            raise UsageError(
                f"attention_heads of DuSE must divide the encoder's {dim} dimensions, got {config.attention_heads}; "
                f"choose from {', '.join(str(h) for h in (1, 2, 4, 8, 16) if dim % h == 0)}"
            )
        self.norm = nn.LayerNorm(dim) if config.attention == "stable" else None
        self.qkv = nn.Linear(dim, 3 * dim) if config.projections == "qkv" else None
        self.out = nn.Linear(dim, dim)
        # A bias of the last layer would add the same to all frames and change no share of theirs.
        last = nn.Linear(dim, 1, bias=False)
        self.score = last if config.score == "linear" else nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), last)
        self.maps = _head_maps(dim, config.heads)
        self.text_maps = _head_maps(dim, config.heads) if config.head_maps == "separate" else None
        self.order_scale = nn.Parameter(torch.ones(())) if config.order == "sinusoid" else None
        scale = torch.tensor(config.semantic_scale)
        if config.semantic_learned:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale, persistent=False)
        # At the start all frames weigh alike, and with `stable` they pass as the encoder saw them: a
        # random start would throw away the alignment of pictures and texts that it came with.
        nn.init.zeros_(last.weight)
        if config.attention == "stable":
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def class_maps(self, classes: Tensor) -> Tensor:
        """Class texts [C, d] through every head's map: F~ [N, C, d]."""
        return self._heads(self.text_maps or self.maps, self._input(classes)).transpose(0, 1)

    def forward(self, frames: Tensor, valid: Tensor, class_maps: Tensor) -> Aggregated:
        """Frame features [B, T, d] with `valid` [B, T], and class texts as `class_maps` [N, C, d] gives them."""
        config = self.config
        # A clip without a valid frame has zeros for features; attending to them is better than to nothing, a NaN.
        valid = valid | ~valid.any(-1, keepdim=True)
        moved = self.over_time(frames, valid)
        weights = self.score(moved)[..., 0].masked_fill(~valid, -torch.inf).softmax(-1)  # eq. 11
        pooled = self._input(torch.einsum("bt,btd->bd", weights, moved))
        seen = self._heads(self.maps, pooled)
        alike = _likeness(seen, class_maps, config.similarity)
        classes = (self.scale * alike).softmax(-1)  # eq. 12
        meant = torch.einsum("bnc,ncd->bnd", classes, class_maps)
        own = seen if config.residual == "mapped" else pooled[:, None].expand_as(seen)
        feature = (config.beta * own + (1 - config.beta) * meant).mean(1)  # eq. 13
        return Aggregated(
            moved=moved, frames=weights, pooled=pooled, seen=seen, meant=meant, classes=classes, feature=feature
        )

    def over_time(self, frames: Tensor, valid: Tensor) -> Tensor:
        """Frame features [B, T, d] after they have attended to each other: V_m (eqs. 9, 10)."""
        B, T, d = frames.shape
        x = frames if self.norm is None else self.norm(frames)
        if self.order_scale is not None:
            x = x + self.order_scale * sinusoid(T, d).to(x)
        read = x.repeat(1, 1, 3) if self.qkv is None else self.qkv(x)
        q, k, v = read.view(B, T, 3, self.config.attention_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=valid[:, None, None, :])
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(B, T, d))
        return out if self.config.attention == "literal" else frames + out

    def _input(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1) if self.config.normalize_inputs else x

    def _heads(self, maps: nn.Linear, x: Tensor) -> Tensor:
        mapped: Tensor = maps(x)
        return mapped.view(*x.shape[:-1], self.config.heads, -1)


def _head_maps(dim: int, heads: int) -> nn.Linear:
    """Maps to N heads of the same dimension that start, but for a little noise that lets them part, as nothing."""
    maps = nn.Linear(dim, heads * dim, bias=False)
    with torch.no_grad():
        maps.weight.copy_(torch.eye(dim).repeat(heads, 1) + 0.01 * torch.randn(heads * dim, dim) / dim**0.5)
    return maps


def _likeness(seen: Tensor, class_maps: Tensor, similarity: str) -> Tensor:
    """How alike clips [B, N, d] and class texts [N, C, d] are in each head: [B, N, C]."""
    if similarity == "cosine":
        seen, class_maps = F.normalize(seen, dim=-1), F.normalize(class_maps, dim=-1)
    return torch.einsum("bnd,ncd->bnc", seen, class_maps)
