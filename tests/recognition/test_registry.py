from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition import registry


@pytest.fixture
def shipped(tmp_path: Path, tiny_model: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights that holds the tiny model and its encoder."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in (tiny_model, tiny_encoder):
        for suffix in (".safetensors", ".json"):
            shutil.copy(path.with_suffix(suffix), folder)
    monkeypatch.setattr(registry, "SHIPPED", folder)
    return folder


def test_only_recognisers_are_listed_as_models(shipped: Path) -> None:
    assert registry.list_models() == ["duse-tiny"]


def test_a_package_without_weights_has_no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "nowhere")
    assert registry.list_models() == []


def test_a_model_is_found_by_name_by_file_and_by_the_folder_that_training_wrote(
    shipped: Path, tiny_model: Path
) -> None:
    assert registry.locate("duse-tiny") == shipped / "duse-tiny.safetensors"
    assert registry.locate(str(tiny_model)) == tiny_model
    (tiny_model.parent / "state.safetensors").touch()  # to resume from; no model
    try:
        assert registry.locate(str(tiny_model.parent)) == tiny_model
    finally:
        (tiny_model.parent / "state.safetensors").unlink()


def test_a_folder_of_several_models_wants_one_of_them_named(shipped: Path) -> None:
    with pytest.raises(CheckpointError, match="holds 2 models; name one file of them"):
        registry.locate(str(shipped))


@pytest.mark.parametrize("name", ["duse-tny", "nowhere.safetensors"])
def test_an_unknown_model_is_met_with_the_choices(shipped: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"unknown model '{name}'.*Choose from: duse-tiny, a path to a \.safetensors"):
        registry.load(name)


def test_an_encoder_is_no_recogniser(shipped: Path) -> None:
    with pytest.raises(CheckpointError, match="is of the kind 'encoder', not a recogniser; choose from duse-tiny"):
        registry.load("compact-tiny")


def test_a_model_comes_with_its_card_and_the_card_without_the_model(shipped: Path) -> None:
    (shipped / "duse-tiny.safetensors").rename(shipped / "duse-tiny.moved")
    with pytest.raises(UsageError):
        registry.facts("duse-tiny")
    (shipped / "duse-tiny.moved").rename(shipped / "duse-tiny.safetensors")
    assert registry.facts("duse-tiny") == registry.load("duse-tiny").facts


@pytest.mark.parametrize(
    "space",
    [
        EXPRESSIONS,
        LabelSpace(name="pair", names=("up", "down"), descriptions=(("it rises", "it climbs"), ("it sinks",))),
    ],
)
def test_a_label_space_survives_being_stated_in_json(space: LabelSpace) -> None:
    import json

    assert registry.space_from(json.loads(json.dumps(registry.space_facts(space)))) == space


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_in_a_sentence(device: str, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match=f"there is no device '{device}' here"):
        registry.load(str(tiny_model), device=device)
