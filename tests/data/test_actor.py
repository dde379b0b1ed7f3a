from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mimica.data.actor import (
    DFEW,
    DIRECTION,
    UNIT_ORDER,
    ActorClips,
    Light,
    Pose,
    clips,
    draw,
    identities,
    reversed_pairs,
    sheet,
    unit_curves,
)
from mimica.data.actor_identity import BANDS, BEARD, BEARD_STYLES, GLASSES, GLASSES_STYLES, HAIR, HAIR_STYLES, TRAITS
from mimica.errors import UsageError
from mimica.facs import CORES
from mimica.labels import EXPRESSIONS

SIDE = 48
BROWS, EYES, NOSE, MOUTH = slice(12, 20), slice(17, 27), slice(19, 31), slice(30, 48)
"""Rows of a frontal picture SIDE pixels high."""


def faces(units: Tensor, seed: int = 3) -> Tensor:
    """Frontal pictures [B, 3, SIDE, SIDE] of one plain actor with units [B, U]."""
    one = identities(1, part="train", seed=seed).take(torch.zeros(len(units), dtype=torch.long))
    plain = replace(one, beard=torch.zeros_like(one.beard), glasses=torch.zeros_like(one.glasses))
    n = len(units)
    return draw(plain, units[:, None], Pose.frontal(n, 1), Light.even(n), size=SIDE)[:, 0]


def only(unit: int, strength: float = 1.0) -> Tensor:
    units = torch.zeros(1, len(UNIT_ORDER))
    units[0, UNIT_ORDER.index(unit)] = strength
    return units


def change(unit: int, rows: slice) -> float:
    """The largest change of any pixel in these rows by a unit at full strength."""
    seen = faces(torch.cat([torch.zeros(1, len(UNIT_ORDER)), only(unit)]))
    return float((seen[1] - seen[0]).abs()[:, rows].max())


@pytest.fixture(scope="module")
def small() -> ActorClips:
    return clips(9, size=24, frames=5, part="train", seed=4)


@pytest.fixture(scope="module")
def ways() -> ActorClips:
    return clips(8, size=24, frames=6, task="direction", part="train", seed=2)


@pytest.mark.parametrize(
    ("units", "moved", "still"),
    [
        ((1, 2, 4), BROWS, MOUTH),
        ((5, 7), EYES, MOUTH),
        ((6,), EYES, slice(38, 48)),
        ((9,), NOSE, slice(40, 48)),
        ((10, 12, 15, 16, 17, 20, 23, 24, 25, 26), MOUTH, BROWS),
    ],
    ids=["brows", "lids", "cheeks", "nose", "mouth"],
)
def test_a_unit_changes_the_part_of_the_face_that_it_moves(units: tuple[int, ...], moved: slice, still: slice) -> None:
    for unit in units:
        assert change(unit, moved) > 0.15, unit
        assert change(unit, still) < 0.02, unit


@pytest.mark.parametrize("unit", UNIT_ORDER)
def test_the_stronger_a_unit_the_further_the_picture_is_from_neutral(unit: int) -> None:
    seen = faces(torch.cat([only(unit, k / 4) for k in range(5)]))
    away = (seen - seen[:1]).square().sum(dim=(1, 2, 3))
    assert (away.diff() > 0).all()


def test_every_unit_can_be_told_from_every_other_in_grey() -> None:
    grey = faces(torch.eye(len(UNIT_ORDER))).mean(1).flatten(1)
    apart = torch.cdist(grey, grey) + 100 * torch.eye(len(UNIT_ORDER))
    assert apart.min() > 0.4


def test_pictures_are_in_range_and_do_not_depend_on_the_batch() -> None:
    units = unit_curves(range(7), frames=3, seed=0)
    people = identities(7, part="test", seed=0)
    pose = replace(Pose.frontal(7, 3), yaw=torch.full((7, 3), 0.4), roll=torch.full((7, 3), -0.2))
    whole = draw(people, units, pose, Light.even(7), size=32)
    alone = draw(people.take(torch.tensor([5])), units[5:6], replace(Pose.frontal(1, 3), yaw=pose.yaw[:1],
                 roll=pose.roll[:1]), Light.even(1), size=32)  # fmt: skip
    assert whole.shape == (7, 3, 3, 32, 32)
    assert float(whole.min()) >= 0
    assert float(whole.max()) <= 1
    torch.testing.assert_close(alone, whole[5:6], atol=1e-4, rtol=0)


def test_a_scene_stands_behind_the_face_and_not_before_it() -> None:
    units, one = torch.zeros(1, 1, len(UNIT_ORDER)), identities(1, part="train", seed=3)
    black, white = (
        draw(one, units, Pose.frontal(1, 1), Light.even(1), size=SIDE, scene=torch.full((1, 3, SIDE, SIDE), v))
        for v in (0.0, 1.0)
    )
    assert float((white - black)[..., :2].abs().min()) > 0.9
    assert float((white - black)[..., 20:28, 20:28].abs().max()) < 1e-3


