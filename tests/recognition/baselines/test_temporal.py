from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mimica.clips import ClipBatch
from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition.baselines.temporal import Temporal, TemporalConfig
from oracles import temporal as oracle

PAIR = LabelSpace(name="pair", names=("up", "down"), descriptions=(("the lips",), ("the brows",)))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=["compact", "clip"])
def encoder(request: pytest.FixtureRequest, tiny_dual: DualEncoder) -> DualEncoder:
    """Each tiny encoder."""
    return tiny_dual if request.param == "compact" else load_clip(request.getfixturevalue("tiny_clip"))


def head(encoder: DualEncoder, space: LabelSpace = EXPRESSIONS, *, moved: bool = True, **choices: int) -> Temporal:
    """A head as it starts, or as if it had been trained."""
    config = TemporalConfig(**choices)
    temporal = Temporal(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale)
    with torch.no_grad():
        for weight in temporal.parameters():
            if moved and weight.requires_grad:
                weight.add_(0.2 * torch.randn_like(weight))
    return temporal.eval()


def clips(encoder: DualEncoder, lengths: list[int]) -> ClipBatch:
    """Clips of so many valid frames, each frame of other shades; what is not valid is noise."""
    B, T, S = len(lengths), max(lengths), encoder.vision.size
    pictures = F.interpolate(torch.rand(B * T, 3, 6, 6), size=S, mode="bilinear").view(B, T, 3, S, S)
    return ClipBatch(
        face=encoder.vision.normalise(pictures), valid=torch.arange(T)[None] < torch.tensor(lengths)[:, None]
    )


def weights(module: Any) -> Mapping[str, np.ndarray]:
    return {
        name: t.double().numpy() for name, t in module.state_dict().items() if not name.startswith(("vision", "text."))
    }


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 2])
def test_logits_are_those_of_the_literal_restatement(encoder: DualEncoder, layers: int) -> None:
    temporal, batch = head(encoder, layers=layers, heads=4), clips(encoder, [4, 1, 3])
    texts = list(temporal.class_features().double().numpy())
    for face, valid, found in zip(batch.face, batch.valid, temporal(batch), strict=True):
        frames = list(encoder.vision(face[valid]).double().numpy())
        clip = oracle.clip_feature(weights(temporal), layers, 4, frames)
        expected = oracle.logits(clip, texts, float(np.exp(encoder.log_scale)))
        assert found.tolist() == pytest.approx(expected, abs=1e-3)


def test_every_class_text_has_learned_tokens_of_its_own_before_it(encoder: DualEncoder) -> None:
    temporal = head(encoder)
    before = temporal.class_features().detach()
    assert temporal.context is not None
    with torch.no_grad():
        temporal.context[2] += torch.randn_like(temporal.context[2])
    after = temporal.class_features().detach()
    changed = [not torch.allclose(a, b, atol=1e-4) for a, b in zip(before, after, strict=True)]
    assert changed == [False, False, True, False, False, False, False]


def test_what_learns_is_context_class_token_positions_and_transformer(encoder: DualEncoder) -> None:
    temporal = head(encoder).train()
    F.cross_entropy(temporal(clips(encoder, [2, 3])), torch.tensor([0, 1])).backward()
    learned = {name for name, weight in temporal.named_parameters() if weight.requires_grad}
    assert {name.split(".")[0] for name in learned} == {"context", "cls", "position", "over_time"}
    assert learned == temporal.learned().keys()
    without = [name for name in learned if temporal.get_parameter(name).grad is None]
    assert without == []
    assert temporal.context is not None
    assert temporal.context.grad is not None
    assert temporal.context.grad.abs().sum(dim=(1, 2)).gt(0).all()
    towers: Any = (temporal.vision, temporal.text)
    assert not any(part.training for tower in towers for part in tower.modules())


def test_frame_order_changes_the_logits(encoder: DualEncoder) -> None:
    temporal, batch = head(encoder), clips(encoder, [4, 4])
    turned = ClipBatch(face=batch.face.flip(1), valid=batch.valid)
    assert not torch.allclose(temporal(batch), temporal(turned), atol=1e-2)


def test_what_stands_at_places_without_a_frame_is_nothing_to_it(tiny_dual: DualEncoder) -> None:
    temporal, batch = head(tiny_dual), clips(tiny_dual, [2, 4])
    short = ClipBatch(face=batch.face[:1, :2], valid=batch.valid[:1, :2])
    assert torch.allclose(temporal(batch)[0], temporal(short)[0], atol=1e-4)


