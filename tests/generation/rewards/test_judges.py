"""The judges that ship, calibrated on actors to train on, before clips of actors that they have never seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from mimica import checkpoint
from mimica.data.actor import clips
from mimica.data.actor_settings import Part
from mimica.errors import InputError, UsageError
from mimica.generation.loop_settings import RewardSettings
from mimica.generation.rewards.integrity import wholeness
from mimica.generation.rewards.judge import Judge, worthless
from mimica.generation.rewards.judges import _halves, detectors, judge_on, pools_of
from mimica.generation.rewards.settings import WHICH, Which
from mimica.generation.rewards.sight import load_sight
from mimica.generation.targets import Targets
from tiny_sight import tiny_sight

Real = tuple[torch.Tensor, Targets]


@cache
def real(part: Part) -> Real:
    """Each of five actors with each expression."""
    drawn = clips(35, size=48, frames=9, part=part, seed=21)
    pictures = drawn.face.float() / 255
    people = tuple(f"{part}-{place}" for place in drawn.identity.tolist())
    return pictures, Targets(images=pictures[:, 0], curves=drawn.units, labels=drawn.labels, people=people)


@cache
def judge(which: Which) -> Judge:
    return judge_on(*real("train"), sight=load_sight(which=which))


@cache
def before(which: Which) -> tuple[Judge, Real]:
    """The judge, told what people to test on look like, and other clips of them, that move."""
    pictures, targets = real("test")
    known = list(range(0, 35, 2))
    new = [place for place in range(1, 35, 2) if targets.curves[place].any()]
    pools = pools_of(load_sight(which=which), pictures[known], [targets.people[place] for place in known])
    told = replace(judge(which), detectors=detectors(load_sight(which=which), pools))
    return told, (pictures[new], targets.take(new))


@pytest.mark.parametrize("kind", ["frozen", "disorder", "other"])
@pytest.mark.parametrize("which", WHICH)
def test_a_real_clip_of_someone_new_is_worth_more(which: Which, kind: str) -> None:
    score, (pictures, targets) = before(which)
    asked = torch.full((len(pictures),), 16)
    made, wanted = worthless(pictures, targets)[kind]
    good, bad = score(pictures, targets, asked=asked), score(made, wanted, asked=asked)
    settings = RewardSettings()
    assert set(good.rewards) == {name for name, weight in settings.weights().items() if weight}
    assert (good.total(settings) > bad.total(settings)).float().mean() >= 0.9
    # And not by the gate alone: what passes for nothing is not paid either.
    ungated = replace(bad, passed=torch.ones_like(bad.passed)).total(settings)
    assert good.total(settings).mean() > ungated.mean() + 0.05


@pytest.mark.parametrize("which", WHICH)
def test_units_people_and_classes_of_someone_new_are_seen(which: Which) -> None:
    score, (pictures, targets) = before(which)
    seen = score.detectors
    assert seen.recogniser is not None
    right = (seen.recogniser(pictures).argmax(1) == targets.labels).float().mean()
    assert right > 0.5
    raw, other = (score(*one).raw["identity"] for one in ((pictures, targets), worthless(pictures, targets)["other"]))
    assert (raw > other + 0.1).float().mean() > 0.9
    frames = seen.embed(pictures)
    assert (frames[:, 1:] * frames[:, :1]).sum(-1).mean() > 0.9


def test_the_two_that_ship_are_small_apart_and_say_what_they_are() -> None:
    facts = {which: checkpoint.read_facts(checkpoint.SHIPPED / f"sight-{which}.safetensors") for which in WHICH}
    assert facts["rewarding"]["config"]["shape"] != facts["held-out"]["config"]["shape"]
    assert facts["rewarding"]["people_seed"] != facts["held-out"]["people_seed"]
    for which, stated in facts.items():
        path = checkpoint.SHIPPED / f"sight-{which}.safetensors"
        assert path.stat().st_size <= 1_000_000
        assert path.with_suffix(".md").read_text().startswith(f"# sight-{which}")
        assert stated["which"] == which
        assert "proves nothing" in stated["limits"]


def test_pools_are_all_frames_of_each_person() -> None:
    sight, pictures = tiny_sight(), torch.rand(3, 4, 3, 16, 16)
    pools = pools_of(sight, pictures, ["ann", "bob", "ann"])
    assert {name: list(pool.shape) for name, pool in pools.items()} == {"ann": [8, 8], "bob": [4, 8]}
    torch.testing.assert_close(pools["ann"][4:], sight.embed(pictures)[2])
    assert not pools["ann"].requires_grad
    with pytest.raises(UsageError, match="3 clips and 1 people"):
        pools_of(sight, pictures, ["ann"])


def test_clips_that_calibrate_are_not_in_the_pools_that_they_are_held_to() -> None:
    pictures, _ = real("train")
    pool = judge("rewarding").detectors.pools["train-0"]
    features = judge("rewarding").detectors.embed(pictures[:7])
    assert pool.shape[0] == 4 * 9
    torch.testing.assert_close(pool, features[::2].flatten(0, 1))
    assert (features[1] @ pool.T).max() < 0.99999


def test_each_half_has_all_classes_and_everyone_is_in_the_pools() -> None:
    _, targets = real("train")
    known, others = _halves([*targets.people, "once"])
    assert sorted(known + others) == list(range(36))
    assert {[*targets.people, "once"][place] for place in known} == {*targets.people, "once"}
    for half in (known[:-1], others):
        assert set(targets.labels[half].tolist()) == set(range(7))


def test_detectors_are_the_sight_and_a_formula() -> None:
    sight, pictures = tiny_sight(), torch.rand(2, 3, 3, 16, 16)
    found = detectors(sight, {})
    assert found.recogniser is not None
    assert found.integrity is wholeness
    assert found.found is None
    torch.testing.assert_close(found.units(pictures), sight.units(pictures))
    torch.testing.assert_close(found.embed(pictures), sight.embed(pictures))
    torch.testing.assert_close(found.recogniser(pictures), sight.recogniser(pictures))


def test_a_sight_that_has_learned_nothing_is_refused_as_a_judge() -> None:
    with pytest.raises(InputError, match="earned for nothing"):
        judge_on(*real("train"), sight=tiny_sight())


def test_who_is_not_in_the_pools_cannot_be_judged() -> None:
    pictures, targets = real("train")
    with pytest.raises(UsageError, match="no real frames of"):
        judge_on(pictures, targets, sight=tiny_sight(), pools={})
