"""What a generator of clips must be able to do to be sampled from, tuned by rewards and judged.

Axes: B clips, T frames of a clip, F frames of latents (F ≤ T), A units, C channels of latents, H × W pixels,
h × w places of latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from mimica.errors import UsageError

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

Seen = Literal["nothing", "image", "all"]
"""What of its condition a prediction may see, for guidance: nothing, the still alone, or still and plan and words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a clip is generated from, encoded once for all steps: whatever tensors a backend needs, all [B, …]."""

    tensors: dict[str, Tensor]
    """By name, each with B first; B clips are conditioned on."""
    activation: Tensor
    """How much the plan moves at each frame of latents, its mean over the units planned, [B, F], 0 to 1; 0 without."""
    change: Tensor
    """How much the plan changes from each frame of latents to the next, ‖A*(τ+1) − A*(τ)‖₁, [B, F − 1]."""
    start: Tensor | None = None
    """How far the plan is from rest at the first frame of latents, ‖A*(0)‖₁, [B]; None where it begins at rest."""
    anchor: Tensor | None = None
    """The latent of the still, [B, C, h, w], as a frame of latents has it; None for a model that has none."""

    def take(self, index: Tensor) -> Condition:
        """The condition of the clips at these places, [N] → N clips; a place may be named more than once."""
        return Condition(
            tensors={name: tensor[index] for name, tensor in self.tensors.items()},
            activation=self.activation[index],
            change=self.change[index],
            start=None if self.start is None else self.start[index],
            anchor=None if self.anchor is None else self.anchor[index],
        )


class Policy(Protocol):
    """An image-to-video model as something to sample from and to tune.

    Latents are [B, F, C, h, w] whatever the backend's own layout is: what works along frames then works for all.
    Time t runs from 1 (noise) to 0 (clip) for all of them. A flow model predicts the velocity v = noise − clip of
    z(t) = (1 − t) clip + t noise; one of kind "ddim" predicts the noise in z(t) = √ᾱ(t) clip + √(1 − ᾱ(t)) noise.
    """

    name: str
    kind: Literal["flow", "ddim"]

    @property
    def size(self) -> int:
        """The side in pixels of the stills it reads and of its clips."""

    @property
    def shift(self) -> float:
        """How far a sampler's steps move toward noise where nothing else is asked; 1 spaces them evenly."""

    network: nn.Module
    """What is trained; LoRA goes on it by peft, and the reference model is it with the adapter switched off."""
    lora_targets: tuple[str, ...]
    """Names of the layers of the network that take LoRA, as peft's `target_modules`."""

    def frames(self, wanted: int) -> int:
        """The number of frames nearest to that wanted which the backend can make, such as 4k + 1."""

    def condition(
        self, images: Tensor, *, curves: Tensor | None = None, prompts: Sequence[str] | None = None, frames: int
    ) -> Condition:
        """Encode stills [B, 3, H, W] in 0 to 1, plans A* [B, T, A] in 0 to 1, and prompts, for clips of T frames."""

    def noise(self, condition: Condition, generator: Generator | None = None) -> Tensor:
        """Latents of pure noise for these clips, [B, F, C, h, w], fp32."""

    def predict(self, latents: Tensor, t: Tensor, condition: Condition, *, seen: Seen = "all") -> Tensor:
        """Velocity or noise in latents [B, F, C, h, w] at times t [B] in 0 to 1."""

    def alpha_bar(self, t: Tensor) -> Tensor:
        """ᾱ at times t [B], for a model of kind "ddim"; `flow_alpha_bar` for a flow."""

    def encode(self, clips: Tensor) -> Tensor:
        """Latents of clips [B, T, 3, H, W] in 0 to 1; what training starts from."""

    def decode(self, latents: Tensor, condition: Condition) -> Tensor:
        """Clips [B, T, 3, H, W] in 0 to 1 of clean latents; differentiable."""

    def state(self) -> dict[str, Any]:
        """What names this model in provenance: backend, configuration, digest of its weights."""


def flow_alpha_bar(t: Tensor) -> Tensor:
    """(1 − t)² / ((1 − t)² + t²), the share of the clip in the power of a flow's z(t), at times t [B]."""
    return (1 - t) ** 2 / ((1 - t) ** 2 + t**2)


def along(curves: Tensor | None, clips: int, frames: int, every: int) -> dict[str, Tensor]:
    """What a `Condition` states of plans [B, T, A] by frames of latents: `activation`, `change` and `start`.

    The first frame of latents is the first of the clip, each other the mean of `every`. A unit is planned that is above
    0 anywhere in the clip.
    """
    if curves is None:
        curves = torch.zeros(clips, (frames - 1) * every + 1, 1)
    if curves.ndim != 3 or curves.shape[:2] != (clips, (frames - 1) * every + 1):
        raise UsageError(f"plans must be [{clips}, {(frames - 1) * every + 1}, A], got {list(curves.shape)}")
    later = curves[:, 1:].reshape(clips, frames - 1, every, -1).mean(2)
    pooled = torch.cat([curves[:, :1], later], 1)
    planned = (curves > 0).any(1).sum(-1).clamp(min=1)
    return {
        "activation": pooled.sum(-1) / planned[:, None],
        "change": pooled.diff(dim=1).abs().sum(-1),
        "start": pooled[:, 0].sum(-1),
    }
