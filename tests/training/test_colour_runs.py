"""Pretraining that goes on in colour, and on several data sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.data.joined import joined
from mimica.data.scene import scene_space
from mimica.encoders.compact import CompactConfig
from mimica.errors import CheckpointError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Pretraining
from mimica.training.runs import pretrain

pytestmark = pytest.mark.usefixtures("minilm")
SHAPE = CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=2, heads=2, dim=8, pooled=True)
PRETRAINING = Pretraining(
    encoder=SHAPE, loop=LoopConfig(epochs=1, batch=7, lr=1e-2), augmentation=Augmentation(erase=0.0)
)


def clips(each: int, space: LabelSpace = EXPRESSIONS, channels: int = 1) -> ClipSet:
    """Pictures of noise, `each` of a class."""
    random, number = np.random.default_rng(len(space)), each * len(space)
    frames = list(random.integers(0, 255, (number, 1, 48, 48, channels), dtype=np.uint8))
    labels, names = np.arange(number) % len(space), [f"{space.name} {i}" for i in range(number)]
    return ClipSet(
        frames=frames, labels=labels, names=names, space=space, manifest=manifest("noise", names, labels, space)
    )


def test_a_start_of_greys_may_go_on_in_colour_and_a_teacher_of_greys_teaches_it(tmp_path: Path) -> None:
    earlier = pretrain(PRETRAINING, clips(4), out=tmp_path / "greys")
    still = replace(PRETRAINING, encoder=replace(SHAPE, colour=True), loop=replace(PRETRAINING.loop, lr=1e-9, ema=0.0))
    path = pretrain(still, clips(4), out=tmp_path / "colour", start=earlier, teachers=[earlier])
    before, after = (checkpoint.load(p)[0]["vision.stem.0.weight"].float() for p in (earlier, path))
    assert torch.allclose(after[:, :3].sum(1, keepdim=True), before, atol=1e-3)
    assert torch.allclose(after[:, 3], torch.zeros_like(after[:, 3]), atol=1e-3)
    with pytest.raises(CheckpointError, match="reads colour and what it is to teach does not"):
        pretrain(PRETRAINING, clips(4), out=tmp_path / "grey", teachers=[path])


def test_several_data_sets_are_learned_from_and_one_is_measured_over_its_own_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def noted(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        measured.append(scores)
        return {}

    monkeypatch.setattr("mimica.training.runs.figures", noted)
    learned = joined([clips(4), clips(1, scene_space("train"), channels=3)])
    held = clips(2, EXPRESSIONS.only(["fear", "happiness"]))
    path = pretrain(PRETRAINING, learned, out=tmp_path, held=held)
    assert set(checkpoint.read_facts(path)["data"]["classes"]) >= {"fear", "rain"}
    assert {scores.shape for scores in measured} == {(4, 2)}
