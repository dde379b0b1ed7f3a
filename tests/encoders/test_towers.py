from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mimica.encoders.sentence import SentenceTower
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import DualEncoder, freeze, pixels, recompute
from mimica.errors import UsageError


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


TEXTS = ["a face", "sadness: the inner brows rise and draw together"]


@pytest.fixture(params=["compact", "clip vision", "clip text", "sentence"])
def tower(
    request: pytest.FixtureRequest, clip: DualEncoder, tiny_encoder: Path, tiny_text_folder: Path
) -> Iterator[tuple[Any, Any]]:
    """Each tower, frozen as DuSE has it, with something to see or to read."""
    one: Any = {
        "compact": lambda: freeze(load_encoder(tiny_encoder)[0]), "clip vision": lambda: clip.vision,
        "clip text": lambda: clip.text, "sentence": lambda: freeze(SentenceTower(tiny_text_folder, dim=16)),
    }[request.param]()  # fmt: skip
    images = torch.rand(
        8, 3, getattr(one, "size", 1), getattr(one, "size", 1), generator=torch.Generator().manual_seed(0)
    )
    yield one, images if hasattr(one, "size") else TEXTS
    recompute(one, False)


def some_prompts(width: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.randn(1, 2, width, generator=random).requires_grad_() for _ in range(2)]


def gradients(tower: Any, given: Any) -> list[Tensor]:
    prompts = some_prompts(tower.width)
    tower(given, prompts).square().sum().backward()
    return [prompt.grad for prompt in prompts if prompt.grad is not None]


def held(run: Callable[[], Tensor], but: nn.Module) -> int:
    """Bytes that a forward pass holds for the backward one, weights not counted."""
    weights = {p.untyped_storage().data_ptr() for p in but.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = run()
    assert loss.requires_grad
    return sum(kept.values())


def test_recomputing_layers_changes_no_feature_and_no_gradient(tower: tuple[Any, Any]) -> None:
    one, given = tower
    features, plain = one(given), gradients(one, given)
    recompute(one, True)
    assert torch.equal(one(given), features)
    again = gradients(one, given)
    assert len(again) == 2
    assert all(a.abs().sum() > 0 and torch.equal(a, b) for a, b in zip(again, plain, strict=True))


def test_recomputing_layers_holds_far_fewer_activations(tower: tuple[Any, Any]) -> None:
    one, given = tower

    def run() -> Tensor:
        features: Tensor = one(given, some_prompts(one.width))
        return features.sum()

    plain = held(run, one)
    recompute(one, True)
    assert 0 < held(run, one) < plain / 2


def test_layers_run_again_only_where_there_is_a_gradient(tower: tuple[Any, Any]) -> None:
    one, given = tower
    runs: list[int] = []
    norm = next(part for name, part in one.named_modules() if isinstance(part, nn.LayerNorm) and ".0." in name)
    hook = norm.register_forward_hook(lambda *_: runs.append(1))
    recompute(one, True)
    with torch.no_grad():
        one(given)
    assert len(runs) == 1
    gradients(one, given)
    hook.remove()
    assert len(runs) == 3


def test_towers_inside_a_module_are_found_and_there_must_be_some(tower: tuple[Any, Any]) -> None:
    one, _ = tower
    module = nn.Sequential(nn.Linear(2, 2), nn.ModuleList([one]))
    recompute(module, True)
    assert one.recompute
    recompute(module, False)
    assert not one.recompute
    recompute(nn.Linear(2, 2), False)
    with pytest.raises(UsageError, match="Linear has no tower whose layers could be recomputed; leave this off"):
        recompute(nn.Linear(2, 2), True)
