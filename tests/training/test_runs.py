from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mimica import checkpoint
from mimica.clips import Clip
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.encoders.clip import load_clip
from mimica.encoders.compact import CompactConfig
from mimica.encoders.mobile import MobileConfig, MobileVision
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition import registry
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse
from mimica.training import runs
from mimica.training.calibrate import as_clip, logits_of
from mimica.training.captions import captions
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Pretraining, Training, with_method
from mimica.training.runs import caption_features, pretrain, train_recogniser
from tiny_runs import Killed, kill_at, rows

pytestmark = pytest.mark.usefixtures("minilm")
MILD = Augmentation(angle=3, scale=0.05, jitter=0.02, flip=0.0, gamma=0.1, blur=0.1, erase=0.1)
PRETRAINING = Pretraining(
    encoder=CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=2, heads=2, dim=8, pooled=True),
    loop=LoopConfig(epochs=3, batch=7, lr=1e-2, ema=0.5), mixup=0.2, augmentation=MILD,
)  # fmt: skip


TRAINING = Training(
    model=DuseConfig(depth="deep", tokens=2, heads=2), encoder="tiny", frames=3, longest=4,
    loop=LoopConfig(epochs=3, batch=7, lr=3e-3, ema=0.5), augmentation=MILD,
)  # fmt: skip
THREE = LabelSpace(
    name="three", names=("up", "down", "still"), descriptions=(("the brows",), ("the lips",), ("the eyes",))
)


