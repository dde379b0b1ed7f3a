from __future__ import annotations

import pytest
import torch

from mimica.generation.loop_settings import TuningSettings
from mimica.generation.reinforce.stopping import Watch, diversity
from oracles import tuning as slow


def watched(*told: tuple[float, float, float]) -> Watch:
    watch = Watch(TuningSettings())
    for one in told:
        watch.evaluated(*one)
    return watch


def test_it_stops_where_clips_go_far_from_the_model_before() -> None:
    assert watched().reason(0.05) is None
    assert "0.060 from the model before" in (watched().reason(0.06) or "")


def test_it_stops_where_only_the_judges_that_reward_are_pleased_three_times_in_a_row() -> None:
    fooled = [(0.5, 0.5, 1.0), (0.6, 0.49, 1.0), (0.7, 0.48, 1.0), (0.8, 0.47, 1.0)]
    assert watched(*fooled[:3]).reason() is None
    assert "held-out judges" in (watched(*fooled).reason() or "")
    assert watched(*fooled[:2], (0.7, 0.51, 1.0), fooled[3]).reason() is None
    assert watched(*fooled[:2], (0.55, 0.48, 1.0), fooled[3]).reason() is None


def test_it_stops_where_clips_of_a_plan_become_alike() -> None:
    assert watched((0.5, 0.5, 1.0), (0.5, 0.5, 0.71)).reason() is None
    assert "69%" in (watched((0.5, 0.5, 1.0), (0.5, 0.5, 0.69)).reason() or "")


def test_what_it_remembers_is_written_and_read() -> None:
    watch, again = watched((0.1, 0.2, 0.3)), Watch(TuningSettings())
    again.restore(watch.facts())
    assert again.facts() == watch.facts()


def test_diversity_is_the_mean_distance_of_two_clips_of_a_plan() -> None:
    features = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    assert diversity(features) == pytest.approx(slow.diversity(features.tolist()), rel=1e-4)
    assert diversity(torch.ones(2, 3, 5)) == 0.0
