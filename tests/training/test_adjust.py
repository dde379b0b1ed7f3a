from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mimica.data.clipset import ClipSet
from mimica.labels import LabelSpace
from mimica.training.adjust import shift_of
from mimica.training.batches import Batches
from mimica.training.runs import _Learner
from oracles import adjust
from tiny_runs import Given, batch_of

SHARES = np.array([0.7, 0.2, 0.1])


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_the_loss_is_that_of_the_formula(tau: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(8, 3) * 3, torch.arange(8) % 3
    network: Any = Given(logits)
    found = _Learner(network, shift_of(SHARES, tau), lambda value: value)(batch_of(labels))
    assert float(found["loss"]) == pytest.approx(adjust.loss(logits.tolist(), labels.tolist(), SHARES.tolist(), tau))
    assert float(found["accuracy"]) == pytest.approx(float((logits.argmax(1) == labels).float().mean()))


def test_a_class_without_clips_counts_as_the_scarcest() -> None:
    shift = shift_of(np.array([0.8, 0.0, 0.2]), 1.0)
    assert torch.isfinite(shift).all()
    assert shift[1] == shift[2]


@pytest.mark.parametrize(("balance", "shares"), [(0.0, [0.75, 0.25, 0.0]), (1.0, [0.5, 0.5, 0.0])])
def test_how_often_a_class_is_drawn_is_what_the_logits_are_adjusted_by(balance: float, shares: list[float]) -> None:
    space = LabelSpace(name="three", names=("a", "b", "c"), descriptions=(("a",), ("b",), ("c",)))
    labels = np.array([0] * 6 + [1] * 2)
    clips = ClipSet(frames=[np.zeros((1, 4, 4, 1), np.uint8)] * 8, labels=labels, names=["x"] * 8, space=space)
    batches = Batches(clips, batch=4, balance=balance)
    assert batches.shares == pytest.approx(shares)
    drawn = torch.cat([batch["label"] for epoch in range(50) for batch in batches.batches(epoch)])
    assert np.bincount(drawn.numpy(), minlength=3) / len(drawn) == pytest.approx(shares, abs=0.03)