def test_a_clip_without_a_frame_is_read_by_the_class_token_alone(tiny_dual: DualEncoder) -> None:
    temporal, batch = head(tiny_dual), clips(tiny_dual, [2, 2])
    none = ClipBatch(face=batch.face, valid=torch.tensor([[True, True], [False, False]]))
    found = temporal(none)
    assert found.isfinite().all()
    other = clips(tiny_dual, [2, 2])
    assert torch.allclose(temporal(ClipBatch(face=other.face, valid=none.valid))[1], found[1], atol=1e-5)


def test_a_clip_of_more_frames_than_there_are_positions_is_refused(tiny_dual: DualEncoder) -> None:
    with pytest.raises(UsageError, match="has positions for 3 frames, and a clip has 4"):
        head(tiny_dual, frames=3)(clips(tiny_dual, [4]))


def test_heads_that_do_not_divide_the_dimension_are_refused_with_those_that_do(tiny_dual: DualEncoder) -> None:
    with pytest.raises(UsageError, match="must divide the encoder's 16 dimensions, got 3; choose from 1, 2, 4, 8, 16"):
        head(tiny_dual, heads=3)


def test_which_half_of_a_clip_comes_first_is_learned(tiny_dual: DualEncoder) -> None:
    a, b = F.interpolate(torch.rand(2, 3, 6, 6), size=48, mode="bilinear")
    labels = torch.arange(16) % 2
    pictures = torch.stack([torch.stack([a, b] if label == 0 else [b, a]) for label in labels])
    face = tiny_dual.vision.normalise((pictures + 0.02 * torch.randn_like(pictures)).clamp(0, 1))
    batch = ClipBatch(face=face, valid=torch.ones(16, 2, dtype=torch.bool))
    temporal = head(tiny_dual, PAIR, moved=False).train()
    adam = torch.optim.Adam([weight for weight in temporal.parameters() if weight.requires_grad], lr=0.01)
    for _ in range(150):
        adam.zero_grad()
        F.cross_entropy(temporal(batch), labels).backward()
        adam.step()
    assert temporal.eval()(batch).argmax(-1).tolist() == labels.tolist()


def test_frozen_it_says_the_same_without_a_text_tower(encoder: DualEncoder) -> None:
    temporal, batch = head(encoder), clips(encoder, [3, 2])
    expected = temporal(batch).detach()
    frozen = copy.copy(temporal).freeze()
    assert frozen.text is None
    assert frozen.context is None
    assert torch.allclose(frozen(batch), expected, atol=1e-5)
    assert not any(weight.requires_grad for weight in frozen.parameters())


@pytest.mark.parametrize("frozen", [False, True])
def test_it_comes_back_from_what_it_saves_frozen(tiny_dual: DualEncoder, frozen: bool) -> None:
    temporal, batch = head(tiny_dual, layers=2, tokens=3), clips(tiny_dual, [3, 2])
    expected = temporal(batch).detach()
    tensors, facts = (temporal.freeze() if frozen else temporal).saved()
    assert ("context" in tensors) != frozen
    back = Temporal.restored(tiny_dual.vision, EXPRESSIONS, tensors, facts, "here")
    assert back.config == temporal.config
    assert torch.allclose(back(batch), expected, atol=1e-5)
    assert not any(weight.requires_grad for weight in back.parameters())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"position": None}, "missing: position"),
        ({"more": torch.ones(1)}, "left over: more"),
        ({"texts": torch.ones(7, 3)}, "of another shape: texts"),
    ],
)
def test_weights_that_are_not_a_temporal_heads_are_refused(
    tiny_dual: DualEncoder, change: dict[str, Tensor | None], reason: str
) -> None:
    tensors, facts = head(tiny_dual).saved()
    changed = {name: t for name, t in {**tensors, **change}.items() if t is not None}
    with pytest.raises(CheckpointError, match=f"here does not fit Temporal: {reason}"):
        Temporal.restored(tiny_dual.vision, EXPRESSIONS, changed, facts, "here")


def test_a_config_of_another_model_is_refused(tiny_dual: DualEncoder, tiny_model: Path) -> None:
    tensors, facts = head(tiny_dual).saved()
    with pytest.raises(UsageError, match="is not that of a temporal head"):
        Temporal.restored(tiny_dual.vision, EXPRESSIONS, tensors, facts | {"config": {"beta": 0.7}}, "here")
