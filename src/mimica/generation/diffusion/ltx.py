"""LTX-Video as a policy (arXiv 2501.00103; diffusers' LTXImageToVideoPipeline).

B clips, F frames of latents, C channels, h × w places of them.

The still is the first frame of latents, whose places are at time 0; the others are at time t.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mimica.generation.diffusion.hub import HubPolicy, led

FPS = 8.0
"""Frames a second of the clips that are asked for; the model places frames by seconds."""


class Ltx(HubPolicy):
    """LTX-Video, from 2 billion weights on."""

    name = "ltx"

    @property
    def every(self) -> int:
        """How many frames of a clip go into one of latents."""
        return int(self.vae.temporal_compression_ratio)

    @property
    def shrink(self) -> int:
        """How many pixels a place of latents is wide."""
        return int(self.vae.spatial_compression_ratio)

    @property
    def channels(self) -> int:
        """How many channels latents have."""
        return int(self.vae.config.latent_channels)

    def words(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The text encoder's words [B, L, D], and which of them there are [B, L]."""
        said, there, *_ = self.pipeline.encode_prompt(
            prompt=list(prompts), do_classifier_free_guidance=False, max_sequence_length=128, device=self.vae.device
        )
        return {"said": said, "there": there}

    def to_latents(self, clips: Tensor) -> Tensor:
        """Latents of clips in −1 to 1, less their mean over their deviation."""
        mean, deviation = self._moments(clips)
        latents: Tensor = (self.vae.encode(clips).latent_dist.mode() - mean) / deviation
        return latents

    def to_clips(self, latents: Tensor) -> Tensor:
        """Clips in −1 to 1 of latents."""
        mean, deviation = self._moments(latents)
        # A decoder that knows the time of what it decodes is told that no noise is left.
        time = latents.new_zeros(len(latents)) if self.vae.config.timestep_conditioning else None
        clips: Tensor = self.vae.decode(latents * deviation + mean, time, return_dict=False)[0]
        return clips

    def _moments(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = (one.view(1, -1, 1, 1, 1).to(like) for one in (self.vae.latents_mean, self.vae.latents_std))
        return mean, deviation / self.vae.config.scaling_factor

    def run(self, latents: Tensor, t: Tensor, still: Tensor | None, words: dict[str, Tensor]) -> Tensor:
        """The velocity [B, F, C, h, w]."""
        B, F, C, h, w = latents.shape
        dtype, later = next(self.network.parameters()).dtype, latents.new_ones(F)
        given = latents
        if still is not None:
            given, later[0] = torch.cat([still, latents[:, 1:]], 1), 0
        found = self.network(
            hidden_states=given.permute(0, 1, 3, 4, 2).reshape(B, F * h * w, C).to(dtype),
            encoder_hidden_states=words["said"].to(dtype), encoder_attention_mask=words["there"],
            timestep=1000 * t[:, None] * later.repeat_interleave(h * w), num_frames=F, height=h, width=w,
            rope_interpolation_scale=(self.every / FPS, self.shrink, self.shrink), return_dict=False,
        )[0]  # fmt: skip
        return led(found.float().view(B, F, h, w, C).permute(0, 1, 4, 2, 3), latents, t, still)
