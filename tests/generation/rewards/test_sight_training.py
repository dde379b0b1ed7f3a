from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.data import actor_identity
from mimica.errors import CheckpointError, UsageError
from mimica.generation.rewards.learn import SightLearner, same_person
from mimica.generation.rewards.measure import identity_figures, measured, unit_figures
from mimica.generation.rewards.practice import LENGTH, Company
from mimica.generation.rewards.settings import SightTraining
from mimica.generation.rewards.sight import load_sight
from mimica.generation.rewards.train import SHAPES, train_sight
from oracles import rewards as slow
from tiny_sight import small, tiny_sight

SHORT = SightTraining(epochs=2, people=4, clips=2, frames=2, again=2, batch=2, save_every=1, tested=14)
FEW = Company(people=6, clips=3, frames=3, again=2, batch=3, size=16, seed=5)


class Killed(Exception):
    pass


def killing(step: int) -> Callable[[Mapping[str, Any]], None]:
    def told(row: Mapping[str, Any]) -> None:
        if "steps" in row and row["epoch"] * row["steps"] + row["step"] == step:
            raise Killed

    return told


def trained(out: Path, settings: SightTraining = SHORT, **more: Any) -> Path:
    return train_sight(settings, out=out, config=small(), **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("step", [1, 5])
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(whole: Path, tmp_path: Path, step: int) -> None:
    with pytest.raises(Killed):
        trained(tmp_path, report=killing(step))
    assert not (tmp_path / "sight-rewarding.safetensors").exists()
    assert trained(tmp_path, resume=True).read_bytes() == whole.read_bytes()


def test_a_run_that_is_gone_on_with_under_other_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        trained(tmp_path, report=killing(2))
    with pytest.raises(CheckpointError, match="another again"):
        trained(tmp_path, replace(SHORT, again=4), resume=True)


def test_a_trained_sight_says_what_it_is_and_what_it_sees(whole: Path) -> None:
    facts = checkpoint.read_facts(whole)
    assert facts["which"] == "rewarding"
    assert facts["synthetic"] is True
    assert set(facts["metrics"]) == {
        "unit_r",
        "across_r",
        "same_clip",
        "same_person",
        "others",
        "verification",
        "accuracy",
    }
    assert len(facts["correlation"]) == 17
    assert "proves nothing" in facts["limits"]
    assert load_sight(whole).config == small()


def test_the_two_that_judge_have_other_shapes_and_know_other_people(tmp_path: Path, whole: Path) -> None:
    held = trained(tmp_path, which="held-out")
    assert held.name == "sight-held-out.safetensors"
    assert checkpoint.read_facts(held)["people_seed"] != checkpoint.read_facts(whole)["people_seed"]
    assert SHAPES["rewarding"].shape != SHAPES["held-out"].shape
    assert not torch.equal(load_sight(held).strengths.weight, load_sight(whole).strengths.weight)


def test_learning_sees_units_people_and_classes_better_than_by_chance() -> None:
    torch.manual_seed(0)
    company = replace(FEW, people=16, batch=8, again=4, seed=1)
    learner = SightLearner(tiny_sight())
    steps = torch.optim.Adam(learner.parameters(), lr=5e-3)
    parts, batches = [], list(company.batches(0))
    for batch in batches * 6:
        told = learner(batch)
        steps.zero_grad()
        told["loss"].backward()
        steps.step()
        parts.append([float(told[name].detach()) for name in ("units", "who", "classes")])
    early, late = np.array(parts[:3]).mean(0), np.array(parts[-6:]).mean(0)
    assert (late < 0.95 * early).all(), "each of the three is learned"
    seen = replace(company, part="test", people=8).drawn(np.arange(8))
    found = measured(learner.sight.eval(), seen.clips.float() / 255, seen.units, seen.labels, seen.people)
    assert found["verification"] > 0.6
    assert found["unit_r"] > 0.05


def test_a_batch_is_of_people_in_two_clips_each() -> None:
    batches = list(FEW.batches(0))
    assert len(batches) == FEW.steps == 6
    for batch in batches:
        assert batch["clips"].shape == (6, 3, 3, 16, 16)
        assert batch["units"].shape == (6, 3, 17)
        assert torch.unique(batch["people"], return_counts=True)[1].tolist() == [2, 2, 2]
        pairs = batch["clips"].view(3, 2, -1)
        assert (pairs[:, 0] - pairs[:, 1]).abs().mean() > 0.02, "and they are not one clip twice"


def test_an_epoch_that_is_gone_on_with_gives_the_batches_that_were_left() -> None:
    every, rest = list(FEW.batches(1)), list(FEW.batches(1, 4))
    assert all(torch.equal(a[name], b[name]) for a, b in zip(every[4:], rest, strict=True) for name in a)


def test_nobody_is_seen_in_two_epochs_or_by_two_seeds() -> None:
    first, next_one = FEW.drawn(np.arange(6)), FEW.drawn(np.arange(6, 12))
    assert not set(first.people.tolist()) & set(next_one.people.tolist())
    other = replace(FEW, seed=6).drawn(np.arange(6))
    assert (first.clips.float() - other.clips.float()).abs().mean() > 5


def test_the_apex_is_among_the_frames_that_are_looked_at() -> None:
    seen = FEW.drawn(np.arange(20))
    every = replace(FEW, frames=LENGTH).drawn(np.arange(20))
    assert torch.equal(seen.units.sum(2).amax(1), every.units.sum(2).amax(1))
    assert (seen.labels == every.labels).all()
    assert set(seen.labels.tolist()) == set(range(-1, 7))
    at_rest = every.units[every.labels == 2]
    assert not at_rest.any(), "neutral has no units"


@pytest.mark.parametrize("part", ["train", "test"])
def test_only_people_of_the_part_are_drawn(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    real = actor_identity.stream

    def heard(part: str, what: int, seed: int, place: int) -> np.random.Generator:
        parts.append(part)
        return real(part, what, seed, place)

    for module in ("actor_identity", "actor", "actor_camera", "scene"):
        monkeypatch.setattr(f"mimica.data.{module}.stream", heard)
    replace(FEW, part=part).drawn(np.arange(6))
    assert set(parts) == {part}


def test_the_loss_of_who_is_the_supervised_contrastive_one() -> None:
    features = torch.nn.functional.normalize(torch.randn(7, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    people = torch.tensor([3, 1, 3, 2, 1, 3, 9])
    expected = slow.same_person(features.tolist(), people.tolist(), 0.2)
    assert same_person(features, people, 0.2).item() == pytest.approx(expected, rel=1e-5)


def test_clips_of_no_class_teach_nothing_of_classes() -> None:
    batch = next(FEW.batches(0))
    batch = {**batch, "labels": torch.full_like(batch["labels"], -1)}
    learner = SightLearner(tiny_sight())
    told = learner(batch)
    assert told["classes"] == 0
    told["loss"].backward()
    grad = learner.sight.expression.weight.grad
    assert grad is None or not grad.any()


def test_figures_of_units_are_over_time_where_they_move_and_over_all_frames() -> None:
    true = np.zeros((2, 5, 17))
    true[0, :, 0] = true[0, :, 1] = true[1, :, 0] = [0, 0.2, 0.4, 0.6, 0.8]
    found = 0.5 * true + 0.1
    found[0, :, 1] = found[0, ::-1, 1]
    found[1, :, 0] = 0.3
    figures = unit_figures(found, true)
    assert figures["unit_r"] == pytest.approx((1 - 1 + 0) / 3), "one follows, one goes the other way, one stays"
    expected = [np.corrcoef(found[..., a].ravel(), true[..., a].ravel())[0, 1] for a in (0, 1)]
    assert [figures["by_unit"][name] for name in ("AU1", "AU2")] == pytest.approx(expected)
    assert figures["across_r"] == pytest.approx(np.mean(expected))
    assert np.isnan(figures["by_unit"]["AU4"])
    unknown = found.copy()
    unknown[..., 1] = np.nan
    assert unit_figures(unknown, true)["unit_r"] == pytest.approx(0.5)


def test_figures_of_people_are_of_other_clips() -> None:
    features = torch.eye(4)[[0, 0, 1, 2]][:, None].repeat(1, 2, 1)
    found = identity_figures(features, torch.tensor([5, 5, 6, 6]))
    assert found == {"same_clip": 1.0, "same_person": 0.5, "others": 0.0, "verification": 0.75}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"clips": 1}, "lest nobody be seen twice"),
        ({"tested": 7}, "the clips of two actors"),
        ({"batch": 65}, "batch must be 2 to 64"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SightTraining(**wrong)
