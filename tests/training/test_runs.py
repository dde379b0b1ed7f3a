from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica import assets, checkpoint
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.encoders.compact import CompactConfig
from mimica.encoders.store import load_encoder
from mimica.errors import CheckpointError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition import registry
from mimica.recognition.duse.model import Duse, DuseConfig
from mimica.training import runs
from mimica.training.captions import captions
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Pretraining, Training
from mimica.training.runs import caption_features, encoder_path, logits_of, pretrain, train_recogniser

MILD = Augmentation(angle=3, scale=0.05, jitter=0.02, flip=0.0, gamma=0.1, blur=0.1, erase=0.1)
PRETRAINING = Pretraining(
    encoder=CompactConfig(stem=(4, 4, 8), width=16, layers=2, heads=2, dim=8),
    loop=LoopConfig(epochs=3, batch=7, lr=1e-2, ema=0.5), mixup=0.2, augmentation=MILD,
)  # fmt: skip


def training(encoder: Path) -> Training:
    return Training(
        model=DuseConfig(depth="deep", tokens=2, heads=2), encoder=str(encoder), frames=3, longest=4,
        loop=LoopConfig(epochs=3, batch=7, lr=2e-2, ema=0.5), augmentation=MILD,
    )  # fmt: skip


def clips(each: int = 4, *, seed: int = 0, T: int = 1, G: int = 1) -> ClipSet:
    """Every class is a pattern of its own with a little noise."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)
    labels = np.arange(7 * each) % 7
    random = np.random.default_rng(seed)
    noisy = [patterns[c][None, :, :, None] + random.normal(0, 8, (T, 48, 48, 1)) for c in labels]
    frames = [np.clip(picture, 0, 255).astype(np.uint8).repeat(G, axis=3) for picture in noisy]
    names = [f"{i}.png" for i in range(len(labels))]
    return ClipSet(frames=frames, labels=labels, names=names, manifest=manifest("patterns", names, labels, EXPRESSIONS))


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


class Killed(BaseException):
    pass


def kill(row: Mapping[str, Any]) -> None:
    if row["epoch"] == 1 and row["step"] == 2:
        raise Killed


@pytest.fixture(autouse=True)
def _minilm(monkeypatch: pytest.MonkeyPatch, tiny_text_folder: Path) -> None:
    monkeypatch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)


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
    whole, _ = checkpoint.load(pretrain(PRETRAINING, clips(), out=tmp_path / "whole"))
    with pytest.raises(Killed):
        pretrain(PRETRAINING, clips(), out=tmp_path / "killed", report=kill)
    resumed, _ = checkpoint.load(pretrain(PRETRAINING, clips(), out=tmp_path / "killed", resume=True))
    assert resumed.keys() == whole.keys()
    # The norms count the batches they have seen in this process; nothing reads the count.
    assert [n for n in whole if not torch.equal(whole[n], resumed[n]) and not n.endswith("num_batches_tracked")] == []
    assert [row["loss"] for row in rows(tmp_path / "killed")] == [row["loss"] for row in rows(tmp_path / "whole")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_text_folder: Path) -> Path:
    out = tmp_path_factory.mktemp("trained")
    recipe = training(tiny_encoder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)
        return train_recogniser(
            replace(recipe, loop=replace(recipe.loop, epochs=20)), clips(6), out=out, held=clips(5, seed=1)
        )


def test_a_recogniser_learns_and_is_found_by_the_folder_it_was_written_to(trained: Path, tiny_encoder: Path) -> None:
    told = rows(trained.parent)
    assert told[-1]["loss"] < 0.8 * told[0]["loss"]
    assert told[-1]["war"] > 0.2  # one in seven by chance
    recogniser = registry.load(str(trained.parent))
    assert recogniser.frames == 4
    assert recogniser.facts["encoder_sha256"] == checkpoint.read_facts(tiny_encoder)["sha256"]
    assert recogniser.facts["recipe"]["loop"]["epochs"] == 20


def test_what_was_trained_reads_as_it_was_measured(trained: Path) -> None:
    recogniser, held = registry.load(str(trained)), clips(5, seed=1)
    assert isinstance(recogniser.network, Duse)
    guess = logits_of(recogniser.network, held).argmax(1)
    assert (guess == held.labels).mean() == pytest.approx(recogniser.facts["metrics"]["war"], abs=0.03)


def test_temperature_and_threshold_are_fitted_on_what_was_held_back_and_say_so(trained: Path) -> None:
    recogniser, held = registry.load(str(trained)), clips(5, seed=1)
    assert recogniser.facts["calibrated_on"] == held.manifest
    assert recogniser.temperature != 1.0
    shares = recogniser.probabilities([runs._as_clip(frames) for frames in held.frames])
    assert (shares.max(1) >= recogniser.unsure_below).mean() == pytest.approx(0.8, abs=0.06)
    assert 0 <= recogniser.facts["metrics"]["ece"] <= 1


def test_without_held_data_nothing_is_calibrated_and_the_card_says_so(tmp_path: Path, tiny_encoder: Path) -> None:
    path = train_recogniser(training(tiny_encoder), clips(), out=tmp_path)
    facts = checkpoint.read_facts(path)
    assert (facts["temperature"], facts["unsure_below"], facts["calibrated_on"]) == (1.0, 0.0, None)
    assert facts["metrics"] == {}


def test_training_that_was_killed_goes_on_to_the_same_file(tmp_path: Path, tiny_encoder: Path) -> None:
    recipe = training(tiny_encoder)
    whole = train_recogniser(recipe, clips(), out=tmp_path / "whole", held=clips(1, seed=1))
    with pytest.raises(Killed):
        train_recogniser(recipe, clips(), out=tmp_path / "killed", held=clips(1, seed=1), report=kill)
    resumed = train_recogniser(recipe, clips(), out=tmp_path / "killed", held=clips(1, seed=1), resume=True)
    assert resumed.read_bytes() == whole.read_bytes()
    assert resumed.with_suffix(".json").read_bytes() == whole.with_suffix(".json").read_bytes()


def test_logits_do_not_depend_on_batches_nor_on_grey_being_stored_once_or_thrice(trained: Path) -> None:
    duse: Any = registry.load(str(trained)).network
    expected = logits_of(duse, clips(T=3))
    assert np.allclose(logits_of(duse, clips(T=3), batch=5), expected, atol=1e-4)
    assert np.allclose(logits_of(duse, clips(T=3, G=3)), expected, atol=1e-5)


def test_an_encoder_is_named_or_pointed_to(monkeypatch: pytest.MonkeyPatch, tiny_encoder: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(runs, "SHIPPED", tiny_encoder.parent)
    assert encoder_path("compact-tiny") == tiny_encoder
    assert encoder_path(str(tiny_encoder)) == tiny_encoder
    with pytest.raises(CheckpointError, match=r"cannot read nowhere\.json"):
        train_recogniser(training(Path("nowhere.safetensors")), clips(), out=tmp_path)
