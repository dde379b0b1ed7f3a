from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mimica import assets
from mimica.encoders.compact import CompactVision
from mimica.encoders.identity import MANIFEST, WEIGHTS, IdentityConfig, IdentityVision
from mimica.encoders.store import load_any, load_encoder, save_encoder
from mimica.errors import AssetError, CheckpointError
from oracles import identity as oracle

SMALL = IdentityConfig(dim=8)


@pytest.fixture(scope="module")
def stored() -> tuple[list[dict[str, Any]], bytes, dict[str, Tensor]]:
    """A manifest and a file as face-api has them, some tensors in bytes and some in full, and what they say."""
    random = np.random.default_rng(0)
    said, content, tensors = list[dict[str, Any]](), b"", dict[str, Tensor]()
    for number, (name, shape) in enumerate(oracle.shapes().items()):
        spread = 1.4 / math.prod(shape[:-1]) ** 0.5 if len(shape) == 4 else 0.2
        value = random.normal(1.0 if name.endswith("weights") else 0.0, spread, shape).astype(np.float32)
        if number % 3:
            low, step = float(value.min()), float(np.ptp(value)) / 255
            held = np.round((value - low) / step).astype(np.uint8)
            how = {"quantization": {"dtype": "uint8", "scale": step, "min": low}}
            value = (held * np.float32(step) + np.float32(low)).astype(np.float32)
        else:
            held, how = value, {}
        said.append({"name": name, "shape": list(shape), "dtype": "float32", **how})
        content += held.tobytes()
        tensors[name] = torch.from_numpy(value)
    return [{"weights": said, "paths": [WEIGHTS]}], content, tensors


def put(folder: Path, manifest: Any, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / WEIGHTS).write_bytes(content)
    monkeypatch.setattr(assets, "find", {"face-api-identity": folder}.__getitem__)


@pytest.fixture
def begun(stored: tuple[Any, bytes, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IdentityVision:
    put(tmp_path, *stored[:2], monkeypatch)
    vision = IdentityVision(SMALL)
    vision.begin()
    return vision.eval()


@torch.no_grad()
def test_features_are_those_of_their_network(begun: IdentityVision, stored: tuple[Any, Any, dict[str, Tensor]]) -> None:
    images = begun.normalise(torch.rand(2, 3, 48, 48))
    large = F.interpolate(images.double(), size=(112, 112), mode="bilinear", align_corners=False) / 4
    wanted = oracle.features(large, {name: value.double() for name, value in stored[2].items()})
    wanted = wanted @ begun.project.weight.double().T
    found = begun(images)
    assert found.shape == (2, 8)
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert torch.allclose(found.double(), wanted, atol=1e-3, rtol=1e-4)


def test_every_weight_learns(begun: IdentityVision) -> None:
    begun.train()(begun.normalise(torch.rand(4, 3, 48, 48))).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in begun.parameters())


def test_files_of_another_network_are_refused(
    stored: tuple[list[dict[str, Any]], bytes, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, content, _ = stored
    put(tmp_path, manifest, content[:-9000], monkeypatch)
    with pytest.raises(CheckpointError, match="is cut short; mimica assets check face-api-identity"):
        IdentityVision(SMALL).begin()
    put(tmp_path, [{"weights": manifest[0]["weights"][4:]}], content, monkeypatch)
    with pytest.raises(CheckpointError, match="face-api-identity holds other tensors than this network"):
        IdentityVision(SMALL).begin()


def test_without_the_asset_the_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="mimica assets fetch face-api-identity"):
        IdentityVision(SMALL).begin()


def test_it_looks_at_pictures_as_the_compact_encoder_does() -> None:
    pixels = torch.rand(2, 3, 48, 48)
    assert torch.equal(IdentityVision(SMALL).normalise(pixels), CompactVision().normalise(pixels))


@torch.no_grad()
def test_a_teacher_in_its_file_is_the_same_and_takes_no_prompts(begun: IdentityVision, tmp_path: Path) -> None:
    path = tmp_path / "identity.safetensors"
    save_encoder(path, begun, torch.randn(8, 12), {"log_scale": 1.0})
    vision, project, facts = load_any(path)
    images = torch.rand(2, 3, 48, 48)
    assert torch.allclose(vision.eval()(images), begun(images), atol=5e-2, rtol=1e-2)
    assert (project.shape, facts["architecture"]) == ((8, 12), "identity")
    with pytest.raises(CheckpointError, match=r"identity\.safetensors is a teacher and takes no prompts"):
        load_encoder(path)
