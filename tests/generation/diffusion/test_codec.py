from __future__ import annotations

import numpy as np
import pytest
import torch

from mimica.errors import UsageError
from mimica.generation.diffusion.codec import Codec, CodecConfig, coded, flow_between, solved, warp, window_of
from oracles import diffusion as slow
from tiny_generator import SMALL, tiny_generator


@pytest.fixture(scope="module")
def codec() -> Codec:
    return tiny_generator().codec


def pictures(number: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(number, 3, size // 4, size // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")


def test_a_warp_is_what_its_formula_says() -> None:
    still, flow = pictures(2), 3 * torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    fast = warp(still, flow)
    for one, by, found in zip(still, flow, fast, strict=True):
        np.testing.assert_allclose(found.numpy(), slow.warp(one.numpy(), by.numpy()), atol=1e-5)


def test_a_flow_of_two_pixels_to_the_right_moves_the_picture_there() -> None:
    still = pictures(1)
    flow = torch.zeros(1, 2, 4, 4)
    flow[:, 0] = 2.0
    torch.testing.assert_close(warp(still, flow)[..., 2:], still[..., :-2])


def test_the_flow_between_a_picture_and_the_same_moved_is_how_far_it_was_moved() -> None:
    far = pictures(2, 32)
    still, frame = far[..., 4:28, 4:28], far[..., 3:27, 5:29]
    flow = flow_between(still, frame)
    inside = flow[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside[:, 0], torch.full_like(inside[:, 0], -1.0), atol=0.15, rtol=0)
    torch.testing.assert_close(inside[:, 1], torch.full_like(inside[:, 1], 1.0), atol=0.15, rtol=0)
    near = (warp(still, flow) - frame)[..., 4:-4, 4:-4].abs().mean()
    assert near < 0.1 * (still - frame)[..., 4:-4, 4:-4].abs().mean()


def test_the_flow_is_even_where_nothing_can_be_seen_to_move() -> None:
    grey = torch.full((1, 3, 16, 16), 0.5)
    assert not flow_between(grey, grey + 0.1).any()


def test_a_step_of_the_flow_solves_its_equations() -> None:
    random = torch.Generator().manual_seed(0)
    slopes = torch.rand(1, 2, 4, 4, generator=random)
    pooled = torch.stack(
        [
            slopes[:, 0] ** 2 + 0.1,
            0.5 * slopes[:, 0] * slopes[:, 1],
            slopes[:, 1] ** 2 + 0.1,
            slopes[:, 0],
            -slopes[:, 1],
        ],
        1,
    )
    start = torch.randn(1, 2, 4, 4, generator=random)
    found = solved(start, pooled)
    for y in range(4):
        for x in range(4):
            left = slow.flow_equation(pooled[0, :, y, x].tolist(), start[0].numpy(), found[0].numpy(), x, y)
            np.testing.assert_allclose(left, 0, atol=1e-4)


def test_patches_that_overlap_put_a_picture_together_again_where_every_component_is_kept() -> None:
    assert torch.allclose(
        sum(window_of(8).square().roll(shift, (0, 1)) for shift in ((0, 0), (0, 4), (4, 0), (4, 4))),
        torch.ones(8, 8),  # type: ignore[arg-type]
    )
    whole = Codec(CodecConfig(size=16, code=192))
    still, frames = pictures(40), torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    whole.fit(still, frames)
    again = whole.decode(whole.encode(still, frames), still)
    torch.testing.assert_close(again[..., 2:-2, 2:-2], frames[..., 2:-2, 2:-2], atol=1e-3, rtol=0)


def test_more_codes_paint_a_frame_nearer_than_fewer_and_any_nearer_than_its_flow() -> None:
    still, frames = pictures(40), pictures(40, seed=1)
    apart = []
    for code in (1, 4, 16):
        one = Codec(CodecConfig(size=16, code=code))
        one.fit(still, frames)
        apart.append(float((one.decode(one.encode(still, frames), still) - frames).square().mean()))
    assert sorted(apart, reverse=True) == apart
    assert apart[0] < float((warp(still, flow_between(still, frames)) - frames).square().mean())


def test_latents_of_zero_are_the_still_and_the_still_has_latents_of_zero(codec: Codec) -> None:
    still = pictures(2)
    torch.testing.assert_close(
        codec.decode(torch.zeros(2, SMALL.codec.channels, 4, 4), still), still, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        codec.encode(still, still), torch.zeros(2, SMALL.codec.channels, 4, 4), atol=1e-3, rtol=0
    )


def test_latents_of_clips_are_about_as_large_as_noise_in_every_channel() -> None:
    still, frames = pictures(40), pictures(40, seed=1)
    one = Codec(CodecConfig(size=16, code=4))
    one.fit(still, frames)
    power = one.encode(still, frames).square().mean((0, 2, 3))
    torch.testing.assert_close(power, torch.ones(6), atol=1e-3, rtol=0)


def test_frames_can_be_told_how_to_become_another_through_their_latents(codec: Codec) -> None:
    latents = torch.zeros(1, SMALL.codec.channels, 4, 4).add_(0.1).requires_grad_()
    codec.decode(latents, pictures(1)).square().sum().backward()
    assert latents.grad is not None
    assert (latents.grad.abs().amax((0, 2, 3)) > 0).all()


def test_the_first_latents_of_a_clip_are_zero(codec: Codec) -> None:
    clip = torch.stack([pictures(2), pictures(2, seed=1)], 1)
    found = coded(codec, clip)
    assert found.shape == (2, 2, SMALL.codec.channels, 4, 4)
    assert not found[:, 0].any()
    torch.testing.assert_close(found[:, 1], codec.encode(clip[:, 0], clip[:, 1]))


def test_a_size_that_latents_do_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match="a multiple of 8, got 50"):
        CodecConfig(size=50)
