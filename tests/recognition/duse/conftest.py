"""DuSE over two tiny encoders, and their towers as black boxes for the oracle."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import ClipBatch
from mimica.encoders.clip import load_clip
from mimica.encoders.sentence import SentenceTower
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import DualEncoder, freeze
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition.duse.model import Duse
from mimica.recognition.registry import method
from oracles import duse as oracle

Build = Callable[..., Duse]


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Every test draws the same numbers, whatever ran before it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def few() -> LabelSpace:
    """Three classes of short sentences, for what is said slowly."""
    names = ("happiness", "sadness", "fear")
    said = (("happiness: the lips", "a face", "the eyes and cheeks"), ("sadness: the brows sink",), ("fear", "eyes"))
    return LabelSpace(name="few", names=names, descriptions=said)


@pytest.fixture(scope="session")
def text(tiny_text_folder: Path, tiny_encoder: Path) -> SentenceTower:
    _, project, _ = load_encoder(tiny_encoder)
    tower = SentenceTower(tiny_text_folder, dim=16)
    with torch.no_grad():
        tower.project.weight.copy_(project)
    freeze(tower)
    return tower


@pytest.fixture(scope="session")
def encoders(tiny_encoder: Path, text: SentenceTower, tiny_clip: Path) -> Mapping[str, DualEncoder]:
    """The compact encoder beside a BERT (3 and 2 layers), and a CLIP (3 and 3)."""
    vision, _, facts = load_encoder(tiny_encoder)
    freeze(vision)
    compact = DualEncoder(
        name="compact", vision=vision, text=text, log_scale=facts["log_scale"], identity=facts["sha256"]
    )
    return {"compact": compact, "clip": load_clip(tiny_clip)}


@pytest.fixture
def build(encoders: Mapping[str, DualEncoder]) -> Build:
    """A DuSE over tiny towers as it starts, or, if `moved`, with random weights as if it had been trained."""

    def make(
        preset: str = "duse", on: str = "compact", *, moved: bool = False, space: LabelSpace = EXPRESSIONS,
        **choices: object,
    ) -> Duse:  # fmt: skip
        config = replace(method(preset), **({"depth": "deep"} | choices))  # type: ignore[type-var]
        encoder = encoders[on]
        duse = Duse(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale)
        if moved:
            with torch.no_grad():
                for weight in duse.parameters():
                    if weight.requires_grad:
                        weight.add_(torch.randn_like(weight) * 0.2 if weight.ndim else 0.2)
        return duse

    return make


@pytest.fixture
def batch_for(encoders: Mapping[str, DualEncoder]) -> Callable[..., ClipBatch]:
    """Two clips of so many frames and a shorter one, each frame of other shades, as a tower wants them."""

    def make(on: str = "compact", frames: int = 5) -> ClipBatch:
        valid = torch.ones(3, frames, dtype=torch.bool)
        valid[1, (frames + 1) // 2 :] = False
        vision = encoders[on].vision
        random = torch.Generator().manual_seed(5)
        pictures = torch.rand(3 * frames, 3, 6, 6, generator=random)
        pictures = torch.nn.functional.interpolate(pictures, size=vision.size, mode="bilinear")
        return ClipBatch(face=vision.normalise(pictures).unflatten(0, (3, frames)), valid=valid)

    return make


@pytest.fixture
def batch(batch_for: Callable[..., ClipBatch]) -> ClipBatch:
    """Two clips of five frames and one of three, for the compact encoder."""
    return batch_for()


@pytest.fixture(scope="session")
def boxes(encoders: Mapping[str, DualEncoder]) -> Callable[[str, Any], tuple[oracle.Tower, oracle.Tower]]:
    """The towers of an encoder as black boxes that see one picture and read one sentence, with prompts by eqs. 2 to 5.

    Everything is the library's own but the order in which layers and prompts meet.
    """
    double = {
        name: (copy.deepcopy(e.vision).double(), copy.deepcopy(e.text).double())  # type: ignore[attr-defined]
        for name, e in encoders.items()
    }

    def make(on: str, options: Any) -> tuple[oracle.Tower, oracle.Tower]:
        vision, text = double[on]
        read = _clip_reads if on == "clip" else _bert_reads
        see = _clip_sees if on == "clip" else _compact_sees
        after = options["after_depth"]
        # CoOp's tokens are part of the sentence: they go through every layer.
        return see(vision, after), read(text, "carry" if options["htpc"] == "coop" else after, options["text_place"])

    return make


def _layers(modules: Any, **how: Any) -> list[oracle.Layer]:
    def layer(module: Any) -> oracle.Layer:
        return lambda x: module(torch.from_numpy(x)[None], **how)[0].numpy()

    return [layer(module) for module in modules]


def _causal(modules: Any) -> list[oracle.Layer]:
    def layer(module: Any) -> oracle.Layer:
        def run(x: np.ndarray) -> np.ndarray:
            mask = torch.full((len(x), len(x)), -torch.inf, dtype=torch.float64).triu(1)
            out: np.ndarray = module(torch.from_numpy(x)[None], attention_mask=mask[None, None])[0].numpy()
            return out

        return run

    return [layer(module) for module in modules]


def _compact_sees(vision: Any, after: str) -> oracle.Tower:
    @torch.no_grad()
    def see(picture: torch.Tensor, prompts: np.ndarray) -> np.ndarray:
        tokens = vision.tokens(picture.double()[None])[0].numpy()
        out = oracle.prompted(_layers(vision.blocks), tokens, prompts, at=len(tokens), after=after)
        return np.asarray(vision.project(vision.norm(torch.from_numpy(out[0]))))

    return see


def _clip_sees(vision: Any, after: str) -> oracle.Tower:
    @torch.no_grad()
    def see(picture: torch.Tensor, prompts: np.ndarray) -> np.ndarray:
        tower = vision.tower
        tokens = tower.pre_layrnorm(tower.embeddings(picture.double()[None]))[0].numpy()
        if len(prompts):  # the first pass the norm before layer 1 with all tokens
            prompts = np.stack([tower.pre_layrnorm(torch.from_numpy(prompts[0])).numpy(), *prompts[1:]])
        layers = _layers(tower.encoder.layers, attention_mask=None)
        out = oracle.prompted(layers, tokens, prompts, at=len(tokens), after=after)
        return np.asarray(vision.project(tower.post_layernorm(torch.from_numpy(out[0]))))

    return see


def _clip_reads(text: Any, after: str, place: str) -> oracle.Tower:
    @torch.no_grad()
    def read(sentence: str, prompts: np.ndarray) -> np.ndarray:
        embeddings = text.tower.embeddings
        ids = text.tokenizer([sentence], return_tensors="pt")["input_ids"]
        at = 1 if place == "start" else ids.shape[1]
        tokens = list(embeddings.token_embedding(ids)[0].numpy())
        # The whole sequence of layer 1, the prompts in it, has the places 0, 1, 2 and so on.
        first = list(prompts[0]) if len(prompts) else []
        whole = np.array(tokens[:at] + first + tokens[at:])
        whole = whole + embeddings.position_embedding.weight[: len(whole)].numpy()
        if len(prompts):
            prompts = np.stack([whole[at : at + len(first)], *prompts[1:]])
        entered = np.array([*whole[:at], *whole[at + len(first) :]])
        out = oracle.prompted(_causal(text.tower.encoder.layers), entered, prompts, at=at, after=after)
        return np.asarray(text.project(text.tower.final_layer_norm(torch.from_numpy(out[-1]))))

    return read


def _bert_reads(text: Any, after: str, place: str) -> oracle.Tower:
    @torch.no_grad()
    def read(sentence: str, prompts: np.ndarray) -> np.ndarray:
        ids = text.tokenizer([sentence], return_tensors="pt")["input_ids"]
        entered = text.bert.embeddings(input_ids=ids)[0].numpy()
        at = 1 if place == "start" else len(entered)
        out = oracle.prompted(_layers(text.bert.encoder.layer), entered, prompts, at=at, after=after)
        return np.asarray(text.project(torch.from_numpy(oracle.unit(sum(out) / len(out)))))

    return read
