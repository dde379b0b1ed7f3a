"""A tiny CLIP on disk, as the hub gives one."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import torch
from torch import Tensor

from mimica.labels import EXPRESSIONS

START, END = "<|startoftext|>", "<|endoftext|>"


def write_tokenizer(folder: Path) -> int:
    """Letters, what joins them to the words of the class texts, and the two marks at the end; gives their number."""
    signs = "abcdefghijklmnopqrstuvwxyz:,'-"
    words = sorted({w for texts in EXPRESSIONS.descriptions for w in re.findall("[a-z]+", texts[0])})
    merges: dict[tuple[str, str], str] = {}
    for word in words:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merges.setdefault((parts[0], parts[1]), parts[0] + parts[1])
            parts[:2] = [parts[0] + parts[1]]
    listed = [*signs, *(f"{sign}</w>" for sign in signs), *merges.values()]
    vocabulary = {word: i for i, word in enumerate([*dict.fromkeys(listed), START, END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    return len(vocabulary)


def write_clip(folder: Path, *, vision_layers: int = 3) -> None:
    """32 pixels, patches of 16, widths 128 and 64, a text tower of 3 layers, joint dimension 16; with its tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    words = write_tokenizer(folder)
    vision = {"hidden_size": 128, "intermediate_size": 96, "num_hidden_layers": vision_layers,
              "num_attention_heads": 2, "image_size": 32, "patch_size": 16, "projection_dim": 16}  # fmt: skip
    text = {"hidden_size": 64, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 1,
            "vocab_size": words, "bos_token_id": words - 2, "eos_token_id": words - 1,
            "projection_dim": 16}  # fmt: skip
    model = CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=16))
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            spread = 1 / math.sqrt(weight.shape[-1]) if weight.ndim > 1 else 0.1
            weight.copy_(torch.randn_like(weight) * spread + ("norm" in name and name.endswith("weight")))
        model.logit_scale.fill_(math.log(10.0))
    model.save_pretrained(folder)


def original(t: dict[str, Tensor], vision_layers: int = 3, text_layers: int = 3) -> dict[str, Tensor]:
    """The weights of a CLIPModel as OpenAI names and turns them, written out."""
    out = {
        "logit_scale": t["logit_scale"],
        "text_projection": t["text_projection.weight"].T,
        "token_embedding.weight": t["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": t["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": t["text_model.final_layer_norm.weight"],
        "ln_final.bias": t["text_model.final_layer_norm.bias"],
        "visual.proj": t["visual_projection.weight"].T,
        "visual.class_embedding": t["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": t["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": t["vision_model.embeddings.position_embedding.weight"],
        "visual.ln_pre.weight": t["vision_model.pre_layrnorm.weight"],
        "visual.ln_pre.bias": t["vision_model.pre_layrnorm.bias"],
        "visual.ln_post.weight": t["vision_model.post_layernorm.weight"],
        "visual.ln_post.bias": t["vision_model.post_layernorm.bias"],
    }
    for old, new, layers in (("visual.", "vision_model", vision_layers), ("", "text_model", text_layers)):
        for i in range(layers):
            a, b = f"{old}transformer.resblocks.{i}", f"{new}.encoder.layers.{i}"
            for kind in ("weight", "bias"):
                qkv = [t[f"{b}.self_attn.{part}_proj.{kind}"] for part in ("q", "k", "v")]
                out[f"{a}.attn.in_proj_{kind}"] = torch.cat(qkv)
                out[f"{a}.attn.out_proj.{kind}"] = t[f"{b}.self_attn.out_proj.{kind}"]
                out[f"{a}.ln_1.{kind}"] = t[f"{b}.layer_norm1.{kind}"]
                out[f"{a}.ln_2.{kind}"] = t[f"{b}.layer_norm2.{kind}"]
                out[f"{a}.mlp.c_fc.{kind}"] = t[f"{b}.mlp.fc1.{kind}"]
                out[f"{a}.mlp.c_proj.{kind}"] = t[f"{b}.mlp.fc2.{kind}"]
    return {name: value.contiguous() for name, value in out.items()}
