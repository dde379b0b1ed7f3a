"""`mimica calibrate`: confidence fitted to one's own faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drawn import photo
from mimica.checkpoint import SHIPPED
from mimica.cli import DONE, FAILED, USAGE

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for i in range(12):
        name = ("fear", "anger", "happiness")[i % 3]
        (root / name).mkdir(parents=True, exist_ok=True)
        photo(root / name / f"{i}.png", np.random.default_rng(i).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    return root


@pytest.fixture
def model(tmp_path: Path, tiny_model: Path) -> Path:
    copy = tmp_path / tiny_model.name
    for ending in (".safetensors", ".json"):
        copy.with_suffix(ending).write_bytes(tiny_model.with_suffix(ending).read_bytes())
    return copy


def test_what_is_fitted_stands_in_the_models_facts_and_its_weights_stay(mimica: Run, faces: Path, model: Path) -> None:
    weights, before = model.read_bytes(), json.loads(model.with_suffix(".json").read_text())
    code, out, err = mimica("calibrate", model, "--data", f"folder:{faces}")
    after = json.loads(model.with_suffix(".json").read_text())
    assert code == DONE, err
    assert model.read_bytes() == weights
    assert after["calibrated_on"]["clips"] == 12
    assert after["temperature"] != before["temperature"]
    assert after["metrics"].keys() == {"war", "uar", "ece", "degraded"}
    assert f"temperature {after['temperature']:.3f}" in out
    assert after["config"] == before["config"]


def test_a_table_with_parts_gives_its_calibration_part_alone(mimica: Run, faces: Path, model: Path) -> None:
    rows = [f"{name}/{i}.png,{name},{'calibration' if i < 6 else 'train'}" for i in range(12)
            for name in [("fear", "anger", "happiness")[i % 3]]]  # fmt: skip
    (faces / "table.csv").write_text("\n".join(["path,label,part", *rows]) + "\n")
    assert mimica("calibrate", model, "--data", f"table:{faces / 'table.csv'}")[0] == DONE
    assert json.loads(model.with_suffix(".json").read_text())["calibrated_on"]["clips"] == 6


def test_a_model_that_comes_with_the_package_is_not_changed(mimica: Run, faces: Path) -> None:
    before = (SHIPPED / "duse-compact.json").read_bytes()
    code, _, err = mimica("calibrate", "duse-compact", "--data", f"folder:{faces}")
    assert code == USAGE
    assert "calibrate the copy" in err
    assert (SHIPPED / "duse-compact.json").read_bytes() == before


def test_a_table_without_such_a_part_is_refused_with_the_parts_that_it_has(
    mimica: Run, faces: Path, model: Path
) -> None:
    (faces / "table.csv").write_text("path,label,part\nfear/0.png,fear,train\n")
    code, _, err = mimica("calibrate", model, "--data", f"table:{faces / 'table.csv'}")
    assert code == FAILED
    assert "no clip of the part calibration; it has train" in err


def test_confidence_is_fitted_to_the_frames_that_the_models_recipe_reads(
    mimica: Run, tmp_path: Path, model: Path
) -> None:
    for i in range(12):
        folder = tmp_path / "clips" / ("fear", "anger", "happiness")[i % 3] / f"{i}"
        folder.mkdir(parents=True)
        for t in range(20):
            picture = np.random.default_rng(100 * i + t).integers(0, 256, (48, 48, 3), dtype=np.uint8)
            photo(folder / f"{t:02d}.png", picture)
    facts = json.loads(model.with_suffix(".json").read_text())

    def fitted(window: int, **stated: object) -> float:
        model.with_suffix(".json").write_text(json.dumps({**facts, **stated, "frames": 4, "window": window}))
        assert mimica("calibrate", model, "--data", f"folder:{tmp_path / 'clips'}")[0] == DONE
        return float(json.loads(model.with_suffix(".json").read_text())["metrics"]["ece"])

    even, last = {"sampling": "uniform"}, {"sampling": "last"}
    assert fitted(2) == fitted(4) == fitted(2, recipe=even)
    assert len({fitted(2), fitted(2, recipe=last), fitted(4, recipe=last)}) == 3
