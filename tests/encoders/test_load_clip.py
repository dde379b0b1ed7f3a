from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mimica.encoders.clip import MEAN, STD, load_clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import AssetError, CheckpointError, InputError, MissingExtra, UsageError

TEXTS = ["a face", "sadness: the inner brows rise and draw together", "lips"]


def test_pictures_are_normalised_by_what_openai_trained_on_or_by_what_the_folder_states(
    tiny_clip: Path, clip: DualEncoder, tmp_path: Path
) -> None:
    picture = torch.rand(2, 4, 3, 32, 32)
    expected = (picture - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert torch.allclose(clip.vision.normalise(picture), expected)
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    stated = {"image_processor_type": "CLIPImageProcessor", "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    assert torch.allclose(load_clip(folder).vision.normalise(picture), (picture - 0.5) / 0.25)


def altered(tiny_clip: Path, folder: Path, change: Any) -> Path:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_clip, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("text_projection.weight"), r"missing: text_projection\.weight"),
        (lambda t: t.update(classifier=torch.zeros(2)), "left over: classifier"),
        (lambda t: t.update({"visual_projection.weight": torch.zeros(16, 3)}), "another shape: visual_projection"),
        (lambda t: [t.pop(k) for k in list(t) if k.startswith("text_model")], "missing: text_model.* and 48 more"),
    ],
)
def test_weights_that_are_missing_or_too_many_are_neither_made_up_nor_passed_over(
    tiny_clip: Path, tmp_path: Path, change: Any, said: str
) -> None:
    folder = altered(tiny_clip, tmp_path / "clip", change)
    with pytest.raises(CheckpointError, match=said) as raised:
        load_clip(folder)
    assert str(folder) in str(raised.value)


def test_the_identity_is_that_of_names_and_values_and_not_of_the_file(
    tiny_clip: Path, clip: DualEncoder, tmp_path: Path
) -> None:
    def nudge(tensors: dict[str, Tensor]) -> None:
        tensors["visual_projection.weight"][0, 0] += 1e-3

    same = load_clip(altered(tiny_clip, tmp_path / "same", lambda tensors: None))
    other = load_clip(altered(tiny_clip, tmp_path / "other", nudge))
    assert len(clip.identity) == 64
    assert clip.identity == same.identity != other.identity


def test_half_precision_on_disk_is_read_into_full(tiny_clip: Path, tmp_path: Path) -> None:
    def halve(tensors: dict[str, Tensor]) -> None:
        tensors.update({name: value.half() for name, value in tensors.items()})

    clip = load_clip(altered(tiny_clip, tmp_path / "half", halve))
    assert clip.text(TEXTS).dtype == torch.float32


def test_loading_prints_nothing(tiny_clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_clip(tiny_clip)
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_another_kind_is_refused(tiny_text_folder: Path) -> None:
    with pytest.raises(CheckpointError, match="holds a bert, not a CLIP"):
        load_clip(tiny_text_folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_a_folder_with_a_file_gone_or_torn_is_refused(tiny_clip: Path, tmp_path: Path, file: str, damage: str) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    (folder / file).write_bytes((folder / file).read_bytes()[:100])
    if damage == "gone":
        (folder / file).unlink()
    with pytest.raises(CheckpointError, match=f"cannot read the CLIP in {folder}"):
        load_clip(folder)


def test_a_folder_without_a_tokenizer_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip", ignore=shutil.ignore_patterns("vocab.json", "merges.txt"))
    with pytest.raises(CheckpointError, match=r"holds no tokenizer; it needs vocab\.json"):
        load_clip(folder)
    beside = load_clip(folder, tokenizer=tiny_clip)
    assert torch.equal(beside.text(TEXTS), load_clip(tiny_clip).text(TEXTS))


def test_the_tokenizer_of_another_vocabulary_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "clip")
    words = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(words | {"zebra": len(words)}))
    with pytest.raises(CheckpointError, match=f"knows {len(words) + 1} words and the CLIP's text tower {len(words)}"):
        load_clip(folder)


def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        load_clip(tmp_path / "nowhere")


def test_a_hub_that_is_out_of_reach_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(AssetError, match="cannot get 'nobody/no-clip' from the Hugging Face hub: it is out of reach"):
        load_clip("nobody/no-clip")


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tiny_clip: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"mimica\[clip\]"):
        load_clip(tiny_clip)


def test_an_activation_is_for_files_alone(tiny_clip: Path) -> None:
    with pytest.raises(UsageError, match=r"a folder's config\.json states its own"):
        load_clip(tiny_clip, activation="gelu")
