"""The fusion encoder of OUS, TFE in the first version of the paper and MCFE in the second.

OUS (arXiv 2405.18769), eqs. 5-10, 15. B clips, K tokens: polarity (where there is one), face and scene in this order;
Q queries, d joint dimension.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mimica.encoders.quick_gelu import QuickGelu
from mimica.errors import UsageError
from mimica.recognition.ous.config import OusConfig
from mimica.recognition.ous.streams import begin_as_nothing


class Block(nn.Module):
    """Queries attend to tokens, and a perceptron follows; what goes around them is for `carry` to say."""

    def __init__(self, config: OusConfig, *, dim: int) -> None:
        super().__init__()
        self.carry, self.respective = config.carry, config.kv == "respective"
        self.norm = nn.LayerNorm(dim)
        self.attend = nn.MultiheadAttention(dim, config.fusion_heads, batch_first=True)
        self.middle = nn.LayerNorm(dim)
        act = nn.ReLU() if config.activation == "relu" else QuickGelu()
        self.mlp = nn.Sequential(nn.Linear(dim, config.mlp * dim), act, nn.Linear(config.mlp * dim, dim))
        self.last = nn.LayerNorm(dim) if config.carry == "literal" else None
        if config.start == "encoder" and config.carry == "kv":
            begin_as_nothing(self.attend.out_proj, self.mlp[-1])  # type: ignore[arg-type]

    def forward(self, queries: Tensor, tokens: Tensor, carried: Tensor) -> Tensor:
        """What is carried on [B, Q, d] of queries [B, Q, d], tokens [B, K, d] and what was carried here [B, Q, d]."""
        calm = self.norm(tokens)  # eq. 5
        face, scene = tokens.shape[1] - 2, tokens.shape[1] - 1
        kept = [list(range(tokens.shape[1]))] * 2
        if self.respective:
            kept = [[place for place in kept[0] if place != other] for other in (scene, face)]
        attended = self.attend(queries, calm[:, kept[0]], calm[:, kept[1]], need_weights=False)[0]  # eq. 15
        if self.last is not None:
            literal: Tensor = self.last(self.mlp(self.middle(attended)))  # eqs. 7-10
            return literal
        carried = carried + attended
        out: Tensor = carried + self.mlp(self.middle(carried))
        return out


class Fusion(nn.Module):
    """One feature [B, d] of the tokens of a clip: blocks whose queries are learned, and the mean of what they leave.

    With `carry=kv` the tokens go through the blocks, each of which adds to them what its queries find in them;
    with `literal` nothing goes around a block. With `query` the queries go through and the tokens stay.
    """

    def __init__(self, config: OusConfig, *, dim: int) -> None:
        super().__init__()
        self.carry = config.carry
        sets = 1 if config.queries_shared or config.carry == "query" else config.blocks
        start = torch.ones if config.queries_start == "ones" else _gaussian
        self.queries = nn.Parameter(start(sets, config.count, dim))  # eq. 6
        self.position = nn.Parameter(torch.randn(config.tokens, dim) * 0.02) if config.fusion_positions else None
        self.blocks = nn.ModuleList(Block(config, dim=dim) for _ in range(config.blocks))

    def forward(self, tokens: Tensor) -> Tensor:
        """Of tokens [B, K, d]."""
        if self.position is not None:
            tokens = tokens + self.position
        queries = [one.expand(len(tokens), -1, -1) for one in self.queries]
        carried = queries[0] if self.carry == "query" else tokens
        for number, block in enumerate(self.blocks):
            if self.carry == "query":
                carried = block(carried, tokens, carried)
            else:
                carried = block(queries[number % len(queries)], carried, carried)
        return carried.mean(1)


class Mean(nn.Module):
    """The plain mean of face and scene: what stands in for the encoder when it is taken out (tables IV, V)."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Of tokens [B, K, d]; polarity, which is neither, has no part in it."""
        return tokens[:, -2:].mean(1)


def refuse_heads(config: OusConfig, dim: int) -> None:
    """Raise UsageError where heads do not divide the encoder's dimensions."""
    for name in ("frames_heads", "fusion_heads"):
        if dim % (heads := getattr(config, name)):
            raise UsageError(
                f"{name} of OUS must divide the encoder's {dim} dimensions, got {heads}; "
                f"choose from {', '.join(str(h) for h in (1, 2, 4, 8, 16) if dim % h == 0)}"
            )


def _gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.02
