from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mimica import checkpoint
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition import registry
from mimica.recognition.baselines.probe import Probe, ProbeConfig
from mimica.recognition.baselines.temporal import Temporal, TemporalConfig
from mimica.recognition.duse.config import DuseConfig, duse, duse_paper
from mimica.recognition.duse.model import Duse
from mimica.recognition.ous.config import OusConfig, ous, ous_paper, ous_repo
from mimica.recognition.ous.model import Ous


@pytest.fixture
def shipped(tmp_path: Path, tiny_model: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights that holds the tiny model and its encoder."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in (tiny_model, tiny_encoder):
        for suffix in (".safetensors", ".json"):
            shutil.copy(path.with_suffix(suffix), folder)
    monkeypatch.setattr(checkpoint, "SHIPPED", folder)
    return folder


def test_only_recognisers_are_listed_as_models(shipped: Path) -> None:
    assert registry.list_models() == ["duse-tiny"]


def test_a_package_without_weights_has_no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path / "nowhere")
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
    for suffix in (".safetensors", ".json"):
        shutil.copy(shipped / f"duse-tiny{suffix}", shipped / f"again{suffix}")
    with pytest.raises(
        CheckpointError, match=r"holds 2 models \(again\.safetensors, duse-tiny\.safetensors\); name the file of one"
    ):
        registry.locate(str(shipped))


def test_an_encoder_beside_its_model_does_not_hide_it(shipped: Path) -> None:
    (shipped / "ViT-B-32.safetensors").touch()  # a CLIP's, of which no .json of ours speaks
    assert registry.locate(str(shipped)) == shipped / "duse-tiny.safetensors"


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds 0 models; name the file of one"):
        registry.locate(str(tmp_path))


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


@pytest.mark.parametrize("device", ["toaster", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_in_a_sentence(device: str, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match=f"there is no device '{device}' here"):
        registry.load(str(tiny_model), device=device)


CHOICES: dict[str, DuseConfig | OusConfig | ProbeConfig | TemporalConfig] = {
    "duse": duse(), "duse-paper": duse_paper(), "coop": DuseConfig(htpc="coop", lsea="mean"),
    "zero-shot": DuseConfig(htpc="none", lsea="mean"), "linear-probe": ProbeConfig(),
    "dfer-clip-head": TemporalConfig(), "ous": ous(), "ous-paper": ous_paper(), "ous-repo": ous_repo(),
}  # fmt: skip


def test_every_method_has_choices_of_its_own() -> None:
    assert {name: registry.method(name) for name in registry.METHODS} == CHOICES
    assert len({repr(choices) for choices in CHOICES.values()}) == len(CHOICES)


def test_an_unknown_method_is_met_with_the_choices() -> None:
    said = (
        r"unknown method 'zeroshot'; did you mean 'zero-shot'\? "
        "Choose from: duse, duse-paper, ous, ous-paper, ous-repo, coop, zero-shot, linear-probe, dfer-clip-head$"
    )
    with pytest.raises(UsageError, match=said):
        registry.method("zeroshot")


@pytest.mark.parametrize("name", CHOICES)
def test_a_method_is_built_on_the_encoder_for_the_label_space_with_its_own_choices(
    name: str, tiny_dual: DualEncoder
) -> None:
    network = registry.build(CHOICES[name], tiny_dual, EXPRESSIONS)
    kinds = {"linear-probe": Probe, "dfer-clip-head": Temporal, **dict.fromkeys(("ous", "ous-paper", "ous-repo"), Ous)}
    assert type(network) is kinds.get(name, Duse)
    assert (network.vision, network.space) == (tiny_dual.vision, EXPRESSIONS)
    assert float(network.log_scale) == pytest.approx(tiny_dual.log_scale)
    if not isinstance(network, Probe):
        assert (network.text, network.config) == (tiny_dual.text, CHOICES[name])
