from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mimica.data.augment import DRAWS, Augmentation, augmented, draws, generator
from mimica.errors import UsageError
from oracles import augment as oracle

NOTHING = Augmentation(angle=0, scale=0, jitter=0, flip=0, gamma=0, blur=0, erase=0, motion=0)


def faces(B: int = 3, T: int = 4, G: int = 1, S: int = 16) -> Tensor:
    """Clips of stills: all frames of a clip are alike, no two clips are."""
    random = torch.Generator().manual_seed(0)
    return torch.rand(B, 1, G, S, S, generator=random).expand(B, T, G, S, S)


@pytest.mark.parametrize("seed", [0, 7, 2**22, 2**31, 2**40, -1])
def test_draws_are_a_function_of_seed_epoch_and_clip_alone(seed: int) -> None:
    whole = draws(seed, 3, [4, 9, 2, 7])
    assert whole.shape == (4, DRAWS)
    assert ((whole >= 0) & (whole < 1)).all()
    assert np.array_equal(draws(seed, 3, [2, 4]), whole[[2, 0]])
    assert np.array_equal(np.concatenate([draws(seed, 3, [c]) for c in (4, 9, 2, 7)]), whole)


@pytest.mark.parametrize("seed", [0, 2**22, 2**31, 2**40])
def test_another_seed_epoch_or_clip_has_other_draws(seed: int) -> None:
    keys = [(seed, 0, 0), (seed, 0, 1), (seed, 1, 0), (seed + 1, 0, 0), (seed, 0, 1 << 32)]
    drawn = [draws(s, epoch, [clip])[0, 0] for s, epoch, clip in keys]
    assert len(set(drawn)) == len(keys)


def test_draws_are_spread_evenly() -> None:
    u = draws(0, 0, range(2000))
    assert np.abs(u.mean(0) - 0.5).max() < 0.03
    assert np.abs(u.std(0) - 12**-0.5).max() < 0.02


