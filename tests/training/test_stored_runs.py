"""Whole runs on clips that stay in their files, with batches prepared ahead, and on clips with scenes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mimica import checkpoint
from mimica.clips import ClipBatch
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, Item, manifest
from mimica.data.files import load_files
from mimica.encoders.compact import CompactConfig
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, InputError
from mimica.labels import EXPRESSIONS
from mimica.recognition import registry
from mimica.recognition.duse.config import DuseConfig
from mimica.training import runs
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Pretraining, Training
from mimica.training.runs import pretrain, train_recogniser
from tiny_runs import Killed, kill_at, rows

pytestmark = pytest.mark.usefixtures("minilm")
MILD = Augmentation(angle=3, scale=0.05, jitter=0.02, gamma=0.1, blur=0.1, erase=0.1, crop=(0.8, 1.0), brightness=0.2)
PRETRAINING = Pretraining(
    encoder=CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=2, heads=2, dim=8, pooled=True),
    loop=LoopConfig(epochs=2, batch=7, lr=1e-2, ema=0.5), augmentation=MILD,
)  # fmt: skip
TRAINING = Training(
    model=DuseConfig(depth="deep", tokens=2, heads=2), encoder="tiny", frames=3, longest=4,
    loop=LoopConfig(epochs=2, batch=7, lr=3e-3, ema=0.5), augmentation=MILD,
)  # fmt: skip


def clips(each: int = 2, *, seed: int = 0, T: int = 1) -> ClipSet:
    """Every class is a pattern of its own, every frame with a noise of its own."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)
    labels = np.arange(7 * each) % 7
    random = np.random.default_rng(seed)
    noisy = [patterns[c][None, :, :, None] + random.normal(0, 8, (T, 48, 48, 3)) for c in labels]
    names = [f"{i}.png" for i in range(len(labels))]
    return ClipSet(
        frames=[np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy], labels=labels, names=names,
        manifest=manifest("patterns", names, labels, EXPRESSIONS),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Two clips of every class, seven pictures each, in folders."""
    folder = tmp_path_factory.mktemp("folders")
    drawn = clips(T=7)
    for name, frames in zip(drawn.names, drawn.frames, strict=True):
        (folder / name).mkdir()
        for t, frame in enumerate(frames[:]):
            Image.fromarray(frame).save(folder / name / f"{t}.png")
    return [Item(path=folder / n, label=int(label)) for n, label in zip(drawn.names, drawn.labels, strict=True)]


def of_files(items: list[Item], *, stored: bool) -> ClipSet:
    return load_files(items, size=48, frames=None, space=EXPRESSIONS, origin="folders", stored=stored)


def test_clips_in_files_come_to_the_very_weights_and_figures_of_clips_in_memory(
    folders: list[Item], tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    recipe = replace(TRAINING, sampling="segment")
    made = []
    for stored in (False, True):
        learned, held = of_files(folders, stored=stored), of_files(folders[:7], stored=stored)
        made.append(train_recogniser(recipe, tiny_dual, learned, out=tmp_path / str(stored), held=held))
    assert made[0].read_bytes() == made[1].read_bytes()
    assert made[0].with_suffix(".json").read_bytes() == made[1].with_suffix(".json").read_bytes()
    assert rows(tmp_path / "False") == rows(tmp_path / "True")
    assert checkpoint.read_facts(made[0])["recipe"]["sampling"] == "segment"


def test_a_run_learns_from_and_is_tested_on_the_frames_that_its_recipe_says(
    tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    whole, held = clips(T=7), clips(1, seed=1, T=7)
    cut = [replace(of, frames=[frames[-3:] for frames in of.frames]) for of in (whole, held)]
    by_recipe = replace(TRAINING, sampling="last")
    made = [
        train_recogniser(how, tiny_dual, learned, out=tmp_path / name, held=tested)
        for name, how, learned, tested in (("said", by_recipe, whole, held), ("cut", TRAINING, *cut))
    ]
    assert made[0].read_bytes() == made[1].read_bytes()
    assert rows(tmp_path / "said") == rows(tmp_path / "cut")
    one, other = map(checkpoint.read_facts, made)
    assert (one["temperature"], one["metrics"]) == (other["temperature"], other["metrics"])
    assert train_recogniser(TRAINING, tiny_dual, whole, out=tmp_path / "even").read_bytes() != made[0].read_bytes()


def test_an_encoder_is_pretrained_on_stills_in_files_as_on_stills_in_memory(
    folders: list[Item], tmp_path: Path
) -> None:
    made = []
    for stored in (False, True):
        learned, held = of_files(folders, stored=stored), of_files(folders[:7], stored=stored)
        made.append(pretrain(PRETRAINING, learned, out=tmp_path / str(stored), held=held))
    assert made[0].read_bytes() == made[1].read_bytes()
    assert rows(tmp_path / "False") == rows(tmp_path / "True")


def test_a_run_goes_on_with_more_batches_ahead_or_none_to_the_same_file(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    whole = train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path / "whole")
    with pytest.raises(Killed):
        train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path / "killed", report=kill_at(1, 2))
    other = replace(TRAINING, loop=replace(TRAINING.loop, ahead=0))
    resumed = train_recogniser(other, tiny_dual, clips(), out=tmp_path / "killed", resume=True)
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_run_does_not_go_on_with_another_sampling(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    with pytest.raises(Killed):
        train_recogniser(TRAINING, tiny_dual, clips(), out=tmp_path, report=kill_at(1, 1))
    with pytest.raises(CheckpointError, match="was made with another sampling; resume with the same"):
        train_recogniser(replace(TRAINING, sampling="last"), tiny_dual, clips(), out=tmp_path, resume=True)


def test_a_clip_that_breaks_ends_a_run_in_a_sentence_and_what_was_learned_stays(
    folders: list[Item], tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    broken = [replace(item, path=Path(shutil.copytree(item.path, tmp_path / item.path.name))) for item in folders]
    recipe = replace(TRAINING, loop=replace(TRAINING.loop, save_every=1, batch=2))
    files = [broken[4].path / f"{t}.png" for t in range(7)]
    whole = [file.read_bytes() for file in files]

    def breaks(row: Mapping[str, Any]) -> None:
        if (row["epoch"], row.get("step"), "steps" in row) == (0, 2, True):
            for file in files:
                file.write_bytes(b"no picture")

    learned, out = of_files(broken, stored=True), tmp_path / "out"
    with pytest.raises(InputError, match=r"\.png is not a picture that can be read; mend it or leave the clip .*4"):
        train_recogniser(recipe, tiny_dual, learned, out=out, report=breaks)
    for file, content in zip(files, whole, strict=True):
        file.write_bytes(content)
    resumed = train_recogniser(recipe, tiny_dual, of_files(broken, stored=True), out=out, resume=True)
    left_alone = train_recogniser(recipe, tiny_dual, of_files(broken, stored=False), out=tmp_path / "alone")
    assert resumed.read_bytes() == left_alone.read_bytes()


def test_a_network_is_given_the_scenes_that_its_clips_have(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    given: list[ClipBatch] = []
    train_on = replace(clips(1), scenes=list(clips(1, seed=5).frames))

    def built(*how: Any) -> Any:
        network: Any = registry.build(*how)
        network.register_forward_hook(lambda module, batch, logits: given.append(batch[0]))
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "build", built)
        once = replace(TRAINING, loop=replace(TRAINING.loop, epochs=1))
        train_recogniser(once, tiny_dual, train_on, out=tmp_path / "with")
        train_recogniser(once, tiny_dual, clips(1), out=tmp_path / "without")
    first, *_, last = given
    assert first.scene is not None
    assert first.scene.shape == first.face.shape
    assert not torch.equal(first.scene, first.face)
    assert last.scene is None