@pytest.mark.parametrize(("name", "places"), [("yaw", 3), ("pitch", 2), ("roll", 3), ("shift_x", 3), ("scale", 2)])
def test_the_head_turns_and_moves(name: str, places: int) -> None:
    units, one = torch.zeros(1, 1, len(UNIT_ORDER)), identities(1, part="train", seed=3)
    rest = draw(one, units, Pose.frontal(1, 1), Light.even(1), size=SIDE)
    pose = Pose.frontal(1, 1)
    moved = draw(one, units, replace(pose, **{name: getattr(pose, name) + 0.3}), Light.even(1), size=SIDE)
    assert float((moved - rest).abs().mean()) > 0.005
    if places == 3:
        mirrored = draw(one, units, replace(pose, **{name: getattr(pose, name) - 0.3}), Light.even(1), size=SIDE)
        assert float((moved - mirrored).abs().mean()) > 0.005


def test_units_of_another_number_than_those_known_are_refused() -> None:
    with pytest.raises(UsageError, match=r"units must be \[1, T, 17\]"):
        draw(identities(1, part="train", seed=0), torch.zeros(1, 2, 5), Pose.frontal(1, 2), Light.even(1), size=16)


def test_every_core_unit_is_present_at_apex_and_neutral_has_none() -> None:
    labels = torch.arange(len(EXPRESSIONS)).repeat(20)
    apex = unit_curves(labels, frames=9, intensity=(0.4, 0.9), seed=1).amax(1)
    for label, units in zip(labels.tolist(), apex, strict=True):
        core = [UNIT_ORDER.index(unit) for unit in CORES[EXPRESSIONS.names[label]]]
        if core:
            assert units[core].min() >= 0.4 - 1e-6
            assert units.max() <= 0.9 + 1e-6
        else:
            assert not units.any()
    assert len(torch.unique(apex[labels == 0], dim=0)) == 20


def test_a_unit_sets_in_and_goes_and_a_single_frame_is_at_apex() -> None:
    values = unit_curves([0] * 10, frames=16, seed=0)[:, :, UNIT_ORDER.index(12)]
    peak = values.argmax(1)
    assert (values[:, 0] < 0.5 * values.amax(1)).all()
    assert ((peak > 2) & (peak < 14)).all()
    still = unit_curves([0] * 10, frames=1, intensity=(0.7, 0.8), seed=0)[:, 0, UNIT_ORDER.index(12)]
    assert (still >= 0.7).all()


def test_a_clip_does_not_change_when_more_are_asked_for(small: ActorClips) -> None:
    fewer = clips(4, size=24, frames=5, part="train", seed=4)
    for name in ("face", "units", "labels", "expressions", "scene", "identity"):
        assert torch.equal(getattr(fewer, name), getattr(small, name)[:4]), name


@pytest.mark.parametrize(
    "how",
    [
        {"size": 25, "frames": 5},
        {"size": 24, "frames": 7, "task": "direction"},
        {"size": 24, "frames": 40},
        {"size": 8, "frames": 1, "proportions": "dfew"},
    ],
    ids=["emotion", "direction", "long", "stills"],
)
def test_clips_drawn_piece_by_piece_are_those_drawn_at_once(how: dict[str, Any]) -> None:
    whole = clips(10, part="test", seed=4, **how)
    pieces = [clips(number, first=first, part="test", seed=4, **how) for first, number in ((0, 1), (1, 6), (7, 3))]
    for name in ("face", "units", "labels", "expressions", "scene", "identity"):
        assert torch.equal(torch.cat([getattr(piece, name) for piece in pieces]), getattr(whole, name)), name


def test_without_a_size_there_is_all_but_the_pictures(small: ActorClips) -> None:
    told = clips(4, first=5, size=0, frames=5, part="train", seed=4)
    assert told.face.shape == (4, 5, 3, 0, 0)
    for name in ("units", "labels", "expressions", "scene", "identity"):
        assert torch.equal(getattr(told, name), getattr(small, name)[5:]), name


def test_changing_what_was_drawn_changes_no_clip_drawn_later() -> None:
    clips(3, size=0, frames=2, part="train", seed=0).labels.fill_(6)
    assert clips(3, size=0, frames=2, part="train", seed=0).labels.tolist() == [0, 1, 2]


def test_clips_say_that_they_are_synthetic_and_how_they_were_drawn(small: ActorClips, ways: ActorClips) -> None:
    assert small.facts["synthetic"] is True
    assert (small.facts["part"], small.facts["seed"], small.facts["task"]) == ("train", 4, "emotion")
    assert "reversed_pairs" not in ways.facts
    assert reversed_pairs(ways).facts == {**ways.facts, "reversed_pairs": True}


def test_clips_are_the_same_again_and_others_by_another_seed_or_part(small: ActorClips) -> None:
    assert torch.equal(clips(9, size=24, frames=5, part="train", seed=4).face, small.face)
    assert not torch.equal(clips(9, size=24, frames=5, part="train", seed=5).face, small.face)
    assert not torch.equal(clips(9, size=24, frames=5, part="test", seed=4).face, small.face)


