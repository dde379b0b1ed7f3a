from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor

from mimica.errors import UsageError
from mimica.recognition.duse.aggregator import Aggregator, Mean
from mimica.recognition.duse.config import DuseConfig, duse, duse_paper
from oracles import duse as oracle

B, T, C, D = 3, 5, 7, 16
PRESETS = {"duse": duse(), "duse-paper": duse_paper()}
CHOICES: dict[str, list[Any]] = {
    "attention": ["stable", "literal"], "projections": ["qkv", "none"], "attention_heads": [1, 2, 8],
    "order": ["sinusoid", "none"], "score": ["linear", "mlp"], "heads": [1, 3, 4], "head_maps": ["shared", "separate"],
    "normalize_inputs": [True, False], "similarity": ["cosine", "dot"], "semantic_scale": [1.0, 4.0],
    "semantic_learned": [True, False], "beta": [0.0, 0.4, 0.7, 1.0], "residual": ["mapped", "original"],
}  # fmt: skip
"""Every option that the aggregator reads, with what it may be."""

presets = pytest.mark.parametrize("preset", PRESETS)


def moved(seed: int = 0, preset: str = "duse", dim: int = D, **choices: Any) -> Aggregator:
    """An aggregator with random weights, as if it had been trained."""
    torch.manual_seed(seed)
    config = DuseConfig.from_facts(PRESETS[preset].facts() | choices)
    aggregator = Aggregator(config, dim=dim)
    with torch.no_grad():
        for weight in aggregator.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return aggregator.requires_grad_(False)


def inputs(seed: int = 0, dim: int = D) -> tuple[Tensor, Tensor, Tensor]:
    """Frame features [B, T, d], valid [B, T] with at least one frame a clip, class texts [C, d]."""
    torch.manual_seed(100 + seed)
    valid = torch.rand(B, T) < 0.6
    valid[:, seed % T] = True
    return torch.randn(B, T, dim) * 2, valid, torch.randn(C, dim)


def agrees(aggregator: Aggregator, frames: Tensor, valid: Tensor, classes: Tensor) -> None:
    """Every step of every clip is the oracle's."""
    got = aggregator(frames, valid, aggregator.class_maps(classes))
    weights = {name: value.double().numpy() for name, value in aggregator.state_dict().items()}
    options, texts = aggregator.config.facts(), list(classes.double().numpy())
    for b in range(len(frames)):
        kept = [t for t in range(frames.shape[1]) if valid[b, t]]
        there = {t: frames[b, t].double().numpy() for t in kept}
        expected = oracle.aggregate(weights, options, there, texts)
        found = {
            "moved": got.moved[b, kept], "frame_weights": got.frames[b, kept], "pooled": got.pooled[b],
            "seen": got.seen[b], "text_maps": aggregator.class_maps(classes), "class_weights": got.classes[b],
            "meant": got.meant[b], "feature": got.feature[b],
        }  # fmt: skip
        assert set(expected) == set(found)
        for name, value in found.items():
            assert np.allclose(value, expected[name], rtol=1e-4, atol=1e-4), name


@presets
@pytest.mark.parametrize("seed", range(2))
def test_it_is_the_aggregator_of_the_oracle(preset: str, seed: int) -> None:
    agrees(moved(seed, preset), *inputs(seed))


@presets
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in CHOICES.items() for value in values])
def test_it_is_the_oracles_with_each_option_changed_alone(preset: str, name: str, value: Any) -> None:
    agrees(moved(1, preset, dim=8, **{name: value}), *inputs(1, dim=8))


@settings(max_examples=40)
@given(options=st.fixed_dictionaries({n: st.sampled_from(v) for n, v in CHOICES.items()}), seed=st.integers(0, 99))
@example(options={name: values[0] for name, values in CHOICES.items()}, seed=0)
def test_it_is_the_oracles_with_any_options_together(options: dict[str, Any], seed: int) -> None:
    agrees(moved(seed, dim=8, **options), *inputs(seed, dim=8))


