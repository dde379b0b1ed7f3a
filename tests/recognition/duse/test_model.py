from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mimica.clips import ClipBatch
from mimica.encoders.sentence import SentenceTower
from mimica.errors import UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.model import Duse, DuseConfig
from oracles import duse as oracle

Build = Callable[..., Duse]


def part(batch: ClipBatch, clips: object, frames: object = slice(None)) -> ClipBatch:
    return ClipBatch(face=batch.face[clips][:, frames], valid=batch.valid[clips][:, frames])  # type: ignore[index]


def trained(duse: Duse) -> set[str]:
    return {name for name, weight in duse.named_parameters() if weight.requires_grad}


def test_a_batch_of_clips_becomes_finite_logits_in_full_precision(build: Build, batch: ClipBatch) -> None:
    logits = build()(batch)
    assert logits.shape == (3, 7)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("moved", [False, True])
def test_logits_are_those_of_the_oracle(build: Build, batch: ClipBatch, moved: bool) -> None:
    duse = build(moved=moved)
    with torch.no_grad():
        logits, classes = duse(batch), duse.class_features()
        feature = duse.aggregate(batch, classes).feature
    for got, seen in zip(logits, feature.double().numpy(), strict=True):
        assert np.allclose(got, oracle.logits(seen, classes.double().numpy(), float(duse.log_scale)), atol=1e-3)


