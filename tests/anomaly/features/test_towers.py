"""Towers that others trained: DINO, DINOv2 and MobileNetV2, from their own names."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mimica.anomaly.features.dino import Dino, DinoV2, normalised
from mimica.anomaly.features.maker import make
from mimica.anomaly.features.mobilenet import MobileNet
from mimica.anomaly.features.weights import sha256
from mimica.anomaly.grid import stretch_colour
from mimica.anomaly.samples import Sample
from mimica.errors import AssetError, CheckpointError, InputError, UsageError
from oracles import cif_features as oracle
from oracles import mobilenet as mobilenet_oracle

d, DEPTH = 64, 2


@pytest.fixture(scope="module")
def dino_weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    made = {"cls_token": torch.randn(1, 1, d), "pos_embed": torch.randn(1, 17, d)}

    def layer(name: str, *shape: int) -> None:
        made[f"{name}.weight"] = torch.randn(shape) * (0.5 / math.prod(shape[1:]) ** 0.5) + (len(shape) == 1)
        made[f"{name}.bias"] = torch.randn(shape[0]) * 0.1

    layer("patch_embed.proj", d, 3, 8, 8)
    for i in range(DEPTH):
        for norm in ("norm1", "norm2"):
            layer(f"blocks.{i}.{norm}", d)
        layer(f"blocks.{i}.attn.qkv", 3 * d, d)
        layer(f"blocks.{i}.attn.proj", d, d)
        layer(f"blocks.{i}.mlp.fc1", 4 * d, d)
        layer(f"blocks.{i}.mlp.fc2", d, 4 * d)
    layer("norm", d)
    return made


@pytest.fixture
def dino_file(dino_weights: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(dino_weights, tmp_path / "dino_vitbase8_pretrain.pth")
    return tmp_path / "dino_vitbase8_pretrain.pth"


def test_patch_tokens_are_those_of_the_authors_network(
    dino_file: Path, dino_weights: dict[str, Tensor], make_part: Callable[..., Sample]
) -> None:
    part = make_part(0)
    assert part.rgb is not None
    found = Dino(weights=dino_file, side=32, cells=4)(part)
    pixels = normalised(stretch_colour(part.rgb, 32))[0]
    wanted = oracle.dino(pixels.double(), {name: value.double() for name, value in dino_weights.items()}, 1, DEPTH)
    assert found.shape == (16, d)
    assert np.abs(found - wanted.numpy()).max() < 1e-4


def test_a_folder_of_the_hub_is_the_same_tower(
    dino_file: Path, tmp_path: Path, make_part: Callable[..., Sample]
) -> None:
    own = Dino(weights=dino_file, side=32, cells=4)
    own.model.save_pretrained(tmp_path / "folder")
    again = Dino(weights=tmp_path / "folder", side=32, cells=4)
    assert (again(make_part(0)) == own(make_part(0))).all()
    assert again.facts != own.facts, "other files are other weights, as far as a bank can know"
    larger = Dino(weights=tmp_path / "folder", side=64, cells=8)
    assert larger(make_part(0)).shape == (64, d)


@pytest.mark.parametrize("name", ["norm.bias", "blocks.1.attn.qkv.bias", "blocks.0.mlp.fc1.weight", "cls_token"])
def test_a_missing_weight_is_refused(dino_weights: dict[str, Tensor], tmp_path: Path, name: str) -> None:
    torch.save({k: v for k, v in dino_weights.items() if k != name}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth"):
        Dino(weights=tmp_path / "a.pth", side=32, cells=4)


def test_a_weight_too_many_is_refused_by_name(dino_weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(dino_weights | {"head.weight": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"holds 'head\.weight'"):
        Dino(weights=tmp_path / "a.pth", side=32, cells=4)


def test_a_grid_that_the_tower_does_not_have_is_refused(dino_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dino at 64 pixels has 8 patches to a side, not 4"):
        Dino(weights=dino_file, side=64, cells=4)
    with pytest.raises(AssetError, match=r"has no config\.json"):
        DinoV2(weights=tmp_path / "nothing")


def test_dinov2_sees_fourteen_pixels_a_patch(tmp_path: Path, make_part: Callable[..., Sample]) -> None:
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    shape = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, patch_size=14, image_size=56)
    model = Dinov2Model(shape).eval()
    model.save_pretrained(tmp_path)
    part = make_part(0)
    assert part.rgb is not None
    (maker,) = make("dinov2s", rgb_weights=tmp_path, side=32, cells=4)
    with torch.inference_mode():
        wanted = model(normalised(stretch_colour(part.rgb, 56))).last_hidden_state[0, 1:]
    assert np.abs(maker(part) - wanted.numpy()).max() < 1e-5


def test_the_hash_is_of_the_weights_and_not_of_their_place(dino_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other.pth"
    copy.write_bytes(dino_file.read_bytes())
    assert sha256(copy) == sha256(dino_file)
    copy.write_bytes(b"x" + dino_file.read_bytes()[1:])
    assert sha256(copy) != sha256(dino_file)


@pytest.mark.usefixtures("mobilenet")
def test_middle_maps_are_torchvisions(mobilenet_weights: dict[str, Tensor], make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    assert part.rgb is not None
    maker = MobileNet(side=64, cells=8)
    found = maker(part)
    exact = {name: value.double() for name, value in mobilenet_weights.items()}
    levels = mobilenet_oracle.levels(normalised(stretch_colour(part.rgb, 64)).double(), exact)
    wanted = []
    for number in (3, 6, 13):  # torchvision's numbers: the last blocks of 24, 32 and 96 channels
        level = F.avg_pool2d(levels[number], 3, 1, 1, count_include_pad=False)
        if level.shape[-1] < 8:
            level = F.interpolate(level, size=(8, 8), mode="bilinear", align_corners=False)
        wanted.append(F.adaptive_avg_pool2d(level, 8)[0].flatten(1).T)
    assert found.shape == (64, 152)
    assert np.abs(found - torch.cat(wanted, 1).numpy()).max() < 1e-4
    assert maker.facts["weights"].startswith("b03531")


@pytest.mark.usefixtures("mobilenet")
def test_the_number_of_threads_changes_no_bit(make_part: Callable[..., Sample]) -> None:
    maker, part, threads = MobileNet(), make_part(0), torch.get_num_threads()
    try:
        found = []
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(maker(part))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    assert (found[0] == found[1]).all()


def test_without_the_asset_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="mimica assets fetch mobilenet-v2"):
        make("mobilenet")


def test_makers_are_chosen_by_name() -> None:
    assert [maker.modality for maker in make("colour", "normals")] == ["rgb", "xyz"]
    with pytest.raises(UsageError, match="did you mean 'colour'"):
        make("color")
    with pytest.raises(UsageError, match="unknown option of these features 'bn_stats'"):
        make("colour", "normals", bn_stats="batch")
    with pytest.raises(UsageError, match="both modalities are left out"):
        make()
    with pytest.raises(UsageError, match="colour has no weights"):
        make("colour", rgb_weights=Path("a.pth"))
    with pytest.raises(InputError, match="a has no colour"):
        make("colour")[0](Sample(name="a", xyz=np.zeros((4, 4, 3), np.float32)))
