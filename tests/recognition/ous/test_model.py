from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from mimica.clips import ClipBatch
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, InputError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition.model import ReadsScene, Staged, Taught
from mimica.recognition.ous.config import OusConfig, ous_paper, ous_repo
from mimica.recognition.ous.model import Ous

Build = Callable[..., Ous]
BatchFor = Callable[..., ClipBatch]
LABELS = torch.tensor([0, 4, 1])
NONE = torch.zeros(7)

presets = pytest.mark.parametrize("preset", ["ous", "ous-paper", "ous-repo"])
both = pytest.mark.parametrize("on", ["compact", "clip"])
CHANGED: list[dict[str, Any]] = [
    {o.name: value}
    for o in OusConfig().options()
    for value in ([3] if o.name == "queries" else o.choices if len(o.choices) > 1 else [])
] + [{"carry": "query", "queries": 5}, {"polarity": "none", "kv": "respective"}, {"prompt": 1}, {"alpha_average": 0.5}]
"""Every option alone with all that it may be, and some that need another."""


def with_other(batch: ClipBatch, view: str, seed: int = 9) -> ClipBatch:
    """The same clips with another view in the place of one."""
    shown = getattr(batch, view)
    return replace(batch, **{view: shown + torch.randn(shown.shape, generator=torch.Generator().manual_seed(seed))})


def learnt(ous: Ous) -> dict[str, Tensor]:
    return {name: weight for name, weight in ous.named_parameters() if weight.requires_grad}


def learn(ous: Ous, batch: ClipBatch, **how: Any) -> dict[str, Tensor]:
    ous.zero_grad()
    told = ous.taught(batch, LABELS, shift=NONE, **how)
    told["loss"].backward()
    return told


# What comes out.


@presets
@both
def test_clips_of_faces_and_scenes_become_finite_logits(
    build: Build, batch_for: BatchFor, on: str, preset: str
) -> None:
    logits = build(preset, on)(batch_for(on))
    assert (logits.shape, logits.dtype) == ((3, 7), torch.float32)
    assert logits.isfinite().all()


def test_it_shows_its_stages_says_what_it_is_taught_by_and_answers_for_each_view(build: Build) -> None:
    ous = build()
    assert isinstance(ous, ReadsScene)
    assert isinstance(ous, Staged)
    assert isinstance(ous, Taught)


@presets
def test_the_face_alone_and_the_scene_alone_know_nothing_of_each_other(
    build: Build, batch: ClipBatch, preset: str
) -> None:
    ous = build(preset, moved=True)
    with torch.no_grad():
        plain, other_face, other_scene = (
            ous.views(seen) for seen in (batch, with_other(batch, "face"), with_other(batch, "scene"))
        )
        assert torch.equal(plain["both"], ous(batch))
    assert list(plain) == ["face", "scene", "both"]
    for view, other, own in (("face", other_scene, other_face), ("scene", other_face, other_scene)):
        assert torch.allclose(plain[view], other[view], atol=1e-5)
        assert not torch.allclose(plain[view], own[view], atol=1e-2)
        assert not torch.allclose(plain["both"], own["both"], atol=1e-3)


def test_clips_without_scenes_are_refused_with_the_name_of_a_model_of_faces_alone(
    build: Build, batch: ClipBatch
) -> None:
    with pytest.raises(InputError, match=r"faces without a scene.*take a model of faces alone, such as duse-compact"):
        build()(replace(batch, scene=None))


@presets
@pytest.mark.parametrize("without", [[1], [0, 1, 2]])
def test_clips_without_a_frame_have_finite_logits_and_gradients(
    build: Build, batch: ClipBatch, preset: str, without: list[int]
) -> None:
    ous, valid = build(preset, moved=True), batch.valid.clone()
    valid[without] = False
    found = learn(ous, replace(batch, valid=valid))
    assert found["loss"].isfinite()
    assert all(w.grad is None or w.grad.isfinite().all() for w in ous.parameters())
    if 0 not in without:
        seen = ous(replace(batch, valid=valid))[[0, 2]]
        assert torch.allclose(seen, ous(batch)[[0, 2]], atol=1e-4)


