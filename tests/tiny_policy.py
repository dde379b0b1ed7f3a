"""Policies for tests: one of Gaussian data whose prediction is known exactly, and a tiny network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from mimica.generation.diffusion.policy import Condition, Seen

Kind = Literal["flow", "ddim"]


def some_condition(clips: int, frames: int, *, seed: int = 0, anchored: int = 0) -> Condition:
    """A plan at random, and a still of so many channels."""
    g = torch.Generator().manual_seed(seed)
    return Condition(
        tensors={}, activation=torch.rand(clips, frames, generator=g),
        change=torch.rand(clips, frames - 1, generator=g),
        start=torch.rand(clips, generator=g) if anchored else None,
        anchor=torch.randn(clips, anchored, 2, 2, generator=g) if anchored else None,
    )  # fmt: skip


class Plain:
    """What all policies of tests have alike."""

    kind: Kind
    shift = 1.0
    size: int = 8
    lora_targets: tuple[str, ...] = ()
    reach: float = 0.9  # an untrained network would blow up what is left of a clip at 1

    def frames(self, wanted: int) -> int:
        return wanted

    def alpha_bar(self, t: Tensor) -> Tensor:
        if self.kind == "flow":
            return (1 - t) ** 2 / ((1 - t) ** 2 + t**2)
        return torch.cos(math.pi / 2 * t * self.reach) ** 2

    def state(self) -> dict[str, Any]:
        return {"backend": "test"}


class Gaussian(Plain):
    """The exact model of clips whose latents are independent normals of this mean and deviation."""

    name = "gaussian"
    reach = 0.999

    def __init__(self, kind: Kind, mean: float = 0.8, deviation: float = 0.5) -> None:
        self.kind, self.mean, self.deviation = kind, mean, deviation
        self.network = nn.Identity()

    def predict(self, latents: Tensor, t: Tensor, condition: Condition, *, seen: Seen = "all") -> Tensor:
        t = t.view(-1, 1, 1, 1, 1).double()
        a, b = (1 - t, t) if self.kind == "flow" else (self.alpha_bar(t).sqrt(), (1 - self.alpha_bar(t)).sqrt())
        away = (latents.double() - a * self.mean) / (a**2 * self.deviation**2 + b**2)
        noise, clean = b * away, self.mean + a * self.deviation**2 * away
        return (noise - clean if self.kind == "flow" else noise).float()


class Net(nn.Module):
    """Layers small enough to be tuned in a test."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.inward = nn.Conv2d(8, width, 3, padding=1)
        self.mix = nn.Linear(width, width)
        self.outward = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.silu(self.inward(x))
        h = h + F.silu(self.mix(h.movedim(1, -1))).movedim(-1, 1)
        return torch.as_tensor(self.outward(h))


class Tiny(Plain):
    """A network over differences of small pictures from the still; its condition is the still and the mean curve."""

    name = "tiny-test"
    lora_targets = ("mix", "outward")

    def __init__(self, kind: Kind = "flow", *, size: int = 8, seed: int = 0) -> None:
        self.kind, self.size = kind, size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Net()

    def condition(
        self, images: Tensor, *, curves: Tensor | None = None, prompts: Sequence[str] | None = None, frames: int
    ) -> Condition:
        B = len(images)
        curves = torch.zeros(B, frames, 1) if curves is None else curves
        planned = (curves.amax(1) > 0).float()
        activation = (curves * planned[:, None]).sum(-1) / planned.sum(-1, keepdim=True).clamp(min=1)
        still = F.interpolate(images, size=(self.size, self.size), mode="area")
        return Condition(
            tensors={"still": still}, activation=activation, change=curves.diff(dim=1).abs().sum(-1),
            start=curves[:, 0].abs().sum(-1), anchor=torch.zeros_like(still),
        )  # fmt: skip

    def noise(self, condition: Condition, generator: Generator | None = None) -> Tensor:
        return torch.randn(*condition.activation.shape, 3, self.size, self.size, generator=generator)

    def predict(self, latents: Tensor, t: Tensor, condition: Condition, *, seen: Seen = "all") -> Tensor:
        B, T, C, h, w = latents.shape
        still = condition.tensors["still"][:, None].expand(-1, T, -1, -1, -1) * (seen != "nothing")
        curve = condition.activation[:, :, None, None, None].expand(-1, -1, 1, h, w) * (seen == "all")
        time = t.view(B, 1, 1, 1, 1).expand(-1, T, 1, h, w)
        told = torch.cat([latents, still, curve, time], 2).flatten(0, 1)
        return torch.as_tensor(self.network(told)).view(B, T, C, h, w)

    def encode(self, clips: Tensor) -> Tensor:
        B, T = clips.shape[:2]
        small = F.interpolate(clips.flatten(0, 1), size=(self.size, self.size), mode="area").unflatten(0, (B, T))
        return 2 * (small - small[:, :1])

    def decode(self, latents: Tensor, condition: Condition) -> Tensor:
        return (condition.tensors["still"][:, None] + latents / 2).clamp(0, 1)
