from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mimica.clips import ClipBatch
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition.baselines.probe import Probe, ProbeConfig
from oracles import probe as oracle

PAIR = LabelSpace(name="pair", names=("up", "down"), descriptions=(("it rises",), ("it sinks",)))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def moved(encoder: DualEncoder, space: LabelSpace = EXPRESSIONS) -> Probe:
    """A probe as if it had been trained."""
    probe = Probe(encoder.vision, space, log_scale=encoder.log_scale)
    nn.init.normal_(probe.classify.weight)
    nn.init.normal_(probe.classify.bias)
    return probe.eval()


def clips(encoder: DualEncoder, lengths: list[int], pictures: Tensor | None = None) -> ClipBatch:
    """Clips of so many valid frames, each frame of other shades; what is not valid is noise."""
    B, T, S = len(lengths), max(lengths), encoder.vision.size
    if pictures is None:
        pictures = nn.functional.interpolate(torch.rand(B * T, 3, 6, 6), size=S, mode="bilinear")
    valid = torch.arange(T)[None] < torch.tensor(lengths)[:, None]
    return ClipBatch(face=encoder.vision.normalise(pictures).view(B, T, 3, S, S), valid=valid)


def test_logits_are_those_of_the_literal_restatement(tiny_dual: DualEncoder) -> None:
    probe, batch = moved(tiny_dual), clips(tiny_dual, [4, 1, 3])
    found = probe(batch)
    with torch.no_grad():
        for face, valid, logits in zip(batch.face, batch.valid, found, strict=True):
            frames = tiny_dual.vision(face[valid]).double().numpy()
            weight, bias = probe.classify.weight.numpy(), probe.classify.bias.numpy()
            expected = oracle.logits(frames, weight, bias, float(np.exp(tiny_dual.log_scale)))
            assert logits.tolist() == pytest.approx(expected, abs=1e-4)


def test_it_starts_without_an_opinion(tiny_dual: DualEncoder) -> None:
    probe = Probe(tiny_dual.vision, EXPRESSIONS, log_scale=tiny_dual.log_scale)
    assert torch.equal(probe(clips(tiny_dual, [2, 2])), torch.zeros(2, 7))


def test_only_the_linear_layer_learns_and_the_tower_stays_in_evaluation_mode(
    tiny_dual: DualEncoder, tiny_encoder: Path
) -> None:
    vision, _, _ = load_encoder(tiny_encoder)
    assert any(weight.requires_grad for weight in vision.parameters())
    probe = Probe(vision, PAIR, log_scale=tiny_dual.log_scale).train()
    probe(clips(tiny_dual, [2, 3])).square().sum().backward()
    learned = {name for name, weight in probe.named_parameters() if weight.requires_grad}
    assert learned == {"classify.weight", "classify.bias"} == probe.learned().keys()
    assert all(weight.grad is None for name, weight in probe.named_parameters() if name.startswith("vision."))
    tower: Any = probe.vision
    assert probe.training
    assert not any(part.training for part in tower.modules())


def test_what_two_classes_look_like_is_learned(tiny_dual: DualEncoder) -> None:
    patterns = nn.functional.interpolate(torch.rand(2, 3, 6, 6), size=48, mode="bilinear")
    labels = torch.arange(24) % 2
    batch = clips(tiny_dual, [2] * 24, patterns[labels.repeat_interleave(2)] + 0.02 * torch.randn(48, 3, 48, 48))
    probe = Probe(tiny_dual.vision, PAIR, log_scale=tiny_dual.log_scale)
    adam = torch.optim.Adam([weight for weight in probe.parameters() if weight.requires_grad], lr=0.05)
    for _ in range(30):
        adam.zero_grad()
        nn.functional.cross_entropy(probe(batch), labels).backward()
        adam.step()
    assert probe(batch).argmax(-1).tolist() == labels.tolist()


def test_a_clip_without_a_frame_is_told_by_the_bias_alone(tiny_dual: DualEncoder) -> None:
    probe, batch = moved(tiny_dual), clips(tiny_dual, [2, 2])
    batch = ClipBatch(face=batch.face, valid=torch.tensor([[True, True], [False, False]]))
    assert torch.allclose(probe(batch)[1], probe.classify.bias)


def test_the_order_of_frames_is_nothing_to_it(tiny_dual: DualEncoder) -> None:
    probe, batch = moved(tiny_dual), clips(tiny_dual, [4, 4])
    turned = ClipBatch(face=batch.face.flip(1), valid=batch.valid)
    assert torch.allclose(probe(batch), probe(turned), atol=1e-4)


def test_it_comes_back_from_what_it_saves_frozen(tiny_dual: DualEncoder) -> None:
    probe, batch = moved(tiny_dual), clips(tiny_dual, [3, 2])
    tensors, facts = probe.saved()
    assert tensors.keys() == {"classify.weight", "classify.bias"}
    back = Probe.restored(tiny_dual.vision, EXPRESSIONS, tensors, facts, "here")
    assert torch.equal(back(batch), probe(batch))
    assert not any(weight.requires_grad for weight in back.parameters())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classify.bias": None}, r"missing: classify\.bias"),
        ({"vision.more": torch.ones(1)}, r"left over: vision\.more"),
        ({"classify.weight": torch.ones(7, 3)}, r"of another shape: classify\.weight"),
    ],
)
def test_weights_that_are_not_a_probes_are_refused(
    tiny_dual: DualEncoder, change: dict[str, Tensor | None], reason: str
) -> None:
    tensors, facts = moved(tiny_dual).saved()
    changed = {name: t for name, t in {**tensors, **change}.items() if t is not None}
    with pytest.raises(CheckpointError, match=f"here does not fit Probe: {reason}"):
        Probe.restored(tiny_dual.vision, EXPRESSIONS, changed, facts, "here")


def test_there_is_nothing_to_choose() -> None:
    assert ProbeConfig().facts() == {}
