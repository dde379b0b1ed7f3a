"""Frames of a clip as how its first frame moves and what comes up anew: a coarse flow and a code of the rest.

N pictures, S side in pixels, C channels of latents, h × h places of them (h = S / 4), K codes.

A frame is the still warped by the flow, plus what the code adds. So a head that drifts is moved and not painted
again, and who is seen stays who it was. Latents of zero are the still itself. Nothing of it is trained: the flow
solves equations, and the codes are principal components of what it leaves over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.errors import UsageError

STRIDE = 4
"""How many pixels a place of latents is wide; its patch of the picture is twice as wide, half of it shared."""
FLOW = 2
"""The first channels of latents: how far to the right and down a place of a frame lies from where it was."""

_BLURS = (2, 2, 1, 1, 0, 0)
"""How often pictures are blurred in each step of the flow's solution: far motion first, then exact."""
_SWEEPS = 12
_SMOOTH, _SMALL, _SOFT = 1e-3, 1e-4, 0.05
"""How much the flow's unevenness and its size count, and from which difference on pixels count for less."""
_FARTHEST = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig:
    """Side of pictures in pixels, and how many codes a place has beside its flow."""

    size: int = 48
    code: int = 12

    def __post_init__(self) -> None:
        if self.size % (2 * STRIDE) or self.size < 2 * STRIDE:
            raise UsageError(f"the side of pictures must be a multiple of {2 * STRIDE}, got {self.size}")

    @property
    def channels(self) -> int:
        """How many channels latents have."""
        return FLOW + self.code

    def facts(self) -> dict[str, Any]:
        """The config as a checkpoint's JSON states it."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> CodecConfig:
        """The config that a checkpoint's JSON states."""
        return cls(**facts)


