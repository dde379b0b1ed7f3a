from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from mimica.clips import ClipBatch
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse

Build = Callable[..., Duse]
BatchFor = Callable[..., ClipBatch]
SENTENCES = [described[0] for described in EXPRESSIONS.descriptions]

presets = pytest.mark.parametrize("preset", ["duse", "duse-paper"])
both = pytest.mark.parametrize("on", ["compact", "clip"])


def part(batch: ClipBatch, clips: object, frames: object = slice(None)) -> ClipBatch:
    return ClipBatch(face=batch.face[clips][:, frames], valid=batch.valid[clips][:, frames])  # type: ignore[index]


def trained(duse: Duse) -> set[str]:
    return {name for name, weight in duse.named_parameters() if weight.requires_grad}


# What comes out.


@presets
@both
def test_a_batch_of_clips_becomes_finite_logits(build: Build, batch_for: BatchFor, on: str, preset: str) -> None:
    logits = build(preset, on)(batch_for(on))
    assert logits.shape == (3, 7)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@presets
def test_logits_are_in_full_precision_where_the_rest_is_not(build: Build, batch: ClipBatch, preset: str) -> None:
    duse = build(preset, moved=True)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits, taken = duse(batch), duse.features(batch, ["feature", "texts"])
    assert logits.dtype == torch.float32
    feature, texts = taken["feature"].float(), taken["texts"].float()
    expected = feature @ texts.T
    if preset == "duse":
        expected = duse.log_scale.exp() * expected / feature.norm(dim=-1)[:, None] / texts.norm(dim=-1)
    assert torch.allclose(logits, expected, atol=1e-5)


