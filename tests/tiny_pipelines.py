"""Pipelines of diffusers made from code: a few thousand random weights, words by a WordLevel tokenizer, no hub."""

from __future__ import annotations

from typing import Any

import torch

WORDS = ("<pad>", "</s>", "<unk>", "a", "face", "the", "brows", "lips", "are", "raised", "lowered", "parted", ".", ",")


def tokenizer(longest: int) -> Any:
    """Words to numbers, `</s>` at the end, as those of T5 do."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=longest
    )


def _t5(kind: str) -> Any:
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    return getattr(transformers, f"{kind}EncoderModel")(config)


def wan() -> Any:
    """Of the kind TI2V: time of its own for each place, a vae that makes 4 frames and 8 pixels one."""
    from diffusers import (
        AutoencoderKLWan,
        FlowMatchEulerDiscreteScheduler,
        WanImageToVideoPipeline,
        WanTransformer3DModel,
    )

    torch.manual_seed(0)
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0, 0.1, 0.2, 0.3], latents_std=[1.0, 0.9, 1.1, 1.2],
    )  # fmt: skip
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=16,
        freq_dim=16, ffn_dim=32, num_layers=2, cross_attn_norm=True, qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    )  # fmt: skip
    return WanImageToVideoPipeline(
        tokenizer=tokenizer(512), text_encoder=_t5("UMT5"), vae=vae, transformer=transformer, expand_timesteps=True,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
    )  # fmt: skip


def ltx() -> Any:
    """A vae that makes 8 frames and 32 pixels one."""
    from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXImageToVideoPipeline
    from diffusers import LTXVideoTransformer3DModel as Transformer

    torch.manual_seed(0)
    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True, False), decoder_spatio_temporal_scaling=(True, True, True, False),
        decoder_inject_noise=(False, False, False, False, False), upsample_residual=(False, False, False, False),
        upsample_factor=(1, 1, 1, 1), timestep_conditioning=False, patch_size=4, patch_size_t=1, encoder_causal=True,
        decoder_causal=False,
    )  # fmt: skip
    transformer = Transformer(
        in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=2, attention_head_dim=8,
        cross_attention_dim=16, num_layers=2, caption_channels=16,
    )  # fmt: skip
    return LTXImageToVideoPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=_t5("T5"),
        tokenizer=tokenizer(128),
        transformer=transformer,
    )


def cogvideox() -> Any:
    """A vae that makes 4 frames and 8 pixels one; the schedule of CogVideoX, at whose end nothing of a clip is left."""
    from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXImageToVideoPipeline
    from diffusers import CogVideoXTransformer3DModel as Transformer

    torch.manual_seed(0)
    blocks = ("CogVideoXDownBlock3D",) * 4, ("CogVideoXUpBlock3D",) * 4
    vae = AutoencoderKLCogVideoX(
        in_channels=3, out_channels=3, down_block_types=blocks[0], up_block_types=blocks[1],
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2,
        temporal_compression_ratio=4, scaling_factor=0.7, invert_scale_latents=True,
    )  # fmt: skip
    transformer = Transformer(
        num_attention_heads=2, attention_head_dim=16, in_channels=8, out_channels=4, time_embed_dim=2,
        text_embed_dim=16, num_layers=2, sample_width=4, sample_height=4, sample_frames=9, patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=24, use_rotary_positional_embeddings=True, use_learned_positional_embeddings=True,
    )  # fmt: skip
    scheduler = CogVideoXDDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        rescale_betas_zero_snr=True, snr_shift_scale=1.0, timestep_spacing="trailing", set_alpha_to_one=True,
        clip_sample=False,
    )  # fmt: skip
    return CogVideoXImageToVideoPipeline(
        tokenizer=tokenizer(24), text_encoder=_t5("T5"), vae=vae, transformer=transformer, scheduler=scheduler
    )
