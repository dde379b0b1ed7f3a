"""Every step of OUS, taken out by name: what it is, and that it is what the oracle says, from frames to the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import ClipBatch
from mimica.errors import UsageError
from mimica.recognition.ous.config import OusConfig
from mimica.recognition.ous.model import CLUSTERED, STAGES, Ous
from oracles import ous as oracle

Build = Callable[..., Ous]
BatchFor = Callable[..., ClipBatch]

NUMBERS: Mapping[str, list[Any]] = {
    "frames_layers": [1], "frames_heads": [1, 4], "frames": [5], "blocks": [1, 3], "fusion_heads": [1, 4], "mlp": [3],
    "prompt": [1], "alpha": [0.0, 50.0], "alpha_average": [0.5], "infonce": [0.7], "infonce_temperature": [0.5],
    "alone": [0.3], "lean": [0.0, 0.3, 1.0],
}  # fmt: skip
ALONE = [
    (o.name, value)
    for o in OusConfig().options()
    for value in (["tokens", 3] if o.name == "queries" else NUMBERS.get(o.name) or o.choices)
]
"""Every option there is, with all that it may be."""
TOGETHER: list[dict[str, Any]] = [
    {"carry": "query", "queries": 5}, {"carry": "query", "kv": "respective", "queries": 1},
    {"polarity": "none", "kv": "respective"}, {"polarity": "none", "carry": "literal"},
    {"early": "type", "cell": "rnn", "early_residual": False}, {"route_losses": True, "infonce": 0.5},
    {"losses": "contrast", "alone": 0.0, "lean": 0.0}, {"similarity": "literal", "route_losses": True},
    {"polarity": "none", "fusion": "mean"}, {"carry": "literal", "queries_shared": False},
]  # fmt: skip
LABELS = [0, 4, 1]

presets = pytest.mark.parametrize("preset", ["ous", "ous-paper", "ous-repo"])
both = pytest.mark.parametrize("on", ["compact", "clip"])


def steps(ous: Ous) -> list[str]:
    """The stages that a network has."""
    return [stage for stage in STAGES if ous.polarity is not None or not stage.startswith("polarity")]


def double(ous: Ous) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in ous.learned().items()}


def expected(ous: Ous, batch: ClipBatch, clips: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """What the oracle makes of clips, one at a time, from what the tower saw of each frame alone."""
    weights, options = double(ous), ous.config.facts()
    texts = list(ous.class_features().detach().double().numpy())
    found = []
    for b in clips:
        assert batch.scene is not None
        kept = batch.valid[b]
        faces, scenes = (list(ous.vision(view[b][kept]).double().numpy()) for view in (batch.face, batch.scene))
        tokens = ous.vision.layer_tokens(batch.scene[b][kept], layers=[1, 2, 3])
        early = [[taken(options, tokens[k][t].double().numpy()) for k in (1, 2, 3)] for t in range(int(kept.sum()))]
        clip = oracle.understand(weights, options, faces, scenes, early)
        for name, feature in (("face_logits", "face"), ("scene_logits", "unaware"), ("fused_logits", "feature")):
            clip[name] = oracle.logits(clip[feature], texts, ous.log_scale)
        clip["logits"] = oracle.leaning(options, clip["fused_logits"], clip["face_logits"])
        found.append({**clip, "texts": np.array(texts)})
    return found


def taken(options: Mapping[str, Any], tokens: np.ndarray) -> np.ndarray:
    """The class token, the mean of the others, or one behind the other, of one frame's tokens [1 + L, D]."""
    mean = oracle.mean_over_time(list(tokens[1:]))
    return {"cls": tokens[0], "patches": mean, "both": np.concatenate([tokens[0], mean])}[options["polarity_tokens"]]


@torch.no_grad()
def agrees(ous: Ous, batch: ClipBatch, clips: Sequence[int]) -> None:
    """Every step of some clips is the oracle's."""
    got = ous.features(batch, steps(ous))
    for b, slow in zip(clips, expected(ous, batch, clips), strict=True):
        for name, value in got.items():
            of_clip = value if name == "texts" else value[b]
            if STAGES[name].endswith("[B, T, d]"):
                assert (of_clip[int(batch.valid[b].sum()) :] == 0).all() or name.startswith("early"), name
                of_clip = of_clip[: int(batch.valid[b].sum())]
            assert of_clip.shape == slow[name].shape, name
            assert np.allclose(of_clip, slow[name], rtol=1e-4, atol=1e-4), name


@presets
@both
def test_from_frames_to_logits_every_step_is_the_oracles(
    build: Build, batch_for: BatchFor, on: str, preset: str
) -> None:
    agrees(build(preset, on, moved=True), batch_for(on), [0, 1])