def test_a_clip_is_augmented_the_same_alone_and_among_others() -> None:
    x, u = faces(5), draws(1, 2, range(5))
    together = augmented(x, u, Augmentation(blur=0.5, erase=0.5))
    alone = torch.cat([augmented(x[i : i + 1], u[i : i + 1], Augmentation(blur=0.5, erase=0.5)) for i in range(5)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_nothing_asked_for_is_nothing_done() -> None:
    assert torch.allclose(augmented(faces(), draws(0, 0, range(3)), NOTHING), faces(), atol=1e-5)


@pytest.mark.parametrize("G", [1, 3])
@pytest.mark.parametrize("how", [Augmentation(), Augmentation(angle=90, scale=1, jitter=1, gamma=2, blur=1, erase=1)])
def test_views_keep_their_shape_and_stay_from_0_to_1(G: int, how: Augmentation) -> None:
    x = augmented(faces(8, G=G), draws(0, 0, range(8)), how)
    assert x.shape == (8, 4, G, 16, 16)
    assert x.isfinite().all()
    assert x.min() >= 0
    assert x.max() <= 1 + 1e-5


def test_what_goes_in_is_left_as_it_was() -> None:
    x = faces().clone()
    before = x.clone()
    augmented(x, draws(0, 0, range(3)), Augmentation(blur=1, erase=1))
    assert torch.equal(x, before)


def test_flip_is_left_for_right_and_for_the_whole_clip() -> None:
    x = faces()
    assert torch.allclose(augmented(x, draws(0, 0, range(3)), replace(NOTHING, flip=1.0)), x.flip(-1), atol=1e-5)


@pytest.mark.parametrize(("name", "value"), [("flip", 0.3), ("blur", 0.3), ("erase", 0.3)])
def test_a_chance_is_the_share_of_clips_that_it_happens_to(name: str, value: float) -> None:
    x = faces(400, T=1, S=8)
    changed = (augmented(x, draws(0, 0, range(400)), replace(NOTHING, **{name: value})) - x).abs().amax((1, 2, 3, 4))
    assert (changed > 1e-4).float().mean().item() == pytest.approx(value, abs=0.08)


@pytest.mark.parametrize("name", ["angle", "scale", "jitter", "gamma", "blur", "erase"])
def test_without_motion_all_frames_of_a_clip_share_one_change(name: str) -> None:
    how = replace(NOTHING, **{name: 1.0 if name in ("blur", "erase") else 20.0 if name == "angle" else 0.3})
    x = augmented(faces(), draws(0, 0, range(3)), how)
    assert (x - faces()).abs().max() > 0.01
    assert torch.allclose(x, x[:, :1].expand_as(x), atol=1e-5)
    assert not torch.allclose(x[0] - faces()[0], x[1] - faces()[1], atol=1e-3)


def test_motion_makes_a_clip_of_a_still_that_moves_smoothly() -> None:
    how = replace(NOTHING, angle=12.0, scale=0.15, jitter=0.08, motion=0.5)
    smooth = torch.nn.functional.interpolate(torch.rand(6, 1, 4, 4), size=32, mode="bilinear")[:, None]
    x = augmented(smooth.expand(6, 16, 1, 32, 32), draws(0, 0, range(6)), how)
    steps = (x[:, 1:] - x[:, :-1]).abs().mean((2, 3, 4))
    across = (x[:, -1] - x[:, 0]).abs().mean((1, 2, 3))
    assert (steps > 0).all()
    assert (steps.amax(1) < across + steps.sum(1) / 4).all()


def test_a_single_frame_does_not_wander() -> None:
    x, u = faces(T=1), draws(0, 0, range(3))
    assert torch.equal(augmented(x, u, Augmentation(motion=0.9)), augmented(x, u, Augmentation(motion=0.0)))


def test_a_turn_is_a_turn_about_the_middle() -> None:
    x = torch.zeros(1, 1, 1, 9, 9)
    x[..., 4, 8] = 1.0  # three o'clock
    u = np.full((1, DRAWS), 0.5)
    u[0, 0] = 1.0  # the whole angle
    y = augmented(x, u, replace(NOTHING, angle=90.0))[0, 0, 0]
    assert y.max() == pytest.approx(1.0, abs=1e-4)
    assert np.unravel_index(int(y.argmax()), (9, 9)) in ((0, 4), (8, 4))


def test_gamma_darkens_or_lightens_and_keeps_black_and_white() -> None:
    x = torch.tensor([0.0, 0.25, 1.0]).repeat(4, 1, 1, 3, 1).expand(4, 1, 1, 3, 3)
    y = augmented(x, draws(0, 0, range(4)), replace(NOTHING, gamma=0.5))
    assert torch.allclose(y[..., 0], torch.zeros(()), atol=1e-3)
    assert torch.allclose(y[..., 2], torch.ones(()), atol=1e-3)
    assert y[:, 0, 0, 0, 1].std() > 0.01


def test_blur_keeps_the_mean_of_what_is_inside_and_lowers_the_contrast() -> None:
    x = torch.zeros(1, 1, 1, 17, 17)
    x[..., 8, 8] = 1.0
    y = augmented(x, draws(0, 0, [0]), replace(NOTHING, blur=1.0))
    assert y.sum().item() == pytest.approx(1.0, abs=1e-4)
    assert 0.05 < y.max() < 0.7
    assert torch.allclose(y, y.flip(-1), atol=1e-6)
    assert torch.allclose(y, y.transpose(-1, -2), atol=1e-6)


def test_what_is_erased_is_a_rectangle_of_one_shade_in_the_same_place_in_every_frame() -> None:
    x = faces(20, T=3, S=30)
    y = augmented(x, draws(0, 0, range(20)), replace(NOTHING, erase=1.0))
    gone = (y - x).abs() > 1e-4
    assert (gone == gone[:, :1]).all()
    for clip, place, picture in zip(y, gone[:, 0, 0], x, strict=True):
        rows, columns = place.any(1).nonzero()[:, 0], place.any(0).nonzero()[:, 0]
        assert 2 <= len(rows) <= 11
        assert 2 <= len(columns) <= 11
        inside = clip[..., rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert torch.allclose(inside, picture.mean(), atol=1e-4)


def test_a_cover_is_a_band_of_one_shade_over_one_side_and_mostly_the_lower() -> None:
    x = faces(200, T=2)
    y = augmented(x, draws(0, 0, range(200)), replace(NOTHING, cover=1.0))
    changed = (y - x).abs().amax((1, 2)) > 1e-3
    rows, columns = changed.all(2), changed.all(1)
    below, above = rows[:, -1], rows[:, 0]
    assert below.float().mean() == pytest.approx(0.6, abs=0.12)
    assert ((below | above) | (columns[:, 0] | columns[:, -1])).float().mean() > 0.9, "shades may be alike by chance"
    share = changed.float().mean((1, 2))
    assert share[share > 0].min() > 0.1
    assert share.max() <= 0.52
    assert all(
        len(clip[mask.expand_as(clip)].unique()) == 1 for clip, mask in zip(y, changed[:, None, None], strict=True)
    )


def test_no_cover_is_drawn_where_none_is_asked_for() -> None:
    x = faces(20)
    assert torch.allclose(augmented(x, draws(0, 0, range(20)), replace(NOTHING, cover=0.0)), x, atol=1e-5)


# Cutting and colouring, beside Pillow


def smooth(B: int = 3, T: int = 4, S: int = 24, G: int = 3) -> Tensor:
    """Clips whose frames all differ."""
    coarse = torch.rand(B * T, G, 5, 5, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=S, mode="bilinear").view(B, T, G, S, S)


def frame(x: Tensor, clip: int, number: int) -> np.ndarray:
    return x[clip, number].permute(1, 2, 0).double().numpy()


def test_more_draws_leave_those_that_there_were_as_they_are() -> None:
    assert np.array_equal(draws(5, 2, [9])[0, :32], generator(5, 2, 9).random(32))


@pytest.mark.parametrize("G", [1, 3])
@pytest.mark.parametrize(
    ("crop", "ratio"), [((0.08, 1.0), (3 / 4, 4 / 3)), ((0.8, 1.0), (1.0, 1.0)), ((1.0, 1.0), (0.5, 2.0))]
)
def test_a_resized_crop_is_pillows_and_the_same_for_all_frames(
    crop: tuple[float, float], ratio: tuple[float, float], G: int
) -> None:
    x, u = smooth(8, G=G), draws(0, 0, range(8))
    y = augmented(x, u, replace(NOTHING, crop=crop, ratio=ratio))
    for clip in range(8):
        box = oracle.window(u[clip, 28:32], crop, ratio)
        for number in range(4):
            assert np.abs(frame(y, clip, number) - oracle.cropped(frame(x, clip, number), box)).max() < 1e-4


def test_what_is_cut_out_keeps_to_the_area_and_the_ratio_asked_for() -> None:
    boxes = np.array([oracle.window(d, (0.3, 0.7), (3 / 4, 4 / 3)) for d in draws(0, 0, range(3000))[:, 28:32]])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (width * height).mean() == pytest.approx(0.5, abs=0.01)
    assert (width * height).min() >= 0.3 - 1e-9
    assert np.log(width / height).mean() == pytest.approx(0, abs=0.02)
    assert np.abs(np.log(width / height)).max() <= np.log(4 / 3) + 1e-9
    assert boxes.mean(0) == pytest.approx([0.15, 0.15, 0.85, 0.85], abs=0.02)


def test_turning_moving_mirroring_and_cutting_together_are_what_they_are_pixel_by_pixel() -> None:
    how = replace(NOTHING, angle=30, scale=0.3, jitter=0.1, flip=0.5, crop=(0.3, 0.9), ratio=(0.75, 1.5))
    x, u = smooth(6, T=2, S=16), draws(0, 0, range(6))
    y, s = augmented(x, u, how), 2 * u - 1
    assert 0 < (u[:, 4] < 0.5).sum() < 6
    for clip in range(6):
        expected = oracle.moved(
            frame(x, clip, 1), degrees=30 * s[clip, 0], scale=float(np.exp(0.3 * s[clip, 1])), shift=0.2 * s[clip, 2:4],
            mirrored=bool(u[clip, 4] < 0.5), box=oracle.window(u[clip, 28:32], how.crop, how.ratio),
        )  # fmt: skip
        assert np.abs(frame(y, clip, 1) - expected).max() < 1e-4


@pytest.mark.parametrize(
    "amounts", [(0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.4, 0.3, 1.0)], ids=["light", "contrast", "colour", "all"]
)
def test_colour_jitter_is_pillows_but_for_its_rounding_and_the_same_factors_for_all_frames(
    amounts: tuple[float, float, float],
) -> None:
    x, u = (smooth(6) * 255).round() / 255, draws(0, 0, range(6))
    how = replace(NOTHING, brightness=amounts[0], contrast=amounts[1], saturation=amounts[2])
    y = augmented(x, u, how)
    assert (y - x).abs().max() > 0.05
    for clip in range(6):
        factors = 1 + (2 * u[clip, 32:35] - 1) * amounts
        for number in range(4):
            expected = oracle.coloured((frame(x, clip, number) * 255).round().astype(np.uint8), *factors)
            assert np.abs(frame(y, clip, number) * 255 - expected).max() < 4


def test_grey_pictures_have_light_and_contrast_and_no_colour() -> None:
    x, u = smooth(4, G=1), draws(0, 0, range(4))
    thrice = x.expand(-1, -1, 3, -1, -1)
    how = replace(NOTHING, brightness=0.4, contrast=0.4, saturation=0.4)
    assert torch.allclose(augmented(x, u, how).expand_as(thrice), augmented(thrice, u, how), atol=1e-5)


def test_a_scene_is_cut_turned_mirrored_and_lit_as_its_face_is_and_never_covered() -> None:
    how = Augmentation(motion=0.5, erase=1.0, cover=1.0, blur=0.5, crop=(0.5, 1.0), brightness=0.3)
    x, u = smooth(6), draws(0, 0, range(6))
    alone = replace(how, jitter=0, motion=0, erase=0, cover=0)
    assert torch.equal(augmented(x, u, how.of_scene()), augmented(x, u, alone))
    turned = replace(NOTHING, flip=0.5)
    assert torch.equal(augmented(x, u, turned), augmented(x, u, turned.of_scene()))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"crop": (0.0, 1.0)}, "crop is the least and the largest share of the area, 0 to 1, not"),
        ({"crop": (0.9, 0.8)}, "crop is the least"),
        ({"crop": (0.8, 1.2)}, "crop is the least"),
        ({"ratio": (2.0, 1.0)}, "ratio is the least and the largest of width to height, not"),
        ({"ratio": (0.0, 1.0)}, "ratio is the least"),
        ({"brightness": 1.5}, "brightness is how far a factor may be from 1, 0 to 1, not 1.5"),
        ({"saturation": -0.1}, "saturation is how far"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Augmentation(**wrong)