@presets
@pytest.mark.parametrize("name", CHOICES)
def test_every_option_is_felt_by_the_oracle(preset: str, name: str) -> None:
    weights: dict[str, np.ndarray] = {}
    for choices in ({"score": "mlp"}, {"projections": "qkv", "attention": "stable", "order": "sinusoid"}):
        other = moved(0, preset, head_maps="separate", semantic_learned=True, **choices)
        weights |= {key: value.double().numpy() for key, value in other.state_dict().items()}
    frames, _, classes = (value.double().numpy() for value in inputs())
    there = dict(enumerate(frames[0]))
    told = []
    for value in CHOICES[name]:
        options = PRESETS[preset].facts() | {"semantic_learned": False, name: value}
        cut = {key: value[: options["heads"] * D] if "maps" in key else value for key, value in weights.items()}
        told.append(oracle.aggregate(cut, options, there, list(classes))["feature"])
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(told) for b in told[:i])


@presets
def test_all_that_was_seen_and_nothing_of_the_texts_is_in_the_feature_at_beta_1(preset: str) -> None:
    frames, valid, classes = inputs()
    for beta, same in ((1.0, True), (0.7, False)):
        aggregator = moved(0, preset, beta=beta)
        first = aggregator(frames, valid, aggregator.class_maps(classes)).feature
        other = aggregator(frames, valid, aggregator.class_maps(torch.randn_like(classes))).feature
        assert torch.equal(first, other) is same


def inside(point: np.ndarray, corners: np.ndarray) -> bool:
    """Whether weights >= 0 that sum to 1 give the point of the corners to within 1e-5."""
    hull = np.vstack([corners.T, np.ones(len(corners))])
    at = np.append(point, 1.0)
    bounds = np.append(at + 1e-5, 1e-5 - at)
    found = linprog(np.zeros(len(corners)), A_ub=np.vstack([hull, -hull]), b_ub=bounds, bounds=(0, None))
    return bool(found.success)


@presets
@pytest.mark.parametrize("choices", [{}, {"head_maps": "separate"}, {"residual": "original"}], ids=str)
def test_at_beta_0_each_head_is_in_the_convex_hull_of_its_class_maps(preset: str, choices: dict[str, str]) -> None:
    aggregator = moved(0, preset, beta=0.0, **choices)
    frames, valid, classes = inputs()
    corners = aggregator.class_maps(classes)
    got = aggregator(frames, valid, corners)
    assert torch.allclose(got.feature, got.meant.mean(1), atol=1e-6)
    for b in range(B):
        for h in range(4):
            point, hull = got.meant[b, h].double().numpy(), corners[h].double().numpy()
            assert inside(point, hull)
            assert not inside(3 * point, hull)
            assert not inside(point, corners[h - 1].double().numpy()), "of another head"


@presets
def test_frame_weights_are_shares_of_the_valid_frames(preset: str) -> None:
    frames, valid, classes = inputs()
    aggregator = moved(0, preset)
    weights = aggregator(frames, valid, aggregator.class_maps(classes)).frames
    assert torch.allclose(weights.sum(-1), torch.ones(B))
    assert (weights[~valid] == 0).all()
    assert (weights[valid] > 0).all()


@presets
def test_what_stands_in_a_frame_that_is_not_valid_is_without_effect(preset: str) -> None:
    frames, valid, classes = inputs()
    aggregator = moved(0, preset)
    other = torch.where(valid[..., None], frames, torch.randn_like(frames) * 100)
    maps = aggregator.class_maps(classes)
    assert torch.equal(aggregator(frames, valid, maps).feature, aggregator(other, valid, maps).feature)


@presets
def test_a_clip_without_a_frame_is_read_as_if_of_nothing(preset: str) -> None:
    frames, valid, classes = inputs()
    valid[1] = False
    frames = frames * valid[..., None]
    aggregator = moved(0, preset)
    got = aggregator(frames, valid, aggregator.class_maps(classes))
    for value in (got.moved, got.frames, got.pooled, got.seen, got.meant, got.classes, got.feature):
        assert value.isfinite().all()
    assert torch.allclose(got.frames.sum(-1), torch.ones(B))