def test_logits_are_cosines_times_the_encoders_scale(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    assert duse(batch).abs().max() <= duse.log_scale.exp() * (1 + 1e-5)


def test_every_learned_weight_has_a_gradient_and_no_tower_has_one(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    torch.nn.functional.cross_entropy(duse(batch), torch.tensor([0, 3, 6])).backward()
    for name, weight in duse.named_parameters():
        if name.startswith(("vision.", "text.")):
            assert weight.grad is None, name
        elif name != "aggregator.score.bias":  # the same for all frames: no share of theirs depends on it
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name


def test_text_prompts_learn_from_the_first_step_and_through_both_towers(build: Build, batch: ClipBatch) -> None:
    duse = build()
    duse.class_features().square().mul(torch.randn(7, 16)).sum().backward()
    assert duse.prompts is not None
    by_text = duse.prompts.text.grad
    assert by_text is not None
    assert (by_text.abs().amax((1, 2)) > 0).all()  # every prompted layer
    duse.zero_grad()
    duse.frame_features(batch).square().sum().backward()
    assert duse.prompts.text.grad is not None
    assert (duse.prompts.text.grad.abs().amax((1, 2)) > 0).all()


def test_what_is_learned_is_what_a_checkpoint_holds_and_nothing_of_the_towers(build: Build) -> None:
    duse = build()
    assert set(duse.learned()) == trained(duse)
    assert {name.split(".")[0] for name in trained(duse)} == {"prompts", "aggregator"}


def test_the_towers_stay_in_evaluation_mode_in_training(build: Build) -> None:
    duse = build().train()
    assert duse.aggregator.training
    assert not any(part.training for tower in (duse.vision, duse.text) for part in tower.modules())  # type: ignore[union-attr]


def test_training_does_not_move_the_statistics_of_the_vision_tower(build: Build, batch: ClipBatch) -> None:
    duse = build().train()
    before = {name: value.clone() for name, value in duse.vision.state_dict().items()}  # type: ignore[attr-defined]
    duse(batch)
    assert all(torch.equal(value, before[name]) for name, value in duse.vision.state_dict().items())  # type: ignore[attr-defined]


def test_frame_order_changes_the_logits(build: Build, batch: ClipBatch) -> None:
    duse, whole = build(moved=True, time_scale=0.3), part(batch, [0, 2])
    turned = part(batch, [0, 2], [4, 3, 2, 1, 0])
    assert (duse(whole) - duse(turned)).abs().max() > 1e-3


def test_frame_order_does_not_change_the_logits_without_a_sense_of_time(build: Build, batch: ClipBatch) -> None:
    duse, whole = build(moved=True, time_scale=0.0), part(batch, [0, 2])
    for order in ([4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        assert torch.allclose(duse(whole), duse(part(batch, [0, 2], order)), atol=1e-4)


def test_what_stands_where_a_clip_has_no_frame_is_without_effect(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    spoiled = ClipBatch(face=batch.face.masked_fill(~batch.valid[:, :, None, None, None], torch.nan), valid=batch.valid)
    assert torch.equal(duse(spoiled), duse(batch))


def test_padding_is_without_effect(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    assert torch.allclose(duse(batch)[1:2], duse(part(batch, [1], slice(0, 3))), atol=1e-4)


def test_a_clip_is_read_the_same_alone_and_among_others(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    alone = torch.cat([duse(part(batch, [b])) for b in range(3)])
    assert torch.allclose(duse(batch), alone, atol=1e-4)
    assert torch.allclose(duse(part(batch, [2, 0, 1])), duse(batch)[[2, 0, 1]], atol=1e-4)


def test_an_untrained_duse_without_prompts_is_the_encoder_itself(build: Build, batch: ClipBatch) -> None:
    duse = build(depth=0, beta=1.0)
    with torch.no_grad():
        duse.aggregator.maps.weight.copy_(torch.eye(16).repeat(4, 1))
        frames = [duse.vision(batch.face[b][batch.valid[b]]).mean(0) for b in range(3)]
        texts = duse.text([d[0] for d in EXPRESSIONS.descriptions])  # type: ignore[misc]
        cosine = torch.nn.functional.cosine_similarity(torch.stack(frames)[:, None], texts[None], dim=-1)
        assert torch.allclose(duse(batch), duse.log_scale.exp() * cosine, atol=1e-4)


def test_prompts_change_what_is_seen(build: Build, batch: ClipBatch) -> None:
    with torch.no_grad():
        assert (build().frame_features(batch) - build(depth=0).frame_features(batch)).abs().max() > 1e-2


@pytest.mark.parametrize("depth", [0, "normal", "deep"])
def test_freezing_changes_no_logit_and_lets_the_text_tower_go(build: Build, batch: ClipBatch, depth: str) -> None:
    duse = build(moved=True, depth=depth)
    before = duse(batch).detach()
    assert duse.freeze() is duse
    assert torch.allclose(duse(batch), before, atol=1e-5)
    assert duse.text is None
    assert duse.prompts is None
    assert trained(duse) == set()
    assert {name.split(".")[0] for name in duse.learned()} == {"aggregator", "constants"}


def test_freezing_twice_is_freezing_once(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True).freeze()
    before = duse(batch)
    assert torch.equal(duse.freeze()(batch), before)


def test_folding_leaves_a_duse_as_it_is_to_learn_on(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    folded = duse.folded()
    assert {name: tuple(t.shape) for name, t in folded.items()} == {
        "vision_prompts": (2, 4, 32), "time_scale": (), "class_features": (7, 16)
    }  # fmt: skip
    assert trained(duse)
    assert duse(batch).requires_grad


def test_without_a_text_tower_the_number_of_prompted_layers_is_needed(build: Build) -> None:
    with pytest.raises(UsageError, match="needs the number of prompted layers"):
        Duse(build().vision, None, EXPRESSIONS, DuseConfig(), log_scale=1.0)


def test_a_depth_that_the_towers_have_not_is_refused_when_it_is_built(build: Build, text: SentenceTower) -> None:
    with pytest.raises(UsageError, match="towers have 3 and 2; choose a number from 0 to 2"):
        build(depth=3)


def test_a_duse_learns_a_batch_by_heart(build: Build, batch: ClipBatch) -> None:
    duse, wanted = build(), torch.tensor([0, 3, 6])
    optimizer = torch.optim.Adam([w for w in duse.parameters() if w.requires_grad], lr=1e-2)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(duse(batch), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
