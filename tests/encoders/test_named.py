from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mimica import checkpoint
from mimica.encoders.keys import OPENAI_MARKS
from mimica.encoders.named import open_encoder, open_vision
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import DualEncoder
from mimica.errors import AssetError, CheckpointError, InputError, UsageError
from tiny_clip import original

TEXTS = ["a face", "sadness: the inner brows rise and draw together"]
pytestmark = pytest.mark.usefixtures("minilm")


@pytest.fixture
def shipped(tiny_encoder: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped weights with the tiny encoder, named `small`, and a model."""
    folder = tmp_path / "weights"
    folder.mkdir()
    copied(tiny_encoder, folder / "small.safetensors")
    copied(tiny_model, folder / "duse-tiny.safetensors")
    monkeypatch.setattr(checkpoint, "SHIPPED", folder)
    return folder


@pytest.fixture
def file(tiny_clip: Path, tmp_path: Path) -> Path:
    """A CLIP as OpenAI gives it, one file of weights by their names, with its tokenizer beside it."""
    folder = tmp_path / "openai"
    folder.mkdir()
    marks = {name: torch.tensor(0) for name in OPENAI_MARKS}
    save_file(original(load_file(tiny_clip / "model.safetensors")) | marks, folder / "ViT.safetensors")
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(tiny_clip / name, folder)
    return folder / "ViT.safetensors"


def copied(path: Path, to: Path) -> Path:
    for suffix in (".safetensors", ".json"):
        shutil.copy(path.with_suffix(suffix), to.with_suffix(suffix))
    return to


def pictures(encoder: DualEncoder) -> Tensor:
    S = encoder.vision.size
    return encoder.vision.normalise(torch.rand(2, 3, S, S, generator=torch.Generator().manual_seed(0)))


def same(one: DualEncoder, other: DualEncoder) -> bool:
    """Whether two encoders see and read the same, and state the same identity and scale."""
    with torch.no_grad():
        seen = torch.allclose(one.vision(pictures(one)), other.vision(pictures(other)), atol=1e-5)
        read = torch.allclose(one.text(TEXTS), other.text(TEXTS), atol=1e-5)
    return seen and read and (one.identity, one.log_scale) == (other.identity, other.log_scale)


# Both towers, to train on


def test_a_compact_encoder_is_its_vision_tower_and_a_sentence_encoder_through_its_projection(
    tiny_encoder: Path,
) -> None:
    found: Any = open_encoder(str(tiny_encoder))
    vision, project, facts = load_encoder(tiny_encoder)
    with torch.no_grad():
        assert torch.equal(found.vision(pictures(found)), vision.eval()(pictures(found)))
        assert torch.allclose(found.text(TEXTS), found.text.sentences(TEXTS) @ project.T, atol=1e-6)
    assert (found.log_scale, found.identity) == (facts["log_scale"], facts["sha256"])


def test_a_compact_encoder_goes_by_its_shipped_name_its_path_or_the_folder_that_pretraining_wrote(
    shipped: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    (tmp_path / "pretrained").mkdir()
    written = copied(tiny_encoder, tmp_path / "pretrained" / "compact.safetensors")
    names = {"small": "small", str(tiny_encoder): str(tiny_encoder), str(written.parent): str(written)}
    opened = {named: open_encoder(named) for named in names}
    assert {named: encoder.name for named, encoder in opened.items()} == names
    assert all(same(encoder, opened["small"]) for encoder in opened.values())


def test_a_shipped_name_comes_before_a_folder_of_that_name(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_encoder("small").name == "small"


def test_a_clip_goes_by_its_folder_or_by_its_file_with_the_tokenizer_beside_it(tiny_clip: Path, file: Path) -> None:
    folder, alone = open_encoder(str(tiny_clip)), open_encoder(str(file))
    assert (folder.name, alone.name) == (str(tiny_clip), str(file))
    assert same(folder, alone)


@pytest.mark.parametrize("kind", ["compact", "clip"])
def test_what_it_is_named_opens_it_again_from_wherever(
    kind: str, tiny_encoder: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = {"compact": tiny_encoder, "clip": tiny_clip}[kind]
    monkeypatch.chdir(path.parent)
    encoder = open_encoder(f"./{path.name}")
    monkeypatch.chdir(tmp_path)
    assert same(open_encoder(encoder.name), encoder)


@pytest.mark.parametrize("kind", ["compact", "clip"])
def test_both_towers_come_frozen(kind: str, tiny_encoder: Path, tiny_clip: Path) -> None:
    encoder = open_encoder(str({"compact": tiny_encoder, "clip": tiny_clip}[kind]))
    for tower in (encoder.vision, encoder.text):
        assert isinstance(tower, nn.Module)
        assert not tower.training
        assert not any(weight.requires_grad for weight in tower.parameters())


def test_a_clips_file_without_a_tokenizer_beside_it_is_refused(file: Path) -> None:
    (file.parent / "vocab.json").unlink()
    with pytest.raises(CheckpointError, match=rf"{file.parent} holds no tokenizer; it needs vocab\.json"):
        open_encoder(str(file))


@pytest.mark.parametrize("named", ["smal", "smal.safetensors"])
def test_a_name_of_nothing_is_met_with_the_choices_and_not_looked_for_on_the_hub(shipped: Path, named: str) -> None:
    said = rf"unknown encoder '{named}'.*Choose from: small, a path, a CLIP's name on the hub \(OWNER/NAME\)$"
    with pytest.raises(UsageError, match=said):
        open_encoder(named)


def test_a_path_of_nothing_is_said_to_be_that(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*/gone\.safetensors"):
        open_encoder(str(tmp_path / "gone.safetensors"))
    with pytest.raises(InputError, match=r"there is no folder .*/gone;"):
        open_encoder(str(tmp_path / "gone"))


@pytest.mark.parametrize("named", ["duse-tiny", "path"])
def test_a_recogniser_is_no_encoder(shipped: Path, tiny_model: Path, named: str) -> None:
    with pytest.raises(UsageError, match=r"duse-tiny\.safetensors is of the kind 'recogniser', not an encoder"):
        open_encoder(str(tiny_model) if named == "path" else named)


def test_a_name_on_a_hub_out_of_reach_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(AssetError, match="cannot get 'nobody/no-clip' from the Hugging Face hub"):
        open_encoder("nobody/no-clip")


# The vision tower, to read with


def seen(named: str, encoder: DualEncoder, asked_by: Path) -> bool:
    """Whether the vision tower of that name sees what the encoder sees."""
    tower = open_vision(named, identity=encoder.identity, asked_by=asked_by)
    with torch.no_grad():
        return torch.allclose(tower(pictures(encoder)), encoder.vision(pictures(encoder)), atol=1e-5)


def test_the_vision_tower_is_had_by_the_same_names(
    shipped: Path, tiny_dual: DualEncoder, tiny_clip: Path, file: Path, tmp_path: Path
) -> None:
    model = tmp_path / "duse.safetensors"
    for named in ("small", tiny_dual.name):
        assert seen(named, tiny_dual, model)
    clip = open_encoder(str(tiny_clip))
    for path in (tiny_clip, file):
        assert seen(str(path), clip, model)


def test_a_vision_tower_comes_frozen(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    tower = open_vision(tiny_dual.name, identity=tiny_dual.identity, asked_by=tmp_path / "duse.safetensors")
    assert isinstance(tower, nn.Module)
    assert not tower.training
    assert not any(weight.requires_grad for weight in tower.parameters())


@pytest.mark.parametrize("kind", ["compact", "clip"])
def test_another_encoder_of_that_name_is_refused(
    kind: str, tiny_encoder: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    named = {"compact": tiny_encoder, "clip": tiny_clip}[kind]
    with pytest.raises(CheckpointError, match=rf"d\.safetensors was trained on another encoder than {named}"):
        open_vision(str(named), identity="0" * 64, asked_by=tmp_path / "d.safetensors")


def test_an_encoder_that_has_moved_is_found_beside_what_was_learned_on_it(
    tiny_dual: DualEncoder, tiny_clip: Path, file: Path, tmp_path: Path
) -> None:
    model, clip = tmp_path / "models" / "duse.safetensors", open_encoder(str(tiny_clip))
    shutil.copytree(file.parent, model.parent)
    copied(Path(tiny_dual.name), model.with_name("compact-tiny.safetensors"))
    shutil.copytree(tiny_clip, model.parent / "clip")
    assert seen("/elsewhere/compact-tiny.safetensors", tiny_dual, model)
    assert seen("/elsewhere/clip", clip, model)
    assert seen("/elsewhere/ViT.safetensors", clip, model)


def test_what_lies_beside_must_be_the_same_encoder_too(tiny_encoder: Path, tmp_path: Path) -> None:
    beside = copied(tiny_encoder, tmp_path / "compact.safetensors")
    facts = json.loads(beside.with_suffix(".json").read_text())
    with pytest.raises(CheckpointError, match=rf"was trained on another encoder than {beside}; train it again on this"):
        open_vision(
            "/elsewhere/compact.safetensors", identity=facts["sha256"][::-1], asked_by=tmp_path / "d.safetensors"
        )


@pytest.mark.parametrize("named", ["/elsewhere/clip", "/elsewhere/compact.safetensors", "no-longer-shipped"])
def test_an_encoder_that_is_nowhere_is_asked_for_by_name(named: str, tmp_path: Path) -> None:
    said = rf"d\.safetensors needs the encoder {named}, which is not there; copy it beside d\.safetensors"
    with pytest.raises(CheckpointError, match=said):
        open_vision(named, identity="0" * 64, asked_by=tmp_path / "d.safetensors")
