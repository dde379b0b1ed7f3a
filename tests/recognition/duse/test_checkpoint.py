from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mimica import checkpoint
from mimica.clips import ClipBatch
from mimica.errors import CheckpointError
from mimica.recognition.duse.checkpoint import load_duse, save_duse
from mimica.recognition.duse.model import Duse

Build = Callable[..., Duse]
FACTS = {"frames": 16, "temperature": 1.25, "unsure_below": 0.4}


@pytest.fixture
def copied(tiny_model: Path, tmp_path: Path) -> Path:
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny_model.with_suffix(suffix), tmp_path)
    return tmp_path / tiny_model.name


def restate(path: Path, **facts: object) -> None:
    sidecar = path.with_suffix(".json")
    told = json.loads(sidecar.read_text()) | facts
    sidecar.write_text(json.dumps({k: v for k, v in told.items() if v is not None}))


@pytest.mark.parametrize("choices", [{}, {"depth": 0}, {"depth": 1, "tokens": 2, "heads": 2, "beta": 0.5}])
def test_what_is_saved_reads_as_it_did(
    build: Build, batch: ClipBatch, tiny_encoder: Path, tmp_path: Path, choices: dict[str, object]
) -> None:
    duse = build(moved=True, **choices)
    save_duse(tmp_path / "d.safetensors", duse, encoder=tiny_encoder, facts=FACTS)
    back = load_duse(tmp_path / "d.safetensors")
    with torch.no_grad():
        assert torch.allclose(back.network(batch), duse(batch), atol=0.05)  # half precision; logits span 20
    assert (back.frames, back.temperature, back.unsure_below) == (16, 1.25, 0.4)
    assert back.name == "d"
    assert back.space.names == duse.space.names
    assert isinstance(back.network, Duse)
    assert back.network.config == duse.config


def test_saving_leaves_the_duse_as_it_was_to_learn_on(build: Build, tiny_encoder: Path, tmp_path: Path) -> None:
    duse = build()
    before = {name: value.clone() for name, value in duse.learned().items()}
    save_duse(tmp_path / "d.safetensors", duse, encoder=tiny_encoder, facts=FACTS)
    assert duse.text is not None
    assert all(weight.requires_grad for weight in duse.aggregator.parameters())
    assert {name: value.tolist() for name, value in duse.learned().items()} == {
        name: value.tolist() for name, value in before.items()
    }


def test_a_frozen_duse_can_be_saved_too(build: Build, batch: ClipBatch, tiny_encoder: Path, tmp_path: Path) -> None:
    duse = build(moved=True).freeze()
    save_duse(tmp_path / "d.safetensors", duse, encoder=tiny_encoder, facts=FACTS)
    assert torch.allclose(load_duse(tmp_path / "d.safetensors").network(batch), duse(batch), atol=0.05)


def test_a_saved_duse_holds_what_was_learned_and_what_it_folds_to_and_no_tower(
    build: Build, tiny_encoder: Path, tmp_path: Path
) -> None:
    duse = build()
    save_duse(tmp_path / "d.safetensors", duse, encoder=tiny_encoder, facts=FACTS)
    tensors, facts = checkpoint.load(tmp_path / "d.safetensors")
    folded = {"constants.vision_prompts", "constants.time_scale", "constants.class_features"}
    assert tensors.keys() == duse.learned().keys() | folded
    assert {t.dtype for t in tensors.values()} == {torch.float16}
    assert (facts["kind"], facts["architecture"], facts["layers"]) == ("recogniser", "duse", 2)
    assert facts["encoder_sha256"] == checkpoint.read_facts(tiny_encoder)["sha256"]


def test_a_saved_duse_reads_without_transformers_or_any_library_of_training(tiny_model: Path) -> None:
    code = """
import sys
import numpy as np
import mimica
from mimica.clips import Clip
recogniser = mimica.load(sys.argv[1])
faces = np.random.default_rng(0).integers(0, 255, (4, 48, 48, 3), np.uint8)
clip = Clip(person=0, start=0.0, end=1.0, faces=faces, times=np.arange(4.0), quality=np.ones(4))
assert abs(recogniser.probabilities([clip]).sum() - 1) < 1e-6
heavy = {"transformers", "tokenizers", "huggingface_hub", "accelerate", "sklearn", "matplotlib", "plotly", "pyarrow"}
print(sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tiny_model)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_the_encoder_is_found_beside_the_model_when_both_have_moved(
    copied: Path, tiny_encoder: Path, batch: ClipBatch
) -> None:
    restate(copied, encoder=f"/elsewhere/{tiny_encoder.name}")
    with pytest.raises(CheckpointError, match=r"needs the encoder /elsewhere/.*copy it beside duse-tiny"):
        load_duse(copied)
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny_encoder.with_suffix(suffix), copied.parent)
    assert load_duse(copied).network(batch).shape == (3, 7)


def test_another_encoder_than_it_was_trained_on_is_refused(copied: Path) -> None:
    restate(copied, encoder_sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"was trained on another encoder than .*compact-tiny"):
        load_duse(copied)


@pytest.mark.parametrize("key", ["encoder", "config", "layers", "frames", "temperature", "labels"])
def test_a_card_that_lacks_a_fact_is_refused_by_its_name(copied: Path, key: str) -> None:
    restate(copied, **{key: None})
    with pytest.raises(CheckpointError, match=rf"duse-tiny\.json does not state {key}"):
        load_duse(copied)


@pytest.mark.parametrize("change", [{"layers": 3}, {"config": {"tokens": 2}}, {"config": {"heads": 2}}])
def test_weights_that_do_not_fit_the_card_are_refused(copied: Path, change: dict[str, object]) -> None:
    restate(copied, **change)
    with pytest.raises(CheckpointError, match=r"does not fit Duse: of another shape: "):
        load_duse(copied)
