from __future__ import annotations

import pytest
import torch

from mimica.errors import UsageError
from mimica.generation.sampling import (
    LATEST,
    chunks,
    grid,
    log_prob,
    rollout,
    sample,
    sample_long,
    step_kl,
    step_stats,
    window_at,
)
from mimica.generation.settings import GuidanceSettings, SamplingSettings
from oracles import sampling_of_clips as slow
from tiny_policy import Gaussian, Kind, Tiny, some_condition

PLAIN = GuidanceSettings(weight=1)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kind", "scheme", "steps"), [("flow", "sde", 64), ("flow", "ddim", 40), ("ddim", "sde", 40)])
def test_clips_with_chance_are_spread_as_those_without(kind: Kind, scheme: str, steps: int) -> None:
    policy, condition, noise = Gaussian(kind), some_condition(512, 4), drawn(512, 4, 2, 4, 4, seed=1)
    settings = SamplingSettings(steps=steps, noise=0.6, scheme=scheme)  # type: ignore[arg-type]
    how = {"sampling": settings, "guidance": PLAIN}
    plain = rollout(policy, condition, noise, **how).clean
    g = torch.Generator().manual_seed(2)
    chance = rollout(policy, condition, noise, chance=range(steps - 1), generator=g, **how).clean
    assert chance.mean().item() == pytest.approx(plain.mean().item(), rel=0.05)
    assert chance.var().item() == pytest.approx(plain.var().item(), rel=0.05)
    assert (chance - plain).abs().mean() > 0.2, "chance has gone into them"
    assert plain.mean().item() == pytest.approx(policy.mean, rel=0.05)


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize(("kind", "scheme"), [("flow", "sde"), ("flow", "ddim"), ("ddim", "sde")])
def test_a_step_is_the_equation_of_its_paper(kind: Kind, scheme: str, number: int) -> None:
    policy, z, times = Gaussian(kind), drawn(1, 2, 1, 2, 2), grid(5, 3.0)
    settings = SamplingSettings(steps=5, noise=0.7, scheme=scheme)  # type: ignore[arg-type]
    mean, deviation = step_stats(policy, z, number, times, some_condition(1, 2), sampling=settings, guidance=PLAIN)
    now, then = times[number].item(), times[number + 1].item()
    said = policy.predict(z, times[number].view(1), some_condition(1, 2)).flatten().tolist()
    for got, value, told in zip(mean.flatten().tolist(), z.flatten().tolist(), said, strict=True):
        if kind == "ddim":
            alphas = [policy.alpha_bar(torch.tensor(t, dtype=torch.float64)).item() for t in (now, then)]
            expected = slow.ddim(value, told, alphas[0], alphas[1], 0.7)
        elif scheme == "ddim":
            expected = slow.ddim_of_flow(value, told, now, then, 0.7)
        else:
            expected = slow.flow_sde(value, told, now, then, 0.7, now if number else min(times[1].item(), LATEST))
        assert (got, deviation) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_first_step_of_a_grid_near_noise_takes_its_noise_at_a_bounded_time() -> None:
    times = grid(50, 7.0)
    assert times[1] > LATEST
    _, deviation = step_stats(
        Gaussian("flow"), drawn(1, 2, 1, 2, 2), 0, times, some_condition(1, 2),
        sampling=SamplingSettings(steps=50, noise=0.7), guidance=PLAIN,
    )  # fmt: skip
    assert deviation == pytest.approx(0.7 * (1 / (1 - LATEST) * (1 - times[1].item())) ** 0.5, rel=1e-3)


def test_the_probability_of_a_step_is_that_of_a_normal_distribution_with_its_constants() -> None:
    mean, after = drawn(3, 2, 1, 2, 2), drawn(3, 2, 1, 2, 2, seed=1)
    expected = [slow.log_density(a.flatten().tolist(), m.flatten().tolist(), 0.8) for a, m in zip(after, mean)]  # noqa: B905
    assert log_prob(after, mean, 0.8).tolist() == pytest.approx(expected, rel=1e-5)
    apart = [slow.kl(a.flatten().tolist(), m.flatten().tolist(), 0.8) for a, m in zip(after, mean)]  # noqa: B905
    assert step_kl(mean, after, 0.8).tolist() == pytest.approx(apart, rel=1e-5)