@presets
def test_where_a_clip_has_no_frame_nothing_has_an_effect_wherever_that_is(
    build: Build, batch: ClipBatch, preset: str
) -> None:
    ous, hole = build(preset, moved=True), ~batch.valid[:, :, None, None, None]
    assert batch.scene is not None
    spoiled = replace(batch, face=batch.face.masked_fill(hole, 9), scene=batch.scene.masked_fill(hole, 9))
    turned = ClipBatch(face=batch.face.roll(1, 1), scene=batch.scene.roll(1, 1), valid=batch.valid.roll(1, 1))
    with torch.no_grad():
        assert torch.equal(ous(spoiled), ous(batch))
        assert torch.allclose(ous(turned)[1], ous(batch)[1], atol=1e-4)


@pytest.mark.parametrize(
    ("choices", "felt"),
    [({}, True), ({"early": "type"}, True), ({"early": "none"}, True)],
    ids=["time", "type", "none"],
)
def test_frame_order_changes_the_logits(build: Build, batch: ClipBatch, choices: dict[str, Any], felt: bool) -> None:
    ous = build(moved=True, **choices)
    assert batch.scene is not None
    turned = ClipBatch(face=batch.face.flip(1), scene=batch.scene.flip(1), valid=batch.valid)
    with torch.no_grad():
        moved = (ous(batch)[0] - ous(turned)[0]).abs().max()
        scene = (ous.views(batch)["scene"][0] - ous.views(turned)["scene"][0]).abs().max()
    assert (moved > 1e-3) == felt
    assert (scene > 1e-3) == (choices == {}), "the scene is a mean over time but for a cell that runs along it"


def test_a_clip_of_more_frames_than_there_are_positions_is_refused(build: Build, batch_for: BatchFor) -> None:
    with pytest.raises(UsageError, match="OUS has positions for 3 frames, and a clip has 4"):
        build(frames=3)(batch_for(frames=4))


@pytest.mark.parametrize("name", ["frames_heads", "fusion_heads"])
def test_heads_that_do_not_divide_the_dimension_are_refused_with_those_that_do(build: Build, name: str) -> None:
    said = f"{name} of OUS must divide the encoder's 16 dimensions, got 3; choose from 1, 2, 4, 8, 16"
    with pytest.raises(UsageError, match=said):
        build(**{name: 3})


# Where it starts from.


@both
def test_begun_from_the_encoder_it_is_the_mean_of_face_and_scene_against_the_class_texts(
    build: Build, batch_for: BatchFor, on: str
) -> None:
    ous, batch = build(on=on), batch_for(on)
    with torch.no_grad():
        ous.frames_encoder.position.zero_()
        found, seen = ous.features(batch, ["feature", "face", "scene", "faces", "scenes"]), ous.encode(batch)
    for b in range(3):
        n = int(seen.valid[b].sum())
        face, scene = (
            torch.nn.functional.normalize(found[view][b, :n], dim=-1).mean(0) for view in ("faces", "scenes")
        )
        for view, expected in (("face", face), ("scene", scene), ("feature", 2 * face + scene)):
            alike = torch.nn.functional.cosine_similarity(found[view][b], expected, dim=0)
            assert alike == pytest.approx(1, abs=1e-4), view


@pytest.mark.parametrize(("start", "least", "most"), [("gaussian", 0.01, 0.03), ("ones", 0.0, 0.0)])
def test_queries_start_as_gaussian_numbers_or_as_ones(build: Build, start: str, least: float, most: float) -> None:
    queries = build(queries_start=start, carry="query", queries=40).fusion.queries
    assert queries.shape == (1, 40, 16)
    assert least <= float(queries.detach().std()) <= most
    assert float(queries.detach().mean()) == pytest.approx(1.0 if start == "ones" else 0.0, abs=0.01)


