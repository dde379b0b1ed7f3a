from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from mimica.recognition.duse.aggregator import Aggregator
from oracles import duse as oracle

B, T, C, D = 3, 5, 7, 16


def moved(seed: int = 0, **choices: object) -> Aggregator:
    """An aggregator with random weights, as if it had been trained."""
    torch.manual_seed(seed)
    aggregator = Aggregator(**({"dim": D} | choices))  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in aggregator.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return aggregator.requires_grad_(False)


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frame features [B, T, d], valid [B, T] with at least one frame a clip, class texts [C, d]."""
    torch.manual_seed(100 + seed)
    valid = torch.rand(B, T) < 0.6
    valid[:, seed % T] = True
    return torch.randn(B, T, D) * 3, valid, torch.randn(C, D) * 2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("heads", "attention_heads", "beta"), [(4, 8, 0.7), (1, 1, 0.0), (2, 4, 1.0)])
def test_it_is_the_aggregator_of_the_oracle(seed: int, heads: int, attention_heads: int, beta: float) -> None:
    aggregator = moved(seed, heads=heads, attention_heads=attention_heads, beta=beta)
    frames, valid, classes = inputs(seed)
    got = aggregator(frames, valid, aggregator.class_maps(classes))
    weights = {name: value.double().numpy() for name, value in aggregator.state_dict().items()}
    for b in range(B):
        feature, by_frame, by_class = oracle.aggregate(
            weights, frames[b].double().numpy(), valid[b].numpy(), classes.double().numpy(),
            heads=heads, attention_heads=attention_heads, beta=beta,
        )  # fmt: skip
        assert np.allclose(got.feature[b], feature, atol=1e-4)
        assert np.allclose(got.frames[b], by_frame, atol=1e-5)
        assert np.allclose(got.classes[b], by_class, atol=1e-5)


def test_class_maps_are_those_of_the_oracle() -> None:
    aggregator, (_, _, classes) = moved(), inputs()
    weights = {name: value.double().numpy() for name, value in aggregator.state_dict().items()}
    expected = np.stack([oracle.head_maps(weights, text, 4) for text in classes.double().numpy()], axis=1)
    assert np.allclose(aggregator.class_maps(classes), expected, atol=1e-5)


def test_all_that_was_seen_and_nothing_of_the_texts_is_in_the_feature_at_beta_1() -> None:
    aggregator = moved(beta=1.0)
    frames, valid, classes = inputs()
    first = aggregator(frames, valid, aggregator.class_maps(classes)).feature
    other = aggregator(frames, valid, aggregator.class_maps(torch.randn_like(classes))).feature
    assert torch.equal(first, other)


def test_below_beta_1_the_texts_are_in_the_feature() -> None:
    aggregator = moved(beta=0.7)
    frames, valid, classes = inputs()
    first = aggregator(frames, valid, aggregator.class_maps(classes)).feature
    other = aggregator(frames, valid, aggregator.class_maps(torch.randn_like(classes))).feature
    assert (first - other).abs().max() > 1e-2


@pytest.mark.parametrize("seed", range(4))
def test_at_beta_0_the_feature_of_a_head_lies_in_the_convex_hull_of_its_class_maps(seed: int) -> None:
    aggregator = moved(seed, heads=1, beta=0.0)
    frames, valid, classes = inputs(seed)
    corners = aggregator.class_maps(classes)
    features = aggregator(frames, valid, corners).feature
    hull = np.vstack([corners[0].double().numpy().T, np.ones(C)])
    for feature in features.double().numpy():
        for point, inside in ((feature, True), (3 * feature, False)):
            at = np.append(point, 1.0)
            # weights >= 0 that sum to 1 and give the point to within 1e-5
            found = linprog(
                np.zeros(C), A_ub=np.vstack([hull, -hull]), b_ub=np.append(at + 1e-5, 1e-5 - at), bounds=(0, None)
            )
            assert found.success is inside


def test_at_beta_0_each_heads_weights_give_its_part_of_the_feature() -> None:
    aggregator = moved(beta=0.0)
    frames, valid, classes = inputs()
    corners = aggregator.class_maps(classes)
    got = aggregator(frames, valid, corners)
    assert (got.classes >= 0).all()
    assert torch.allclose(got.classes.sum(-1), torch.ones(B, 4))
    assert torch.allclose(got.feature, torch.einsum("bnc,ncd->bnd", got.classes, corners).mean(1), atol=1e-5)


def test_frame_weights_are_shares_of_the_valid_frames() -> None:
    frames, valid, classes = inputs()
    aggregator = moved()
    weights = aggregator(frames, valid, aggregator.class_maps(classes)).frames
    assert torch.allclose(weights.sum(-1), torch.ones(B))
    assert (weights[~valid] == 0).all()
    assert (weights[valid] > 0).all()


def test_what_stands_in_a_frame_that_is_not_valid_is_without_effect() -> None:
    frames, valid, classes = inputs()
    aggregator = moved()
    other = torch.where(valid[..., None], frames, torch.randn_like(frames) * 100)
    maps = aggregator.class_maps(classes)
    assert torch.equal(aggregator(frames, valid, maps).feature, aggregator(other, valid, maps).feature)


def test_the_aggregator_itself_has_no_sense_of_order() -> None:
    frames, _, classes = inputs()
    aggregator, valid, order = moved(), torch.ones(B, T, dtype=torch.bool), torch.randperm(T)
    maps = aggregator.class_maps(classes)
    forward, shuffled = aggregator(frames, valid, maps), aggregator(frames[:, order], valid, maps)
    assert torch.allclose(forward.feature, shuffled.feature, atol=1e-5)
    assert torch.allclose(forward.frames[:, order], shuffled.frames, atol=1e-5)


def test_it_starts_as_the_mean_of_the_frames_mixed_with_the_texts_that_it_resembles() -> None:
    torch.manual_seed(0)
    aggregator = Aggregator(dim=D).requires_grad_(False)
    frames, valid, classes = inputs()
    got = aggregator(frames, valid, aggregator.class_maps(classes))
    assert torch.allclose(got.frames, valid / valid.sum(1, keepdim=True))
    seen = torch.nn.functional.normalize((frames * valid[..., None]).sum(1), dim=-1)
    texts = torch.nn.functional.normalize(classes, dim=-1)
    meant = (10 * seen @ texts.T).softmax(-1) @ texts
    assert torch.allclose(got.feature, 0.7 * seen + 0.3 * meant, atol=0.05)  # the heads start with a little noise


def test_heads_start_a_little_different_so_that_they_can_part() -> None:
    torch.manual_seed(0)
    first, second, *_ = Aggregator(dim=D).maps.weight.detach().view(4, D, D)
    assert 1e-3 < (first - second).abs().max() < 0.05
    assert (first - torch.eye(D)).abs().max() < 0.05


def test_a_sharper_scale_gives_the_nearest_class_more_of_the_weight() -> None:
    frames, valid, classes = inputs()
    soft, sharp = (moved(scale=scale) for scale in (1.0, 100.0))
    top = [a(frames, valid, a.class_maps(classes)).classes.max(-1).values for a in (soft, sharp)]
    assert (top[1] > top[0]).all()
