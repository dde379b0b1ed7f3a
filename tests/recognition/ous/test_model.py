from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mimica.clips import ClipBatch
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, InputError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition.model import ReadsScene, Staged, Taught
from mimica.recognition.ous.config import OusConfig
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


def test_each_view_learns_to_speak_only_where_that_counts(build: Build, batch: ClipBatch) -> None:
    reached = {}
    for weight in (0.0, 3.0):
        torch.manual_seed(1)
        ous = build(alone=weight).train()
        adam = torch.optim.Adam(learnt(ous).values(), lr=1e-2)
        for _ in range(15):
            told = learn(ous, batch)
            adam.step()
        assert ("face_alone" in told) == ("scene_alone" in told) == bool(weight)
        with torch.no_grad():
            views = ous.views(batch)
        reached[weight] = {view: float(torch.nn.functional.cross_entropy(views[view], LABELS)) for view in views}
    assert all(reached[3.0][view] < reached[0.0][view] for view in ("face", "scene"))


# The losses, and what they reach.


def parts_reached(ous: Ous, batch: ClipBatch, loss: str) -> set[str]:
    """Which parts have a gradient of one of the losses alone."""
    ous.zero_grad()
    ous.taught(batch, LABELS, shift=NONE)[loss].backward()
    return {name.split(".")[0] for name, w in learnt(ous).items() if w.grad is not None and w.grad.abs().max() > 0}


def test_routed_losses_reach_only_the_parts_that_the_paper_names(build: Build, batch: ClipBatch) -> None:
    aligning = {"frames_encoder", "align_face", "align_scene"}
    routed, free = build(moved=True, route_losses=True), build(moved=True)
    assert parts_reached(routed, batch, "similarity") == aligning
    assert parts_reached(free, batch, "similarity") == aligning | {"early"}
    for ous in (routed, free):
        assert parts_reached(ous, batch, "polarity") == {"polarity"}
        assert parts_reached(ous, batch, "contrast") == {name.split(".")[0] for name in learnt(ous)}


def test_below_alpha_the_contrastive_loss_stands_alone_and_the_polarity_head_rests(
    build: Build, batch: ClipBatch
) -> None:
    above, below = (learn(build(moved=True, alpha=alpha, alone=0.0), batch) for alpha in (0.0, 99.0))
    assert above["loss"] == above["contrast"] + above["similarity"] + above["polarity"]
    assert below["loss"] == below["contrast"]
    assert (above["above_alpha"], below["above_alpha"]) == (1, 0)
    ous = build(moved=True, alpha=99.0)
    learn(ous, batch)
    assert ous.polarity is not None
    assert ous.polarity.classify.weight.grad is None


def test_what_decides_is_the_mean_that_all_processes_agree_on_and_not_the_own_loss(
    build: Build, batch: ClipBatch
) -> None:
    asked: list[float] = []

    def agreed(value: Tensor) -> Tensor:
        asked.append(float(value))
        return value.new_tensor(0.5)

    told = learn(build(moved=True, alone=0.0), batch, agreed=agreed)
    assert told["loss"] == told["contrast"] > 1.0
    assert asked == [pytest.approx(float(told["contrast"] + told["similarity"] + told["polarity"]))]
    assert learn(build(moved=True, losses="contrast"), batch, agreed=agreed)["loss"].isfinite()
    assert len(asked) == 1, "without a switch nothing is asked"


def test_the_running_mean_that_decides_belongs_to_the_state_of_a_run(build: Build, batch: ClipBatch) -> None:
    from mimica.training.average import counted

    ous, wholes = build(moved=True, alpha_average=0.75, alpha=4.0), iter([8.0, 0.0, 0.0, 0.0])
    sides = [
        float(learn(ous, batch, agreed=lambda value: value.new_tensor(next(wholes)))["above_alpha"]) for _ in range(4)
    ]
    assert sides == [1, 1, 1, 0]  # 8, 6, 4.5, 3.375
    assert {name: float(t) for name, t in counted(ous).items()} == {"reached": 3.375}
    assert counted(build()) == {}


def test_a_label_space_without_polarity_is_refused_where_that_is_learned(build: Build) -> None:
    pair = LabelSpace(name="own", names=("up", "down"), descriptions=(("it rises",), ("it sinks",)))
    with pytest.raises(UsageError, match=r"label space 'own' states none; give .polarity. in its label_space\.json"):
        build(space=pair)
    for choices in ({"polarity": "none"}, {"losses": "contrast"}):
        assert build(space=pair, **choices).polarity_of is None
    assert build().polarity_of.tolist() == [2, 0, 1, 0, 1, 0, 0]  # type: ignore[union-attr]


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
        assert torch.allclose(ous._logits(ous.understand(seen).feature, texts), half, atol=1e-5)
    assert half.dtype == torch.float32