@pytest.mark.parametrize("frames", ["off", "split", "coherent"])
@pytest.mark.parametrize(("kind", "scheme"), [("flow", "sde"), ("flow", "ddim"), ("ddim", "sde")])
def test_what_a_trajectory_says_of_its_steps_is_what_they_say_again(kind: Kind, scheme: str, frames: str) -> None:
    policy = Tiny(kind)
    condition = policy.condition(torch.rand(3, 3, 8, 8), curves=torch.rand(3, 5, 4), frames=5)
    settings = SamplingSettings(steps=4, scheme=scheme)  # type: ignore[arg-type]
    guidance = GuidanceSettings(frames=frames)  # type: ignore[arg-type]
    made = rollout(
        policy, condition, policy.noise(condition), sampling=settings, guidance=guidance, chance=range(3),
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert sorted(made.log_probs) == [0, 1, 2]
    for number, told in made.log_probs.items():
        mean, deviation = step_stats(
            policy, made.latents[number], number, made.times, condition, sampling=settings, guidance=guidance
        )
        again = log_prob(made.latents[number + 1], mean, deviation)
        assert ((again - told).exp() - 1).abs().max() < 1e-4
        again.sum().backward()
        assert all(p.grad is not None for p in policy.network.parameters())


def test_the_last_step_never_has_chance() -> None:
    policy, z = Gaussian("flow"), drawn(1, 2, 1, 2, 2)
    made = rollout(policy, some_condition(1, 2), z, sampling=SamplingSettings(steps=4), guidance=PLAIN, chance=range(4))
    assert sorted(made.log_probs) == [0, 1, 2]


def test_the_same_generator_gives_the_same_bytes_and_another_does_not() -> None:
    policy, condition = Gaussian("flow"), some_condition(2, 3)

    def made(seed: int) -> bytes:
        g = torch.Generator().manual_seed(seed)
        noise = torch.randn(2, 3, 1, 2, 2, generator=g)
        how = {"sampling": SamplingSettings(steps=5), "guidance": PLAIN}
        return rollout(policy, condition, noise, chance=(0, 1), generator=g, **how).clean.numpy().tobytes()

    assert made(4) == made(4)
    assert made(4) != made(5)


def test_gradients_begin_at_the_step_that_is_named() -> None:
    policy = Tiny()
    condition = policy.condition(torch.rand(1, 3, 8, 8), frames=3)
    made = rollout(
        policy, condition, policy.noise(condition), sampling=SamplingSettings(steps=4), guidance=PLAIN, gradient_from=3
    )
    assert [one.requires_grad for one in made.latents] == [False, False, False, False, True]


def test_a_window_of_steps_moves_on_and_begins_anew() -> None:
    settings = SamplingSettings(steps=8, window=4, window_every=10)
    found = [window_at(i, settings) for i in (0, 9, 10, 30, 40)]
    assert found == [(0, 1, 2, 3), (0, 1, 2, 3), (1, 2, 3, 4), (3, 4, 5, 6), (0, 1, 2, 3)]
    assert window_at(5, SamplingSettings(steps=8)) == tuple(range(7))
    assert window_at(5, settings, steps=4) == (0, 1, 2), "a window as long as the steps is all of them"


@pytest.mark.parametrize(("frames", "chunk"), [(5, 9), (9, 9), (17, 9), (20, 9), (33, 5)])
def test_parts_of_a_long_clip_share_a_frame_at_least_and_leave_none_out(frames: int, chunk: int) -> None:
    parts = chunks(frames, chunk)
    assert parts[0][0] == 0
    assert parts[-1][1] == frames
    assert all(start <= end_before - 1 for (_, end_before), (start, _) in zip(parts, parts[1:]))  # noqa: B905, RUF007
    assert frames <= chunk or {end - start for start, end in parts} == {chunk}


def test_a_long_clip_has_all_frames_and_goes_on_where_its_parts_end() -> None:
    policy, curves = Tiny(), torch.rand(2, 12, 4)
    g = torch.Generator().manual_seed(0)
    clip = sample_long(policy, torch.rand(2, 3, 8, 8), curves, chunk=5, sampling=SamplingSettings(steps=2), generator=g)
    assert clip.shape == (2, 12, 3, 8, 8)
    first = policy.condition(torch.rand(2, 3, 8, 8), curves=curves[:, :5], frames=5)
    assert sample(policy, first, policy.noise(first)).shape == (2, 5, 3, 8, 8)


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"noise": 0.0}, {"shift": 0.0}, {"window": 8}])
def test_what_cannot_be_sampled_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        SamplingSettings(**wrong)  # type: ignore[arg-type]


def test_a_lower_temperature_begins_with_less_noise() -> None:
    policy, condition, noise = Gaussian("flow"), some_condition(2, 4), drawn(2, 4, 2, 4, 4)
    half = rollout(policy, condition, noise, sampling=SamplingSettings(temperature=0.5), guidance=PLAIN)
    same = rollout(policy, condition, 0.5 * noise, sampling=SamplingSettings(), guidance=PLAIN)
    assert torch.equal(half.latents[0], 0.5 * noise)
    assert torch.equal(half.clean, same.clean)
    with pytest.raises(UsageError, match="temperature must be 0 to 1"):
        SamplingSettings(temperature=1.5)
