from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mimica.encoders import keys
from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, InputError, UsageError
from tiny_clip import original

TEXTS = ["a face", "sadness: the inner brows rise and draw together", "lips"]


@pytest.fixture
def weights(tiny_clip: Path) -> dict[str, Tensor]:
    return original(load_file(tiny_clip / "model.safetensors"))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def same(one: DualEncoder, other: DualEncoder, images: Tensor) -> bool:
    seen = torch.allclose(one.vision(images), other.vision(images), atol=1e-6)
    return seen and torch.allclose(one.text(TEXTS), other.text(TEXTS), atol=1e-6)


def marked(weights: dict[str, Tensor]) -> dict[str, Any]:
    """As OpenAI's own: three numbers among the weights."""
    counts = {"input_resolution": 32, "context_length": 77, "vocab_size": len(weights["token_embedding.weight"])}
    return weights | {name: torch.tensor(number) for name, number in counts.items()}


def custom(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """As open_clip's CustomTextCLIP: what is the text tower's says so."""
    whole = ("visual.", "logit_scale")
    return {name if name.startswith(whole) else f"text.{name}": value for name, value in weights.items()}


def in_training(weights: dict[str, Tensor]) -> dict[str, Any]:
    """As open_clip's trainer saves, on several machines."""
    return {"epoch": 3, "name": "run", "state_dict": {f"module.{name}": value for name, value in weights.items()}}


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        ("openai.pt", marked),
        ("openai.safetensors", marked),
        ("open_clip.safetensors", dict),
        ("open_clip.safetensors", custom),
        ("epoch_3.pt", in_training),
        ("open_clip_pytorch_model.bin", dict),
    ],
)
def test_a_checkpoint_with_original_names_is_the_same_clip(
    tiny_clip: Path, clip: DualEncoder, weights: dict[str, Tensor], images: Tensor, tmp_path: Path, file: str, kept: Any
) -> None:
    path = tmp_path / file
    save_file(kept(weights), path) if path.suffix == ".safetensors" else torch.save(kept(weights), path)
    back = load_clip(path, tokenizer=tiny_clip, activation=None if kept is marked else "quick_gelu")
    assert same(back, clip, images)
    assert back.identity == clip.identity
    assert back.log_scale == clip.log_scale


def test_half_precision_comes_back_in_full(
    tiny_clip: Path, clip: DualEncoder, weights: dict[str, Tensor], images: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "openai.pt"
    torch.save({name: value.half() for name, value in marked(weights).items()}, path)
    back = load_clip(path, tokenizer=tiny_clip)
    assert back.vision(images).dtype == torch.float32
    assert (back.vision(images) - clip.vision(images)).abs().max() < 0.02


@pytest.mark.parametrize("beside", [{"embed_dim": 16, "quick_gelu": True}, {"embed_dim": 16}])
def test_open_clips_own_config_beside_a_file_states_activation_and_statistics(
    tiny_clip: Path, clip: DualEncoder, weights: dict[str, Tensor], images: Tensor, tmp_path: Path, beside: Any
) -> None:
    path = tmp_path / "open_clip_model.safetensors"
    save_file(weights, path)
    stated = {"model_cfg": beside, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(stated))
    back = load_clip(path, tokenizer=tiny_clip)
    assert same(back, clip, images) is beside.get("quick_gelu", False)
    assert torch.allclose(back.vision.normalise(torch.zeros(3, 32, 32)), torch.tensor(-1.0))


@pytest.mark.parametrize("text", ["{", "[]", '{"embed_dim": 16}'])
def test_a_config_beside_a_file_that_is_none_is_refused(
    tiny_clip: Path, weights: dict[str, Tensor], tmp_path: Path, text: str
) -> None:
    save_file(weights, tmp_path / "a.safetensors")
    (tmp_path / "open_clip_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"open_clip_config\.json"):
        load_clip(tmp_path / "a.safetensors", tokenizer=tiny_clip)


def test_an_activation_that_nothing_states_is_asked_for(
    tiny_clip: Path, clip: DualEncoder, weights: dict[str, Tensor], images: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"does not say which activation .* activation='quick_gelu'"):
        load_clip(path, tokenizer=tiny_clip)
    assert not same(load_clip(path, tokenizer=tiny_clip, activation="gelu"), clip, images)
    with pytest.raises(UsageError, match="unknown activation 'relu'"):
        load_clip(path, tokenizer=tiny_clip, activation="relu")


def test_a_file_without_a_tokenizer_beside_it_is_refused(weights: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(weights, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match=r"a\.safetensors holds no tokenizer; give .* tokenizer="):
        load_clip(tmp_path / "a.safetensors", activation="gelu")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("visual.proj"), r"missing: visual\.proj$"),
        (lambda t: t.pop("transformer.resblocks.1.attn.in_proj_bias"), r"missing: transformer\.resblocks\.1\.attn"),
        (lambda t: t.pop("visual.conv1.weight"), r"is not a CLIP with a vision transformer; missing: visual\.conv1"),
        (lambda t: t.update(logit_bias=torch.zeros(1)), "left over: logit_bias"),
        (lambda t: t.update({f"head.{i}": torch.zeros(1) for i in range(9)}), r"left over: head\.0, .* and 5 more"),
        (lambda t: t.update({"visual.proj": torch.zeros(128, 7)}), r"of another shape: visual_projection\.weight"),
        (lambda t: t.update({"ln_final.bias": torch.zeros(3)}), r"of another shape: text_model\.final_layer_norm"),
        (lambda t: t.update({"visual.positional_embedding": torch.zeros(7, 128)}), "a CLIP has a square and one"),
        (lambda t: t.update({"text_projection": torch.zeros(64)}), "text_projection with 1 axes; a CLIP's has 2"),
        (lambda t: t.update({"transformer.resblocks.0.attn.in_proj_bias": torch.zeros(7)}), "no query, key and value"),
    ],
)
def test_weights_that_are_missing_left_over_or_misshapen_are_refused_in_a_sentence(
    tiny_clip: Path, weights: dict[str, Tensor], tmp_path: Path, change: Any, said: str
) -> None:
    change(weights)
    save_file(weights, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=said) as raised:
        load_clip(tmp_path / "a.safetensors", tokenizer=tiny_clip, activation="quick_gelu")
    assert "a.safetensors" in str(raised.value)
    assert "\n" not in str(raised.value)


