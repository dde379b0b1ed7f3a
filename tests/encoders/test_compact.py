from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimica.encoders.compact import CompactConfig, CompactVision, by_own_light, standard_greys
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import freeze
from mimica.errors import UsageError

L = 1 + 36  # the class token and the patches of 48 pixels


@pytest.fixture
def vision(tiny_encoder: Path) -> CompactVision:
    tower, _, _ = load_encoder(tiny_encoder)
    return freeze(tower)  # type: ignore[return-value]


@pytest.fixture
def images(vision: CompactVision) -> Tensor:
    return vision.normalise(torch.rand(5, 3, 48, 48, generator=torch.Generator().manual_seed(0)))


def some_prompts(layers: int, items: int = 1, width: int = 32) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.randn(items, 4, width, generator=random) for _ in range(layers)]


def test_the_compact_encoder_has_the_shape_that_its_file_states() -> None:
    config = CompactConfig(size=32, entry=4, stem=(4, 4, 8), width=16, layers=2, heads=2, dim=8)
    assert CompactConfig.from_facts(config.facts() | {"stem": [4, 4, 8]}) == config
    tower = CompactVision(config).eval()
    assert (tower.size, tower.width, tower.layers, tower.dim) == (32, 16, 2, 8)
    assert tower(torch.rand(3, 3, 32, 32)).shape == (3, 8)


def test_the_shipped_shape_has_about_three_million_weights() -> None:
    with torch.device("meta"):
        tower = CompactVision()
    assert 2.7e6 < sum(p.numel() for p in tower.parameters()) < 2.9e6


@pytest.mark.parametrize("size", [48, 44, 41])
def test_sides_that_are_no_multiple_of_eight_fit_too(size: int) -> None:
    tower = CompactVision(CompactConfig(size=size, entry=4, stem=(4, 4, 8), width=16, layers=1, heads=2, dim=8)).eval()
    assert tower(torch.rand(1, 3, size, size)).isfinite().all()


def test_normalised_pictures_have_mean_0_and_deviation_1_and_are_grey(vision: CompactVision) -> None:
    pictures = vision.normalise(torch.rand(2, 4, 3, 48, 48))
    assert torch.equal(pictures[..., 0, :, :], pictures[..., 1, :, :])
    assert pictures.mean((-2, -1)).abs().max() < 1e-5
    assert pictures.std((-2, -1)).sub(1).abs().max() < 0.15  # the deviation that is added keeps flat pictures quiet


def test_light_and_contrast_hardly_change_what_is_seen(vision: CompactVision) -> None:
    picture = torch.rand(1, 3, 48, 48)
    brighter = vision(vision.normalise(0.5 * picture + 0.4))
    assert torch.nn.functional.cosine_similarity(brighter, vision(vision.normalise(picture))).item() > 0.99


def test_a_flat_picture_is_no_division_by_zero(vision: CompactVision) -> None:
    assert vision(vision.normalise(torch.full((1, 3, 48, 48), 0.3))).isfinite().all()


def test_hue_has_no_effect_where_the_grey_is_the_same(vision: CompactVision) -> None:
    red, green = torch.zeros(1, 3, 48, 48), torch.zeros(1, 3, 48, 48)
    shade = torch.rand(48, 48)
    red[:, 0], green[:, 1] = shade * 0.587, shade * 0.299
    assert torch.allclose(vision.normalise(red), vision.normalise(green), atol=1e-5)