def test_clips_are_bytes_that_use_their_range(small: ActorClips) -> None:
    assert small.face.shape == (9, 5, 3, 24, 24)
    assert small.face.dtype == torch.uint8
    assert small.face.float().std() > 30
    assert len(small) == 9


@pytest.mark.parametrize(("proportions", "counts"), [("equal", (12,) * 7), ("dfew", None)])
def test_classes_have_the_proportions_asked_for(proportions: str, counts: tuple[int, ...] | None) -> None:
    number = 84
    got = clips(number, size=8, frames=1, proportions=proportions, part="train", seed=0)  # type: ignore[arg-type]
    share = np.bincount(got.labels.numpy(), minlength=7)
    wanted = np.array(counts) if counts else np.array(DFEW) / sum(DFEW) * number
    assert np.abs(share - wanted).max() <= 1


@pytest.mark.parametrize("agrees", [0.0, 1.0])
def test_the_scene_behind_a_clip_agrees_as_asked(agrees: float) -> None:
    got = clips(21, size=8, frames=1, polarity_agrees=agrees, part="train", seed=0)
    own = torch.tensor(EXPRESSIONS.polarity)[got.labels]
    assert float((own == got.scene).float().mean()) == agrees


def test_a_reversed_pair_is_one_clip_both_ways_with_both_labels(ways: ActorClips) -> None:
    pairs = reversed_pairs(ways)
    assert len(pairs) == 16
    assert pairs.space is DIRECTION
    assert torch.equal(pairs.face[0::2], ways.face)
    assert torch.equal(pairs.face[1::2], pairs.face[0::2].flip(1))
    assert torch.equal(pairs.units[1::2], pairs.units[0::2].flip(1))
    assert torch.equal(pairs.labels[0::2] + pairs.labels[1::2], torch.ones(8, dtype=torch.long))
    assert torch.equal(pairs.face.float().sum(1)[0::2], pairs.face.float().sum(1)[1::2])


def test_an_onset_rises_and_an_offset_falls(ways: ActorClips) -> None:
    total = ways.units.sum(2)
    rising = ways.labels == DIRECTION.index("onset")
    assert rising.any()
    assert (~rising).any()
    assert (total[rising].diff(dim=1) >= 0).all()
    assert (total[~rising].diff(dim=1) <= 0).all()
    assert (total.amax(1) - total.amin(1) > 0.3).all()


def test_what_has_no_direction_is_refused(small: ActorClips) -> None:
    with pytest.raises(UsageError, match="only clips of the task direction"):
        reversed_pairs(small)
    with pytest.raises(UsageError, match="two frames or more"):
        unit_curves([0], frames=1, seed=0, task="direction")


def test_no_trait_and_no_style_of_a_test_actor_is_of_a_train_actor() -> None:
    train, test = identities(200, part="train", seed=0), identities(200, part="test", seed=9)
    for name in TRAITS:
        for part, people in (("train", train), ("test", test)):
            values = getattr(people, name)
            inside = torch.stack([(values >= low) & (values <= high) for low, high in BANDS[part]]).any(0)
            assert inside.all(), (name, part)
        outside = [(getattr(test, name) < low) | (getattr(test, name) > high) for low, high in BANDS["train"]]
        assert torch.stack(outside).all(), name
    for name, table, styles in (
        ("hair", HAIR, HAIR_STYLES), ("beard", BEARD, BEARD_STYLES), ("glasses", GLASSES, GLASSES_STYLES),
    ):  # fmt: skip
        worn = [{styles[i] for i in getattr(people, name).tolist()} - {"none"} for people in (train, test)]
        assert worn[0] == set(table["train"]) - {"none"}
        assert worn[1] == set(table["test"]) - {"none"}
        assert not worn[0] & worn[1]


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_a_linear_classifier_reads_the_apex_of_unseen_actors(grey: bool) -> None:
    def pictures(part: str, number: int) -> tuple[Tensor, Tensor]:
        got = clips(number, size=32, frames=1, intensity=(0.7, 1.0), polarity_agrees=1 / 3, part=part, seed=0)  # type: ignore[arg-type]
        x = got.face[:, 0].float() / 255
        x = x.mean(1, keepdim=True) if grey else x
        x = x[:, :, 6:, 5:27].flatten(1)
        return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), got.labels

    x, labels = pictures("train", 200)
    unseen, truth = pictures("test", 140)
    kernel = x @ x.T + 0.1 * x.shape[1] * torch.eye(len(x))
    weight = x.T @ torch.linalg.solve(kernel, torch.nn.functional.one_hot(labels, 7).float() - 1 / 7)
    assert float(((unseen @ weight).argmax(1) == truth).float().mean()) > 0.6


def test_a_sheet_is_a_small_picture_file(tmp_path: Path) -> None:
    from PIL import Image

    sheet(tmp_path / "sheet.png", size=24, enlarge=2)
    assert Image.open(tmp_path / "sheet.png").size == (110 + 8 * 48, 24 + 8 * 48)