def clips(
    each: int = 4, *, seed: int = 0, T: int = 1, G: int = 1, S: int = 48, space: LabelSpace = EXPRESSIONS
) -> ClipSet:
    """Every class is a pattern of its own with a little noise."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)[:, :S, :S]
    labels = np.arange(len(space) * each) % len(space)
    random = np.random.default_rng(seed)
    noisy = [patterns[c][None, :, :, None] + random.normal(0, 8, (T, S, S, 1)) for c in labels]
    frames = [np.clip(picture, 0, 255).astype(np.uint8).repeat(G, axis=3) for picture in noisy]
    names = [f"{i}.png" for i in range(len(labels))]
    stated = manifest("patterns", names, labels, space)
    return ClipSet(frames=frames, labels=labels, names=names, space=space, manifest=stated)


def with_scenes(clips: ClipSet) -> ClipSet:
    """The same clips before scenes, each of which is its own picture upside down."""
    return replace(clips, scenes=[np.asarray(frames)[:, ::-1].copy() for frames in clips.frames])


def as_clips(held: ClipSet) -> list[Clip]:
    scenes = held.scenes or [None] * len(held)  # type: ignore[list-item]
    return [
        as_clip(np.asarray(frames), None if scene is None else np.asarray(scene))
        for frames, scene in zip(held.frames, scenes, strict=True)
    ]


def test_captions_are_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "captions.safetensors"
    features, classes = caption_features(clips(), cache)
    texts = [text for text, _ in captions(EXPRESSIONS)]
    assert features.shape == (len(texts), 32)
    assert classes == [c for _, c in captions(EXPRESSIONS)]
    tower = runs.SentenceTower()
    assert torch.allclose(features, tower.sentences(texts), atol=1e-6)
    assert torch.allclose(features[5], tower.sentences([texts[5]])[0], atol=1e-5)
    monkeypatch.setattr(runs, "SentenceTower", None)
    again, _ = caption_features(clips(), cache)
    assert torch.equal(again, features)


def test_captions_of_another_label_space_are_read_anew(tmp_path: Path) -> None:
    caption_features(clips(), tmp_path / "captions.safetensors")
    pair = LabelSpace(name="pair", names=("up", "down"), descriptions=(("it rises",), ("it sinks",)))
    features, classes = caption_features(replace(clips(), space=pair), tmp_path / "captions.safetensors")
    assert classes == [0, 0, 1, 1]
    assert len(features) == 4


def test_pretraining_learns_and_writes_an_encoder_with_its_facts(tmp_path: Path) -> None:
    held = clips(2, seed=1)
    recipe = replace(PRETRAINING, loop=replace(PRETRAINING.loop, epochs=20))
    path = pretrain(recipe, clips(), out=tmp_path, held=held)
    told = rows(tmp_path)
    assert told[-1]["loss"] < 0.9 * told[0]["loss"]
    vision, project, facts = load_encoder(path)
    assert vision.config == PRETRAINING.encoder
    assert project.shape == (8, 32)
    assert facts["metrics"] == pytest.approx({key: told[-1][key] for key in ("war", "uar")}, abs=1e-4)
    assert facts["metrics"]["war"] > 0.2  # one in seven by chance
    assert facts["recipe"]["loop"]["epochs"] == 20
    assert facts["data"] == clips().manifest
    assert facts["log_scale"] > 0


def test_pretraining_that_was_killed_goes_on_to_the_same_encoder(tmp_path: Path) -> None:
    whole = pretrain(PRETRAINING, clips(), out=tmp_path / "whole")
    with pytest.raises(Killed):
        pretrain(PRETRAINING, clips(), out=tmp_path / "killed", report=kill_at(1, 2))
    resumed = pretrain(PRETRAINING, clips(), out=tmp_path / "killed", resume=True)
    assert resumed.read_bytes() == whole.read_bytes()
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder) -> Path:
    recipe = replace(TRAINING, loop=replace(TRAINING.loop, epochs=10))
    out = tmp_path_factory.mktemp("trained")
    return train_recogniser(recipe, tiny_dual, clips(12, space=THREE), out=out, held=clips(10, seed=1, space=THREE))


def test_a_recogniser_learns_and_is_found_by_the_folder_it_was_written_to(trained: Path) -> None:
    told = rows(trained.parent)
    assert told[-1]["loss"] < told[0]["loss"]
    assert told[-1]["war"] > 0.5  # one in three by chance
    recogniser = registry.load(str(trained.parent))
    assert recogniser.frames == 4
    assert recogniser.facts["recipe"]["loop"]["epochs"] == 10


def test_what_was_trained_reads_as_it_was_measured(trained: Path) -> None:
    recogniser, held = registry.load(str(trained)), clips(10, seed=1, space=THREE)
    assert isinstance(recogniser.network, Duse)
    guess = logits_of(recogniser.network, as_clips(held)).argmax(1)
    assert (guess == held.labels).mean() == pytest.approx(recogniser.facts["metrics"]["war"], abs=0.06)


def test_temperature_and_threshold_are_fitted_on_what_was_held_back_and_say_so(trained: Path) -> None:
    recogniser, held = registry.load(str(trained)), clips(10, seed=1, space=THREE)
    assert recogniser.facts["calibrated_on"] == held.manifest
    assert recogniser.temperature != 1.0
    shares = recogniser.probabilities([as_clip(frames) for frames in held.frames])
    assert (shares.max(1) >= recogniser.unsure_below).mean() == pytest.approx(0.8, abs=0.06)
    assert 0 <= recogniser.facts["metrics"]["ece"] <= 1


def test_without_held_data_nothing_is_calibrated_and_the_card_says_so(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    facts = checkpoint.read_facts(train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path))
    assert (facts["temperature"], facts["temperature_slope"], facts["unsure_below"]) == (1.0, 0.0, 0.0)
    assert facts["calibrated_on"] is None
    assert facts["metrics"] == {}


def test_training_that_was_killed_goes_on_to_the_same_file(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    held = clips(1, seed=1)
    whole = train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path / "whole", held=held)
    with pytest.raises(Killed):
        train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path / "killed", held=held, report=kill_at(1, 2))
    resumed = train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path / "killed", held=held, resume=True)
    assert resumed.read_bytes() == whole.read_bytes()
    assert resumed.with_suffix(".json").read_bytes() == whole.with_suffix(".json").read_bytes()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder) -> Path:
    """The folder of a run that was killed."""
    out = tmp_path_factory.mktemp("begun")
    with pytest.raises(Killed):
        train_recogniser(TRAINING, tiny_dual, clips(), out=out, report=kill_at(1, 1))
    return out


def test_a_run_does_not_go_on_with_another_encoder(begun: Path, tiny_dual: DualEncoder) -> None:
    other = replace(tiny_dual, identity="0" * 64)
    with pytest.raises(CheckpointError, match="was made with another encoder; resume with the same or choose another"):
        train_recogniser(TRAINING, other, clips(), out=begun, resume=True)


def test_a_run_does_not_go_on_with_other_data(begun: Path, tiny_dual: DualEncoder) -> None:
    with pytest.raises(CheckpointError, match="was made with another data;"):
        train_recogniser(TRAINING, tiny_dual, replace(clips(), manifest={"origin": "other"}), out=begun, resume=True)


def test_a_run_does_not_go_on_in_another_label_space(begun: Path, tiny_dual: DualEncoder) -> None:
    said = tuple((f"{name}, in other words",) for name in EXPRESSIONS.names)
    other = replace(clips(), space=replace(EXPRESSIONS, descriptions=said))
    with pytest.raises(CheckpointError, match="was made with another label space;"):
        train_recogniser(TRAINING, tiny_dual, other, out=begun, resume=True)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (with_method(TRAINING, "coop", []), "method, model"),
        (with_method(TRAINING, None, ["beta=0.5"]), "model"),
        (replace(TRAINING, augmentation=replace(MILD, flip=0.5)), "augmentation"),
    ],
)
def test_a_run_does_not_go_on_by_another_recipe(
    begun: Path, tiny_dual: DualEncoder, changed: Training, what: str
) -> None:
    with pytest.raises(CheckpointError, match=f"was made with another {what}; resume with the same"):
        train_recogniser(changed, tiny_dual, clips(), out=begun, resume=True)


def test_a_run_goes_on_with_an_encoder_that_has_only_moved(begun: Path, tiny_dual: DualEncoder, tmp_path: Path) -> None:
    import shutil

    out = shutil.copytree(begun, tmp_path / "begun")
    moved = replace(TRAINING, encoder="elsewhere/tiny")
    assert train_recogniser(moved, tiny_dual, clips(), out=out, resume=True).is_file()
    assert [row["epoch"] for row in rows(out)] == [0, 1, 2]


def test_logits_do_not_depend_on_batches_nor_on_grey_being_stored_once_or_thrice(trained: Path) -> None:
    duse: Any = registry.load(str(trained)).network
    expected = logits_of(duse, as_clips(clips(T=3)))
    assert np.allclose(logits_of(duse, as_clips(clips(T=3)), batch=5), expected, atol=1e-4)
    assert np.allclose(logits_of(duse, as_clips(clips(T=3, G=3))), expected, atol=1e-5)


# Every method, on every kind of encoder


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run of a method: what it was given, its weights before it, the network as it left it, and its file."""

    recipe: Training
    encoder: DualEncoder
    clips: ClipSet
    held: ClipSet
    before: Mapping[str, Tensor]
    network: Any
    path: Path


