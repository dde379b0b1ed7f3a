"""CLIP's two towers with prompts at every layer, stepping through the layers of transformers' own CLIPModel.

N items in a batch, S side in pixels, L tokens, n prompt tokens, D width, d joint dimension.

Learning Transferable Visual Models From Natural Language Supervision (arXiv 2103.00020). Where prompts
stand follows MaPLe (arXiv 2210.03117): after the patches in the vision tower, after the start
token in the text tower, where the causal mask lets the end token see them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from mimica.encoders import keys
from mimica.encoders.library import quiet, tokens
from mimica.encoders.quick_gelu import put_into
from mimica.encoders.towers import (
    After,
    DualEncoder,
    Place,
    Prompts,
    SteppedVision,
    freeze,
    last_of,
    pick,
    step_through,
    weights_identity,
)
from mimica.errors import AssetError, CheckpointError, InputError, MissingExtra, UsageError, unknown

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that OpenAI trained on; taken where a model states no others."""

ACTIVATIONS = ("quick_gelu", "gelu")


class ClipVision(SteppedVision):
    """The vision tower of a CLIP. Prompts stand behind the patches, since there they need no place of their own."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, *, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> None:
        super().__init__()
        self.tower, self.project = model.vision_model, model.visual_projection
        put_into(self.tower)
        config = model.config.vision_config
        self.size, self.width, self.layers = int(config.image_size), config.hidden_size, config.num_hidden_layers
        self.dim = self.project.out_features
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures [..., 3, S, S] in 0 to 1, less the mean and over the deviation of what CLIP was trained on."""
        return (pixels - self.mean.to(pixels)) / self.std.to(pixels)

    def forward(self, images: Tensor, prompts: Prompts = (), *, after: After = "drop") -> Tensor:
        """Features [N, d] of normalised images [N, 3, S, S]; with no prompts the library's own.

        `prompts[i]` takes the places behind the patches for layer i (DuSE, eqs. 4-5); the first pass
        the norm before layer 1, like every token, but get no position.
        """
        return self._features(last_of(self._steps(images, prompts, after)))

    def _features(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.project(self.tower.post_layernorm(tokens[:, 0]))
        return features

    def _steps(self, images: Tensor, prompts: Prompts, after: After) -> Iterator[Tensor]:
        x = self.tower.pre_layrnorm(self.tower.embeddings(images))
        if prompts:
            # The norm looks at one token at a time, so that it need not see prompts and patches together.
            prompts = [self.tower.pre_layrnorm(prompts[0].to(x.dtype)), *prompts[1:]]
        return step_through(
            self.tower.encoder.layers, x, prompts, at=x.shape[1], after=after, recompute=self.recompute,
            run=lambda layer, y, _: layer(y, attention_mask=None),
        )  # fmt: skip


class ClipText(nn.Module):
    """The text tower of a CLIP. Prompts stand right behind the start token: no token sees what is behind it."""

    recompute = False

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.tower, self.project, self.tokenizer = model.text_model, model.text_projection, tokenizer
        put_into(self.tower)
        config = model.config.text_config
        if len(tokenizer) != config.vocab_size:
            raise CheckpointError(
                f"the tokenizer knows {len(tokenizer)} words and the CLIP's text tower {config.vocab_size}; "
                "give the folder of this CLIP's own tokenizer"
            )
        self.width, self.layers, self.dim = config.hidden_size, config.num_hidden_layers, self.project.out_features
        self.longest = config.max_position_embeddings

    def forward(
        self, sentences: Sequence[str], prompts: Prompts = (), *, after: After = "drop", place: Place = "start"
    ) -> Tensor:
        """Features [N, d] of N sentences, each that of its end token; with no prompts the library's own.

        `prompts[i]` takes the places behind the start token for layer i (DuSE, eqs. 2-3). Those of the
        first layer stand at positions 1 to n and the words move up by n; deeper ones get no position.
        At the `end` they stand behind the end token, whose feature they cannot change.
        Raises UsageError for a sentence that has no room beside the prompts.
        """
        ids, ends = self._read(sentences, _places(prompts))
        x = last_of(self._steps(ids, prompts, after, place))
        pooled = self.tower.final_layer_norm(x[torch.arange(len(x), device=x.device), ends])
        features: Tensor = self.project(pooled)
        return features

    def layer_tokens(
        self, sentences: Sequence[str], prompts: Prompts = (), *, layers: Sequence[int], after: After = "drop"
    ) -> dict[int, Tensor]:
        """The tokens [N, L, D] that leave each layer asked for, counted from 1; 0 is what enters the first.

        Sentences are padded behind their end token to the longest.
        """
        ids, _ = self._read(sentences, _places(prompts))
        return pick(self._steps(ids, prompts, after, "start"), layers, self.layers)

    def _read(self, sentences: Sequence[str], n: int) -> tuple[Tensor, Tensor]:
        """Token numbers [N, L] and the place of each sentence's end token, prompts not counted."""
        read = tokens(self.tokenizer, sentences, longest=self.longest, beside=n)
        L = max(map(len, read))
        device = self.project.weight.device
        # Nothing looks ahead, so what stands behind the end token is without effect.
        padded = torch.tensor([ids + ids[-1:] * (L - len(ids)) for ids in read], device=device)
        return padded, torch.tensor([len(ids) - 1 for ids in read], device=device)

    def _steps(self, ids: Tensor, prompts: Prompts, after: After, place: Place) -> Iterator[Tensor]:
        n, at = _places(prompts), 1 if place == "start" else ids.shape[1]
        token = torch.arange(ids.shape[1], device=ids.device)
        embeddings = self.tower.embeddings
        x = embeddings(input_ids=ids, position_ids=torch.where(token < at, token, token + n)[None])
        if prompts:
            prompts = [prompts[0] + embeddings.position_embedding.weight[at : at + n], *prompts[1:]]
        return step_through(
            self.tower.encoder.layers, x, prompts, at=at, after=after, recompute=self.recompute,
            run=lambda layer, y, _: layer(y, attention_mask=_causal(y)),
        )  # fmt: skip


def load_clip(
    name_or_folder: str | Path, *, tokenizer: str | Path | None = None, activation: str | None = None
) -> DualEncoder:
    """A CLIP, frozen and in full precision: a name on the Hugging Face hub, a local folder, or a file of weights.

    A file (`.safetensors`, `.pt`) holds weights by the names of OpenAI or open_clip; its shape is read
    from them. It needs the folder of its `tokenizer`, and its `activation`, unless it is OpenAI's or
    open_clip's `open_clip_config.json` lies beside it: no weight tells one from the other. Raises
    CheckpointError where a weight is missing or left over.
    """
    try:
        import transformers  # noqa: F401
    except ImportError:
        raise MissingExtra("transformers", "clip") from None
    if activation not in (None, *ACTIVATIONS):
        raise unknown("activation", str(activation), ACTIVATIONS)
    path = Path(name_or_folder)
    with quiet():
        if path.suffix in (".safetensors", ".pt", ".bin"):
            model, statistics = _from_file(path, activation)
            if tokenizer is None:
                raise UsageError(f"{path} holds no tokenizer; give the folder of a CLIP's as tokenizer=")
        else:
            model, statistics = _from_folder(str(name_or_folder), activation)
        words = _tokenizer(str(tokenizer or name_or_folder))
    vision, text = ClipVision(model, **statistics), ClipText(model, words)
    freeze(vision)
    freeze(text)
    return DualEncoder(
        name=str(path.resolve()) if path.exists() else str(name_or_folder),
        vision=vision,
        text=text,
        log_scale=float(model.logit_scale.detach()),
        identity=weights_identity(model.state_dict()),
    )


def _places(prompts: Prompts) -> int:
    return prompts[0].shape[1] if prompts else 0


def _causal(x: Tensor) -> Tensor:
    """What each token may see, [1, 1, L, L], to be added; given in full it serves every attention of the library."""
    L = x.shape[1]
    return x.new_full((L, L), float("-inf")).triu(1)[None, None]


def _from_folder(name: str, activation: str | None) -> tuple[Any, dict[str, Any]]:
    from safetensors import SafetensorError
    from transformers import AutoConfig

    if activation is not None:
        raise UsageError("activation= is for files of weights; a folder's config.json states its own")
    local = Path(name).is_dir()
    if not local and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise InputError(f"there is no folder {name}; give a CLIP's folder or its name on the Hugging Face hub")
    try:
        config = AutoConfig.from_pretrained(name, local_files_only=local)
        if config.model_type != "clip":
            raise CheckpointError(f"{name} holds a {config.model_type}, not a CLIP with both towers")
        model = _filled(name, name, config=config, local_files_only=local)
    except (OSError, ValueError, RuntimeError, UnpicklingError, SafetensorError) as error:
        raise _not_had(name, local, error) from None
    return model, _statistics(name, local)


def _filled(where: str, source: str | None, **options: Any) -> Any:
    """A CLIPModel with every weight from its source; the library would make up what it lacks and go on."""
    from transformers import CLIPModel

    loaded: Any = CLIPModel.from_pretrained(
        source, dtype=torch.float32, attn_implementation="sdpa", output_loading_info=True,
        ignore_mismatched_sizes=True, **options,
    )  # fmt: skip
    model, report = loaded
    keys.refuse(
        where,
        missing=report["missing_keys"],
        left_over=report["unexpected_keys"],
        of_another_shape=[name for name, *_ in report["mismatched_keys"]],
    )
    return model


def _not_had(name: str, local: bool, error: Exception) -> AssetError | CheckpointError:
    if local:
        return CheckpointError(f"cannot read the CLIP in {name}: {str(error).splitlines()[0]}")
    return AssetError(
        f"cannot get '{name}' from the Hugging Face hub: it is out of reach or has no such CLIP; check the name and "
        "the network, or give a local folder"
    )


def _statistics(name: str, local: bool) -> dict[str, Any]:
    """Mean and deviation as the folder's processor states them; none if it has none."""
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        stated, _ = ImageProcessingMixin.get_image_processor_dict(name, local_files_only=local)
    except OSError:
        return {}
    return _named(stated, "image_mean", "image_std")


def _named(stated: Mapping[str, Any], mean: str, std: str) -> dict[str, Any]:
    return {"mean": stated[mean], "std": stated[std]} if mean in stated and std in stated else {}


def _from_file(path: Path, activation: str | None) -> tuple[Any, dict[str, Any]]:
    from transformers import CLIPConfig

    raw = _raw(path)
    stated = _stated(path.with_name("open_clip_config.json"))
    if activation is None and stated:
        activation = "quick_gelu" if stated["model_cfg"].get("quick_gelu") else "gelu"
    elif activation is None and raw.keys() & keys.OPENAI_MARKS:
        activation = "quick_gelu"
    elif activation is None:
        raise CheckpointError(
            f"{path} does not say which activation it was trained with; put its open_clip_config.json beside it, or in "
            "Python give activation='quick_gelu' (OpenAI's, and what open_clip calls quickgelu) or 'gelu' (its others)"
        )
    tensors = keys.plain(raw)
    found = keys.shape(tensors, str(path))
    mapped = keys.renamed(tensors, found, str(path))
    model = _filled(str(path), None, config=CLIPConfig(**found.config(activation)), state_dict=mapped)
    return model, _named(stated.get("preprocess_cfg", {}), "mean", "std")


def _stated(beside: Path) -> dict[str, Any]:
    """What open_clip says of the weights in the file beside them; nothing without one."""
    if not beside.is_file():
        return {}
    try:
        stated = json.loads(beside.read_text())
    except ValueError as error:
        raise CheckpointError(f"cannot read {beside}: {error}") from None
    if not isinstance(stated, dict) or not isinstance(stated.get("model_cfg"), dict):
        raise CheckpointError(f"{beside} states no model_cfg, as open_clip's does")
    return stated


def _raw(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"there is no file {path}; give a CLIP's weights, its folder or its name on the hub")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the weights {path}: {error}") from None
    except Exception:  # the unpickler raises many kinds; all mean that there is more in it than weights
        raise CheckpointError(
            f"{path} cannot be read as weights alone, and programs in a file are never run; save its state_dict as "
            "safetensors"
        ) from None
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path} holds a {type(loaded).__name__}, not weights by name")
    return loaded


def _tokenizer(name: str) -> Any:
    from transformers import CLIPTokenizer

    local = Path(name).is_dir()
    files = ("tokenizer.json", "vocab.json")  # without them the library makes up a vocabulary of two words
    if local and not any((Path(name) / file).is_file() for file in files):
        raise CheckpointError(f"{name} holds no tokenizer; it needs vocab.json and merges.txt, or tokenizer.json")
    try:
        return CLIPTokenizer.from_pretrained(name, local_files_only=local)
    except (OSError, ValueError) as error:
        raise _not_had(name, local, error) from None
