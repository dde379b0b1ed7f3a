from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mimica.clips import ClipBatch
from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.labels import EXPRESSIONS
from mimica.recognition.baselines.match import coop, zero_shot
from mimica.recognition.duse.model import Duse
from mimica.recognition.registry import build


@pytest.fixture(params=["compact", "clip"])
def encoder(request: pytest.FixtureRequest, tiny_dual: DualEncoder) -> DualEncoder:
    """Each tiny encoder."""
    if request.param == "compact":
        return tiny_dual
    return load_clip(request.getfixturevalue("tiny_clip"))


@pytest.fixture
def batch(encoder: DualEncoder) -> ClipBatch:
    """A clip of four frames and one of two, each frame of other shades."""
    random = torch.Generator().manual_seed(4)
    S = encoder.vision.size
    pictures = F.interpolate(torch.rand(8, 3, 6, 6, generator=random), size=S, mode="bilinear").view(2, 4, 3, S, S)
    return ClipBatch(
        face=encoder.vision.normalise(pictures), valid=torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    )


def network(name: str, encoder: DualEncoder) -> Duse:
    torch.manual_seed(0)
    built = build({"coop": coop(), "zero-shot": zero_shot()}[name], encoder, EXPRESSIONS)
    assert isinstance(built, Duse)
    return built


def test_zero_shot_is_the_cosine_of_the_mean_frame_and_each_class_text_times_the_encoders_scale(
    encoder: DualEncoder, batch: ClipBatch
) -> None:
    texts = encoder.text([described[0] for described in EXPRESSIONS.descriptions])
    expected = []
    for face, valid in zip(batch.face, batch.valid, strict=True):
        mean = torch.stack([encoder.vision(frame[None])[0] for frame in face[valid]]).mean(0)
        expected.append([torch.tensor(encoder.log_scale).exp() * F.cosine_similarity(mean, t, dim=0) for t in texts])
    assert torch.allclose(network("zero-shot", encoder)(batch), torch.tensor(expected), atol=1e-4)


def test_zero_shot_has_nothing_to_learn(encoder: DualEncoder) -> None:
    assert [name for name, weight in network("zero-shot", encoder).named_parameters() if weight.requires_grad] == []


def test_coop_learns_tokens_of_the_first_text_layer_and_nothing_else(encoder: DualEncoder, batch: ClipBatch) -> None:
    duse = network("coop", encoder)
    learned = {name: tuple(weight.shape) for name, weight in duse.named_parameters() if weight.requires_grad}
    assert learned == {"prompts.text": (1, coop().tokens, encoder.text.width)}
    F.cross_entropy(duse(batch), torch.tensor([0, 1])).backward()
    assert duse.prompts is not None
    assert duse.prompts.text.grad is not None
    assert duse.prompts.text.grad.abs().sum() > 0


def test_coop_sees_what_zero_shot_sees_and_compares_it_with_texts_that_its_tokens_changed(
    encoder: DualEncoder, batch: ClipBatch
) -> None:
    learned, plain = network("coop", encoder), network("zero-shot", encoder)
    assert learned.prompts is not None
    nn.init.normal_(learned.prompts.text)
    found, expected = (duse.features(batch, ["frames", "feature"]) for duse in (learned, plain))
    assert all(torch.equal(found[stage], expected[stage]) for stage in found)
    sentences = [d[0] for d in EXPRESSIONS.descriptions]
    texts = encoder.text(sentences, learned.prompts.text_prompts(), after="carry")  # as CoOp has them
    assert torch.allclose(learned.class_features(), texts, atol=1e-5)
    assert not torch.allclose(learned(batch), plain(batch), atol=0.01)
    cosine = F.cosine_similarity(found["feature"][:, None], texts[None], dim=-1)
    assert torch.allclose(learned(batch), torch.tensor(encoder.log_scale).exp() * cosine, atol=1e-4)


@pytest.mark.parametrize("name", ["coop", "zero-shot"])
def test_neither_looks_at_the_order_of_frames(name: str, encoder: DualEncoder, batch: ClipBatch) -> None:
    duse = network(name, encoder)
    turned = ClipBatch(face=batch.face.flip(1), valid=batch.valid.flip(1))
    assert torch.allclose(duse(batch), duse(turned), atol=1e-4)


@pytest.mark.parametrize("name", ["coop", "zero-shot"])
def test_both_fold_to_class_texts_alone(name: str, encoder: DualEncoder, batch: ClipBatch) -> None:
    duse: Any = copy.copy(network(name, encoder))
    expected = duse(batch)
    frozen = duse.freeze()
    assert frozen.text is None
    assert frozen.constants["texts"].shape == (7, encoder.vision.dim)
    assert all(frozen.constants[part].numel() == 0 for part in ("vision_prompts", "text_maps"))
    assert torch.allclose(frozen(batch), expected, atol=1e-5)
