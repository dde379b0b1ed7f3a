"""Real clips of the actor against worthless ones, with cheap judges that were fitted on other people."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import chain, combinations

import pytest
import torch

from mimica.errors import InputError, UsageError
from mimica.generation.loop_settings import REWARDS, RewardSettings
from mimica.generation.rewards.calibration import Affine, Calibration
from mimica.generation.rewards.judge import Judge, Scores, calibrated, worthless
from oracles import rewards as slow
from tiny_judges import Acted, cast, detectors

FREE = ("expression", "natural", "integrity", "efficiency")
"""The rewards that may be left out; units and identity may not."""
SETS = tuple(chain.from_iterable(combinations(FREE, n) for n in range(len(FREE) + 1)))


def without(*names: str) -> RewardSettings:
    return RewardSettings(**dict.fromkeys(names, 0.0))  # type: ignore[arg-type]


@cache
def judge(left_out: tuple[str, ...] = ()) -> Judge:
    """A judge calibrated on people to train on."""
    real = cast()["real"]
    return calibrated(detectors(), without(*left_out), real.clips, real.targets)


@cache
def moving() -> Acted:
    """Clips of people to test on whose plans move."""
    new = cast()["new"]
    places = new.targets.planned.any(1).nonzero()[:, 0].tolist()
    return Acted(new.clips[places], new.targets.take(places))


@pytest.mark.parametrize("kind", ["frozen", "disorder", "other"])
@pytest.mark.parametrize("left_out", SETS, ids=lambda names: "-".join(names) or "all")
def test_a_real_clip_is_worth_more_whatever_is_rewarded(left_out: tuple[str, ...], kind: str) -> None:
    real, score = moving(), judge(left_out)
    asked = torch.full((len(real.clips),), 16)
    clips, targets = worthless(real.clips, real.targets)[kind]
    good = score(real.clips, real.targets, asked=asked).total(score.settings)
    bad = score(clips, targets, asked=asked).total(score.settings)
    assert (good > bad).all()
    assert good.mean() > bad.mean() + 0.05
    assert set(score(real.clips, real.targets, asked=asked).rewards) == set(REWARDS) - set(left_out)


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("kind", ["frozen", "disorder", "other"])
def test_a_real_clip_is_worth_more_however_rewards_are_weighed(name: str, kind: str) -> None:
    heavy = RewardSettings(**dict.fromkeys(REWARDS, 0.0) | {name: 0.8, "units": 0.1, "identity": 0.1})  # type: ignore[arg-type]
    real, score = moving(), judge()
    clips, targets = worthless(real.clips, real.targets)[kind]
    asked = torch.full((len(clips),), 16)
    good = score(real.clips, real.targets, asked=asked).total(heavy)
    bad = score(clips, targets, asked=asked).total(heavy)
    assert (good > bad).float().mean() > 0.9
    assert good.mean() > bad.mean()


def test_rewards_that_pay_for_any_order_or_anybody_are_refused() -> None:
    for wrong in ({"units": 0.0}, {"identity": 0.0}, {"units": 0.05}, {"identity": 0.02}, {"natural": -0.1}):
        with pytest.raises(UsageError):
            RewardSettings(**wrong)


def test_a_frozen_clip_passes_only_where_the_plan_is_without_motion() -> None:
    new = cast()["new"]
    frozen, targets = worthless(new.clips, new.targets)["frozen"]
    assert judge()(frozen, targets).passed.tolist() == (~new.targets.planned.any(1)).tolist()
    assert judge()(new.clips, new.targets).passed.all()


def test_the_median_real_clip_is_worth_seven_tenths_and_a_worthless_one_nothing() -> None:
    real = cast()["real"]
    places = real.targets.planned.any(1).nonzero()[:, 0].tolist()
    clips, targets = real.clips[places], real.targets.take(places)
    rewards = judge()(clips, targets).rewards
    for name, value in rewards.items():
        assert value.median().item() == pytest.approx(0.7, abs=1e-3), name
    bad = worthless(clips, targets)
    for name, kind in (("expression", "frozen"), ("identity", "other"), ("integrity", "blocks")):
        assert judge()(*bad[kind]).rewards[name].median().item() == pytest.approx(0.0, abs=1e-3), name
    for kind in ("frozen", "disorder"):
        assert judge()(*bad[kind]).rewards["units"].median() < 1e-3


def test_a_scale_is_affine_and_held_to_its_ends() -> None:
    scale = Affine(worthless=0.2, real=0.8)
    raw = [0.0, 0.2, 0.5, 0.8, 1.5]
    assert scale(torch.tensor(raw)).tolist() == pytest.approx([slow.scaled(x, 0.2, 0.8) for x in raw])


def test_a_reward_that_worthless_clips_earn_too_is_refused_by_name() -> None:
    real = cast()["real"]
    blind = replace(detectors(), recogniser=lambda clips: torch.full((len(clips), 7), 1 / 7))
    with pytest.raises(InputError, match="expression gives frozen clips"):
        calibrated(blind, RewardSettings(), real.clips, real.targets)
    everyone = replace(detectors(), embed=lambda clips: torch.ones(*clips.shape[:2], 12))
    with pytest.raises(InputError, match="identity gives other clips"):
        calibrated(everyone, RewardSettings(), real.clips, real.targets)


def test_a_missing_judge_or_person_is_one_sentence() -> None:
    real = cast()["real"]
    with pytest.raises(UsageError, match="integrity needs who judges it"):
        calibrated(replace(detectors(), integrity=None), RewardSettings(), real.clips, real.targets)
    with pytest.raises(UsageError, match="no real frames of"):
        calibrated(replace(detectors(), pools={}), RewardSettings(), real.clips, real.targets)
    with pytest.raises(InputError, match="too few to calibrate"):
        calibrated(detectors(), RewardSettings(), real.clips[:2], real.targets.take([0, 1]))


def test_no_more_is_paid_for_a_face_that_is_too_like_itself() -> None:
    real = moving()
    pool = {person: detectors().embed(real.clips[:1]).flatten(0, 1) for person in real.targets.people}
    same = replace(judge(), detectors=replace(detectors(), pools=pool))
    raw = same(real.clips[:1], real.targets.take([0])).raw["identity"]
    assert raw.item() == pytest.approx(judge().calibration.hinge)
    assert judge().calibration.hinge <= 0.95


@pytest.mark.parametrize("gate", ["found", "nearest"])
def test_a_clip_that_fails_a_gate_is_worth_less_than_any_other(gate: str) -> None:
    real = moving()
    value = {"found": 0.5, "nearest": 0.99}[gate]
    strict = replace(judge(), detectors=replace(detectors(), **{gate: lambda clips: torch.full((len(clips),), value)}))
    scores = strict(real.clips[:3], real.targets.take(range(3)))
    assert scores.total(strict.settings).tolist() == [-1.0] * 3
    assert judge()(real.clips[:3], real.targets.take(range(3))).total(strict.settings).min() > 0


def test_a_total_is_the_weighted_mean_of_what_there_is() -> None:
    scores = Scores(
        rewards={"units": torch.tensor([0.5, 1.0]), "identity": torch.tensor([1.0, 0.0])},
        passed=torch.tensor([True, False]),
    )
    total = scores.total(RewardSettings(units=0.3, identity=0.2)).tolist()
    assert total == pytest.approx([(0.3 * 0.5 + 0.2) / 0.5, -1.0])


def test_a_calibration_is_written_and_read() -> None:
    known = judge().calibration
    assert Calibration.from_facts(json.loads(json.dumps(known.facts()))) == known
    with pytest.raises(InputError):
        Calibration.from_facts({"scales": {}})
