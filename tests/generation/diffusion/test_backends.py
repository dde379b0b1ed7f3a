from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mimica.errors import AssetError, CheckpointError
from mimica.generation.diffusion.backends import open_policy, open_tuned
from mimica.generation.diffusion.policy import Policy
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.reinforce.adapter import Adapter
from mimica.generation.sampling import sample
from tiny_generator import tiny_generator, write_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def adapter(model: Path) -> Path:
    """An adapter of that generator that changes something."""
    policy = open_policy("tiny", str(model))
    state: Any = policy.state()
    made = Adapter(policy.network, policy.lora_targets, rank=2, alpha=4)
    with torch.no_grad():
        for name, weight in made.module.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.5)
    path = model.with_name("adapter.safetensors")
    made.save(path, generator=state)
    return path


def clip(policy: Policy) -> torch.Tensor:
    """What a policy makes of one still, plan and noise."""
    still = torch.linspace(0, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    curves = torch.linspace(0, 0.8, 9)[None, :, None].expand(1, 9, 17)
    how, guidance = Sampling(steps=2).how
    with torch.no_grad():
        condition = policy.condition(still, curves=curves, prompts=("",), frames=9)
        noise = policy.noise(condition, torch.Generator().manual_seed(0))
        return sample(policy, condition, noise, sampling=how, guidance=guidance)


def test_without_an_adapter_it_is_the_generator_as_it_was_trained(model: Path) -> None:
    assert torch.equal(clip(open_tuned(Sampling(model=str(model)))), clip(open_policy("tiny", str(model))))


def test_with_an_adapter_it_makes_other_clips_and_says_that_it_is_another(model: Path, adapter: Path) -> None:
    plain, tuned = open_tuned(Sampling(model=str(model))), open_tuned(Sampling(model=str(model), adapter=adapter))
    assert not torch.allclose(clip(plain), clip(tuned))
    assert plain.state() != tuned.state()
    again = open_tuned(Sampling(model=str(model), adapter=adapter))
    assert torch.equal(clip(tuned), clip(again))
    assert tuned.state() == again.state()


def test_the_adapter_of_another_generator_is_refused(adapter: Path, tmp_path: Path) -> None:
    tiny_generator(seed=5).save(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"adapter\.safetensors was tuned for another generator; tune one"):
        open_tuned(Sampling(model=str(tmp_path / "other.safetensors"), adapter=adapter))


def test_what_is_no_adapter_is_refused(model: Path, tmp_path: Path) -> None:
    facts = json.loads(model.with_suffix(".json").read_text())
    assert facts["kind"] == "generator"
    with pytest.raises(CheckpointError, match="holds no adapter; mimica augment tune writes one"):
        open_tuned(Sampling(model=str(model), adapter=model))
    with pytest.raises(CheckpointError, match=r"there is no .*nowhere\.json"):
        open_tuned(Sampling(model=str(model), adapter=tmp_path / "nowhere.safetensors"))


def test_without_weights_it_says_how_to_have_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mimica import checkpoint

    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path)
    with pytest.raises(AssetError, match=r"no weights of the tiny generator come with this installation; train it"):
        open_tuned(Sampling())
    with pytest.raises(AssetError, match=r"there is no nowhere; train it \(mimica augment train"):
        open_tuned(Sampling(model="nowhere"))
