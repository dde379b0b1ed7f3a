"""Every step of DuSE, taken out by name: what it is, and that it is what the oracle says, from frames to logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import ClipBatch
from mimica.errors import UsageError
from mimica.labels import LabelSpace
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import STAGES, Duse
from oracles import duse as oracle

Build = Callable[..., Duse]
BatchFor = Callable[..., ClipBatch]

NUMBERS: Mapping[str, list[Any]] = {
    "depth": ["shallow", "normal", 0, 2], "tokens": [1], "pe_scale": [0.5], "attention_heads": [1, 2], "heads": [1],
    "semantic_scale": [4.0], "beta": [0.0, 0.4, 1.0],
}  # fmt: skip
ALONE = [(o.name, value) for o in DuseConfig().options() for value in NUMBERS.get(o.name) or o.choices]
"""Every option there is, with all that it may be."""
OF_TOWERS = ("htpc", "depth", "tokens", "text_place", "after_depth", "coupling", "frame_pe", "pe_scale", "texts")
BY_FRAME = ("frames", "moved", "frame_weights")
OF_TEXTS = ("texts", "text_maps")
OF_THE_AGGREGATOR = ("seen", "text_maps", "class_weights", "meant")
LAYERS = ["tokens.0", "tokens.1", "tokens.2", "tokens.3"]

presets = pytest.mark.parametrize("preset", ["duse", "duse-paper"])
both = pytest.mark.parametrize("on", ["compact", "clip"])


def steps(duse: Duse) -> list[str]:
    """The stages that a network has, layers of its tower left out."""
    left_out = ("tokens.K",) if duse.config.lsea == "on" else ("tokens.K", *OF_THE_AGGREGATOR)
    return [stage for stage in STAGES if stage not in left_out]


def agrees(duse: Duse, batch: ClipBatch, boxes: Any, on: str, clips: list[int]) -> None:
    """Every step of some clips is the oracle's, with the towers as black boxes."""
    options = duse.config.facts()
    see, read = boxes(on, options)
    weights = {name: value.double().numpy() for name, value in duse.learned().items()}
    with torch.no_grad():
        got = duse.features(batch, steps(duse))
    for b in clips:
        kept = [t for t in range(batch.valid.shape[1]) if batch.valid[b, t]]
        expected = oracle.recognise(
            weights, options, see=see, read=read, log_scale=float(duse.log_scale.detach()),
            clip={t: batch.face[b, t] for t in kept}, described=duse.space.descriptions,
        )  # fmt: skip
        assert set(expected) == set(got)
        for name, value in got.items():
            of_clip = value if name in OF_TEXTS else value[b][kept] if name in BY_FRAME else value[b]
            assert of_clip.shape == expected[name].shape, name
            assert np.allclose(of_clip, expected[name], rtol=1e-4, atol=5e-5), name


@presets
@both
@pytest.mark.parametrize("moved", [False, True])
def test_from_frames_to_logits_every_step_is_the_oracles(
    build: Build, boxes: Any, batch_for: BatchFor, few: LabelSpace, on: str, preset: str, moved: bool
) -> None:
    agrees(build(preset, on, moved=moved, space=few), batch_for(on, 4), boxes, on, [0, 1, 2])


@presets
@pytest.mark.parametrize(("name", "value"), ALONE)
def test_with_each_option_changed_alone_every_step_is_the_oracles(
    build: Build, boxes: Any, batch_for: BatchFor, few: LabelSpace, preset: str, name: str, value: Any
) -> None:
    duse = build(preset, moved=True, space=few, **{name: value})
    agrees(duse, batch_for(frames=3), boxes, "compact", [1])


@presets
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, value in ALONE if name in OF_TOWERS])
def test_with_each_option_of_prompts_and_texts_changed_alone_every_step_is_the_oracles_on_a_clip(
    build: Build, boxes: Any, batch_for: BatchFor, few: LabelSpace, preset: str, name: str, value: Any
) -> None:
    agrees(build(preset, "clip", moved=True, space=few, **{name: value}), batch_for("clip", 3), boxes, "clip", [1])


@both
@pytest.mark.parametrize("place", ["start", "end"])
def test_prompts_carried_on_from_fewer_layers_are_the_oracles(
    build: Build, boxes: Any, batch_for: BatchFor, few: LabelSpace, on: str, place: str
) -> None:
    duse = build(on=on, moved=True, space=few, depth=1, after_depth="carry", text_place=place)
    agrees(duse, batch_for(on, 3), boxes, on, [1])


@presets
def test_the_loss_of_training_is_eq_1(build: Build, batch: ClipBatch, preset: str) -> None:
    logits, labels = build(preset, moved=True)(batch).detach(), [0, 3, 6]
    expected = [oracle.loss(one, label) for one, label in zip(logits.double().numpy(), labels, strict=True)]
    assert float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels))) == pytest.approx(np.mean(expected))


