"""What happens to a clip of faces before it is learned from: the same draw for all its frames, and motion.

B clips, T frames, G channels, S side in pixels, K draws a clip.

Every draw is a function of (seed, epoch, clip) alone: not of the batch, the order or the process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mimica.errors import UsageError

DRAWS = 40
"""How many uniform numbers each clip has for its augmentation in an epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How far each change may go: angles in degrees, the rest as fractions; chances from 0 to 1.

    `jitter` scales and shifts the box as a detector's would; `motion` is how far a still face
    wanders over a clip, as a fraction of the same changes. `erase` is the chance of a rectangle of one
    shade, `cover` that of a band over one side of the face, mostly the lower one, as by a hand or a mask.

    `crop` is the least and the largest share of the picture's area that is cut out and enlarged to the
    whole, `ratio` the least and the largest ratio of its width to its height; both at 1 cut nothing.
    `brightness`, `contrast` and `saturation` are how far the factor of each may be from 1, from 0 to 1: a
    picture is drawn to black, to its mean grey, to its own greys or away from them, in this order.
    """

    angle: float = 12.0
    scale: float = 0.15
    jitter: float = 0.08
    flip: float = 0.5
    gamma: float = 0.5
    blur: float = 0.2
    erase: float = 0.25
    cover: float = 0.0
    motion: float = 0.35
    crop: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise UsageError(f"crop is the least and the largest share of the area, 0 to 1, not {self.crop}")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise UsageError(f"ratio is the least and the largest of width to height, not {self.ratio}")
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is how far a factor may be from 1, 0 to 1, not {getattr(self, name)}")

    def of_scene(self) -> Augmentation:
        """What happens to the scene behind a face: all but what happens to a face alone.

        By the same draws it is cut, turned, mirrored, lit and blurred as the face is.
        """
        return replace(self, jitter=0.0, motion=0.0, erase=0.0, cover=0.0)


def generator(seed: int, epoch: int, clip: int) -> np.random.Generator:
    """Random numbers that are a function of (seed, epoch, clip), on every machine."""
    # Spelled out as 64-bit words: numpy would make floats of large ones and round neighbours into one.
    key = np.array([((seed << 32) + epoch) % 2**64, clip % 2**64], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def draws(seed: int, epoch: int, clips: Sequence[int] | np.ndarray) -> np.ndarray:
    """Uniform numbers [B, K] from 0 to 1, a function of (seed, epoch, clip)."""
    return np.stack([generator(seed, epoch, int(clip)).random(DRAWS) for clip in clips])


def augmented(frames: Tensor, u: np.ndarray, how: Augmentation) -> Tensor:
    """Augmented views [B, T, G, S, S] of `frames` [B, T, G, S, S] in 0 to 1, by draws `u` [B, K].

    A clip's frames share one draw; where T > 1 a smooth path of small changes is laid over it, so
    that a still face becomes a clip of a face that moves.
    """
    B, T = frames.shape[:2]
    d = torch.from_numpy(u).float().to(frames.device)
    s = 2 * d - 1
    path = _path(s[:, 20:28], T) * how.motion
    angle = (s[:, 0:1] + path[..., 0]) * (how.angle * torch.pi / 180)
    scale = torch.exp((s[:, 1:2] + path[..., 1]) * how.scale)
    shift = torch.stack([s[:, 2:3] + path[..., 2], s[:, 3:4] + path[..., 3]], -1) * (2 * how.jitter)
    sign = torch.where(d[:, 4:5] < how.flip, -1.0, 1.0).expand(B, T)
    window = None if how.crop == how.ratio == (1, 1) else _window(d[:, 28:32], how).repeat_interleave(T, 0)
    x = _warped(frames.flatten(0, 1), angle.flatten(), scale.flatten(), shift.flatten(0, 1), sign.flatten(), window)
    x = x.view(frames.shape)
    x = x.clamp(0, 1) ** torch.exp(s[:, 5] * how.gamma).view(B, 1, 1, 1, 1)
    x = _coloured(x, 1 + s[:, 32:35] * d.new_tensor([how.brightness, how.contrast, how.saturation]), how)
    x = _blurred(x, d[:, 6] < how.blur, 0.5 + d[:, 7])
    x = _erased(x, d[:, 8:13], how.erase)
    return _covered(x, d[:, 16:20], how.cover)


def _path(s: Tensor, T: int) -> Tensor:
    """A smooth path [B, T, 4] through [-1, 1]: a line and half a wave for each of four changes."""
    t = torch.linspace(-1, 1, T, device=s.device).view(1, T, 1) if T > 1 else s.new_zeros(1, 1, 1)
    return s[:, None, :4] * t + s[:, None, 4:8] * torch.sin(torch.pi * t)


def _window(d: Tensor, how: Augmentation) -> Tensor:
    """What is cut out of each picture [B, 4]: its width and height as shares of the side, and where its middle lies.

    The middle is given from -1 to 1; area and the logarithm of the ratio are drawn evenly (GoogLeNet), and
    a side that would be longer than the picture's is the picture's.
    """
    area = how.crop[0] + d[:, 0] * (how.crop[1] - how.crop[0])
    least, most = math.log(how.ratio[0]), math.log(how.ratio[1])
    ratio = torch.exp(least + d[:, 1] * (most - least))
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], -1).clamp(max=1)
    return torch.cat([sides, (2 * d[:, 2:4] - 1) * (1 - sides)], -1)


def _warped(
    x: Tensor, angle: Tensor, scale: Tensor, shift: Tensor, sign: Tensor, window: Tensor | None = None
) -> Tensor:
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = torch.stack([cos * sign, -sin, shift[:, 0], sin * sign, cos, shift[:, 1]], -1).view(-1, 2, 3)
    if window is not None:  # in one go with the rest, so that a picture is resampled once
        rows = rows * window[:, :2, None]
        rows[..., 2] += window[:, 2:]
    grid = F.affine_grid(rows, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _coloured(x: Tensor, factor: Tensor, how: Augmentation) -> Tensor:
    """Brightness, contrast and saturation by the factors [B, 3]; grey pictures have no saturation to change."""
    bright, contrast, saturation = (factor[:, i].view(-1, 1, 1, 1, 1) for i in range(3))
    if how.brightness:
        x = (x * bright).clamp(0, 1)
    if how.contrast:
        x = torch.lerp(_grey(x).mean((2, 3, 4), keepdim=True), x, contrast).clamp(0, 1)
    if how.saturation:
        x = torch.lerp(_grey(x), x, saturation).clamp(0, 1)
    return x


def _grey(x: Tensor) -> Tensor:
    """How light each place looks [B, T, 1, S, S], by the weights of ITU-R BT.601."""
    if x.shape[2] == 1:
        return x
    return (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(2, keepdim=True)


def _blurred(x: Tensor, chosen: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of `sigma` [B] pixels for the clips that are chosen [B]."""
    if not bool(chosen.any()):
        return x
    B, T, C, S, _ = x.shape
    offset = torch.arange(-3, 4, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-(offset**2) / (2 * sigma[:, None] ** 2))
    kernel = torch.where(chosen[:, None], kernel / kernel.sum(1, keepdim=True), (offset == 0).to(x.dtype))
    y = x.reshape(1, B * T * C, S, S)
    k = kernel.repeat_interleave(T * C, 0)
    y = F.conv2d(F.pad(y, (3, 3, 0, 0), mode="replicate"), k[:, None, None, :], groups=B * T * C)
    y = F.conv2d(F.pad(y, (0, 0, 3, 3), mode="replicate"), k[:, None, :, None], groups=B * T * C)
    return y.view(x.shape)


