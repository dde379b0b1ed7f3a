"""Point-MAE: the authors' network to the last layer, from their names and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mimica.anomaly.features import pointmae_net
from mimica.anomaly.features.maker import make
from mimica.anomaly.features.pointmae import GROUP, PointMae, opened
from mimica.anomaly.features.pointmae_net import PointMaeEncoder, PointMaeShape
from mimica.anomaly.samples import Sample
from mimica.errors import AssetError, CheckpointError, InputError, UsageError
from oracles import cif_features as oracle

SMALL = PointMaeShape(width=64, depth=3, heads=1, taps=(0, 1, 2))


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Tensors of the encoder by our names; norms and their statistics are not what they are at the start."""
    torch.manual_seed(0)
    made = {}
    for name, value in PointMaeEncoder(SMALL).state_dict().items():
        if value.dtype == torch.int64:
            made[name] = value
        elif "running_var" in name or ("norm" in name and name.endswith("weight")):
            made[name] = torch.rand_like(value) + 0.5
        else:
            made[name] = torch.randn_like(value) * (0.3 if value.ndim > 1 else 0.1)
    return made


def as_published(weights: dict[str, Tensor]) -> dict[str, Any]:
    """The same as the authors' file holds it, with the decoder beside it."""
    model: dict[str, Tensor] = {f"module.MAE_encoder.{name}": value for name, value in weights.items()}
    for other in (
        "MAE_decoder.blocks.0.norm1.weight",
        "decoder_pos_embed.0.weight",
        "mask_token",
        "increase_dim.0.bias",
    ):
        model[f"module.{other}"] = torch.zeros(2)
    return {"base_model": model, "epoch": 300}


@pytest.fixture
def file(weights: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(as_published(weights), tmp_path / "pretrain.pth")
    return tmp_path / "pretrain.pth"


@pytest.mark.parametrize("bn_stats", ["batch", "running"])
def test_features_are_those_of_the_authors_network(
    file: Path, weights: dict[str, Tensor], bn_stats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointmae_net, "CHUNK", 4)
    centres = torch.randn(11, 3) * 0.1
    groups = torch.randn(11, 8, 3) * 0.004 + centres[:, None] * 0.02
    with torch.inference_mode():
        found = opened(file, bn_stats)(groups, centres)  # type: ignore[arg-type]
    exact = {name: value.double() for name, value in weights.items()}
    wanted = oracle.point_mae(groups.double(), centres.double(), exact, 1, 3, batch=bn_stats == "batch")
    assert found.shape == (11, 192)
    assert (found - wanted).abs().max() < 1e-3 * wanted.abs().max()


def test_the_published_encoder_has_its_known_size() -> None:
    assert sum(p.numel() for p in PointMaeEncoder().parameters()) == 21_825_024


def test_features_are_the_same_every_time(file: Path, make_part: Callable[..., Sample]) -> None:
    maker = PointMae(weights=file, side=56, cells=7, groups=32)
    part = make_part(0)
    one, two = maker(part), maker(part)
    assert one.shape == (49, 192)
    assert (one == two).all()
    assert one.std(0).mean() > 0.01


def test_the_statistics_of_the_norms_matter(file: Path, make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    batch, running, unit = (
        PointMae(weights=file, side=56, cells=7, groups=32, **options)(part)  # type: ignore[arg-type]
        for options in ({}, {"bn_stats": "running"}, {"unit_cloud": True})
    )
    assert np.abs(batch - running).max() > 0.1
    assert np.abs(batch - unit).max() > 0.1


@pytest.mark.parametrize("where", ["encoder.first_conv.1.running_mean", "blocks.blocks.2.attn.qkv.weight", "norm.bias"])
def test_a_missing_tensor_is_refused_by_name(weights: dict[str, Tensor], tmp_path: Path, where: str) -> None:
    torch.save(as_published({k: v for k, v in weights.items() if k != where}), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=f"missing: {where}"):
        opened(tmp_path / "a.pth")


def test_a_tensor_that_nobody_knows_is_refused_by_name(weights: dict[str, Tensor], tmp_path: Path) -> None:
    held = as_published(weights)
    held["base_model"]["module.surprise.weight"] = torch.zeros(1)
    torch.save(held, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"holds 'module\.surprise\.weight'"):
        opened(tmp_path / "a.pth")
    torch.save({"other": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="is no Point-MAE"):
        opened(tmp_path / "a.pth")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("code of the file was run",))

    torch.save({"base_model": Trap()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        opened(tmp_path / "a.pth")
    with pytest.raises(AssetError, match="there are no weights at"):
        PointMae(weights=tmp_path / "none.pth")


def test_options_go_to_the_maker_that_has_them(file: Path) -> None:
    (maker,) = make(xyz="pointmae", xyz_weights=file, bn_stats="running", side=56, cells=7)
    assert maker.facts["options"]["bn_stats"] == "running"
    with pytest.raises(UsageError, match="batch, running"):
        make(xyz="pointmae", xyz_weights=file, bn_stats="none")
    with pytest.raises(UsageError, match="groups of Point-MAE must be 1 or more, got 0"):
        make(xyz="pointmae", xyz_weights=file, groups=0)
    with pytest.raises(UsageError, match="pointmae needs weights"):
        make(xyz="pointmae")


def test_too_few_points_are_refused(file: Path, make_part: Callable[..., Sample]) -> None:
    part = make_part(0)
    assert part.xyz is not None
    xyz = np.full_like(part.xyz, np.nan)
    xyz[50:52, 50:53] = part.xyz[50:52, 50:53]
    with pytest.raises(InputError, match="measured points, too few"):
        PointMae(weights=file, side=56, cells=7)(Sample(name="a", xyz=xyz))
    assert GROUP == 128
