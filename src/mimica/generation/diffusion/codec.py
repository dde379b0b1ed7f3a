"""Frames of a clip as how its first frame moves and what comes up anew: a coarse flow and a code of the rest.

N pictures, S side in pixels, C channels of latents, h × h places of them (h = S / 4).

A frame is the still warped by the flow, plus what a decoder paints from the code. So a head that drifts is
moved and not painted again, and who is seen stays who it was. Latents of zero are the still itself, to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.errors import UsageError

STRIDE = 4
"""How many pixels a place of latents is wide."""
FLOW = 2
"""The first channels of latents: how far to the right and down a place of a frame lies from where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig:
    """How large the codec is: side of pictures in pixels, channels of the code, width of its layers."""

    size: int = 48
    code: int = 8
    width: int = 64

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
    """Latents [N, C, h, h] of frames beside their still, and back; learned once, then frozen.

    `spread` [C] is the deviation of each channel over clips, by which latents are divided: they are about as
    large as the noise that a generator mixes in.
    """

    spread: Tensor

    def __init__(self, config: CodecConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CodecConfig()
        W, seen = config.width, 3 * STRIDE**2
        self.enter = nn.Conv2d(2 * seen, W, 3, padding=1)
        self.fine = nn.Sequential(Residual(W), Residual(W))
        self.coarse = nn.Sequential(Residual(W), Residual(W))
        self.leave = nn.Conv2d(2 * W, config.channels, 3, padding=1)
        self.look = nn.Conv2d(seen, W, 3, padding=1)
        # Without a bias from here on, so that a code of zero paints nothing.
        self.read = nn.Conv2d(config.code, W, 3, padding=1, bias=False)
        self.mix = nn.Sequential(Residual(W, bias=False), Residual(W, bias=False))
        self.halfway = nn.Conv2d(W, W // 2, 3, padding=1, bias=False)
        self.paint = nn.Conv2d(W // 2, 3 * 4, 3, padding=1, bias=False)
        self.register_buffer("spread", torch.ones(config.channels))
        for layer in (self.enter, self.leave, self.look, self.read, self.halfway, self.paint):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        with torch.no_grad():
            self.leave.weight[:FLOW] *= 0.05  # no motion to begin with
            self.leave.weight[FLOW:] *= 10.0  # frames differ little from their still, and codes should not

    def encode(self, still: Tensor, frames: Tensor) -> Tensor:
        """Latents [N, C, h, h] of frames [N, 3, S, S] in 0 to 1 beside stills of the same shape."""
        return (self._difference(still, frames) - self._difference(still, still)) / self._spread

    def decode(self, latents: Tensor, still: Tensor) -> Tensor:
        """Frames [N, 3, S, S] in 0 to 1 of latents [N, C, h, h] and stills; differentiable."""
        return self.parts(latents, still)[1].clamp(0, 1)

    def parts(self, latents: Tensor, still: Tensor) -> tuple[Tensor, Tensor]:
        """The warped still and the painted frame, before it is held to 0 to 1, each [N, 3, S, S]."""
        raw = latents * self._spread
        moved = warp(still, raw[:, :FLOW].float() * STRIDE)
        return moved, moved + self._painted(raw[:, FLOW:], moved)

    @property
    def _spread(self) -> Tensor:
        return self.spread[:, None, None]

    def _difference(self, still: Tensor, frames: Tensor) -> Tensor:
        x = torch.cat([F.pixel_unshuffle(one - 0.5, STRIDE) for one in (still, frames)], 1)
        x = self.fine(self.enter(x))
        wide = F.interpolate(self.coarse(F.avg_pool2d(x, 2)), scale_factor=2.0, mode="bilinear")
        y: Tensor = self.leave(F.silu(torch.cat([x, wide], 1)))
        return y

    def _painted(self, code: Tensor, moved: Tensor) -> Tensor:
        x = self.read(code) * (1 + self.look(F.pixel_unshuffle(moved - 0.5, STRIDE)))
        x = self.halfway(F.interpolate(F.silu(self.mix(x)), scale_factor=2.0, mode="bilinear"))
        y: Tensor = F.pixel_shuffle(self.paint(F.silu(x)), 2)
        return y


class Residual(nn.Module):
    """Two convolutions beside a short way; one without a bias leaves zero at zero."""

    def __init__(self, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, [N, width, h, h]."""
        y: Tensor = x + self.conv2(F.silu(self.conv1(F.silu(x))))
        return y


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
    return F.grid_sample(still.to(flow.dtype), places, mode="bilinear", padding_mode="border", align_corners=False)
