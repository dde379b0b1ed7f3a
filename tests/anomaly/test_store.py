"""Banks on disk: back as they were, refused where they do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.anomaly.config import default
from mimica.anomaly.detector import Detector
from mimica.anomaly.features.maker import make
from mimica.anomaly.samples import Sample
from mimica.anomaly.store import load, save
from mimica.errors import CheckpointError, UsageError

Maker = Callable[..., Sample]
MAKERS = make("colour", "normals", side=112, cells=14)


@pytest.fixture(scope="module")
def detector(make_part: Maker) -> Detector:
    config = replace(default(), side=112, cells=14, augmentations=1)
    return Detector.fit([make_part(0), make_part(1)], MAKERS, config)


@pytest.fixture
def bank(detector: Detector, tmp_path: Path) -> Path:
    return save(detector, tmp_path / "cup")


def test_a_bank_comes_back_to_the_last_bit(detector: Detector, bank: Path, make_part: Maker) -> None:
    again = load(bank)
    assert again.config == detector.config
    assert again.calibration == detector.calibration
    one, two = (each.score(make_part(50, "dent")) for each in (detector, again))
    assert (one.score, one.false_alarm) == (two.score, two.false_alarm)
    assert (one.heat == two.heat).all()


def test_a_bank_is_two_files_without_a_pickle(bank: Path) -> None:
    assert sorted(path.name for path in bank.parent.iterdir()) == ["cup.json", "cup.safetensors"]
    told = json.loads(bank.with_suffix(".json").read_text())
    assert told["features"]["rgb"]["name"] == "colour"
    assert told["shots"]
    assert all(set(shot.split("-")) <= {"good", "0", "1"} for shot in told["shots"])


def test_a_loaded_bank_grows(bank: Path, make_part: Maker) -> None:
    again = load(bank)
    again.add_shot(make_part(2))
    assert len(load(save(again, bank)).bank.shots) == 3


def test_other_features_are_refused_by_name(bank: Path) -> None:
    with pytest.raises(CheckpointError, match="a bank of colour and normals, not of colour and fpfh"):
        load(bank, make("colour", "fpfh", side=112, cells=14))
    with pytest.raises(CheckpointError, match="a bank of colour and normals, not of colour;"):
        load(bank, make("colour", side=112, cells=14))
    with pytest.raises(CheckpointError, match=r"other colour features \(cells differ\)"):
        load(bank, make("colour", "normals", side=112, cells=28))


def test_a_damaged_bank_is_refused(bank: Path) -> None:
    data = bytearray(bank.read_bytes())
    data[-1] ^= 1
    bank.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"is not the file that cup\.json describes"):
        load(bank)


@pytest.mark.parametrize("without", ["config", "features", "units", "calibration", "shots"])
def test_a_bank_whose_json_lacks_something_is_refused(bank: Path, without: str) -> None:
    sidecar = bank.with_suffix(".json")
    told = json.loads(sidecar.read_text())
    del told[without]
    sidecar.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="is a damaged bank"):
        load(bank)


def test_a_bank_without_a_tensor_is_refused(bank: Path) -> None:
    tensors, facts = checkpoint.load(bank)
    del tensors["xyz.nodes"], facts["sha256"], facts["format"]
    checkpoint.save(bank, tensors, facts)
    with pytest.raises(CheckpointError, match=r"is a damaged bank .*xyz\.nodes"):
        load(bank)


def test_a_bank_of_another_version_is_refused(bank: Path) -> None:
    checkpoint.restate(bank, config={"hyperness": 3})
    with pytest.raises(CheckpointError, match="bank of another version of Mimica: unknown option of CIF 'hyperness'"):
        load(bank)


def test_what_is_no_bank_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no .*nothing\.json"):
        load(tmp_path / "nothing")
    checkpoint.save(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"kind": "encoder"})
    with pytest.raises(CheckpointError, match="of another kind, not a bank"):
        load(tmp_path / "other")


def test_a_bank_that_needs_weights_says_so(bank: Path) -> None:
    facts = checkpoint.read_facts(bank)
    features = {**facts["features"], "rgb": {**facts["features"]["rgb"], "name": "dino"}}
    checkpoint.restate(bank, features=features)
    with pytest.raises((CheckpointError, UsageError), match="dino needs weights"):
        load(bank)


def test_stored_numbers_are_as_small_as_they_may_be(bank: Path) -> None:
    tensors, _ = checkpoint.load(bank)
    assert tensors["rgb.nodes"].dtype == torch.float32
    assert tensors["parts"].dtype == torch.bool
    assert np.prod(tensors["parts"].shape) == 2 * 14 * 14