def _erased(x: Tensor, d: Tensor, chance: float) -> Tensor:
    """A rectangle of up to a third of each side filled with one shade, for a share of the clips."""
    S = x.shape[-1]
    height, width = (0.1 + 0.25 * d[:, 1]) * S, (0.1 + 0.25 * d[:, 2]) * S
    top, left = d[:, 3] * (S - height), d[:, 4] * (S - width)
    place = torch.arange(S, device=x.device)
    inside_y = (place >= top[:, None]) & (place < (top + height)[:, None])
    inside_x = (place >= left[:, None]) & (place < (left + width)[:, None])
    inside = inside_y[:, :, None] & inside_x[:, None, :] & (d[:, 0] < chance)[:, None, None]
    shade = x.mean(dim=(1, 2, 3, 4), keepdim=True)
    return torch.where(inside[:, None, None], shade, x)


def _covered(x: Tensor, d: Tensor, chance: float) -> Tensor:
    """A band of a seventh to a half of the side under one shade, for a share of the clips: below for 3 of 5."""
    S = x.shape[-1]
    place = (torch.arange(S, device=x.device) + 0.5) / S
    wide = (0.15 + 0.35 * d[:, 1])[:, None]
    near, far = place < wide, place > 1 - wide
    row, column = torch.ones_like(near)[:, :, None], torch.ones_like(near)[:, None, :]
    bands = torch.stack([far[:, :, None] & column, near[:, :, None] & column, row & near[:, None], row & far[:, None]])
    which = (torch.clamp(d[:, 2] - 0.6, min=0) / 0.4 * 3).ceil().long().clamp(max=3)
    inside = bands[which, torch.arange(len(x), device=x.device)] & (d[:, 0] < chance)[:, None, None]
    return torch.where(inside[:, None, None], d[:, 3].view(-1, 1, 1, 1, 1).to(x.dtype), x)