@pytest.fixture(scope="module", params=[(kind, name) for kind in ("compact", "clip") for name in registry.METHODS])
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder, tiny_clip: Path
) -> Done:
    kind, name = request.param
    encoder = tiny_dual if kind == "compact" else load_clip(tiny_clip)
    recipe = with_method(replace(TRAINING, loop=replace(TRAINING.loop, epochs=2)), name, [])
    S = encoder.vision.size
    learned, held = clips(2, T=2, S=S, G=3), clips(1, seed=1, T=2, S=S, G=3)
    if recipe.scenes:
        learned, held = with_scenes(learned), with_scenes(held)
    networks: list[Any] = []
    before: dict[str, Tensor] = {}

    def built(*given: Any) -> Any:
        networks.append(registry.build(*given))
        before.update({part: weight.detach().clone() for part, weight in networks[0].named_parameters()})
        return networks[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "build", built)
        path = train_recogniser(recipe, encoder, learned, out=tmp_path_factory.mktemp("run"), held=held)
    return Done(recipe=recipe, encoder=encoder, clips=learned, held=held, before=before, network=networks[0], path=path)


def test_a_run_is_written_by_the_names_of_its_method_and_its_encoder(done: Done) -> None:
    assert done.path.name == f"{done.recipe.method}-{Path(done.encoder.name).stem}.safetensors"
    assert (done.path.parent / "metrics.jsonl").exists() == (done.recipe.method != "zero-shot")


def test_a_run_states_what_it_was_given_and_what_came_of_it(done: Done) -> None:
    facts = checkpoint.read_facts(done.path)
    assert (facts["encoder"], facts["encoder_sha256"]) == (done.encoder.name, done.encoder.identity)
    assert (facts["config"], facts["recipe"]["method"]) == (done.recipe.model.facts(), done.recipe.method)
    assert LabelSpace.from_facts(facts["labels"]) == EXPRESSIONS
    assert (facts["data"], facts["calibrated_on"]) == (done.clips.manifest, done.held.manifest)
    assert (
        facts["metrics"].keys()
        == facts["metrics"]["degraded"].keys() | {"degraded"}
        == {"war", "uar", "ece", "degraded"}
    )
    assert (facts["frames"], facts["window"]) == (4, 3)
    assert set(facts.get("view_temperatures", {})) == ({"face", "scene"} if done.recipe.scenes else set())


def test_a_run_writes_no_weight_of_a_tower(done: Done) -> None:
    tensors, _ = checkpoint.load(done.path)
    parts = ("classify.",) if done.recipe.method == "linear-probe" else ("prompts.", "aggregator.", "constants.")
    if done.recipe.method == "dfer-clip-head":
        parts = ("context", "cls", "position", "over_time.", "texts")
    if done.recipe.scenes:
        parts = ("context", "early.", "frames_encoder.", "align_", "polarity.", "fusion.", "texts")
    assert all(part.startswith(parts) for part in tensors)


