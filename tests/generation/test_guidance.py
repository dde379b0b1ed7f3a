from __future__ import annotations

import pytest
import torch

from mimica.errors import UsageError
from mimica.generation.diffusion.policy import Condition, Seen
from mimica.generation.guidance import clean_of, coherent, frame_weights, guided, predicted_of
from mimica.generation.settings import GuidanceSettings
from oracles import sampling_of_clips as slow
from tiny_policy import Gaussian, Kind, Tiny, some_condition


def conditioned(policy: Tiny, frames: int = 5) -> Condition:
    g = torch.Generator().manual_seed(3)
    curves = torch.rand(2, frames, 4, generator=g)
    return policy.condition(torch.rand(2, 3, 8, 8, generator=g), curves=curves, frames=frames)


@pytest.mark.parametrize("anchored", [0, 3])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_frames_are_held_together_as_the_dense_system_says(anchored: int, frames: int) -> None:
    condition = some_condition(2, frames, anchored=anchored)
    clean = torch.randn(2, frames, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    held = coherent(clean, condition, strength=0.7, scale=0.5)
    for b in range(2):
        for place in range(12):
            still = None if condition.anchor is None else condition.anchor[b].flatten()[place].item()
            start = 0.0 if condition.start is None else condition.start[b].item()
            expected = slow.coherent(
                clean[b].flatten(1)[:, place].tolist(), condition.change[b].tolist(), 0.7, 0.5, start=start, still=still
            )
            assert held[b].flatten(1)[:, place].tolist() == pytest.approx(expected, abs=1e-5)


def test_coherence_smooths_where_the_plan_is_still_and_not_where_it_moves() -> None:
    change = torch.tensor([[0.0, 0.0, 9.0, 0.0]])
    condition = Condition(tensors={}, activation=torch.zeros(1, 5), change=change)
    clean = torch.tensor([0.0, 1.0, 0.0, 5.0, 6.0]).view(1, 5, 1, 1, 1)
    steps = coherent(clean, condition, strength=2.0, scale=0.5).flatten().diff()
    assert steps[0].abs() < 0.5
    assert steps[1].abs() < 0.5
    assert steps[2] > 4.9
    assert coherent(clean, condition, strength=0.0, scale=0.5).flatten().tolist() == clean.flatten().tolist()


def test_gradients_go_through_coherence() -> None:
    clean = torch.randn(1, 4, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    condition = some_condition(1, 4)
    condition = Condition(tensors={}, activation=condition.activation.double(), change=condition.change.double())
    held = coherent(clean.float(), condition, strength=0.5, scale=0.5)
    held.square().sum().backward()
    assert clean.grad is not None
    assert (clean.grad.abs() > 0).all()


def test_a_still_pulls_the_first_frame_where_the_plan_begins_at_rest() -> None:
    clean = torch.ones(2, 3, 1, 2, 2)
    condition = Condition(
        tensors={}, activation=torch.zeros(2, 3), change=torch.full((2, 2), 9.0), start=torch.tensor([0.0, 9.0]),
        anchor=torch.zeros(2, 1, 2, 2),
    )  # fmt: skip
    held = coherent(clean, condition, strength=1.0, scale=0.5)
    assert held[0, 0].mean().item() == pytest.approx(0.5, abs=1e-4)
    assert held[1, 0].mean().item() == pytest.approx(1.0, abs=1e-4)


def test_weights_of_frames_are_those_of_their_formulas() -> None:
    activation = torch.tensor([[0.0, 0.5, 1.0, 0.2]])
    image, text = frame_weights(activation, GuidanceSettings(frames="split", image_weight=1.5, text_weight=5.0))
    assert image[0].tolist() == pytest.approx([1.0] + [1.5 * (1 - 0.3 * tau / 4) for tau in range(1, 4)])
    assert text[0].tolist() == pytest.approx([1.0] + [5.0 * (0.5 + 0.5 * a) for a in activation[0, 1:].tolist()])


@pytest.mark.parametrize("kind", ["flow", "ddim"])
def test_split_guidance_is_the_sum_of_what_each_condition_adds(kind: Kind) -> None:
    policy = Tiny(kind)
    condition, z, t = conditioned(policy), torch.randn(2, 5, 3, 8, 8), torch.full((2,), 0.6)
    settings = GuidanceSettings(frames="split")
    nothing, image, everything = (policy.predict(z, t, condition, seen=seen) for seen in ("nothing", "image", "all"))
    found = guided(policy, z, 0.6, condition, settings)
    w_image, w_text = frame_weights(condition.activation, settings)
    for b in range(2):
        for tau in range(5):
            v0, v1, v2 = nothing[b, tau], image[b, tau], everything[b, tau]
            expected = v0 + w_image[b, tau] * (v1 - v0) + w_text[b, tau] * (v2 - v1)
            assert torch.allclose(found[b, tau], expected, atol=1e-5)


@pytest.mark.parametrize("frames", ["off", "split"])
def test_a_first_frame_that_leads_to_the_still_does_so_with_guidance(frames: str) -> None:
    class Led(Tiny):
        def predict(
            self, latents: torch.Tensor, t: torch.Tensor, condition: Condition, *, seen: Seen = "all"
        ) -> torch.Tensor:
            found = super().predict(latents, t, condition, seen=seen)
            to_still = (latents[:, :1] - condition.tensors["still"][:, None]) / t.view(-1, 1, 1, 1, 1)
            return found if seen == "nothing" else torch.cat([to_still, found[:, 1:]], 1)

    policy = Led()
    condition, z = conditioned(policy), torch.randn(2, 5, 3, 8, 8)
    found = guided(policy, z, 0.6, condition, GuidanceSettings(frames=frames, weight=3))  # type: ignore[arg-type]
    assert torch.allclose(clean_of(policy, z, found, 0.6)[:, 0], condition.tensors["still"], atol=1e-5)


@pytest.mark.parametrize("kind", ["flow", "ddim"])
def test_coherent_guidance_leads_to_the_clip_that_coherence_gives(kind: Kind) -> None:
    policy = Tiny(kind)
    condition, z = conditioned(policy), torch.randn(2, 5, 3, 8, 8)
    split = guided(policy, z, 0.4, condition, GuidanceSettings(frames="split"))
    found = guided(policy, z, 0.4, condition, GuidanceSettings(frames="coherent", coherence=0.3))
    expected = coherent(clean_of(policy, z, split, 0.4), condition, strength=0.3 * 0.6, scale=0.5)
    assert torch.allclose(clean_of(policy, z, found, 0.4), expected, atol=1e-4)
    at_noise = guided(policy, z, 1.0, condition, GuidanceSettings(frames="coherent"))
    assert torch.equal(at_noise, guided(policy, z, 1.0, condition, GuidanceSettings(frames="split")))


@pytest.mark.parametrize("kind", ["flow", "ddim"])
def test_a_prediction_and_the_clip_it_leads_to_say_the_same(kind: Kind) -> None:
    policy, z = Gaussian(kind), torch.randn(1, 2, 1, 2, 2)
    told = policy.predict(z, torch.tensor([0.7]), some_condition(1, 2))
    assert torch.allclose(predicted_of(policy, z, clean_of(policy, z, told, 0.7), 0.7), told, atol=1e-5)


def test_one_weight_for_all_frames_is_plain_guidance_and_of_one_it_is_none() -> None:
    policy = Tiny()
    condition, z, t = conditioned(policy), torch.randn(2, 5, 3, 8, 8), torch.full((2,), 0.6)
    still, everything = (policy.predict(z, t, condition, seen=seen) for seen in ("image", "all"))
    plain = guided(policy, z, 0.6, condition, GuidanceSettings(weight=3))
    assert torch.allclose(plain, still + 3 * (everything - still), atol=1e-6)
    assert torch.equal(guided(policy, z, 0.6, condition, GuidanceSettings(weight=1)), everything)
    found = [GuidanceSettings(weight=1), GuidanceSettings(), GuidanceSettings(frames="split")]
    assert [one.passes for one in found] == [1, 2, 3]


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"coherence": -0.1}, {"change_scale": 0.0}])
def test_guidance_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        GuidanceSettings(**wrong)  # type: ignore[arg-type]
