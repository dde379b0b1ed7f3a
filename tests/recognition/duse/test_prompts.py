from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mimica.errors import UsageError
from mimica.recognition.duse.prompts import PromptCluster, prompted_layers, sinusoid, timed
from oracles import duse as oracle


@pytest.mark.parametrize(
    ("depth", "vision", "text", "layers"),
    [
        ("shallow", 12, 12, 1), ("normal", 12, 12, 4), ("deep", 12, 12, 8),  # ViT-B/32 and B/16
        ("shallow", 24, 12, 1), ("normal", 24, 12, 8),  # ViT-L/14
        ("normal", 4, 6, 1), ("deep", 4, 6, 3), ("shallow", 2, 2, 1), ("normal", 1, 1, 1),
        (0, 12, 12, 0), (5, 24, 12, 5), (12, 24, 12, 12),
    ],
)  # fmt: skip
def test_depth_is_a_share_of_the_vision_layers_or_the_number_itself(
    depth: str | int, vision: int, text: int, layers: int
) -> None:
    assert prompted_layers(depth, vision_layers=vision, text_layers=text) == layers


def test_deep_prompts_do_not_fit_a_large_vision_tower_beside_a_shallow_text_tower() -> None:
    with pytest.raises(UsageError) as caught:
        prompted_layers("deep", vision_layers=24, text_layers=12)
    reasons = "depth deep means 16 prompted layers", "couples a vision layer to a text layer", "24 and 12", "0 to 12"
    assert all(reason in str(caught.value) for reason in reasons)


@pytest.mark.parametrize("depth", [-1, 13])
def test_a_number_of_layers_that_the_towers_have_not_is_refused(depth: int) -> None:
    with pytest.raises(UsageError, match="choose a number from 0 to 12"):
        prompted_layers(depth, vision_layers=12, text_layers=12)


def test_an_unknown_depth_is_met_with_the_choices() -> None:
    with pytest.raises(UsageError, match=r"unknown depth 'deeep'.*deep"):
        prompted_layers("deeep", vision_layers=12, text_layers=12)


@pytest.mark.parametrize("width", [2, 7, 32])
def test_the_position_code_is_the_sinusoid_of_the_oracle(width: int) -> None:
    expected = np.stack([oracle.position(t, width) for t in range(20)])
    assert np.allclose(sinusoid(20, width).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_vision_prompts_are_those_of_the_oracle(seed: int) -> None:
    torch.manual_seed(seed)
    cluster = PromptCluster(layers=3, tokens=2, text_width=8, vision_width=6)
    for weight in cluster.couple.parameters():
        torch.nn.init.normal_(weight)
    weights = {name: value.double().numpy() for name, value in cluster.couple.state_dict().items()}
    expected = oracle.coupled(weights, cluster.text.detach().double().numpy())
    assert np.allclose(cluster.vision_prompts().detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_every_frame_is_told_its_place_in_the_first_layer_only(seed: int) -> None:
    torch.manual_seed(seed)
    prompts, scale = torch.randn(3, 2, 6), torch.rand(())
    frame = torch.tensor([0, 1, 2, 0, 7])
    entered = timed(prompts, scale, frame)
    assert [p.shape[0] for p in entered] == [5, 1, 1]
    for i, t in enumerate(frame.tolist()):
        expected = oracle.prompts_of_frame(prompts.double().numpy(), float(scale), t)
        got = torch.stack([layer.expand(5, -1, -1)[i] for layer in entered])
        assert np.allclose(got.numpy(), expected, atol=1e-5)


def test_without_prompted_layers_there_are_no_prompts() -> None:
    cluster = PromptCluster(layers=0, tokens=4, text_width=8, vision_width=6)
    assert cluster.text_prompts() == []
    assert timed(cluster.vision_prompts(), cluster.time_scale, torch.arange(3)) == []


def test_text_prompts_are_the_only_prompts_that_are_learned() -> None:
    cluster = PromptCluster(layers=3, tokens=4, text_width=8, vision_width=6)
    names = {name for name, _ in cluster.named_parameters()}
    assert names == {"text", "time_scale", "couple.0.weight", "couple.0.bias", "couple.2.weight", "couple.2.bias"}
    assert [tuple(p.shape) for p in cluster.text_prompts()] == [(1, 4, 8)] * 3


def test_one_map_is_shared_by_all_layers() -> None:
    cluster = PromptCluster(layers=2, tokens=4, text_width=8, vision_width=6)
    with torch.no_grad():
        cluster.text[1] = cluster.text[0]
    assert torch.equal(*cluster.vision_prompts())


def test_the_prompts_of_a_layer_start_out_different_from_each_other() -> None:
    torch.manual_seed(0)
    prompts = PromptCluster(layers=1, tokens=8, text_width=384, vision_width=192).vision_prompts()[0].detach()
    alike = torch.nn.functional.cosine_similarity(prompts[:, None], prompts[None], dim=-1)
    assert alike[~torch.eye(8, dtype=torch.bool)].max() < 0.6


def test_time_at_its_printed_scale_would_drown_the_prompts() -> None:
    torch.manual_seed(0)
    cluster = PromptCluster(layers=1, tokens=8, text_width=384, vision_width=192)
    prompts = cluster.vision_prompts().detach()
    ours, printed = (timed(prompts, scale, torch.tensor([3]))[0][0] for scale in (cluster.time_scale, torch.ones(())))
    alike = [torch.nn.functional.cosine_similarity(told[:1], told[1:], dim=-1) for told in (ours, printed)]
    assert alike[0].max() < 0.96
    assert alike[1].min() > 0.999


def test_the_position_of_time_has_unit_norm_per_pair() -> None:
    assert torch.allclose(sinusoid(16, 192).norm(dim=-1), torch.tensor(math.sqrt(96)))