class Codec(nn.Module):
    """Latents [N, C, h, h] of frames beside their still, and back.

    `basis` [K, 3, 8, 8] are windowed patches, `spread` [C] the deviation of each channel over clips, by which latents
    are divided: they are about as large as the noise that a generator mixes in. Both are found by `fit`.
    """

    basis: Tensor
    spread: Tensor

    def __init__(self, config: CodecConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CodecConfig()
        self.register_buffer("basis", torch.zeros(config.code, 3, 2 * STRIDE, 2 * STRIDE))
        self.register_buffer("spread", torch.ones(config.channels))

    def encode(self, still: Tensor, frames: Tensor) -> Tensor:
        """Latents [N, C, h, h] of frames [N, 3, S, S] in 0 to 1 beside stills of the same shape."""
        flow = flow_between(still, frames)
        rest = frames - warp(still, flow)
        code = F.conv2d(rest, self.basis, stride=STRIDE, padding=STRIDE // 2)
        return torch.cat([flow, code], 1) / self.spread[:, None, None]

    def decode(self, latents: Tensor, still: Tensor) -> Tensor:
        """Frames [N, 3, S, S] in 0 to 1 of latents [N, C, h, h] and stills; differentiable."""
        raw = latents * self.spread[:, None, None]
        added = F.conv_transpose2d(raw[:, FLOW:], self.basis, stride=STRIDE, padding=STRIDE // 2)
        return (warp(still, raw[:, :FLOW]) + added).clamp(0, 1)

    @torch.no_grad()
    def fit(self, still: Tensor, frames: Tensor) -> None:
        """Find basis and spread from frames [N, 3, S, S] and their stills, in closed form."""
        flow = flow_between(still, frames)
        rest = frames - warp(still, flow)
        patches = F.unfold(rest, 2 * STRIDE, stride=STRIDE, padding=STRIDE // 2).transpose(1, 2).flatten(0, 1)
        window = window_of(2 * STRIDE).repeat(3, 1, 1)
        patches = (patches * window.flatten()).double()
        found = torch.linalg.eigh(patches.T @ patches / len(patches)).eigenvectors.flip(1)[:, : self.config.code]
        sign = torch.where(found.sum(0) < 0, -1.0, 1.0)  # an eigenvector has no sign of its own
        self.basis.copy_((found * sign).T.view_as(self.basis).float() * window)
        self.spread.fill_(1.0)
        latents = self.encode(still, frames)
        self.spread.copy_(latents.square().mean((0, 2, 3)).sqrt().clamp(min=1e-4))


def window_of(width: int) -> Tensor:
    """How much each pixel of a patch counts [width, width]: sines, whose squares over patches that overlap sum to 1."""
    along = torch.sin(math.pi * (torch.arange(width) + 0.5) / width)
    return torch.outer(along, along)


def warp(still: Tensor, flow: Tensor) -> Tensor:
    """Stills [N, 3, S, S] whose places have moved by a coarse flow [N, 2, h, h] in pixels, rightwards and downwards.

    The pixel at p of the result is the still's at p − flow(p), bilinear; the flow is bilinear between the middles
    of its places, and beyond the edge the still goes on as it ends.
    """
    N, _, S, _ = still.shape
    fine = F.interpolate(flow, size=(S, S), mode="bilinear", align_corners=False)
    at = (torch.arange(S, device=still.device, dtype=flow.dtype) + 0.5) * (2 / S) - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    places = torch.stack([x, y], -1).expand(N, S, S, 2) - fine.permute(0, 2, 3, 1) * (2 / S)
    return F.grid_sample(still, places, mode="bilinear", padding_mode="border", align_corners=False)


@torch.no_grad()
def coded(codec: Codec, clips: Tensor) -> Tensor:
    """Latents [N, T, C, h, h] of clips [N, T, 3, S, S] in 0 to 1, whose first frame is the still; its own are zero."""
    stills = clips[:, :1].expand_as(clips[:, 1:]).flatten(0, 1)
    found = codec.encode(stills, clips[:, 1:].flatten(0, 1))
    return F.pad(found.view(len(clips), -1, *found.shape[1:]), (0, 0, 0, 0, 0, 0, 1, 0))


@torch.no_grad()
def flow_between(still: Tensor, frames: Tensor) -> Tensor:
    """The coarse flow [N, 2, h, h] in pixels by which stills [N, 3, S, S] come nearest to frames.

    Gauss-Newton on Σ ρ(frame − warp(still, f)) + smoothness (Lucas & Kanade 1981 with the smoothness of Horn & Schunck
    1981 between places); what differs much, such as an open mouth, counts for less. Of a still and itself it is zero.
    """
    N, _, S, _ = still.shape
    flow = still.new_zeros(N, FLOW, S // STRIDE, S // STRIDE)
    for times in _BLURS:
        one, other = _blurred(still, times), _blurred(frames, times)
        moved = warp(one, flow)
        apart = other - moved
        across, down = _slopes(moved)
        counts = (apart.square().mean(1, keepdim=True) / _SOFT**2 + 1).rsqrt()
        terms = [across * across, across * down, down * down, across * apart, down * apart]
        pooled = _pooled(torch.cat([(counts * term).sum(1, keepdim=True) for term in terms], 1))
        flow = solved(flow, pooled).clamp(-_FARTHEST, _FARTHEST)
    return flow


def solved(flow: Tensor, pooled: Tensor) -> Tensor:
    """The flow that solves (A + λL + μ) f = A f₀ − b at each place, by Jacobi sweeps from f₀ on.

    A [2, 2] and b [2] of a place are the means of ∇∇ᵀ and ∇·difference over it: the frame is the warped still less its
    slope times how much farther it has moved.
    """
    xx, xy, yy, bx, by = pooled.unbind(1)
    x0, y0 = flow.unbind(1)
    rx, ry = xx * x0 + xy * y0 - bx, xy * x0 + yy * y0 - by
    near = torch.ones_like(xx[:1, None])
    count = _around(near)[:, 0]
    dx, dy = (one + _SMOOTH * count + _SMALL for one in (xx, yy))
    whole = dx * dy - xy * xy
    for _ in range(_SWEEPS):
        ax, ay = (_SMOOTH * _around(flow)).unbind(1)
        u, v = rx + ax, ry + ay
        flow = torch.stack([(dy * u - xy * v) / whole, (dx * v - xy * u) / whole], 1)
    return flow


def _around(x: Tensor) -> Tensor:
    """The sum [N, C, h, h] of the neighbours left, right, above and below; none beyond the edge."""
    y = F.pad(x, (1, 1, 1, 1))
    return y[..., 1:-1, :-2] + y[..., 1:-1, 2:] + y[..., :-2, 1:-1] + y[..., 2:, 1:-1]


def _pooled(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2 * STRIDE, STRIDE, STRIDE // 2, count_include_pad=False)


def _blurred(x: Tensor, times: int) -> Tensor:
    for _ in range(times):
        x = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return x


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """How much brighter pictures become from a pixel to the next, rightwards and downwards."""
    y = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return (y[..., 1:-1, 2:] - y[..., 1:-1, :-2]) / 2, (y[..., 2:, 1:-1] - y[..., :-2, 1:-1]) / 2
