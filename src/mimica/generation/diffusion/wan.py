"""Wan2.2 TI2V-5B as a policy (arXiv 2503.20314; diffusers' WanImageToVideoPipeline with `expand_timesteps`).

B clips, F frames of latents, C channels, h × w places of them.

The still is the first frame of latents, at time 0; the others are at time t. Without it all are at t, as the model
was trained from text alone too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mimica.errors import UsageError
from mimica.generation.diffusion.hub import HubPolicy, led


class Wan(HubPolicy):
    """Wan2.2 TI2V-5B. Raises UsageError for a Wan that takes its still in another way."""

    name = "wan"

    def __init__(self, pipeline: Any, *, size: int, model: str = "") -> None:
        if not pipeline.config.expand_timesteps:
            raise UsageError(f"{model or 'this Wan'} is not of the kind TI2V, which this is made for; give TI2V-5B")
        super().__init__(pipeline, size=size, model=model)

    @property
    def every(self) -> int:
        """How many frames of a clip go into one of latents."""
        return int(self.vae.config.scale_factor_temporal)

    @property
    def shrink(self) -> int:
        """How many pixels a place of latents is wide."""
        return int(self.vae.config.scale_factor_spatial)

    @property
    def channels(self) -> int:
        """How many channels latents have."""
        return int(self.vae.config.z_dim)

    @property
    def multiple(self) -> int:
        """What the side of clips must be a multiple of: the transformer reads patches of latents."""
        return self.shrink * int(self.config.patch_size[1])

    def words(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The text encoder's words [B, L, D], padded with zeros."""
        said, _ = self.pipeline.encode_prompt(
            prompt=list(prompts), do_classifier_free_guidance=False, max_sequence_length=512, device=self.vae.device
        )
        return {"said": said}

    def to_latents(self, clips: Tensor) -> Tensor:
        """Latents of clips in −1 to 1, less their mean over their deviation."""
        mean, deviation = self._moments(clips)
        latents: Tensor = (self.vae.encode(clips).latent_dist.mode() - mean) / deviation
        return latents

    def to_clips(self, latents: Tensor) -> Tensor:
        """Clips in −1 to 1 of latents."""
        mean, deviation = self._moments(latents)
        clips: Tensor = self.vae.decode(latents * deviation + mean, return_dict=False)[0]
        return clips

    def _moments(self, like: Tensor) -> tuple[Tensor, Tensor]:
        config = self.vae.config
        mean, deviation = (
            torch.tensor(one).view(1, -1, 1, 1, 1).to(like) for one in (config.latents_mean, config.latents_std)
        )
        return mean, deviation

    def run(self, latents: Tensor, t: Tensor, still: Tensor | None, words: dict[str, Tensor]) -> Tensor:
        """The velocity [B, F, C, h, w]."""
        _, F, _, h, w = latents.shape
        patch, dtype = self.config.patch_size, next(self.network.parameters()).dtype
        later = latents.new_ones(F)
        if still is not None:
            latents_in = torch.cat([still, latents[:, 1:]], 1)
            later[0] = 0
        else:
            latents_in = latents
        places = later.view(F, 1, 1).expand(F, h // patch[1], w // patch[2]).flatten()
        found = self.network(
            hidden_states=latents_in.transpose(1, 2).to(dtype), timestep=1000 * t[:, None] * places,
            encoder_hidden_states=words["said"].to(dtype), return_dict=False,
        )[0]  # fmt: skip
        return led(found.float().transpose(1, 2), latents, t, still)