class Program:
    """What unpickling would run."""

    def __init__(self, makes: Path) -> None:
        self.makes = makes

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.makes),)


@pytest.mark.parametrize("what", ["program", "torn", "list"])
def test_a_pt_file_that_is_not_weights_alone_is_refused_and_never_run(
    tiny_clip: Path, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "a.pt"
    torch.save({"program": {"a": Program(tmp_path / "made")}, "torn": {"a": torch.zeros(9)}, "list": [1]}[what], path)
    if what == "torn":
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="holds a list" if what == "list" else "programs in a file are never run"):
        load_clip(path, tokenizer=tiny_clip)
    assert not (tmp_path / "made").exists()


def test_a_torn_or_absent_safetensors_file_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="there is no file"):
        load_clip(path, tokenizer=tiny_clip)
    path.write_bytes(b"\x10\0\0")
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        load_clip(path, tokenizer=tiny_clip)


@pytest.mark.parametrize(
    ("vision", "text", "dim"),
    [((768, 12, 12, 32), (512, 8), 512), ((768, 12, 12, 16), (512, 8), 512), ((1024, 24, 16, 14), (768, 12), 768)],
    ids=["B/32", "B/16", "L/14"],
)
def test_the_published_shapes_are_read_from_their_weights(
    vision: tuple[int, int, int, int], text: tuple[int, int], dim: int
) -> None:
    from transformers import CLIPConfig, CLIPModel

    width, layers, heads, patch = vision
    stated = CLIPConfig(
        vision_config={"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
                       "patch_size": patch, "intermediate_size": 4 * width, "projection_dim": dim},
        text_config={"hidden_size": text[0], "num_attention_heads": text[1], "intermediate_size": 4 * text[0],
                     "projection_dim": dim},
        projection_dim=dim,
    )  # fmt: skip
    with torch.device("meta"):
        weights = CLIPModel(stated).state_dict()
    tensors = original(weights, layers, 12)
    found = keys.shape(tensors, "it")
    assert (found.size, found.patch, found.vision_layers, found.text_layers) == (224, patch, layers, 12)
    back = keys.renamed(tensors, found, "it")
    assert {name: t.shape for name, t in back.items()} == {name: t.shape for name, t in weights.items()}
    read = CLIPConfig(**found.config("quick_gelu"))
    for part in ("vision_config", "text_config"):
        one, other = getattr(read, part).to_dict(), getattr(stated, part).to_dict()
        assert {k: v for k, v in one.items() if v != other[k]} == {}
