"""The encoder of Point-MAE (arXiv 2203.06604): tokens of groups of points, and a transformer over them.

M groups of P points, d width, L blocks. Names of layers are those of the authors' checkpoint, without their prefixes.
DropPath is left out: the public code of CIF runs it by mistake, and its features are not the same twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BnStats = Literal["batch", "running"]
CHUNK = 32
"""Groups at a time in the token encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointMaeShape:
    """The shape of the encoder; as it stands, that of the checkpoint pretrained on ShapeNet."""

    width: int = 384
    depth: int = 12
    heads: int = 6
    taps: tuple[int, ...] = (3, 7, 11)
    """Blocks whose output is a feature, each through the last norm."""


class TokenEncoder(nn.Module):
    """A little PointNet: each group's offsets [P, 3] become one token [d]."""

    def __init__(self, width: int, bn_stats: BnStats = "batch") -> None:
        super().__init__()
        self.bn_stats = bn_stats
        self.first_conv = nn.Sequential(nn.Conv1d(3, 128, 1), nn.BatchNorm1d(128), nn.ReLU(), nn.Conv1d(128, 256, 1))
        self.second_conv = nn.Sequential(
            nn.Conv1d(512, 512, 1), nn.BatchNorm1d(512), nn.ReLU(), nn.Conv1d(512, width, 1)
        )

    def forward(self, groups: Tensor) -> Tensor:
        """Tokens [M, d] of groups [M, P, 3].

        Layer by layer it is the authors' network. Here the first norm is folded into its layer; the layer of 512
        inputs is split into the group's half, which is the same for all its points, and the point's; and the norms'
        statistics of this very scan come from the moments of what goes in: means and covariances pass through a
        linear layer in closed form.
        """
        (_, _, first), (_, _, second) = _layers(self.first_conv), _layers(self.second_conv)
        entry = self._entry(groups)
        tops, moments = [], _Moments(128)
        for chunk in torch.split(groups, CHUNK):
            hidden = F.relu(F.linear(chunk, *entry))
            tops.append(F.linear(hidden, first.weight[..., 0], first.bias).amax(1))
            if self.bn_stats == "batch":
                moments.add(hidden)
        top = torch.cat(tops)
        of_group, of_point, shift = self._middle(top, moments)
        shared = F.linear(top, of_group, shift)
        tokens = []
        for chunk, own in zip(torch.split(groups, CHUNK), torch.split(shared, CHUNK), strict=True):
            hidden = F.linear(F.relu(F.linear(chunk, *entry)), first.weight[..., 0], first.bias)
            joined = F.relu(F.linear(hidden, of_point).add_(own[:, None]), inplace=True)
            tokens.append(F.linear(joined, second.weight[..., 0], second.bias).amax(1))
        return torch.cat(tokens)

    def _entry(self, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias of the first layer with its norm inside."""
        conv, norm, _ = _layers(self.first_conv)
        assert conv.bias is not None
        weight = conv.weight[..., 0]
        if self.bn_stats == "running":
            mean, variance = _kept(norm)
        else:
            flat = groups.reshape(-1, 3).double()
            centre = flat.mean(0)
            spread = (flat - centre).T @ (flat - centre) / len(flat)
            mean, variance = _through(weight, conv.bias, centre, spread)
        scale = norm.weight / (variance + norm.eps).sqrt()
        return weight * scale[:, None], (conv.bias - mean) * scale + norm.bias

    def _middle(self, top: Tensor, moments: _Moments) -> tuple[Tensor, Tensor, Tensor]:
        """The layer of 512 inputs with its norm inside: the group's half, the point's half, and the shift."""
        conv, norm, _ = _layers(self.second_conv)
        assert conv.bias is not None
        weight = conv.weight[..., 0]
        if self.bn_stats == "running":
            mean, variance = _kept(norm)
        else:
            mean, variance = _through(weight, conv.bias, *self._joint(top, moments))
        scale = norm.weight / (variance + norm.eps).sqrt()
        of_group, of_point = (weight * scale[:, None]).chunk(2, 1)
        return of_group, of_point, (conv.bias - mean) * scale + norm.bias

    def _joint(self, top: Tensor, moments: _Moments) -> tuple[Tensor, Tensor]:
        """Mean [512] and covariance of what goes into the second layer: the group's maximum beside each point's own."""
        _, _, layer = _layers(self.first_conv)
        assert layer.bias is not None
        weight, bias = layer.weight[..., 0].double(), layer.bias.double()
        groups, mean, spread = moments.all()
        group_mean = top.double().mean(0)
        centred = top.double() - group_mean
        # Within a group its maximum is constant: with the points it varies only as the groups' means do.
        across = centred.T @ (groups @ weight.T) / len(top)
        own = weight @ spread @ weight.T
        covariance = torch.cat([
            torch.cat([centred.T @ centred / len(top), across], 1), torch.cat([across.T, own], 1)
        ])  # fmt: skip
        return torch.cat([group_mean, mean @ weight.T + bias]), covariance


def _layers(stack: nn.Sequential) -> tuple[nn.Conv1d, nn.BatchNorm1d, nn.Conv1d]:
    """What has weights in a stack of layer, norm, ReLU and layer."""
    conv, norm, last = stack[0], stack[1], stack[3]
    assert isinstance(conv, nn.Conv1d)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(last, nn.Conv1d)
    return conv, norm, last


def _kept(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """The statistics of the pretraining."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


class _Moments:
    """Sums of hidden features by group, and of their products, in double precision."""

    def __init__(self, width: int) -> None:
        self.groups: list[Tensor] = []
        self.products = torch.zeros(width, width, dtype=torch.float64)
        self.count = 0

    def add(self, hidden: Tensor) -> None:
        flat = hidden.flatten(0, 1)
        self.groups.append(hidden.mean(1, dtype=torch.float64))
        self.products += (flat.T @ flat).double()
        self.count += len(flat)

    def all(self) -> tuple[Tensor, Tensor, Tensor]:
        """Means of groups [M, width] less the mean, the mean [width], the covariance."""
        groups = torch.cat(self.groups)
        mean = groups.mean(0)
        return groups - mean, mean, self.products / self.count - torch.outer(mean, mean)


def _through(weight: Tensor, bias: Tensor, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each output of a linear layer, from the mean and covariance of what goes in."""
    wide = weight.double()
    variance = torch.einsum("oi,ij,oj->o", wide, spread, wide).clamp(min=0)
    return (wide @ mean + bias.double()).to(weight.dtype), variance.to(weight.dtype)


class Block(nn.Module):
    """A pre-norm block; query, key and value without bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width, bias=False), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [M, d] to tokens [M, d]."""
        M, d = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).reshape(1, M, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1).reshape(M, d)
        x = x + self.attn["proj"](mixed)
        out: Tensor = x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))
        return out


class PointMaeEncoder(nn.Module):
    """From groups and their centres to features [M, taps · d]."""

    def __init__(self, shape: PointMaeShape | None = None, bn_stats: BnStats = "batch") -> None:
        super().__init__()
        self.shape = shape = shape or PointMaeShape()
        self.encoder = TokenEncoder(shape.width, bn_stats)
        self.pos_embed = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, shape.width))
        blocks = nn.ModuleList(Block(shape.width, shape.heads) for _ in range(shape.depth))
        self.blocks = nn.ModuleDict({"blocks": blocks})
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, groups: Tensor, centres: Tensor) -> Tensor:
        """Features of groups [M, P, 3], offsets from their centres [M, 3]; places are added before every block."""
        return torch.cat(list(self._tapped(self.encoder(groups), self.pos_embed(centres))), 1)

    def _tapped(self, x: Tensor, places: Tensor) -> Iterator[Tensor]:
        blocks = self.blocks["blocks"]
        assert isinstance(blocks, nn.ModuleList)
        for number, block in enumerate(blocks):
            x = block(x + places)
            if number in self.shape.taps:
                yield self.norm(x)
