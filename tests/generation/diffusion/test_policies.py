"""What the protocol asks of every generator: our own, and tiny builds of those of diffusers made from code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mimica.errors import UsageError
from mimica.generation.diffusion.policy import Condition, Policy, Seen, along
from mimica.generation.sampling import sample
from mimica.generation.settings import SamplingSettings
from tiny_generator import tiny_generator

SEEN: tuple[Seen, ...] = ("nothing", "image", "all")


def _hub(name: str) -> Policy:
    pytest.importorskip("diffusers", reason="needs diffusers, which is in the extra [generate]")
    pytest.importorskip("ftfy", reason="needs ftfy, which is in the extra [generate]")
    import tiny_pipelines
    from mimica.generation.diffusion.cogvideox import CogVideoX
    from mimica.generation.diffusion.ltx import Ltx
    from mimica.generation.diffusion.wan import Wan

    kinds: dict[str, Any] = {"wan": (Wan, 32), "ltx": (Ltx, 64), "cogvideox": (CogVideoX, 32)}
    kind, size = kinds[name]
    made: Policy = kind(getattr(tiny_pipelines, name)(), size=size)
    return made


MADE: dict[str, Callable[[], Policy]] = {
    "tiny": tiny_generator, "wan": lambda: _hub("wan"), "ltx": lambda: _hub("ltx"),
    "cogvideox": lambda: _hub("cogvideox"),
}  # fmt: skip


@pytest.fixture(scope="module", params=MADE)
def policy(request: pytest.FixtureRequest) -> Policy:
    return MADE[request.param]()


@pytest.fixture(scope="module")
def condition(policy: Policy) -> Condition:
    T, random = policy.frames(9), torch.Generator().manual_seed(0)
    curves = torch.rand(2, T, 17, generator=random)
    images = torch.rand(2, 3, 40, 40, generator=random)
    with torch.no_grad():
        return policy.condition(images, curves=curves, prompts=["a face", "the brows are raised"], frames=T)


def test_what_is_stated_of_a_clip_has_one_shape_throughout(policy: Policy, condition: Condition) -> None:
    z = policy.noise(condition)
    B, F = z.shape[:2]
    assert z.dtype == torch.float32
    assert tuple(condition.activation.shape) == (B, F)
    assert condition.change.shape == (B, F - 1)
    assert condition.start is not None
    assert condition.anchor is not None
    assert condition.start.shape == (B,)
    assert condition.anchor.shape == (B, *z.shape[2:])
    assert all(len(tensor) == B for tensor in condition.tensors.values())
    assert 0 < float(condition.activation.min()) < float(condition.activation.max()) < 1
    assert float(condition.change.min()) > 0
    for seen in SEEN:
        with torch.no_grad():
            found = policy.predict(z, torch.tensor([0.2, 0.9]), condition, seen=seen)
        assert found.shape == z.shape
        assert found.dtype == torch.float32
        assert found.isfinite().all()


def test_the_same_seed_gives_the_same_noise_and_the_same_clip(policy: Policy, condition: Condition) -> None:
    one, same, other = (policy.noise(condition, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    noises = [policy.noise(condition, torch.Generator().manual_seed(3)) for _ in range(2)]
    clips = [sample(policy, condition, noise, sampling=SamplingSettings(steps=2)) for noise in noises]
    assert torch.equal(*clips)
    assert clips[0].shape[:3] == (2, policy.frames(9), 3)
    assert 0 <= float(clips[0].min()) <= float(clips[0].max()) <= 1


def test_a_prediction_changes_with_the_still_and_with_what_is_wanted_of_it(
    policy: Policy, condition: Condition
) -> None:
    z, t = policy.noise(condition, torch.Generator().manual_seed(1)), torch.tensor([0.5, 0.5])
    with torch.no_grad():
        found = [policy.predict(z, t, condition, seen=seen)[:, 1:] for seen in SEEN]
    for a in range(3):
        for b in range(a):
            assert (found[a] - found[b]).abs().max() > 1e-4, (SEEN[a], SEEN[b])


def test_a_condition_taken_by_place_is_that_of_its_clip(policy: Policy, condition: Condition) -> None:
    z, t = policy.noise(condition, torch.Generator().manual_seed(1)), torch.tensor([0.3, 0.6])
    turned = condition.take(torch.tensor([1, 0, 1]))
    with torch.no_grad():
        straight = policy.predict(z, t, condition)
        found = policy.predict(z[[1, 0, 1]], t[[1, 0, 1]], turned)
    torch.testing.assert_close(found, straight[[1, 0, 1]], atol=1e-4, rtol=1e-3)


def test_latents_of_a_clip_have_the_shape_of_noise_and_become_a_clip_again(
    policy: Policy, condition: Condition
) -> None:
    clips = torch.rand(2, policy.frames(9), 3, policy.size, policy.size)
    with torch.no_grad():
        z = policy.encode(clips)
        again = policy.decode(z, condition)
    assert z.shape == policy.noise(condition).shape
    assert again.shape == clips.shape


def test_a_clip_tells_its_latents_how_to_become_another(policy: Policy, condition: Condition) -> None:
    z = (0.1 * policy.noise(condition, torch.Generator().manual_seed(1))).requires_grad_()
    policy.decode(z, condition)[:, -1].square().sum().backward()
    assert z.grad is not None
    assert float(z.grad.abs().sum()) > 0


def test_less_and_less_of_a_clip_is_left_as_time_goes_to_noise(policy: Policy) -> None:
    kept = policy.alpha_bar(torch.linspace(0, 1, 21))
    assert float(kept[0]) == pytest.approx(1.0)
    assert float(kept[-1]) < 1e-3
    assert (kept.diff() < 0).all()


def test_frames_are_the_nearest_that_can_be_made(policy: Policy) -> None:
    for wanted in range(1, 40):
        made = policy.frames(wanted)
        assert policy.frames(made) == made
    assert policy.frames(9) == 9
    assert policy.frames(17) == 17


def test_a_model_is_named_by_its_weights(policy: Policy) -> None:
    before = policy.state()
    assert before["backend"] == policy.name
    weight = next(policy.network.parameters())
    with torch.no_grad():
        weight[0] += 1
        after = policy.state()
        weight[0] -= 1
    assert before["sha256"] != after["sha256"]


def test_lora_goes_on_the_layers_that_are_named_and_begins_without_effect(policy: Policy, condition: Condition) -> None:
    peft = pytest.importorskip("peft", reason="needs peft, which is in the extra [generate]")
    z, t = policy.noise(condition, torch.Generator().manual_seed(1)), torch.tensor([0.5, 0.5])
    with torch.no_grad():
        before = policy.predict(z, t, condition)
    network = policy.network
    policy.network = peft.get_peft_model(network, peft.LoraConfig(r=2, target_modules=list(policy.lora_targets)))
    try:
        torch.testing.assert_close(policy.predict(z, t, condition), before)
        policy.predict(z, t, condition)[:, 1:].square().sum().backward()
        learned = {name for name, weight in policy.network.named_parameters() if weight.grad is not None}
        assert learned
        assert all("lora_" in name for name in learned)
    finally:
        policy.network = policy.network.unload()


def test_plans_and_prompts_that_do_not_fit_are_refused(policy: Policy) -> None:
    images, T = torch.rand(2, 3, 64, 64), policy.frames(9)
    with pytest.raises(UsageError, match=r"plans must be \[2, "):
        policy.condition(images, curves=torch.rand(2, T + 1, 17), frames=T)


@pytest.mark.parametrize("name", ["wan", "ltx"])
def test_the_first_frame_leads_to_the_still_however_noisy_it_is(name: str) -> None:
    policy = _hub(name)
    condition = policy.condition(torch.rand(1, 3, 64, 64), prompts=["a face"], frames=policy.frames(9))
    z, t = policy.noise(condition), torch.tensor([0.4])
    with torch.no_grad():
        found = policy.predict(z, t, condition)
        torch.testing.assert_close((z - 0.4 * found)[:, :1], condition.tensors["still"], atol=1e-5, rtol=1e-4)
        other = z.clone()
        other[:, 0] += 1.0
        torch.testing.assert_close(policy.predict(other, t, condition)[:, 1:], found[:, 1:])


def test_what_cogvideox_says_of_a_clip_is_turned_into_its_noise() -> None:
    policy = _hub("cogvideox")
    condition = policy.condition(torch.rand(1, 3, 32, 32), prompts=["a face"], frames=policy.frames(9))
    z, t, said = policy.noise(condition), torch.tensor([0.4]), []
    handle = policy.network.register_forward_hook(lambda module, given, out: said.append(out[0]))
    with torch.no_grad():
        noise = policy.predict(z, t, condition)
    handle.remove()
    kept = policy.alpha_bar(t).view(-1, 1, 1, 1, 1)
    clip = (z - (1 - kept).sqrt() * noise) / kept.sqrt()
    # v = √ᾱ ε − √(1 − ᾱ) clip, the definition that the network was trained by
    torch.testing.assert_close(kept.sqrt() * noise - (1 - kept).sqrt() * clip, said[0], atol=1e-4, rtol=1e-3)


def test_a_plan_is_pooled_as_latents_pool_frames() -> None:
    curves = torch.zeros(1, 9, 2)
    curves[0, 1:5, 0], curves[0, 5:, :] = 0.4, 1.0
    told = along(torch.cat([curves, torch.zeros(1, 9, 15)], -1), 1, 3, 4)
    torch.testing.assert_close(told["activation"], torch.tensor([[0.0, 0.2, 1.0]]))  # of the two that are planned
    torch.testing.assert_close(told["change"], torch.tensor([[0.4, 1.6]]))
    assert along(curves.flip(1), 1, 3, 4)["start"].tolist() == [2.0]
    assert all(not one.any() for one in along(None, 2, 3, 4).values())


def test_a_pipeline_that_is_not_all_there_is_no_policy() -> None:
    from mimica.generation.diffusion.hub import HubPolicy

    class Silent(HubPolicy):
        name = "silent"

    with pytest.raises(TypeError, match="abstract"):
        Silent(None, size=64)  # type: ignore[abstract]


@pytest.mark.parametrize("name", ["wan", "ltx", "cogvideox"])
def test_weights_in_a_folder_are_opened_by_the_name_of_their_generator(name: Any, tmp_path: Path) -> None:
    pytest.importorskip("diffusers", reason="needs diffusers, which is in the extra [generate]")
    pytest.importorskip("ftfy", reason="needs ftfy, which is in the extra [generate]")
    import tiny_pipelines
    from mimica.generation.diffusion.backends import open_policy

    getattr(tiny_pipelines, name)().save_pretrained(tmp_path)
    policy = open_policy(name, str(tmp_path))
    assert policy.name == name
    assert policy.state()["sha256"] == _hub(name).state()["sha256"]


def test_a_wan_that_takes_its_still_in_another_way_is_refused() -> None:
    from mimica.generation.diffusion.wan import Wan

    made = _hub("wan")
    pipeline = made.pipeline  # type: ignore[attr-defined]
    pipeline.register_to_config(expand_timesteps=False)
    with pytest.raises(UsageError, match="give TI2V-5B"):
        Wan(pipeline, size=32)