def test_a_picture_is_read_the_same_alone_and_in_a_batch(vision: CompactVision, images: Tensor) -> None:
    together = vision(images, some_prompts(2))
    alone = torch.cat([vision(image[None], some_prompts(2)) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_prompts_enter_their_layer_and_their_places_are_dropped_after_it(
    vision: CompactVision, images: Tensor, layers: int
) -> None:
    entered: list[int] = []
    left: list[int] = []
    for block in vision.blocks:
        block.register_forward_pre_hook(lambda _, given: entered.append(given[0].shape[1]))
        block.register_forward_hook(lambda _, __, out: left.append(out.shape[1]))
    vision(images, some_prompts(layers))
    assert entered == [L + 4] * layers + [L] * (3 - layers)
    assert left == entered  # a layer itself drops nothing: the tower does


def test_what_comes_out_at_the_places_of_prompts_is_without_effect(vision: CompactVision, images: Tensor) -> None:
    expected = vision(images, some_prompts(3))

    def spoil(_: nn.Module, __: object, out: Tensor) -> Tensor:
        return torch.cat([out[:, :L], torch.randn_like(out[:, L:]) * 100], dim=1)

    for block in vision.blocks:
        block.register_forward_hook(spoil)
    assert torch.equal(vision(images, some_prompts(3)), expected)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_prompts_of_every_layer_change_the_feature(vision: CompactVision, images: Tensor, layer: int) -> None:
    prompts = some_prompts(3)
    before = vision(images, prompts)
    prompts[layer] = -prompts[layer]
    assert (vision(images, prompts) - before).abs().max() > 1e-3


def test_the_last_prompts_may_be_carried_on_instead(vision: CompactVision, images: Tensor) -> None:
    entered: list[int] = []
    for block in vision.blocks:
        block.register_forward_pre_hook(lambda _, given: entered.append(given[0].shape[1]))
    carried = vision(images, some_prompts(1), after="carry")
    assert entered == [L + 4] * 3
    assert (carried - vision(images, some_prompts(1))).abs().max() > 1e-3


@pytest.mark.parametrize("after", ["drop", "carry"])
def test_any_layers_tokens_are_to_be_had_without_the_places_of_prompts(
    vision: CompactVision, images: Tensor, after: Any
) -> None:
    tokens = vision.layer_tokens(images, some_prompts(2), layers=[0, 2, 3], after=after)
    assert {number: t.shape for number, t in tokens.items()} == dict.fromkeys([0, 2, 3], (5, L, 32))
    assert torch.equal(tokens[0], vision.tokens(images))
    assert torch.equal(vision.project(vision.norm(tokens[3][:, 0])), vision(images, some_prompts(2), after=after))
    with pytest.raises(UsageError, match="no layer 4"):
        vision.layer_tokens(images, layers=[4])


def test_features_and_what_is_taken_of_some_layers_come_of_one_pass(vision: CompactVision, images: Tensor) -> None:
    runs = []
    hook = vision.blocks[0].register_forward_hook(lambda *_: runs.append(1))
    features, taken = vision.with_layers(images, layers=[0, 2], take=lambda tokens: tokens[:, 1:].mean(1))
    hook.remove()
    assert runs == [1]
    assert torch.equal(features, vision(images))
    for layer, tokens in vision.layer_tokens(images, layers=[0, 2]).items():
        assert torch.equal(taken[layer], tokens[:, 1:].mean(1))
    with pytest.raises(UsageError, match="no layer 4"):
        vision.with_layers(images, layers=[4], take=lambda tokens: tokens)


def test_each_picture_may_have_prompts_of_its_own(vision: CompactVision, images: Tensor) -> None:
    prompts = some_prompts(1, items=5)
    together = vision(images, prompts)
    alone = [vision(images[i : i + 1], [prompts[0][i : i + 1]])[0] for i in range(5)]
    assert torch.allclose(together, torch.stack(alone), atol=1e-5)


def test_the_order_of_a_layers_prompts_is_without_effect(vision: CompactVision, images: Tensor) -> None:
    turned = [prompt.flip(1) for prompt in some_prompts(2)]
    assert torch.allclose(vision(images, some_prompts(2)), vision(images, turned), atol=1e-5)


def test_a_frozen_tower_passes_gradients_to_prompts_and_keeps_none(vision: CompactVision, images: Tensor) -> None:
    prompts = [prompt.requires_grad_() for prompt in some_prompts(3)]
    vision(images, prompts).square().sum().backward()
    assert all(prompt.grad is not None and prompt.grad.abs().max() > 0 for prompt in prompts)
    assert all(p.grad is None for p in vision.parameters())


def test_a_tower_that_learns_has_gradients_down_to_its_stem() -> None:
    tower = CompactVision(CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=1, heads=2, dim=8))
    tower(tower.normalise(torch.rand(4, 3, 48, 48))).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in tower.parameters())
    assert tower.stem[0].weight.grad.abs().max() > 0  # type: ignore[union-attr]


@pytest.mark.parametrize("pictures", [torch.rand(3, 3, 48, 48), torch.rand(3, 1, 48, 48).expand(-1, 3, -1, -1)])
def test_a_tower_of_greys_that_is_made_to_read_colour_sees_what_it_saw(vision: CompactVision, pictures: Tensor) -> None:
    coloured = vision.coloured()
    assert coloured.config.colour
    assert torch.allclose(coloured(coloured.normalise(pictures)), vision(vision.normalise(pictures)), atol=1e-3)


def test_a_tower_that_reads_colour_tells_hue_and_light_apart(vision: CompactVision) -> None:
    coloured = vision.coloured()
    torch.manual_seed(0)
    torch.nn.init.normal_(coloured.stem[0].weight, std=0.3)  # type: ignore[arg-type]
    shade = torch.rand(1, 48, 48)
    red, green = torch.zeros(1, 3, 48, 48), torch.zeros(1, 3, 48, 48)
    red[:, 0], green[:, 1] = shade * 0.587, shade * 0.299
    seen = [coloured(coloured.normalise(picture)) for picture in (red, green, green * 0.4)]
    assert not torch.allclose(seen[0], seen[1], atol=1e-2)
    assert not torch.allclose(seen[1], seen[2], atol=1e-2)


def test_what_a_tower_of_colour_reads_is_the_picture_by_its_own_light_and_that_light() -> None:
    pictures = torch.rand(2, 3, 8, 8)
    read = by_own_light(2 * pictures - 1)
    greys = (pictures * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    assert torch.allclose((read[:, :3] * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1),
                          standard_greys(pictures)[:, 0], atol=1e-5)  # fmt: skip
    assert torch.allclose(read[:, 3], 2 * greys.mean((1, 2), keepdim=True).expand(-1, 8, 8) - 1, atol=1e-5)


def test_a_config_of_before_there_was_colour_reads_greys() -> None:
    facts = CompactConfig().facts()
    del facts["colour"]
    assert not CompactConfig.from_facts(facts).colour
