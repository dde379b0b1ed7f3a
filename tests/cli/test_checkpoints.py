"""A model's file that does not fit, or data that it cannot be measured on, as whoever reads with it meets them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from drawn import photo, picture
from mimica import checkpoint
from mimica.cli import DONE, FAILED, USAGE

Run = Callable[..., tuple[int, str, str]]
PAIR = {"name": "pair", "names": ["up", "down"], "descriptions": [["it rises"], ["it sinks"]], "polarity": []}


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, to be damaged."""
    (tmp_path / "run").mkdir()
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny_model.with_suffix(suffix), tmp_path / "run")
    return tmp_path / "run" / tiny_model.name


def changed(path: Path, facts: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Other facts and tensors, signed for anew; None takes one out."""
    kept, told = checkpoint.load(path)
    del told["sha256"]
    kept, told = ({name: x for name, x in both.items() if x is not None} for both in (kept | tensors, told | facts))
    checkpoint.save(path, kept, told)


def read(mimica: Run, model: Path, tmp_path: Path) -> tuple[int, str, str]:
    source = photo(tmp_path / "one.png", picture({"a": (20, 20)}))
    return mimica("predict", source, "--model", model, "--faces", "none", "--out", "-")


@pytest.mark.parametrize(
    ("facts", "tensors", "said"),
    [
        ({"encoder_sha256": "0" * 64}, {}, "was trained on another encoder than "),
        ({"encoder": "/gone/e.safetensors"}, {}, "needs the encoder /gone/e.safetensors, which is not there; copy it"),
        ({"labels": PAIR}, {}, "was trained on 7 classes, and duse-tiny.json states 2: up, down; take the .json"),
        ({"labels": PAIR | {"names": ["up"]}}, {}, "duse-tiny.json: label space 'pair' needs two or more distinct"),
        ({"config": {"gamma": 1}}, {}, "duse-tiny.json: unknown option of DuSE 'gamma'. Choose from: htpc, depth, "),
        ({"config": None, "layers": None}, {}, "duse-tiny.json does not state config, layers, as a recogniser's must"),
        (
            {"architecture": "other"},
            {},
            "is of the architecture 'other'; this version reads duse, ous, linear-probe",
        ),
        ({"kind": "encoder"}, {}, "is of the kind 'encoder', not a recogniser; choose from duse-compact"),
        ({"layers": 3}, {}, "does not fit Duse: of another shape: constants.vision_prompts"),
        ({}, {"constants.texts": None}, "does not fit Duse: missing: constants.texts"),
        ({}, {"aggregator.more": torch.ones(1)}, "does not fit Duse: left over: aggregator.more"),
        ({"format": 9}, {}, "duse-tiny.json has format 9; this version reads format 1"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_sentence(
    mimica: Run, model: Path, tmp_path: Path, facts: dict[str, Any], tensors: dict[str, Any], said: str
) -> None:
    changed(model, facts, tensors)
    code, out, err = read(mimica, model, tmp_path)
    assert (code, out, err.count("\n")) == (FAILED, "", 1)
    assert err.startswith("mimica: ")
    assert said in err


def test_the_same_checkpoint_unchanged_is_read(mimica: Run, model: Path, tmp_path: Path) -> None:
    changed(model, {}, {})
    assert read(mimica, model, tmp_path)[0] == DONE


@pytest.mark.parametrize(("suffix", "damage"), [(".safetensors", b""), (".safetensors", b"x"), (".json", b"{")])
def test_a_checkpoint_that_is_torn_is_refused_in_one_sentence(
    mimica: Run, model: Path, tmp_path: Path, suffix: str, damage: bytes
) -> None:
    model.with_suffix(suffix).write_bytes(damage)
    code, _, err = read(mimica, model, tmp_path)
    assert (code, err.count("\n")) == (FAILED, 1)
    assert "copy both again" in err or "cannot read" in err


# Data that the model has no classes for


def table(folder: Path, label: str) -> Path:
    photo(folder / "one.png", picture({"a": (20, 20)}))
    (folder / "clips.csv").write_text(f"path,label\none.png,{label}\n")
    return folder / "clips.csv"


@pytest.mark.parametrize("stated", [True, False])
def test_a_table_of_classes_that_the_model_has_not_is_met_with_those_it_has(
    mimica: Run, model: Path, tmp_path: Path, stated: bool
) -> None:
    path = table(tmp_path, "up")
    if stated:
        (tmp_path / "label_space.json").write_text(json.dumps(PAIR))
    code, _, err = mimica("evaluate", f"table:{path}", "--model", model)
    assert (code, err.count("\n")) == (FAILED, 1)
    assert "clips.csv, row 2: unknown label 'up'" in err
    assert "Choose from: happiness, sadness, neutral, anger, surprise, disgust, fear" in err


def test_a_folder_of_a_class_that_the_model_has_not_is_met_with_those_it_has(
    mimica: Run, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "faces" / "hapiness").mkdir(parents=True)
    photo(tmp_path / "faces" / "hapiness" / "one.png", picture({"a": (20, 20)}))
    code, _, err = mimica("evaluate", "folder:faces", "--model", model)
    assert (code, err.count("\n")) == (USAGE, 1)
    assert "unknown label 'hapiness'; did you mean 'happiness'? Choose from: happiness, sadness" in err
