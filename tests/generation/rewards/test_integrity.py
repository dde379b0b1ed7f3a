from __future__ import annotations

import pytest
import torch

from mimica.data.actor import clips
from mimica.generation.rewards.integrity import wholeness
from oracles import rewards as slow


def drawn() -> torch.Tensor:
    return clips(4, size=48, frames=5, part="train", seed=3).face.float() / 255


@pytest.mark.parametrize("period", [3, 4])
def test_wholeness_is_its_formula_pixel_by_pixel(period: int) -> None:
    some = torch.rand(2, 3, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    some[1, 1] *= 0.3
    expected = [slow.wholeness(clip, period) for clip in some.tolist()]
    assert wholeness(some, period).tolist() == pytest.approx(expected, rel=1e-4)
    assert expected[1] < expected[0]


def test_blocks_blur_and_noise_cost_integrity_and_standing_still_does_not() -> None:
    real = drawn()
    pooled = torch.nn.functional.avg_pool2d(real.flatten(0, 1), 4)
    blocks = pooled.repeat_interleave(4, -1).repeat_interleave(4, -2).view_as(real)
    soft = torch.nn.functional.avg_pool2d(real.flatten(0, 1), 3, 1, 1, count_include_pad=False).view_as(real)
    noisy = (real + 0.1 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    whole = wholeness(real)
    assert whole.min() > 0.75
    assert wholeness(blocks).max() < 0.1
    for worse in (soft, noisy):
        later = torch.cat([real[:, :1], worse[:, 1:]], 1)
        assert (wholeness(later) < whole - 0.1).all()
    assert (wholeness(real[:, :1].expand_as(real)) > 0.85).all()


def test_a_flat_picture_is_whole() -> None:
    assert wholeness(torch.full((1, 3, 3, 16, 16), 0.5)).item() == pytest.approx(1.0)