def test_queries_are_those_of_all_blocks_or_each_block_has_its_own(build: Build) -> None:
    assert build(blocks=3).fusion.queries.shape == (1, 3, 16)
    assert build(blocks=3, queries_shared=False).fusion.queries.shape == (3, 3, 16)
    assert build("ous-repo", blocks=3).fusion.queries.shape == (3, 2, 16)


@both
@pytest.mark.parametrize(
    ("texts", "said"),
    [("name", [[name] for name in EXPRESSIONS.names]), ("first", [[d[0]] for d in EXPRESSIONS.descriptions]),
     ("mean", [list(d) for d in EXPRESSIONS.descriptions])],
)  # fmt: skip
def test_the_same_learned_tokens_stand_before_every_class(
    build: Build, on: str, texts: str, said: list[list[str]]
) -> None:
    ous = build(on=on, texts=texts, moved=True)
    assert ous.text is not None
    assert ous.context is not None
    with torch.no_grad():
        for found, sentences in zip(ous.class_features(), said, strict=True):
            alone = [ous.text([sentence], [ous.context], after="carry")[0] for sentence in sentences]
            assert torch.allclose(found, torch.stack(alone).mean(0), atol=1e-4)


def test_a_prompt_that_leaves_a_class_no_room_is_refused(build: Build) -> None:
    build("ous-paper", "clip", prompt=64).class_features()
    with pytest.raises(UsageError, match=r"'happiness: .*' has .* tokens, but beside 64 prompts 11 fit; shorten it"):
        build("ous-paper", "clip", prompt=64, texts="first").class_features()


# What learns.


@presets
@both
def test_every_learned_weight_has_a_gradient_and_no_tower_has_one(
    build: Build, batch_for: BatchFor, on: str, preset: str
) -> None:
    ous = build(preset, on, moved=True, alpha=0.0).train()
    learn(ous, batch_for(on))
    for name, weight in ous.named_parameters():
        if name.startswith(("vision.", "text.")):
            assert weight.grad is None, name
            assert not weight.requires_grad, name
        else:
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name


def test_the_towers_stay_in_evaluation_mode_and_as_they_were(encoders: Mapping[str, DualEncoder]) -> None:
    clip: Any = encoders["clip"]
    towers = [copy.deepcopy(tower).train().requires_grad_() for tower in (clip.vision, clip.text)]
    ous = Ous(*towers, EXPRESSIONS, OusConfig(), log_scale=1.0).train()
    assert not any(module.training for tower in towers for module in tower.modules())
    assert {name.split(".")[0] for name in learnt(ous)} == {
        "context", "early", "frames_encoder", "align_face", "align_scene", "polarity", "fusion"
    }  # fmt: skip
    assert set(ous.learned()) == set(learnt(ous))


@pytest.mark.parametrize("choices", CHANGED, ids=str)
def test_with_each_option_it_learns_a_step_and_comes_back_from_what_it_saves(
    build: Build, batch: ClipBatch, choices: dict[str, Any]
) -> None:
    ous = build(**choices).train()
    adam = torch.optim.Adam(learnt(ous).values(), lr=1e-2)
    first = learn(ous, batch)["loss"]
    adam.step()
    assert learn(ous, batch)["loss"] < first
    with torch.no_grad():
        before = {view: logits.clone() for view, logits in ous.eval().views(batch).items()}
    for frozen in (False, True):
        tensors, facts = (ous.freeze() if frozen else ous).saved()
        back = Ous.restored(ous.vision, EXPRESSIONS, tensors, json.loads(json.dumps(facts)), "here")
        assert back.config == ous.config
        assert back.text is None
        assert not learnt(back)
        for view, logits in back.views(batch).items():
            assert torch.allclose(logits, before[view], atol=1e-5), view


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fusion.queries": None}, "missing: fusion.queries"),
        ({"more": torch.ones(1)}, "left over: more"),
        ({"texts": torch.ones(7, 3)}, "of another shape: texts"),
    ],
)
def test_weights_that_are_not_of_an_ous_are_refused(
    build: Build, change: dict[str, Tensor | None], reason: str
) -> None:
    tensors, facts = (ous := build()).saved()
    changed = {name: t for name, t in {**tensors, **change}.items() if t is not None}
    with pytest.raises(CheckpointError, match=f"here does not fit Ous: {reason}"):
        Ous.restored(ous.vision, EXPRESSIONS, changed, facts, "here")


