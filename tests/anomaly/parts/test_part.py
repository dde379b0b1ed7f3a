"""Drawn parts: what they must hold so that a method can be judged by them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mimica.anomaly.parts.part import depth, part, taken
from mimica.anomaly.parts.settings import (
    BITE,
    CATEGORIES,
    DEFECTS,
    DEPTH,
    FIELD,
    HELD_OUT,
    LISTS,
    TUNING,
    PartSettings,
    Seeing,
)  # fmt: skip
from mimica.anomaly.parts.view import sampled, seen
from mimica.anomaly.prepare import part_of, plane_of
from mimica.anomaly.samples import GOOD
from mimica.errors import UsageError

SIZE = 96
every_category = pytest.mark.parametrize("category", CATEGORIES)


def clean(category: str, defect: str, number: int = 0):  # type: ignore[no-untyped-def]
    return taken(category, number=number, split="test", defect=defect, size=SIZE, seed=0)


def test_the_same_part_is_drawn_whatever_was_drawn_before() -> None:
    one = part("bun", number=3, size=SIZE)
    part("hook", number=1, size=SIZE, defect="both")
    again = part("bun", number=3, size=SIZE)
    assert one.rgb.tobytes() == again.rgb.tobytes()  # type: ignore[union-attr]
    assert one.xyz.tobytes() == again.xyz.tobytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("other", [{"number": 4}, {"split": "test"}, {"seed": 1}, {"category": "tablet"}])
def test_parts_of_another_number_split_seed_or_category_are_others(other: dict[str, object]) -> None:
    asked = {"category": "bun", "number": 3, "size": SIZE} | other
    assert part(**asked).rgb.tobytes() != part("bun", number=3, size=SIZE).rgb.tobytes()  # type: ignore[arg-type, union-attr]


@every_category
def test_a_part_lies_on_a_tilted_tray_half_a_metre_away_and_fills_a_good_share_of_the_picture(category: str) -> None:
    sample = part(category, number=1, size=SIZE)
    assert sample.xyz is not None
    plane = plane_of(sample.xyz)
    assert plane is not None
    assert 1 < np.degrees(np.arccos(abs(plane.normal[2]))) < 6
    assert 0.35 < float(np.nanmedian(sample.xyz[..., 2])) < 0.65
    high = plane.above(sample.xyz)[part_of(sample)]
    assert 0.018 < np.quantile(high, 0.99) < 0.032
    assert 0.2 < part_of(sample).mean() < 0.45


@every_category
def test_the_corners_show_the_tray(category: str) -> None:
    shot = clean(category, GOOD)
    rows, columns = shot.view.cells.round().astype(int)
    for corner in ((slice(0, 3), slice(0, 3)), (slice(-3, None), slice(-3, None))):
        assert not shot.solid.part[rows[corner], columns[corner]].any()


def test_points_lie_on_the_rays_of_their_pixels_and_none_is_at_an_exact_zero() -> None:
    sample, shot = part("nut", size=SIZE), taken("nut", number=0, split="train", defect=GOOD, size=SIZE, seed=0)
    assert sample.xyz is not None
    there = sample.measured
    rays = shot.camera.rays(shot.middle)
    assert sample.xyz[there] == pytest.approx((rays * sample.xyz[..., 2:])[there], abs=1e-6)
    odd = part("nut", size=SIZE + 1)
    assert odd.xyz is not None
    assert (odd.xyz != 0).all()
    across = np.nanmedian(np.diff(sample.xyz[..., 0], axis=1))
    assert float(across) == pytest.approx(FIELD / SIZE / 1000, rel=0.1)


@every_category
def test_some_points_are_missing_and_most_are_not(category: str) -> None:
    shares = [1 - part(category, number=i, size=SIZE).measured.mean() for i in range(3)]
    assert all(0.002 < share < 0.1 for share in shares)


def test_where_the_projector_does_not_reach_nothing_is_measured() -> None:
    sample, shot = part("block", size=SIZE), taken("block", number=0, split="train", defect=GOOD, size=SIZE, seed=0)
    edge = np.hypot(*np.gradient(shot.view.z)) > 5
    assert (~sample.measured)[edge].mean() > 5 * (~sample.measured)[~edge].mean()


def test_some_scans_lack_a_corner() -> None:
    bare = dataclasses.replace(CATEGORIES["bun"].seeing, bare_corner=1.0)
    shot = clean("bun", GOOD)
    solid = dataclasses.replace(shot.solid, category=dataclasses.replace(shot.solid.category, seeing=bare))
    missing = np.isnan(depth(dataclasses.replace(shot, solid=solid)))
    corners = [
        missing[rows, columns].all() for rows in (slice(5), slice(-5, None)) for columns in (slice(5), slice(-5, None))
    ]
    assert sum(corners) == 1


@pytest.mark.parametrize("number", range(4))
@every_category
def test_a_stain_has_no_shape(category: str, number: int) -> None:
    shot = clean(category, "colour", number)
    assert (shot.solid.height == shot.good.height).all()
    assert (shot.solid.colour == shot.good.colour)[~shot.good.part].all()
    assert np.abs(shot.solid.colour - shot.good.colour)[shot.solid.mark].sum(-1).mean() > 0.05


@pytest.mark.parametrize("number", range(4))
@every_category
def test_a_dent_or_bump_has_no_look_and_is_so_deep_as_is_said(category: str, number: int) -> None:
    shot = clean(category, "shape", number)
    assert (shot.solid.colour == shot.good.colour).all()
    assert (shot.solid.shaded == shot.good.shaded).all()
    deepest = np.abs(shot.solid.height - shot.good.height).max()
    assert 0.8 * DEPTH[0] < deepest <= DEPTH[1]


def test_dents_and_bumps_both_come() -> None:
    signs = {
        float(np.sign((shot.solid.height - shot.good.height).sum()))
        for shot in (clean("bun", "shape", i) for i in range(12))
    }
    assert signs == {-1.0, 1.0}


@pytest.mark.parametrize("number", range(4))
@every_category
def test_both_is_stained_and_bent_in_one_place(category: str, number: int) -> None:
    shot = clean(category, "both", number)
    bent = np.abs(shot.solid.height - shot.good.height) > 0.6
    stained = np.abs(shot.solid.colour - shot.good.colour).sum(-1) > 0.03
    assert (bent & stained).sum() > 0.3 * min(bent.sum(), stained.sum()) > 0
    assert (shot.solid.shaded == shot.solid.height).all()


@pytest.mark.parametrize("number", range(4))
@every_category
def test_a_missing_piece_is_gone_down_to_the_tray(category: str, number: int) -> None:
    shot = clean(category, "missing", number)
    gone = shot.good.part & ~shot.solid.part
    assert (shot.solid.height[gone] == 0).all()
    assert gone.sum() * shot.solid.pitch**2 > 0.1 * np.pi * BITE[0] ** 2
    assert (shot.solid.mark == gone).all()


@pytest.mark.parametrize("number", range(4))
@every_category
def test_contamination_lies_beside_the_part_and_in_the_picture(category: str, number: int) -> None:
    shot = clean(category, "contamination", number)
    assert not (shot.solid.mark & shot.good.part).any()
    assert (shot.solid.height[shot.good.part] == shot.good.height[shot.good.part]).all()
    assert shot.solid.height[shot.solid.mark].max() > 0.8 * DEPTH[0]
    shown = shot.mask.sum() * (FIELD / SIZE) ** 2
    assert shown == pytest.approx(shot.solid.mark.sum() * shot.solid.pitch**2, rel=0.25)


@pytest.mark.parametrize("defect", DEFECTS)
@every_category
def test_what_changed_in_the_picture_or_the_depth_is_what_the_mask_shows(category: str, defect: str) -> None:
    shot = clean(category, defect)
    good = seen(shot.solid, shot.good.height, shot.camera, shot.middle)
    nearer = np.abs(good.z - shot.view.z) > 0.8
    other = np.abs(sampled(shot.solid.colour, shot.view.cells) - sampled(shot.good.colour, good.cells)).sum(-1)
    changed = other > 0.6 * other.max() if defect == "colour" else nearer
    assert shot.mask.any()
    # At its rim a missing piece shows walls that were hidden; nothing else may change unseen.
    assert (changed & ~shot.mask).sum() <= 0.25 * shot.mask.sum()


def test_a_good_part_has_an_empty_mask() -> None:
    sample = part("bun", size=SIZE)
    assert sample.defect == GOOD
    assert sample.mask is not None
    assert not sample.mask.any()


def test_two_categories_are_not_square() -> None:
    assert part("tablet", size=SIZE).size == (round(0.75 * SIZE), SIZE)
    assert sum(kind.aspect != 1 for kind in TUNING) >= 1 <= sum(kind.aspect != 1 for kind in HELD_OUT)


def test_what_is_held_out_shares_no_form_no_surface_and_no_way_to_be_seen() -> None:
    assert min(len(TUNING), len(HELD_OUT)) >= 4
    for ask in (
        lambda kind: kind.name,
        lambda kind: kind.outline,
        lambda kind: kind.texture,
        lambda kind: kind.colours,
    ):
        assert not {ask(kind) for kind in TUNING} & {ask(kind) for kind in HELD_OUT}
    tuned, held = TUNING[0].seeing, HELD_OUT[0].seeing
    assert all(kind.seeing is tuned for kind in TUNING)
    assert all(kind.seeing is held for kind in HELD_OUT)
    for field in dataclasses.fields(Seeing):
        assert getattr(tuned, field.name) != getattr(held, field.name)
    for apart in ("lean", "baseline", "azimuth"):
        (a, b), (c, d) = getattr(tuned, apart), getattr(held, apart)
        assert b < c or d < a


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="did you mean 'bun'"):
        part("bunn")
    with pytest.raises(UsageError, match="missing"):
        part("bun", defect="mising")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": ("bum",)}, "did you mean 'bun'"), ({"size": 20}, "64 to 1024"), ({"train": -1}, "0 to 999"),
        ({"defects": ("crack",)}, "unknown defect"), ({"seed": -1}, "seed"),
        ({"train": 0, "test": 0, "each": 0}, "nothing to draw"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        PartSettings(**wrong)  # type: ignore[arg-type]


def test_a_list_of_categories_stands_for_all_of_it_and_none_twice() -> None:
    assert PartSettings().chosen == HELD_OUT
    assert PartSettings(categories=("bun", "tuning")).chosen == TUNING
    assert set(LISTS) == {"tuning", "held-out"}
