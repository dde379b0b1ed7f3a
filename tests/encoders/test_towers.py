from __future__ import annotations

import numpy as np
import torch
from torch import nn

from mimica.encoders.towers import freeze, pixels


def test_freezing_takes_gradients_and_training_mode_away_and_gives_the_module_back() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
    assert freeze(module) is module
    assert not any(part.training for part in module.modules())
    assert not any(p.requires_grad for p in module.parameters())


def test_pictures_become_floats_from_0_to_1_with_the_channels_first() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 8, 8, 3), np.uint8)
    images[0, 0, 0, 0] = (0, 128, 255)
    tensor = pixels(images)
    assert tensor.shape == (2, 4, 3, 8, 8)
    assert tensor[0, 0, :, 0, 0].tolist() == [0.0, np.float32(128 / 255), 1.0]
    assert np.array_equal((tensor.movedim(-3, -1).numpy() * 255).round(), images)


def test_pictures_may_be_a_view_of_others_and_are_left_as_they_are() -> None:
    images = np.full((8, 8, 6), 100, np.uint8)
    assert torch.equal(pixels(images[::-1, :, ::2]), torch.full((3, 8, 8), 100 / 255))
    assert (images == 100).all()
