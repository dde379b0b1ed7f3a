"""Who sits, how they are taken, where they look: drawn from the seed, and split into train and test."""

from __future__ import annotations

import numpy as np
import pytest

from mimica.data.actor_settings import Part
from mimica.data.render_eyes import FARTHEST, Eyes, blinks, eyes
from mimica.data.render_look import look
from mimica.data.render_shot import Shot, shot
from mimica.data.render_sitter import BEARD, HAIR, TRAITS, Sitter, mode_strengths, sitter
from mimica.errors import UsageError

MODES = 6
PARTS: tuple[Part, ...] = ("train", "test")


def sitters(part: Part, number: int = 120, seed: int = 0) -> list[Sitter]:
    return [sitter(i, modes=MODES, part=part, seed=seed) for i in range(number)]


def apart(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether values of two parts [N, K] keep away from each other in every column."""
    nearest = np.abs(one[:, None] - other[None]).min((0, 1))
    return bool((nearest > 0.003 * np.concatenate([one, other]).std(0)).all())


def test_no_sitter_to_test_on_shares_a_trait_a_mode_or_a_style_with_one_to_train_on() -> None:
    train, test = sitters("train"), sitters("test", seed=3)
    for values in (lambda s: [s.traits[name] for name in TRAITS], lambda s: s.modes):
        assert apart(np.array([values(s) for s in train]), np.array([values(s) for s in test]))
    for styles in (HAIR, BEARD):
        assert set(styles["train"]) & set(styles["test"]) <= {"none"}
    assert {s.hair for s in train} == set(HAIR["train"])
    assert {s.beard for s in test} == set(BEARD["test"])


def test_modes_are_near_normal_and_never_far_out() -> None:
    u = (np.arange(4000) + 0.5) / 4000
    strengths = np.concatenate([mode_strengths(u, part) for part in PARTS])
    assert np.abs(strengths).max() <= 2.2
    assert abs(strengths.mean()) < 0.1
    assert 0.7 < strengths.std() < 1.3


@pytest.mark.parametrize("part", PARTS)
def test_a_sitter_is_a_function_of_part_seed_and_number(part: Part) -> None:
    one, again = sitters(part, 3)[2], sitters(part, 9)[2]
    assert np.array_equal(one.modes, again.modes)
    assert (one.traits, one.hair, one.beard, one.seed) == (again.traits, again.hair, again.beard, again.seed)
    assert not np.array_equal(one.modes, sitters(part, 3, seed=1)[2].modes)
    with pytest.raises(UsageError, match="unknown part"):
        sitter(0, modes=1, part="holdout", seed=0)  # type: ignore[arg-type]


def test_every_style_can_be_drawn() -> None:
    some = sitters("train", 1)[0]
    for part in PARTS:
        for hair in HAIR[part]:
            for beard in BEARD[part]:
                told = look(Sitter(modes=some.modes, traits=some.traits, hair=hair, beard=beard, seed=0.5))
                assert all(np.isfinite(np.ravel(value)).all() for value in told.values())


def test_skin_goes_from_fair_to_dark() -> None:
    traits = dict.fromkeys(TRAITS, 0.5)
    bright = [
        float(
            look(Sitter(modes=np.zeros(1), traits=traits | {"skin": s}, hair="short", beard="none", seed=0.0))[
                "skin_colour"
            ].mean()
        )
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert bright == sorted(bright, reverse=True)
    assert bright[0] > 8 * bright[-1]


def taken(part: Part, frames: int, seed: int = 0) -> list[Shot]:
    return [shot(i, frames, part=part, seed=seed) for i in range(80)]


def test_no_light_camera_or_mean_pose_of_the_test_part_is_one_of_the_train_part() -> None:
    def values(one: Shot) -> list[float]:
        return [
            one.yaw[0], one.pitch[0], one.roll[0], one.size[0], one.right[0], one.up[0], one.distance, one.corners,
            one.sun_colour[1], one.fill_colour[1], one.above[0], one.sun[1], *one.blur, one.noise,
        ]  # fmt: skip

    # A still is taken without the movement that is laid over pose.
    train, test = (np.array([values(one) for one in taken(part, 1)]) for part in PARTS)
    assert apart(train, test)


def test_a_shot_moves_over_time_but_little_and_a_still_not() -> None:
    for one in taken("train", 16):
        assert 0 < np.ptp(one.yaw) < 22
        assert np.abs(np.diff(one.yaw)).max() < 4
        assert 0.8 < one.size.min() <= one.size.max() < 1.2
    assert all(len(one.yaw) == 1 for one in taken("train", 1))


def test_light_comes_from_in_front() -> None:
    for part in PARTS:
        for one in taken(part, 1):
            assert one.sun[2] > 0
            assert np.linalg.norm(one.sun) == pytest.approx(1)
            assert (one.exposure, one.distance) > (0, 30)


def looking(number: int, frames: int = 48, turn: tuple[float, float] = (0.0, 0.0)) -> Eyes:
    return eyes(number, np.broadcast_to(turn, (frames, 2)), part="train", seed=0)


def test_eyes_rest_leap_and_tremble() -> None:
    steps = np.concatenate([np.linalg.norm(np.diff(looking(i).gaze.mean(1), axis=0), axis=1) for i in range(30)])
    assert np.median(steps) < 0.8, "most of the time they rest"
    assert (steps > 0).all(), "but never quite"
    assert 0.05 < (steps > 1.5).mean() < 0.5, "and now and then they leap"


def test_eyes_meet_and_never_turn_farther_than_eyes_can() -> None:
    for i in range(30):
        seen = looking(i, turn=(40.0, -20.0))
        assert (seen.gaze[:, 0, 0] < seen.gaze[:, 1, 0]).all(), "the left eye looks more to the right"
        assert np.abs(seen.gaze).max() <= FARTHEST + 3
    assert np.mean([looking(i, turn=(20.0, 0.0)).gaze[..., 0].mean() for i in range(30)]) < -8, "towards the camera"


def test_lids_blink_now_and_then_and_are_open_between() -> None:
    time = np.arange(0, 400, 1 / 24)
    lids = blinks(time, np.random.default_rng(0))
    shut = (lids > 0.9) & ~np.roll(lids > 0.9, 1)
    assert 60 < shut.sum() < 140
    assert (lids == 0).mean() > 0.85
    assert (lids.min(), lids.max()) == (0, 1)
    assert any(not looking(i, 16).blink.any() for i in range(10)), "some clips show none"


def test_eyes_are_a_function_of_the_seed() -> None:
    assert np.array_equal(looking(4).gaze, looking(4).gaze)
    assert not np.array_equal(looking(4).gaze, looking(5).gaze)
    ahead = Eyes.ahead(3)
    assert ahead.gaze.shape == (3, 2, 2)
    assert not ahead.blink.any()
