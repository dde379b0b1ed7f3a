from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mimica import checkpoint
from mimica.encoders.compact import CompactConfig, CompactVision
from mimica.encoders.store import encoder_size, load_encoder, save_encoder
from mimica.errors import CheckpointError


@pytest.fixture
def vision() -> CompactVision:
    torch.manual_seed(0)
    tower = CompactVision(CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=1, heads=2, dim=8))
    tower.train()(tower.normalise(torch.rand(8, 3, 48, 48)))  # moves the statistics of its norms
    return tower.eval()


def test_an_encoder_comes_back_as_it_was_but_for_half_precision(vision: CompactVision, tmp_path: Path) -> None:
    project = torch.randn(8, 20)
    save_encoder(tmp_path / "e.safetensors", vision, project, {"log_scale": 2.5})
    back, projected, facts = load_encoder(tmp_path / "e.safetensors")
    assert back.config == vision.config
    assert facts["log_scale"] == 2.5
    assert projected.dtype == torch.float32
    assert torch.equal(projected, project.half().float())
    images = vision.normalise(torch.rand(4, 3, 48, 48))
    with torch.no_grad():
        assert torch.allclose(back.eval()(images), vision(images), atol=2e-3)


def test_a_saved_encoder_holds_every_weight_and_statistic_in_half_precision(
    vision: CompactVision, tmp_path: Path
) -> None:
    save_encoder(tmp_path / "e.safetensors", vision, torch.randn(8, 20), {})
    tensors, _ = checkpoint.load(tmp_path / "e.safetensors")
    assert tensors.keys() == {f"vision.{name}" for name in vision.state_dict()} | {"project"}
    assert {t.dtype for t in tensors.values()} == {torch.float16, torch.int64}


def test_a_file_that_is_no_encoder_is_refused(tiny_model: Path) -> None:
    with pytest.raises(CheckpointError, match="holds 'duse', not a compact encoder"):
        load_encoder(tiny_model)


def test_an_encoder_without_its_text_side_is_refused(vision: CompactVision, tmp_path: Path) -> None:
    tensors = {f"vision.{name}": value for name, value in vision.state_dict().items()}
    checkpoint.save(tmp_path / "e.safetensors", tensors, {"architecture": "compact", "config": vision.config.facts()})
    with pytest.raises(CheckpointError, match="holds no text projection"):
        load_encoder(tmp_path / "e.safetensors")


def test_weights_of_another_shape_than_stated_are_refused(vision: CompactVision, tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    save_encoder(path, vision, torch.randn(8, 20), {"config": vision.config.facts() | {"layers": 2}})
    with pytest.raises(CheckpointError, match=r"e\.safetensors does not fit CompactVision: missing: blocks\.1"):
        load_encoder(path)


def test_the_size_of_an_encoder_is_known_without_its_weights(tiny_encoder: Path, tiny_model: Path) -> None:
    assert encoder_size(tiny_encoder) == load_encoder(tiny_encoder)[0].size
    with pytest.raises(CheckpointError, match="holds 'duse', not a compact encoder"):
        encoder_size(tiny_model)
