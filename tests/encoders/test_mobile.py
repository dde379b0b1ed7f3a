from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mimica import assets
from mimica.encoders.compact import CompactVision
from mimica.encoders.mobile import MobileConfig, MobileVision
from mimica.encoders.named import open_encoder
from mimica.encoders.store import load_any, load_encoder, save_encoder
from mimica.errors import CheckpointError
from oracles import mobilenet as oracle

SMALL = MobileConfig(enlarged=64, dim=8)


@pytest.fixture
def begun(mobilenet: None) -> MobileVision:
    """A teacher that began with weights in a file like torchvision's."""
    vision = MobileVision(SMALL)
    vision.begin()
    return vision.eval()


def test_features_are_those_of_torchvisions_network(begun: MobileVision, mobilenet_weights: dict[str, Tensor]) -> None:
    images = begun.normalise(torch.rand(2, 3, 48, 48))
    large = F.interpolate(images.double(), size=(64, 64), mode="bilinear", align_corners=False)
    wanted = oracle.features(large, {name: value.double() for name, value in mobilenet_weights.items()}).mean((2, 3))
    wanted = wanted @ begun.project.weight.double().T
    found = begun(images)
    assert found.shape == (2, 8)
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert torch.allclose(found.double(), wanted, atol=1e-4)


def test_weights_of_another_network_are_refused(
    mobilenet_weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(dict(list(mobilenet_weights.items())[5:]), tmp_path / "mobilenet_v2-b0353104.pth")
    monkeypatch.setattr(assets, "find", {"mobilenet-v2": tmp_path}.__getitem__)
    with pytest.raises(CheckpointError, match="mobilenet-v2 holds other tensors than a MobileNetV2"):
        MobileVision(SMALL).begin()


def test_it_looks_at_pictures_as_the_compact_encoder_does() -> None:
    pixels = torch.rand(2, 3, 48, 48)
    assert torch.equal(MobileVision(SMALL).normalise(pixels), CompactVision().normalise(pixels))


def test_norms_remember_more_than_the_last_batch(begun: MobileVision) -> None:
    before = begun.body.conv_stem.first_conv.normalization.running_mean.clone()
    begun.train()(torch.full((2, 3, 48, 48), 5.0))
    after = begun.body.conv_stem.first_conv.normalization.running_mean
    begun.eval()
    for part in begun.body.modules():
        assert not isinstance(part, torch.nn.BatchNorm2d) or part.momentum == 0.1
    assert (after - before).abs().max() > 0


def test_a_teacher_in_its_file_is_the_same_and_takes_no_prompts(begun: MobileVision, tmp_path: Path) -> None:
    path = tmp_path / "mobile.safetensors"
    save_encoder(path, begun, torch.randn(8, 12), {"log_scale": 1.0})
    vision, project, facts = load_any(path)
    images = torch.rand(2, 3, 48, 48)
    assert torch.allclose(vision.eval()(images), begun(images), atol=2e-3)
    assert (project.shape, facts["architecture"]) == ((8, 12), "mobile")
    for read in (load_encoder, lambda path: open_encoder(str(path))):
        with pytest.raises(CheckpointError, match=r"mobile\.safetensors is a teacher and takes no prompts"):
            read(path)