def test_logits_are_cosines_times_the_encoders_scale(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    assert duse(batch).abs().max() <= duse.log_scale.exp() * (1 + 1e-5)


@presets
@both
@pytest.mark.parametrize("lsea", ["on", "mean"])
def test_clips_without_a_frame_have_finite_logits_and_gradients(
    build: Build, batch_for: BatchFor, on: str, preset: str, lsea: str
) -> None:
    duse, whole = build(preset, on, moved=True, lsea=lsea), batch_for(on)
    for without in ([1], [0, 1, 2]):
        valid = whole.valid.clone()
        valid[without] = False
        logits = duse(ClipBatch(face=whole.face, valid=valid))
        assert logits.isfinite().all()
        if 0 not in without:
            assert torch.allclose(logits[[0, 2]], duse(whole)[[0, 2]], atol=1e-4)
        duse.zero_grad()
        logits.square().sum().backward()
        assert all(w.grad is None or w.grad.isfinite().all() for w in duse.parameters())


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


@presets
@pytest.mark.parametrize("lsea", ["on", "mean"])
def test_what_is_explained_are_the_logits_with_shares_that_sum_to_1(
    build: Build, batch: ClipBatch, preset: str, lsea: str
) -> None:
    duse = build(preset, moved=True, lsea=lsea)
    for _ in range(2):
        found = duse.explained(batch)
        assert torch.equal(found.logits, duse(batch))
        assert torch.allclose(found.frames.sum(-1), torch.ones(3))
        assert (found.frames[~batch.valid] == 0).all()
        assert (found.frames[batch.valid] > 0).all()
        if lsea == "mean":
            assert found.classes is None
        else:
            assert found.classes is not None
            assert found.classes.shape == (3, 4, 7)
            assert torch.allclose(found.classes.sum(-1), torch.ones(3, 4))
        duse.freeze()


# What learns.


@presets
@both
@pytest.mark.parametrize(
    "choices",
    [{"frame_pe": "sinusoid"}, {"head_maps": "separate", "score": "mlp", "logits": "learnable"}, {"htpc": "coop"}],
    ids=str,
)
def test_every_learned_weight_has_a_gradient_and_no_tower_has_one(
    build: Build, batch_for: BatchFor, on: str, preset: str, choices: dict[str, str]
) -> None:
    duse = build(preset, on, moved=True, **choices).train()
    nn.functional.cross_entropy(duse(batch_for(on)), torch.tensor([0, 3, 6])).backward()
    for name, weight in duse.named_parameters():
        if name.startswith(("vision.", "text.")):
            assert weight.grad is None, name
            assert not weight.requires_grad, name
        else:
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name


@presets
@pytest.mark.parametrize(
    ("choices", "parts"),
    [
        ({}, ["prompts", "aggregator"]), ({"head_maps": "separate"}, ["prompts", "aggregator"]),
        ({"htpc": "none"}, ["aggregator"]), ({"lsea": "mean"}, ["prompts"]),
        ({"logits": "learnable"}, ["prompts", "aggregator", "log_scale"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_holds_what_was_learned_and_what_it_folds_to_and_nothing_of_the_towers(
    build: Build, preset: str, choices: dict[str, str], parts: list[str]
) -> None:
    duse = build(preset, **choices)
    assert {name.split(".")[0] for name in trained(duse)} == set(parts)
    assert set(duse.learned()) == trained(duse)
    tensors, facts = duse.saved()
    folded = {f"constants.{name}" for name in ("vision_prompts", "pe_scale", "texts", "text_maps")}
    assert set(tensors) == trained(duse) - {"log_scale"} | folded
    assert facts["log_scale"] == pytest.approx(float(duse.log_scale.detach()))


def test_towers_that_are_given_to_be_trained_are_frozen(encoders: Mapping[str, DualEncoder]) -> None:
    clip: Any = encoders["clip"]
    towers = [copy.deepcopy(tower).train().requires_grad_() for tower in (clip.vision, clip.text)]
    duse = Duse(*towers, EXPRESSIONS, DuseConfig(), log_scale=1.0)
    assert {name.split(".")[0] for name in trained(duse)} == {"prompts", "aggregator"}
    assert not any(module.training for tower in towers for module in tower.modules())


@presets
def test_the_towers_stay_as_they_are_in_training(build: Build, batch: ClipBatch, preset: str) -> None:
    duse = build(preset).train()
    towers = nn.ModuleList([duse.vision, duse.text])  # type: ignore[list-item]
    before = {name: value.clone() for name, value in towers.state_dict().items()}
    duse(batch).sum().backward()
    assert duse.aggregator.training
    assert not any(module.training for tower in towers for module in tower.modules())
    assert all(torch.equal(value, before[name]) for name, value in towers.state_dict().items())


@presets
@both
def test_a_duse_learns_a_batch_by_heart(build: Build, batch_for: BatchFor, on: str, preset: str) -> None:
    duse, batch, wanted = build(preset, on), batch_for(on), torch.tensor([0, 3, 6])
    optimizer = torch.optim.Adam([w for w in duse.parameters() if w.requires_grad], lr=1e-2)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(duse(batch), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_text_tower_runs_once_a_step_whatever_the_batch(build: Build, batch: ClipBatch) -> None:
    duse, runs = build(), []
    hook = duse.text.register_forward_hook(lambda _, given, __: runs.append(len(given[0])))  # type: ignore[union-attr]
    duse(batch)
    hook.remove()
    assert runs == [7]


# What it makes of time.

ORDERS = [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3]]


@presets
@both
@pytest.mark.parametrize(
    ("frame_pe", "order", "felt"),
    [("sinusoid", "none", True), ("none", "sinusoid", True), ("none", "none", False)],
    ids=["by the first prompts", "in the aggregator", "not told"],
)
def test_frame_order_changes_the_logits_where_time_is_told(
    build: Build, batch_for: BatchFor, on: str, preset: str, frame_pe: str, order: str, felt: bool
) -> None:
    duse = build(preset, on, moved=True, frame_pe=frame_pe, order=order).requires_grad_(False)
    whole = part(batch_for(on), [0, 2])
    for places in ORDERS:
        moved = (duse(whole) - duse(part(whole, [0, 1], places))).abs().max()
        assert moved > 1e-3 if felt else moved < 1e-4


@presets
def test_without_prompts_nothing_but_the_aggregator_knows_the_order(
    build: Build, batch: ClipBatch, preset: str
) -> None:
    whole = part(batch, [0, 2])
    for order, felt in (("none", False), ("sinusoid", True)):
        duse = build(preset, moved=True, htpc="none", order=order).requires_grad_(False)
        moved = (duse(whole) - duse(part(whole, [0, 1], ORDERS[1]))).abs().max()
        assert moved > 1e-3 if felt else moved < 1e-4


# Where it starts from, and what it is frozen to.


@both
def test_an_untrained_duse_without_prompts_is_the_encoder_itself(build: Build, batch_for: BatchFor, on: str) -> None:
    duse, batch = build(on=on, depth=0, beta=1.0).requires_grad_(False), batch_for(on)
    duse.aggregator.maps.weight.copy_(torch.eye(16).repeat(4, 1))  # type: ignore[union-attr]
    frames = [duse.vision(batch.face[b][batch.valid[b]]).mean(0) for b in range(3)]
    texts = duse.text(SENTENCES)  # type: ignore[misc]
    cosine = nn.functional.cosine_similarity(torch.stack(frames)[:, None], texts[None], dim=-1)
    assert torch.allclose(duse(batch), duse.log_scale.exp() * cosine, atol=1e-4)
    zero_shot = build("zero-shot", on)
    assert trained(zero_shot) == set()
    assert torch.allclose(zero_shot(batch), duse(batch), atol=1e-4)


FROZEN: list[dict[str, Any]] = [
    {}, {"head_maps": "separate"}, {"depth": 0}, {"depth": "shallow", "after_depth": "carry"}, {"htpc": "coop"},
    {"htpc": "none"}, {"lsea": "mean"}, {"frame_pe": "sinusoid"}, {"frame_pe": "none"}, {"logits": "learnable"},
    {"texts": "mean"},
]  # fmt: skip


@presets
@both
@pytest.mark.parametrize("choices", FROZEN, ids=str)
def test_freezing_changes_no_logit_and_lets_the_text_tower_go(
    build: Build, batch_for: BatchFor, on: str, preset: str, choices: dict[str, Any]
) -> None:
    duse, batch = build(preset, on, moved=True, **choices), batch_for(on)
    before = duse(batch).detach()
    assert before.std() > 1e-2
    assert duse.freeze() is duse
    assert torch.allclose(duse(batch), before, atol=1e-5)
    assert duse.text is None
    assert duse.prompts is None
    assert trained(duse) == set()
    assert torch.equal(duse.freeze()(batch), duse(batch)), "freezing twice is freezing once"


@presets
@pytest.mark.parametrize("choices", FROZEN, ids=str)
@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_saved_builds_one_with_the_same_logits_and_no_text_tower(
    build: Build, batch: ClipBatch, preset: str, choices: dict[str, Any], frozen: bool
) -> None:
    duse = build(preset, moved=True, **choices)
    before = duse(batch).detach()
    tensors, facts = (duse.freeze() if frozen else duse).saved()
    facts = json.loads(json.dumps(facts))
    again = Duse.restored(duse.vision, EXPRESSIONS, tensors, facts, "here")
    assert torch.allclose(again(batch), before, atol=1e-5)
    assert again.text is None
    assert trained(again) == set()
    tensors.popitem()
    with pytest.raises(CheckpointError, match="here does not fit Duse: missing"):
        Duse.restored(duse.vision, EXPRESSIONS, tensors, facts, "here")


def test_folding_leaves_a_duse_as_it_is_to_learn_on(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    assert {name: tuple(t.shape) for name, t in duse.folded().items()} == {
        "vision_prompts": (2, 4, 32), "pe_scale": (), "texts": (7, 16), "text_maps": (4, 7, 16)
    }  # fmt: skip
    assert trained(duse)
    assert duse(batch).requires_grad


def test_without_a_text_tower_the_number_of_prompted_layers_is_needed(build: Build) -> None:
    with pytest.raises(UsageError, match="needs the number of prompted layers"):
        Duse(build().vision, None, EXPRESSIONS, DuseConfig(), log_scale=1.0)