@presets
@pytest.mark.parametrize("order", ["none", "sinusoid"])
def test_the_aggregator_has_a_sense_of_order_only_where_it_is_told(preset: str, order: str) -> None:
    frames, _, classes = inputs()
    aggregator, valid = moved(0, preset, order=order), torch.ones(B, T, dtype=torch.bool)
    places, maps = torch.tensor([2, 0, 4, 1, 3]), aggregator.class_maps(classes)
    forward, shuffled = aggregator(frames, valid, maps), aggregator(frames[:, places], valid, maps)
    same = torch.allclose(forward.feature, shuffled.feature, atol=1e-4)
    assert same is (order == "none")
    if same:
        assert torch.allclose(forward.frames[:, places], shuffled.frames, atol=1e-4)
    else:
        assert (forward.feature - shuffled.feature).abs().max() > 1e-3


def test_it_starts_as_the_mean_of_the_frames_mixed_with_the_texts_that_it_resembles() -> None:
    torch.manual_seed(0)
    aggregator = Aggregator(duse(), dim=D).requires_grad_(False)
    frames, valid, classes = inputs()
    got = aggregator(frames, valid, aggregator.class_maps(classes))
    assert torch.equal(got.moved, frames)
    assert torch.allclose(got.frames, valid / valid.sum(1, keepdim=True))
    seen = torch.nn.functional.normalize((frames * valid[..., None]).sum(1), dim=-1)
    texts = torch.nn.functional.normalize(classes, dim=-1)
    meant = (10 * seen @ texts.T).softmax(-1) @ texts
    assert torch.allclose(got.feature, 0.7 * seen + 0.3 * meant, atol=0.05)  # the heads start with a little noise


@presets
@pytest.mark.parametrize("score", ["linear", "mlp"])
def test_all_frames_start_with_the_same_weight(preset: str, score: str) -> None:
    torch.manual_seed(0)
    aggregator = Aggregator(DuseConfig.from_facts(PRESETS[preset].facts() | {"score": score}), dim=D)
    frames, valid, classes = inputs()
    got = aggregator(frames, valid, aggregator.class_maps(classes))
    assert torch.allclose(got.frames, valid / valid.sum(1, keepdim=True))


@pytest.mark.parametrize("maps", ["maps", "text_maps"])
def test_heads_start_a_little_different_so_that_they_can_part(maps: str) -> None:
    torch.manual_seed(0)
    aggregator = Aggregator(DuseConfig(head_maps="separate"), dim=D)
    first, second, *_ = getattr(aggregator, maps).weight.detach().view(4, D, D)
    assert 1e-3 < (first - second).abs().max() < 0.05
    assert (first - torch.eye(D)).abs().max() < 0.05


def test_a_sharper_scale_gives_the_nearest_class_more_of_the_weight() -> None:
    frames, valid, classes = inputs()
    soft, sharp = (moved(semantic_scale=scale) for scale in (1.0, 100.0))
    top = [a(frames, valid, a.class_maps(classes)).classes.max(-1).values for a in (soft, sharp)]
    assert (top[1] > top[0]).all()


def test_heads_of_attention_must_divide_the_joint_dimension() -> None:
    with pytest.raises(UsageError) as caught:
        Aggregator(DuseConfig(attention_heads=8), dim=12)
    assert str(caught.value) == (
        "attention_heads of DuSE must divide the encoder's 12 dimensions, got 8; choose from 1, 2, 4"
    )


def test_in_its_stead_stands_the_mean_of_the_valid_frames() -> None:
    frames, valid, classes = inputs()
    got = Mean()(frames * valid[..., None], valid, Mean().class_maps(classes))
    for b in range(B):
        assert torch.allclose(got.feature[b], frames[b][valid[b]].mean(0), atol=1e-6)
    assert torch.allclose(got.frames, valid / valid.sum(1, keepdim=True))
    assert (got.seen, got.meant, got.classes) == (None, None, None)
