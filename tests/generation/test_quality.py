from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimica.generation.by_steps import by_steps
from mimica.generation.pool import Pool
from mimica.generation.prepared import real_clips
from mimica.generation.quality import follows, quality
from mimica.generation.rewards.judge import Judge
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from mimica.generation.targets import LEAST_PLANNED, Targets
from mimica.generation.tuned import targets_of
from tiny_generator import tiny_generator
from tiny_pool import glancing, write_clips

MIDDLING = 0.1
"""A bound of motion that some of the clips are below."""
HOW, GUIDANCE = SamplingSettings(steps=2), GuidanceSettings(weight=1)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return real_clips(write_clips(tmp_path_factory.mktemp("data")), size=16, hold=0.15)


@pytest.fixture(scope="module")
def judge(pool: Pool) -> Judge:
    return glancing(pool, "held-out", 9)


@pytest.fixture(scope="module")
def targets(pool: Pool) -> Targets:
    return targets_of(pool, 4, frames=9, seed=0)


def slow(units: torch.Tensor, curves: torch.Tensor) -> float:
    """Pearson's correlation over time of each planned unit, and their mean."""
    found = []
    for a in range(curves.shape[1]):
        if curves[:, a].max() <= LEAST_PLANNED or bool(torch.isnan(units[:, a]).any()):
            continue
        moves = float(units[:, a].max() - units[:, a].min()) > 0
        found.append(np.corrcoef(units[:, a], curves[:, a])[0, 1] if moves else 0.0)
    return float(np.mean(found)) if found else float("nan")


def test_a_clip_follows_its_plan_as_far_as_planned_units_go_with_it_over_time() -> None:
    g = torch.Generator().manual_seed(0)
    units, curves = torch.rand(5, 9, 17, generator=g), torch.rand(5, 9, 17, generator=g)
    curves[:, :, 6:] = 0
    units[0, :, 2] = torch.nan
    units[1, :, 3] = 0.4
    curves[2] = 0
    expected = [slow(one, plan) for one, plan in zip(units, curves, strict=True)]
    np.testing.assert_allclose(follows(units, curves), expected, atol=1e-6)
    assert np.isnan(expected[2])


def test_the_plan_itself_follows_it_wholly_and_a_frozen_face_not_at_all() -> None:
    curves = torch.rand(2, 9, 17, generator=torch.Generator().manual_seed(1))
    assert follows(0.3 + 0.5 * curves, curves) == pytest.approx(1)
    assert follows(curves[:, :1].expand_as(curves), curves) == pytest.approx(0)


def test_the_same_generator_gains_nothing_over_itself(judge: Judge, targets: Targets) -> None:
    policy = tiny_generator()
    one, again = (quality(policy, targets, judge, sampling=HOW, guidance=GUIDANCE) for _ in range(2))
    for gain in one.gains(again, targets.people).values():
        assert (gain.value, gain.low, gain.high) == (0, 0, 0)
    assert one.diversity == again.diversity > 0


def test_a_gain_is_what_a_generator_has_more_than_the_one_before(judge: Judge, targets: Targets) -> None:
    before, after = (
        quality(tiny_generator(seed), targets, judge, sampling=HOW, guidance=GUIDANCE) for seed in range(2)
    )  # fmt: skip
    gains = after.gains(before, targets.people)
    for name in ("identity", "reward"):
        assert gains[name].value == pytest.approx(after.means()[name] - before.means()[name])
        assert gains[name].low <= gains[name].value <= gains[name].high
    assert gains["reward"].value != 0


def test_real_clips_are_found_of_their_person_and_others_not(judge: Judge, pool: Pool) -> None:
    clips, real = pool.targets(9, most=8)

    class Shown:
        """A generator that knows the clips by heart."""

        name, kind, shift = "shown", "flow", 1.0
        at = 0

        def __getattr__(self, name: str) -> object:
            return getattr(tiny_generator(), name)

        def decode(self, latents: torch.Tensor, condition: object) -> torch.Tensor:
            self.at += 1
            return clips[self.at - 1 : self.at].expand(len(latents), -1, -1, -1, -1)

    strict = replace(judge, calibration=replace(judge.calibration, least_motion=MIDDLING))
    found = quality(Shown(), real, strict, sampling=HOW, guidance=GUIDANCE)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.identity, 1, atol=1e-5)
    assert found.diversity == pytest.approx(0, abs=1e-4)
    scores = strict(clips, real)
    assert 0 < scores.passed.float().mean() < 1
    np.testing.assert_allclose(found.reward, scores.total(judge.settings), atol=1e-5)
    np.testing.assert_array_equal(found.passed, scores.passed.float())
    right = judge.detectors.recogniser(clips).argmax(-1) == real.labels  # type: ignore[misc]
    np.testing.assert_array_equal(found.right, right.float().numpy())


def test_quality_by_steps_is_that_of_the_same_noise_in_so_many_steps(judge: Judge, targets: Targets) -> None:
    policy = tiny_generator()
    found = by_steps(policy, targets, judge, steps=(4, 2), sampling=HOW, guidance=GUIDANCE, seed=3)
    assert [row["steps"] for row in found["rows"]] == [2, 4]
    assert found["of"] == 4
    alone = quality(policy, targets, judge, sampling=SamplingSettings(steps=4), guidance=GUIDANCE, each=1, seed=3)
    assert found["rows"][1]["reward"] == pytest.approx(float(alone.reward.mean()))
    assert found["rows"][1]["reward"] != found["rows"][0]["reward"]
    assert all(row["seconds"] > 0 for row in found["rows"])
