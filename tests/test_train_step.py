"""That the plain step of `benchmarks/train_step.py` is the same step, and that what is measured is what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import train_step
from train_step import Plain, adam_of, batch_of, held_by, networks, parts_of, same, step_of, timed

from mimica.encoders.towers import recompute
from mimica.recognition.duse.model import Duse

TINY = {
    "vision_config": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 6, "num_attention_heads": 2,
                      "image_size": 32, "patch_size": 16},
    "text_config": {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 2},
    "projection_dim": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def both() -> tuple[Duse, Plain]:
    with pytest.MonkeyPatch.context() as patch:
        whole: Any = train_step.CLIPConfig
        patch.setattr(train_step, "CLIPConfig", lambda: whole(**TINY))
        return networks()


def test_only_the_plain_way_has_attention_in_plain_formulas(both: tuple[Duse, Plain]) -> None:
    ours: Any = both[0]
    for tower, way in (
        (ours.vision.tower, "sdpa"),
        (ours.text.tower, "sdpa"),
        (both[1].see, "eager"),
        (both[1].read, "eager"),
    ):
        assert {layer.self_attn.config._attn_implementation for layer in tower.encoder.layers} == {way}


def test_both_ways_have_the_same_loss_and_the_same_gradients(both: tuple[Duse, Plain]) -> None:
    told = same(*both, *batch_of(2, 3, 32))
    assert told["loss"] > 0
    assert told["loss_apart"] < 1e-5
    assert told["gradients_apart"] < 1e-3


def test_a_step_at_a_rate_of_nothing_leaves_the_loss_as_it_was_in_every_way(both: tuple[Duse, Plain]) -> None:
    duse, plain = both
    adam = adam_of(duse, 0.0)
    losses = [step_of(kind, duse, plain, adam)(*batch_of(2, 3, 32)) for kind in train_step.KINDS for _ in range(2)]
    assert losses == pytest.approx([losses[0]] * 6, abs=1e-4)


def test_the_plain_way_holds_more_for_its_backward_pass(both: tuple[Duse, Plain]) -> None:
    duse, plain = both
    recompute(duse, False)
    batch, _ = batch_of(2, 3, 32)
    weights = {w.untyped_storage().data_ptr() for w in [*duse.parameters(), *plain.parameters(), *plain.buffers()]}
    ours, theirs = (held_by(lambda n=network: n(batch), weights) for network in both)  # type: ignore[misc]
    assert 0 < ours < theirs


def test_what_is_held_is_counted_once_and_without_what_is_left_out() -> None:
    x = torch.randn(100, requires_grad=True)
    kept = held_by(x.exp, {x.untyped_storage().data_ptr()})
    assert kept == 400, "exp keeps its result and nothing else"
    assert held_by(x.sin, {x.untyped_storage().data_ptr()}) == 0


def test_each_part_is_timed_as_often_as_asked(both: tuple[Duse, Plain]) -> None:
    times = timed(parts_of(both[0], batch_of(1, 2, 32)[0]), 2)
    assert {name: len(t) for name, t in times.items()} == {"vision tower": 2, "text tower": 2}
    assert all(value > 0 for t in times.values() for value in t)
