"""The network of the tiny generator: which way latents go, by the still and the strength of each unit in each frame.

B clips, T frames, A units, C channels and h × h places of latents, W and 2W widths, D width of what it is told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.generation.diffusion.codec import STRIDE

_TIMES, _PLACES = 64, 32
_LONGEST = 64.0
"""Frames that the slowest wave of a frame's place is long, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the network is told of B clips: stills [B, 3, S, S], curves [B, T, A], and which of both count, [B] each."""

    still: Tensor
    curves: Tensor
    seen_still: Tensor
    seen_plan: Tensor


class TinyNet(nn.Module):
    """A small U-Net over the places of latents that attends over frames, beside a rig of the still.

    The rig is a guess that is linear in units: how each unit would move this face. The U-Net learns what is
    left of it. Its output is scaled as Karras et al. 2022 (arXiv 2206.00364) scale a denoiser's, for the
    straight path of a flow: see `forward`.
    """

    def __init__(
        self, *, channels: int, units: int, side: int, look: int = 64, width: int = 40, told: int = 128
    ) -> None:
        super().__init__()
        self.channels, self.units = channels, units
        W = width
        self.look = nn.Sequential(
            nn.Conv2d(3 * STRIDE**2, look, 3, padding=1), *(_Residual(look) for _ in range(3)), nn.SiLU()
        )
        self.rig = nn.Conv2d(look, units * channels, 3, padding=1)
        self.seen = nn.Conv2d(look, W, 1)
        self.tell = nn.Sequential(
            nn.Linear(_TIMES + _PLACES + 3 * units + 2, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU()
        )
        self.enter = nn.Conv2d(2 * channels + W, W, 3, padding=1)
        self.place = nn.Parameter(0.02 * torch.randn(W, side, side))
        self.down = nn.ModuleList(_Block(W, told) for _ in range(2))
        self.widen = nn.Conv2d(W, 2 * W, 2, stride=2)
        self.middle = nn.ModuleList(_Block(2 * W, told) for _ in range(3))
        self.over = nn.ModuleList(_OverTime(2 * W) for _ in range(2))
        self.narrow = nn.Conv2d(2 * W, W, 1)
        self.join = nn.Conv2d(2 * W, W, 1)
        self.up = nn.ModuleList(_Block(W, told) for _ in range(2))
        self.leave = nn.Conv2d(W, channels, 3, padding=1)
        for layer in (self.rig, self.leave):
            for weight in layer.parameters():
                nn.init.zeros_(weight)

    def forward(self, latents: Tensor, t: Tensor, told: Told) -> Tensor:
        """The velocity noise − clip in latents [B, T, C, h, h] at times t [B].

        With the rig's guess r and D = (1 − t)² + t², the U-Net sees y = (z − (1 − t) r) / √D and its output f gives
        v = (2t − 1)/D (z − (1 − t) r) + f/√D − r: f is as large as the noise where what r leaves over is.
        """
        B, T, C, h, _ = latents.shape
        at = t.view(B, 1, 1, 1, 1)
        face = self._face(told)
        guess = self._guessed(face, told)
        rest, D = latents - (1 - at) * guess, (1 - at) ** 2 + at**2
        shared = self.seen(face)[:, None].expand(-1, T, -1, -1, -1)
        x = torch.cat([rest / D.sqrt(), guess.to(rest.dtype), shared.to(rest.dtype)], 2).flatten(0, 1)
        found = self._unet(x, self._words(t, told).flatten(0, 1), T).view(B, T, C, h, h).float()
        return (2 * at - 1) / D * rest + found / D.sqrt() - guess

    def guess(self, told: Told) -> Tensor:
        """How far each unit has moved since the still, times what it would do to this face: [B, T, C, h, h]."""
        return self._guessed(self._face(told), told)

    def _face(self, told: Told) -> Tensor:
        face: Tensor = self.look(F.pixel_unshuffle(told.still - 0.5, STRIDE))
        return face * told.seen_still.view(-1, 1, 1, 1)

    def _guessed(self, face: Tensor, told: Told) -> Tensor:
        B, _, h, _ = face.shape
        rig = self.rig(face).view(B, self.units, self.channels, h, h).float()
        moved = (told.curves - told.curves[:, :1]) * (told.seen_plan * told.seen_still).view(B, 1, 1)
        return torch.einsum("bta,bachw->btchw", moved, rig)

    def _words(self, t: Tensor, told: Told) -> Tensor:
        """What each frame is told [B, T, D]: the noise's time, its place in the clip, its units and the still's."""
        B, T, _ = told.curves.shape
        plan = told.curves * told.seen_plan.view(B, 1, 1)
        first = plan[:, :1].expand_as(plan)
        seen = torch.stack([told.seen_still, told.seen_plan], -1).to(plan.dtype)[:, None].expand(B, T, 2)
        place = _waves(torch.arange(T, device=t.device, dtype=t.dtype), _PLACES, _LONGEST).expand(B, T, _PLACES)
        time = _waves(1000 * t, _TIMES, 10_000.0)[:, None].expand(B, T, _TIMES)
        words: Tensor = self.tell(torch.cat([time, place, plan, first, plan - first, seen], -1))
        return words

    def _unet(self, x: Tensor, words: Tensor, frames: int) -> Tensor:
        x = self.enter(x) + self.place
        for block in self.down:
            x = block(x, words)
        y = self.widen(x)
        for number, block in enumerate(self.middle):
            y = block(y, words)
            if number < len(self.over):
                y = self.over[number](y, frames)
        y = F.interpolate(self.narrow(y), scale_factor=2.0, mode="bilinear")
        x = self.join(torch.cat([x, y], 1))
        for block in self.up:
            x = block(x, words)
        z: Tensor = self.leave(F.silu(x))
        return z


class _Residual(nn.Module):
    """Two convolutions beside a short way."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv2(F.silu(self.conv1(F.silu(x))))
        return y


class _Block(nn.Module):
    """Two convolutions beside a short way, whose channels what is told scales and shifts."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bend = nn.Linear(told, 2 * width)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        scale, shift = self.bend(words)[:, :, None, None].chunk(2, 1)
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.norm2(y) * (1 + scale) + shift
        z: Tensor = x + self.conv2(F.silu(y))
        return z


class _OverTime(nn.Module):
    """Attention over the frames of a clip, at each place by itself."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        N, W, h, w = x.shape
        along = x.view(-1, frames, W, h * w).permute(0, 3, 1, 2).reshape(-1, frames, W)
        q, k, v = self.qkv(self.norm(along)).view(-1, frames, 3, self.heads, W // self.heads).permute(2, 0, 3, 1, 4)
        shares = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        found = self.out((shares.to(v.dtype) @ v).transpose(1, 2).reshape(-1, frames, W))
        y: Tensor = x + found.view(-1, h * w, frames, W).permute(0, 2, 3, 1).reshape(N, W, h, w)
        return y


def _waves(at: Tensor, number: int, longest: float) -> Tensor:
    """Sines and cosines [..., number] of numbers [...], from one radian a unit to `longest` units a radian."""
    speed = torch.exp(torch.arange(number // 2, device=at.device) * (-math.log(longest) / (number // 2 - 1)))
    angle = at[..., None] * speed
    return torch.cat([angle.sin(), angle.cos()], -1)