@presets
@both
def test_it_learns_a_batch_by_heart(build: Build, batch_for: BatchFor, on: str, preset: str) -> None:
    ous, batch = build(preset, on).train(), batch_for(on)
    adam = torch.optim.Adam(learnt(ous).values(), lr=3e-3)
    contrasts = []
    for _ in range(20):
        contrasts.append(float(learn(ous, batch)["contrast"].detach()))
        adam.step()
    assert contrasts[-1] < 0.8 * contrasts[0]


def test_each_view_learns_to_speak_where_that_counts(build: Build, batch: ClipBatch) -> None:
    ous, told = build(alone=0.5).train(), list[dict[str, Tensor]]()
    adam = torch.optim.Adam(learnt(ous).values(), lr=3e-3)
    for _ in range(20):
        told.append(learn(ous, batch))
        adam.step()
    assert all(told[-1][f"{view}_alone"] < 0.8 * told[0][f"{view}_alone"] for view in ("face", "scene"))
    assert not {"face_alone", "scene_alone"} & learn(build(alone=0.0, lean=0.0), batch).keys()


# What it costs.


def test_the_text_tower_runs_once_a_step_and_the_vision_tower_once_a_view(build: Build, batch: ClipBatch) -> None:
    ous, texts, frames = build(), list[int](), list[int]()
    vision: Any = ous.vision
    hooks = [
        ous.text.register_forward_hook(lambda _, given, __: texts.append(len(given[0]))),  # type: ignore[union-attr]
        vision.blocks[0].register_forward_hook(lambda _, given, __: frames.append(len(given[0]))),
    ]
    learn(ous, batch)
    for hook in hooks:
        hook.remove()
    assert (texts, frames) == ([7], [10, 10])


def test_in_half_precision_all_but_the_towers_is_in_full(build: Build, batch: ClipBatch) -> None:
    ous = build(moved=True)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        seen = ous.encode(batch)
        half, texts = ous(batch), ous.class_features()
    with torch.no_grad():
        found = ous.understand(seen)
        fused, face = (ous._logits(feature, texts) for feature in (found.feature, found.face))
        assert torch.allclose(0.3 * fused + 0.7 * face, half, atol=1e-5)
    assert half.dtype == torch.float32


def test_the_public_codes_graph_on_its_tower_has_as_many_weights_as_the_code_states() -> None:
    tower: Any = SimpleNamespace(dim=768, width=1024, layers=24)
    with torch.device("meta"):
        repo, paper = (Ous(tower, None, EXPRESSIONS, config(), log_scale=1.0) for config in (ous_repo, ous_paper))
    numbers = [sum(weight.numel() for weight in ous.parameters()) / 1e6 for ous in (repo, paper)]
    assert numbers[0] == pytest.approx(175.5, abs=0.1)
    assert numbers[1] == pytest.approx(179.8, abs=0.1)
    assert sum(weight.numel() for weight in repo.frames_encoder.parameters()) / 1e6 == pytest.approx(85.1, abs=0.1)
    assert sum(weight.numel() for weight in repo.fusion.parameters()) / 1e6 == pytest.approx(85.1, abs=0.1)


def test_the_recommended_preset_adds_less_than_six_megabytes_to_the_compact_encoder() -> None:
    tower: Any = SimpleNamespace(dim=256, width=192, layers=4)
    with torch.device("meta"):
        ous = Ous(tower, None, EXPRESSIONS, OusConfig(), log_scale=1.0)
    assert 2 * sum(weight.numel() for weight in ous.parameters()) < 5.1e6
