from __future__ import annotations

import pytest
import torch

from mimica.training.average import Average, counted, learned
from tiny_runs import Killed, Line, state


def test_what_is_learned_has_the_statistics_of_norms_that_learn_and_of_no_others() -> None:
    learner = Line()
    assert set(learned(learner)) == {
        "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "out.weight", "out.bias", "scale"
    }  # fmt: skip
    assert set(counted(learner)) == {"norm.num_batches_tracked"}
    learner.norm.requires_grad_(False)
    assert set(learned(learner)) == {"out.weight", "out.bias", "scale"}
    assert not counted(learner)


def test_the_average_is_seen_while_it_is_shown_and_the_weights_are_back_after_it_whatever_happens() -> None:
    learner = Line()
    average = Average(learner, 0.5)
    with torch.no_grad():
        learner.out.weight.add_(3)
    average.follow(100)
    before = state(learner)
    half = learner.out.weight.detach() - 1.5

    def look() -> None:
        with average.shown():
            assert torch.allclose(learner.out.weight, half)
            assert not learner.training
            raise Killed

    with pytest.raises(Killed):
        look()
    assert state(learner) == before
    average.settle()
    assert torch.allclose(learner.out.weight, half)


def test_without_a_decay_the_weights_themselves_are_shown_and_kept() -> None:
    learner = Line()
    average = Average(learner, 0.0)
    before = state(learner)
    average.follow(1)
    with average.shown():
        assert state(learner) == before
    average.settle()
    assert state(learner) == before
    assert not average.weights
