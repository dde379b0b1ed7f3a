"""CogVideoX-5B-I2V as a policy of kind ddim (arXiv 2408.06072; diffusers' CogVideoXImageToVideoPipeline).

B clips, F frames of latents, C channels, h × w places of them, N steps of the noise it was trained with.

The still is beside the latents in every step, in the first frame of as many channels more; without it they are zero,
as in a share of its training. The network predicts v = √ᾱ ε − √(1 − ᾱ) clip (arXiv 2202.00512), which is turned into ε.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from mimica.errors import UsageError
from mimica.generation.diffusion.hub import HubPolicy

_LEAST = 1e-4
"""The least ᾱ, at t = 1: with none of the clip left nothing could be said of it by its noise."""


class CogVideoX(HubPolicy):
    """CogVideoX-5B-I2V. Raises UsageError for version 1.5, whose patches are two frames long."""

    name = "cogvideox"
    kind: Literal["flow", "ddim"] = "ddim"

    def __init__(self, pipeline: Any, *, size: int, model: str = "") -> None:
        if pipeline.transformer.config.patch_size_t is not None:
            raise UsageError(f"{model or 'this CogVideoX'} is of version 1.5; give CogVideoX-5b-I2V")
        super().__init__(pipeline, size=size, model=model)
        kept = pipeline.scheduler.alphas_cumprod.float()
        self._kept = torch.cat([kept.new_ones(1), kept]).clamp(min=_LEAST)

    @property
    def every(self) -> int:
        """How many frames of a clip go into one of latents."""
        return int(self.vae.config.temporal_compression_ratio)

    def frames(self, wanted: int) -> int:
        """The nearest number of frames whose latents are odd in number: the vae decodes two at a time and the first."""
        two = 2 * self.every
        return max(1, round((wanted - 1) / two)) * two + 1

    @property
    def shrink(self) -> int:
        """How many pixels a place of latents is wide."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def channels(self) -> int:
        """How many channels latents have."""
        return int(self.vae.config.latent_channels)

    @property
    def multiple(self) -> int:
        """What the side of clips must be a multiple of: the transformer reads patches of latents."""
        return self.shrink * int(self.config.patch_size)

    @property
    def shift(self) -> float:
        """Equal steps: how noise grows is in ᾱ already."""
        return 1.0

    def alpha_bar(self, t: Tensor) -> Tensor:
        """ᾱ between the steps of training: 1 at t = 0, that of step i at t = (i + 1) / N."""
        table = self._kept.to(t.device)
        at = t.clamp(0, 1) * (len(table) - 1)
        low = at.floor().long().clamp(max=len(table) - 2)
        return torch.lerp(table[low], table[low + 1], at - low)

    def words(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The text encoder's words [B, L, D]."""
        said, _ = self.pipeline.encode_prompt(
            prompt=list(prompts), do_classifier_free_guidance=False,
            max_sequence_length=int(self.config.max_text_seq_length), device=self.vae.device,
        )  # fmt: skip
        return {"said": said}

    def to_latents(self, clips: Tensor) -> Tensor:
        """Latents of clips in −1 to 1, scaled."""
        latents: Tensor = self.vae.encode(clips).latent_dist.mode() * self.vae.config.scaling_factor
        return latents

    def to_clips(self, latents: Tensor) -> Tensor:
        """Clips in −1 to 1 of latents."""
        clips: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0]
        return clips

    def run(self, latents: Tensor, t: Tensor, still: Tensor | None, words: dict[str, Tensor]) -> Tensor:
        """The noise [B, F, C, h, w] in latents."""
        config, dtype = self.config, next(self.network.parameters()).dtype
        beside = torch.zeros_like(latents)
        if still is not None:
            # Its authors left the scale out where they should have put it in, and the model was trained so.
            again = 1 / self.vae.config.scaling_factor**2 if self.vae.config.invert_scale_latents else 1.0
            beside = torch.cat([again * still, beside[:, 1:]], 1)
        B, F, _, h, w = latents.shape
        turned = None
        if config.use_rotary_positional_embeddings:
            turned = self.pipeline._prepare_rotary_positional_embeddings(
                h * self.shrink, w * self.shrink, F, latents.device
            )
        step = (t * (len(self._kept) - 1)).round().long().sub(1).clamp(min=0)
        found = self.network(
            hidden_states=torch.cat([latents, beside], 2).to(dtype), encoder_hidden_states=words["said"].to(dtype),
            timestep=step, image_rotary_emb=turned, return_dict=False,
            ofs=None if config.ofs_embed_dim is None else latents.new_full((1,), 2.0),
        )[0]  # fmt: skip
        kept = self.alpha_bar(t).view(B, 1, 1, 1, 1)
        noise: Tensor = kept.sqrt() * found.float() + (1 - kept).sqrt() * latents
        return noise