def test_what_was_trained_reads_frozen_as_it_did_but_for_half_precision(done: Done) -> None:
    back: Any = registry.load(str(done.path))
    expected, found = logits_of(done.network, as_clips(done.held)), logits_of(back.network, as_clips(done.held))
    # Two times twelve layers, one behind the other, make more of a rounded weight.
    far = 2e-2 if done.recipe.method in ("ous-paper", "ous-repo") else 2e-3
    assert np.abs(found - expected).max() < far * np.abs(expected).max()


def test_every_weight_that_is_learned_moves_and_no_other(done: Done) -> None:
    now = dict(done.network.named_parameters())
    learned = {part for part, weight in now.items() if weight.requires_grad}
    moved = {part for part, weight in now.items() if not torch.equal(weight, done.before[part])}
    assert moved == learned
    assert bool(learned) == (done.recipe.method != "zero-shot")


def test_a_class_text_with_no_room_in_the_tower_is_refused_as_it_stands(tiny_clip: Path, tmp_path: Path) -> None:
    names = tuple((f"{name}: " + "a " * 80,) for name in EXPRESSIONS.names)
    wordy = replace(clips(1, S=32), space=replace(EXPRESSIONS, descriptions=names))
    with pytest.raises(UsageError, match=r"'happiness: a a .*' has 82 tokens, but beside 2 prompts 73 fit; shorten it"):
        train_recogniser(TRAINING, load_clip(tiny_clip), wordy, out=tmp_path)


def test_a_depth_that_a_tower_has_not_is_refused_before_anything_is_trained(
    tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    recipe = with_method(TRAINING, None, ["depth=3"])
    with pytest.raises(UsageError, match=r"depth 3 means 3 prompted layers.*towers have 3 and 2; choose depth=2"):
        train_recogniser(recipe, tiny_dual, clips(1), out=tmp_path)
    assert not list(tmp_path.iterdir())


# From an earlier encoder


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory, tiny_text_folder: Path) -> Path:
    from mimica import assets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)
        return pretrain(PRETRAINING, clips(), out=tmp_path_factory.mktemp("earlier"))


def test_a_run_that_starts_from_an_encoder_begins_where_it_ended(earlier: Path, tmp_path: Path) -> None:
    still = replace(PRETRAINING, loop=replace(PRETRAINING.loop, epochs=1, lr=1e-9, ema=0.0))
    path = pretrain(still, clips(), out=tmp_path, start=earlier)
    before, after = (checkpoint.load(p)[0] for p in (earlier, path))
    for name, weight in before.items():
        if "running" not in name and "num_batches" not in name:
            assert torch.allclose(weight.float(), after[name].float(), atol=1e-3), name
    digest = checkpoint.read_facts(earlier)["sha256"]
    assert (checkpoint.read_facts(path)["start"], checkpoint.read_facts(path)["teachers"]) == (digest, [])


def test_a_start_of_another_shape_is_refused(earlier: Path, tmp_path: Path) -> None:
    wider = replace(PRETRAINING, encoder=replace(PRETRAINING.encoder, width=32))
    with pytest.raises(CheckpointError, match="has another shape than the recipe's encoder"):
        pretrain(wider, clips(), out=tmp_path, start=earlier)


def test_a_teacher_is_learned_from_and_named_in_the_facts(earlier: Path, tmp_path: Path) -> None:
    alone = pretrain(PRETRAINING, clips(), out=tmp_path / "alone")
    taught = pretrain(PRETRAINING, clips(), out=tmp_path / "taught", teachers=[earlier])
    assert alone.read_bytes() != taught.read_bytes()
    assert checkpoint.read_facts(taught)["teachers"] == [checkpoint.read_facts(earlier)["sha256"]]


def test_a_run_does_not_go_on_with_another_teacher(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        pretrain(PRETRAINING, clips(), out=tmp_path, report=kill_at(1, 1))
    with pytest.raises(CheckpointError, match="was made with another teachers;"):
        pretrain(PRETRAINING, clips(), out=tmp_path, teachers=[earlier], resume=True)


def test_a_teacher_of_another_architecture_teaches_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MobileVision, "begin", lambda self: None)
    recipe = replace(PRETRAINING, encoder=MobileConfig(enlarged=32, dim=8), loop=replace(PRETRAINING.loop, epochs=1))
    teacher = pretrain(recipe, clips(), out=tmp_path / "teacher")
    assert teacher.name == "mobile.safetensors"
    taught = pretrain(PRETRAINING, clips(), out=tmp_path / "taught", teachers=[teacher])
    alone = pretrain(PRETRAINING, clips(), out=tmp_path / "alone")
    assert taught.read_bytes() != alone.read_bytes()
