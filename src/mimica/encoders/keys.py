"""Foreign CLIP checkpoints: from the names that OpenAI and open_clip gave their weights to those of transformers.

Both name them alike: https://github.com/openai/CLIP/blob/main/clip/model.py and
https://github.com/mlfoundations/open_clip. Query, key and value are one matrix there, and
projections are applied from the right, so that they come out transposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mimica.errors import CheckpointError

OPENAI_MARKS = frozenset({"input_resolution", "context_length", "vocab_size"})
"""Numbers that only OpenAI's own files hold among their weights."""

_HEAD_WIDTH = {1280: 80, 1408: 88, 1664: 104}
"""Vision towers of open_clip (H, g and bigG) whose heads are not 64 wide."""

_SINGLE = {
    "logit_scale": "logit_scale",
    "text_projection": "text_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "visual.proj": "visual_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
}
_TRANSPOSED = ("text_projection", "visual.proj")
_PAIRS = {
    "ln_final": "text_model.final_layer_norm",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}
_IN_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_TOWERS = {"transformer": "text_model", "visual.transformer": "vision_model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of a CLIP as its weights tell it: sides in pixels, widths and layers of both towers."""

    size: int
    patch: int
    vision_width: int
    vision_layers: int
    vision_inner: int
    text_width: int
    text_layers: int
    text_inner: int
    vocabulary: int
    context: int
    dim: int

    def config(self, activation: str) -> dict[str, Any]:
        """What a CLIPConfig is made of. The last two words of the vocabulary start and end a sentence."""
        return {
            "projection_dim": self.dim,
            "vision_config": {
                "hidden_size": self.vision_width, "num_hidden_layers": self.vision_layers,
                "intermediate_size": self.vision_inner, "num_attention_heads": heads(self.vision_width),
                "image_size": self.size, "patch_size": self.patch, "hidden_act": activation,
                "projection_dim": self.dim,
            },
            "text_config": {
                "hidden_size": self.text_width, "num_hidden_layers": self.text_layers,
                "intermediate_size": self.text_inner, "num_attention_heads": max(1, self.text_width // 64),
                "vocab_size": self.vocabulary, "max_position_embeddings": self.context, "hidden_act": activation,
                "bos_token_id": self.vocabulary - 2, "eos_token_id": self.vocabulary - 1, "projection_dim": self.dim,
            },
        }  # fmt: skip


def heads(width: int) -> int:
    """The heads of a vision tower, which no weight tells: 64 wide, but for three that are larger than OpenAI's.

    >>> [heads(width) for width in (768, 1024, 1280)]
    [12, 16, 16]
    """
    return max(1, width // _HEAD_WIDTH.get(width, 64))


def plain(tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by their original names: out of a training checkpoint, without the marks of how they were kept."""
    inner = tensors.get("state_dict", tensors)
    found = {name.removeprefix("module."): value for name, value in inner.items() if isinstance(value, Tensor)}
    names = {name: name.removeprefix("text.") for name in found}
    return {names[name]: value for name, value in found.items() if name not in OPENAI_MARKS}


def shape(tensors: Mapping[str, Tensor], where: str) -> Shape:
    """The shape of a CLIP from weights with original names. Raises CheckpointError if it has no vision transformer."""
    vision_width, _, patch, _ = _sizes(tensors, "visual.conv1.weight", 4, where)
    vocabulary, text_width = _sizes(tensors, "token_embedding.weight", 2, where)
    places = _sizes(tensors, "visual.positional_embedding", 2, where)[0]
    side = round((places - 1) ** 0.5)
    if side * side != places - 1:
        raise CheckpointError(
            f"{where} has {places} places in visual.positional_embedding; a CLIP has a square and one"
        )
    vision_layers, text_layers = (_layers(tensors, tower) for tower in ("visual.transformer", "transformer"))
    return Shape(
        size=side * patch,
        patch=patch,
        vision_width=vision_width,
        vision_layers=vision_layers,
        vision_inner=_sizes(tensors, "visual.transformer.resblocks.0.mlp.c_fc.weight", 2, where)[0],
        text_width=text_width,
        text_layers=text_layers,
        text_inner=_sizes(tensors, "transformer.resblocks.0.mlp.c_fc.weight", 2, where)[0],
        vocabulary=vocabulary,
        context=_sizes(tensors, "positional_embedding", 2, where)[0],
        dim=_sizes(tensors, "text_projection", 2, where)[1],
    )


def renamed(tensors: Mapping[str, Tensor], found: Shape, where: str) -> dict[str, Tensor]:
    """The same weights by the names of transformers. Raises CheckpointError for any that are missing or left over."""
    plan = _plan(found)
    refuse(where, missing=plan.keys() - tensors.keys(), left_over=tensors.keys() - plan.keys())
    out: dict[str, Tensor] = {}
    for name, targets in plan.items():
        value = tensors[name]
        if len(targets) > 1 and len(value) % len(targets):
            raise CheckpointError(f"{where} has {len(value)} rows in {name}, which are no query, key and value")
        parts = value.chunk(len(targets)) if len(targets) > 1 else (value.T if name in _TRANSPOSED else value,)
        out.update(zip(targets, parts, strict=True))
    return out


def refuse(where: str, **wrong: Iterable[str]) -> None:
    """Raises CheckpointError that names some of the weights that are wrong, by what is wrong with them."""
    problems = []
    for what, names in wrong.items():
        listed = sorted(names)
        more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
        if listed:
            problems.append(f"{what.replace('_', ' ')}: {', '.join(listed[:4])}{more}")
    if problems:
        raise CheckpointError(f"{where} is not the whole of a CLIP and nothing else; {'; '.join(problems)}")


def _plan(found: Shape) -> dict[str, tuple[str, ...]]:
    """Every original name with the names that it becomes."""
    plan: dict[str, tuple[str, ...]] = {name: (target,) for name, target in _SINGLE.items()}
    pairs = dict(_PAIRS)
    for tower, layers in (("transformer", found.text_layers), ("visual.transformer", found.vision_layers)):
        for i in range(layers):
            old, new = f"{tower}.resblocks.{i}", f"{_TOWERS[tower]}.encoder.layers.{i}"
            pairs |= {f"{old}.{name}": f"{new}.{target}" for name, target in _IN_LAYER.items()}
            for kind in ("weight", "bias"):
                plan[f"{old}.attn.in_proj_{kind}"] = tuple(f"{new}.self_attn.{part}_proj.{kind}" for part in "qkv")
    for kind in ("weight", "bias"):
        plan |= {f"{name}.{kind}": (f"{target}.{kind}",) for name, target in pairs.items()}
    return plan


def _layers(tensors: Iterable[str], tower: str) -> int:
    named = re.compile(rf"{re.escape(tower)}\.resblocks\.(\d+)\.")
    return 1 + max((int(match[1]) for name in tensors if (match := named.match(name))), default=-1)


def _sizes(tensors: Mapping[str, Tensor], name: str, axes: int, where: str) -> tuple[int, ...]:
    value = tensors.get(name)
    if value is None:
        raise CheckpointError(f"{where} is not a CLIP with a vision transformer; missing: {name}")
    if value.ndim != axes:
        raise CheckpointError(f"{where} has {name} with {value.ndim} axes; a CLIP's has {axes}")
    return tuple(value.shape)
