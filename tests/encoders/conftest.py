"""A tiny CLIP on disk, with its tokenizer."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
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


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub gives it: 32 pixels, patches of 16, 3 layers, widths 128 and 64, joint dimension 16."""
    from transformers import CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("tiny-clip")
    words = write_tokenizer(folder)
    vision = {"hidden_size": 128, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 16, "projection_dim": 16}  # fmt: skip
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
    return folder


@pytest.fixture(scope="session")
def clip(tiny_clip: Path) -> DualEncoder:
    return load_clip(str(tiny_clip))