@pytest.mark.parametrize(("name", "value"), ALONE)
def test_with_each_option_changed_alone_every_step_is_the_oracles(
    build: Build, batch_for: BatchFor, name: str, value: Any
) -> None:
    agrees(build(moved=True, **{name: value}), batch_for(frames=3), [1])


@pytest.mark.parametrize("choices", TOGETHER, ids=str)
def test_with_options_changed_together_every_step_is_the_oracles(
    build: Build, batch_for: BatchFor, choices: dict[str, Any]
) -> None:
    agrees(build(moved=True, **choices), batch_for(frames=3), [1])


@torch.no_grad()
def taught(ous: Ous, batch: ClipBatch, **how: Any) -> dict[str, float]:
    shift = torch.linspace(-0.4, 0.4, 7)
    told = ous.taught(batch, torch.tensor(LABELS), shift=shift, **how)
    return {name: float(value) for name, value in told.items()}


@presets
@pytest.mark.parametrize("choices", [{}, *TOGETHER, {"alpha": 99.0}, {"alpha": 0.0, "infonce": 0.4}], ids=str)
def test_the_loss_and_all_that_it_is_made_of_are_the_oracles(
    build: Build, batch_for: BatchFor, preset: str, choices: dict[str, Any]
) -> None:
    ous, batch = build(preset, moved=True, **choices), batch_for(frames=2)
    options, told = ous.config.facts(), taught(ous, batch)
    clips = expected(ous, batch, [0, 1, 2])
    shift = np.linspace(-0.4, 0.4, 7)
    slow = {
        name: oracle.cross_entropy([clip[of] + shift for clip in clips], LABELS)
        for name, of in (("contrast", "fused_logits"), ("face_alone", "face_logits"), ("scene_alone", "scene_logits"))
    }
    faces, scenes = ([clip[view] for clip in clips] for view in ("face", "scene"))
    slow["similarity"] = oracle.similarity(options, faces, scenes)
    if options["polarity"] == "on":  # happiness, surprise and sadness are positive, neutral and negative
        slow["polarity"] = oracle.cross_entropy([clip["polarity_logits"] for clip in clips], [2, 1, 0])
    slow["infonce"] = oracle.scene_contrast(faces, scenes, options["infonce_temperature"])
    whole = slow["contrast"] + slow["similarity"] + slow.get("polarity", 0.0)
    slow["loss"] = oracle.objective(options, slow, whole)
    for name in told.keys() - {"accuracy", "above_alpha"}:
        assert told[name] == pytest.approx(slow[name], abs=1e-3, rel=1e-4), name
    assert ("similarity" in told) == (options["losses"] == "global")
    right = sum(int(clip["fused_logits"].argmax() == label) for clip, label in zip(clips, LABELS, strict=True))
    assert told["accuracy"] == pytest.approx(right / 3)


def test_patches_and_their_positions_are_what_eq_12_says(encoders: Mapping[str, Any], batch_for: BatchFor) -> None:
    vision: Any = encoders["clip"].vision
    picture = batch_for("clip").face[0, 0]
    embeddings = vision.tower.embeddings
    weight = embeddings.patch_embedding.weight.detach().double()
    place = embeddings.position_embedding.weight.detach().double().numpy()
    flat = weight.reshape(len(weight), -1).T.numpy()
    slow = oracle.patches(picture.double().numpy(), weight.shape[-1], flat, list(place[1:]))
    with torch.no_grad():
        assert np.allclose(embeddings(picture[None])[0, 1:], np.array(slow), atol=1e-4)


# Stages.


@presets
def test_every_stage_has_its_documented_shape(build: Build, batch: ClipBatch, preset: str) -> None:
    ous = build(preset)
    axes = {"B": 3, "T": 4, "C": 7, "d": 16, "3": 3}
    with torch.no_grad():
        taken_out = ous.features(batch, steps(ous))
    for name, value in taken_out.items():
        stated = STAGES[name][STAGES[name].rindex("[") + 1 : -1].split(", ")
        assert value.shape == tuple(axes[axis] for axis in stated), name
    assert set(CLUSTERED) <= taken_out.keys()
    assert list(ous.features(batch, CLUSTERED)) == list(CLUSTERED)


def test_a_stage_that_is_not_there_is_met_with_those_that_are(build: Build, batch: ClipBatch) -> None:
    with pytest.raises(UsageError, match=r"unknown stage 'polarity'.*Choose from: faces, scenes, texts, early_faces"):
        build(polarity="none").features(batch, ["polarity"])