@presets
@both
@pytest.mark.parametrize("frozen", [False, True])
def test_every_stage_has_its_documented_shape(
    build: Build, batch_for: BatchFor, on: str, preset: str, frozen: bool
) -> None:
    duse, batch = build(preset, on), batch_for(on)
    axes = {"B": 3, "T": 5, "C": 7, "N": 4, "d": 16, "D": duse.vision.width, "1 + L": 37 if on == "compact" else 5}
    with torch.no_grad():
        taken = (duse.freeze() if frozen else duse).features(batch, [*steps(duse), *LAYERS])
    assert list(taken) == [*steps(duse), *LAYERS]
    for name, value in taken.items():
        told = STAGES["tokens.K" if name.startswith("tokens.") else name]
        stated = told[told.rindex("[") + 1 : -1].split(", ")
        assert value.shape == tuple(axes[axis] for axis in stated), name


@presets
@both
@pytest.mark.parametrize("after", ["drop", "carry"])
def test_what_is_taken_out_is_what_the_logits_came_of(
    build: Build, batch_for: BatchFor, on: str, preset: str, after: str
) -> None:
    duse, batch = build(preset, on, moved=True, after_depth=after).requires_grad_(False), batch_for(on)
    taken = duse.features(batch, [*steps(duse), *LAYERS])
    explained = duse.explained(batch)
    assert torch.equal(taken["logits"], duse(batch))
    assert torch.equal(taken["frames"], duse.frame_features(batch))
    assert torch.equal(taken["texts"], duse.class_features())
    assert torch.equal(taken["text_maps"], duse.class_maps())
    assert torch.equal(taken["frame_weights"], explained.frames)
    assert torch.equal(taken["class_weights"], explained.classes)  # type: ignore[arg-type]
    vision: Any = duse.vision
    first = vision.tokens if on == "compact" else lambda x: vision.tower.pre_layrnorm(vision.tower.embeddings(x))
    assert torch.allclose(taken["tokens.0"][batch.valid], first(batch.face[batch.valid]), atol=1e-5)
    norm = vision.norm if on == "compact" else vision.tower.post_layernorm
    read_off = vision.project(norm(taken["tokens.3"][:, :, 0]))
    assert torch.allclose(read_off[batch.valid], taken["frames"][batch.valid], atol=1e-5)
    for name in (*LAYERS, "frames"):
        assert (taken[name][~batch.valid] == 0).all(), name


def test_only_the_layers_asked_for_are_given_and_in_the_order_asked(build: Build, batch: ClipBatch) -> None:
    duse = build(moved=True)
    asked = ["logits", "tokens.2", "frames"]
    assert list(duse.features(batch, asked)) == asked
    assert duse.features(batch, []) == {}


def test_stages_may_be_taken_out_without_gradients_and_with(build: Build, batch: ClipBatch) -> None:
    duse = build()
    assert all(value.requires_grad for value in duse.features(batch, ["frames", "tokens.2", "logits"]).values())
    with torch.no_grad():
        assert not any(value.requires_grad for value in duse.features(batch, [*steps(duse), *LAYERS]).values())


def refused(duse: Duse, batch: ClipBatch, stage: str) -> str:
    with pytest.raises(UsageError) as caught:
        duse.features(batch, ["logits", stage])
    return str(caught.value)


@pytest.mark.parametrize("stage", ["frame", "tokens", "tokens.", "tokens.x", "tokens.²", "tokens.-1", "tokens.02"])
def test_an_unknown_stage_is_met_with_those_that_there_are(build: Build, batch: ClipBatch, stage: str) -> None:
    said = refused(build(), batch, stage)
    assert f"unknown stage '{stage}'" in said
    assert said.endswith(f"Choose from: {', '.join(STAGES)}")


def test_a_layer_that_the_tower_has_not_is_refused_with_the_number_it_has(build: Build, batch: ClipBatch) -> None:
    assert refused(build(), batch, "tokens.4") == "there is no layer 4; choose from 0, what enters the first, to 3"


@pytest.mark.parametrize("stage", OF_THE_AGGREGATOR)
def test_without_the_aggregator_its_stages_are_neither_given_nor_offered(
    build: Build, batch: ClipBatch, stage: str
) -> None:
    duse = build(lsea="mean")
    said = refused(duse, batch, stage)
    assert f"unknown stage '{stage}'" in said
    assert said.endswith(f"Choose from: {', '.join(['tokens.K', *steps(duse)])}")
    assert list(duse.features(batch, steps(duse))) == steps(duse)


@presets
def test_without_the_aggregator_the_feature_is_the_mean_of_the_frames(
    build: Build, batch: ClipBatch, preset: str
) -> None:
    taken = build(preset, moved=True, lsea="mean").features(batch, ["frames", "moved", "feature", "pooled"])
    assert torch.equal(taken["moved"], taken["frames"])
    assert torch.equal(taken["pooled"], taken["feature"])
    for b in range(3):
        assert torch.allclose(taken["feature"][b], taken["frames"][b][batch.valid[b]].mean(0), atol=1e-5)
