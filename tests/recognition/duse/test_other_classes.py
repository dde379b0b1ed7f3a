"""A DuSE that is told of classes that it did not learn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica import checkpoint
from mimica.clips import ClipBatch
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition import registry
from mimica.recognition.baselines.match import as_it_is
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse
from mimica.recognition.store import save_as_it_is, save_recogniser

Build = Callable[..., Duse]
TURNED = EXPRESSIONS.only(EXPRESSIONS.names[::-1])


@pytest.mark.parametrize("on", ["compact", "clip"])
@pytest.mark.parametrize("preset", ["duse", "duse-paper", "coop", "zero-shot"])
def test_the_same_classes_in_another_order_have_the_same_logits_in_that_order(
    build: Build, batch_for: Callable[..., ClipBatch], preset: str, on: str
) -> None:
    duse, batch = build(preset, on, moved=True).eval(), batch_for(on)
    assert torch.allclose(duse.for_space(TURNED)(batch), duse(batch).flip(1), atol=1e-3)


def test_a_class_is_known_by_its_description_behind_the_learned_prompts(build: Build, few: LabelSpace) -> None:
    duse = build(moved=True)
    assert duse.text is not None
    assert duse.prompts is not None
    expected = duse.text([d[0] for d in few.descriptions], duse.prompts.text_prompts())
    assert torch.allclose(duse.for_space(few).class_features(), expected, atol=1e-5)


def test_what_was_learned_goes_over_as_a_copy(build: Build, batch: ClipBatch, few: LabelSpace) -> None:
    duse = build(moved=True, logits="learnable")
    other = duse.for_space(few)
    assert float(other.log_scale.detach()) == pytest.approx(float(duse.log_scale.detach()))
    before = duse(batch).detach()
    assert other.freeze()(batch).shape == (3, 3)
    with torch.no_grad():
        for weight in other.aggregator.parameters():
            weight.zero_()
    assert torch.equal(duse(batch), before)
    assert duse.text is not None


def test_a_frozen_one_cannot_be_told(build: Build, few: LabelSpace) -> None:
    with pytest.raises(UsageError, match="a frozen DuSE has no text tower"):
        build().freeze().for_space(few)


@pytest.fixture
def saved(tmp_path: Path, build: Build, tiny_dual: DualEncoder) -> Callable[..., tuple[Path, Duse]]:
    """A file of a DuSE as if it had been trained, and that DuSE."""

    def make(**choices: Any) -> tuple[Path, Duse]:
        duse = build(moved=True, **choices).eval()
        facts = {"frames": 16, "temperature": 2.0, "unsure_below": 0.4, "held_out": {"war": 1}, "metrics": {"war": 1}}
        path = tmp_path / "duse.safetensors"
        save_recogniser(path, duse, encoder=tiny_dual, facts=facts)
        return path, duse

    return make


@pytest.mark.usefixtures("minilm")
@pytest.mark.parametrize("choices", [{}, {"head_maps": "separate", "texts": "mean"}, {"logits": "learnable"}])
def test_a_file_reads_other_classes_as_what_was_saved_would(
    saved: Callable[..., tuple[Path, Duse]], batch: ClipBatch, choices: dict[str, Any], few: LabelSpace
) -> None:
    path, duse = saved(**choices)
    with torch.no_grad():
        expected = duse.for_space(few)(batch)
        found = registry.load(str(path), space=few).network(batch)
    assert (found - expected).abs().max() < 5e-3 * expected.abs().max()


@pytest.mark.usefixtures("minilm")
def test_what_was_found_out_of_the_learned_classes_is_not_told_of_others(
    saved: Callable[..., tuple[Path, Duse]], few: LabelSpace
) -> None:
    told = registry.load(str(saved()[0]), space=few)
    assert (told.space, told.temperature, told.unsure_below) == (few, 1.0, 0.0)
    assert told.facts["learned_classes"] == list(EXPRESSIONS.names)
    assert told.facts["metrics"] == {}
    assert "held_out" not in told.facts


@pytest.mark.usefixtures("minilm")
def test_a_recogniser_of_other_classes_can_be_written_and_read_again(
    saved: Callable[..., tuple[Path, Duse]], batch: ClipBatch, few: LabelSpace, tmp_path: Path
) -> None:
    told = registry.load(str(saved()[0]), space=few)
    save_as_it_is(tmp_path / "told.safetensors", told)
    back = registry.load(str(tmp_path / "told.safetensors"))
    assert (back.space, back.frames, back.facts["learned_classes"]) == (few, 16, list(EXPRESSIONS.names))
    assert torch.allclose(back.network(batch), told.network(batch), atol=2e-2)


@pytest.mark.usefixtures("minilm")
@pytest.mark.parametrize("name", ["linear-probe", "dfer-clip-head"])
def test_a_method_that_knows_only_its_own_classes_says_so(
    name: str, tmp_path: Path, tiny_dual: DualEncoder, few: LabelSpace
) -> None:
    path = tmp_path / "d.safetensors"
    network: Any = registry.build(registry.method(name), tiny_dual, EXPRESSIONS)
    save_recogniser(path, network, encoder=tiny_dual, facts={"frames": 16, "temperature": 1.0, "unsure_below": 0.0})
    with pytest.raises(UsageError, match=f"'{name}', which knows only the classes that it learned; methods that read"):
        registry.load(str(path), space=few)


@pytest.mark.usefixtures("minilm")
def test_another_encoder_is_refused_for_other_classes_too(
    saved: Callable[..., tuple[Path, Duse]], few: LabelSpace
) -> None:
    path, _ = saved()
    checkpoint.restate(path, encoder_sha256="0" * 64)
    with pytest.raises(CheckpointError, match="was trained on another encoder than"):
        registry.load(str(path), space=few)


@pytest.mark.usefixtures("minilm")
def test_an_encoder_that_moved_is_found_beside_the_model(
    saved: Callable[..., tuple[Path, Duse]], few: LabelSpace, tiny_encoder: Path
) -> None:
    path, _ = saved()
    for ending in (".safetensors", ".json"):
        shutil.copy(tiny_encoder.with_suffix(ending), path.parent)
    checkpoint.restate(path, encoder=f"/gone/{tiny_encoder.name}")
    assert registry.load(str(path), space=few).space == few


def test_an_encoder_as_it_is_reads_by_the_cosine_with_the_class_texts(
    tiny_dual: DualEncoder, batch: ClipBatch, few: LabelSpace
) -> None:
    for texts, of in (("first", lambda d: d[:1]), ("mean", lambda d: d)):
        found = as_it_is(tiny_dual, few, texts=texts).network(batch)
        said = torch.stack([tiny_dual.text(of(d)).mean(0) for d in few.descriptions])
        for i in range(3):
            mean = tiny_dual.vision(batch.face[i][batch.valid[i]]).mean(0)
            expected = F.cosine_similarity(mean[None], said) * torch.tensor(tiny_dual.log_scale).exp()
            assert torch.allclose(found[i], expected, atol=1e-4)


# Words matter: five features of a face, of which the classes are made and of which their descriptions speak.

_PARTS = ("brows", "eyes", "nose", "lips", "jaw")
_CLASSES = {"a": "brows eyes", "b": "eyes lips", "c": "nose lips", "d": "brows jaw", "e": "nose jaw", "f": "brows nose",
            "g": "eyes jaw"}  # fmt: skip
TOY = LabelSpace(name="toy", names=tuple(_CLASSES), descriptions=tuple((said,) for said in _CLASSES.values()))


class _Sees(nn.Module):
    """Pictures of five grey stripes, one a part, seen through a turn that hides much of which part is which."""

    size, width, layers, dim = 5, 4, 1, 16

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.said = torch.randn(5, 16, generator=random)
        self.turn = self.said + 1.2 * torch.randn(5, 16, generator=random)

    def forward(self, images: Tensor, prompts: Sequence[Tensor] = (), *, after: str = "drop") -> Tensor:
        return images[:, 0, 0, :] @ self.turn + 1.5

    def normalise(self, pixels: Tensor) -> Tensor:
        return pixels


class _Reads(nn.Module):
    """The sum of the words of a sentence."""

    width, layers, dim = 4, 1, 16

    def __init__(self, words: Tensor) -> None:
        super().__init__()
        self.words = words

    def forward(self, sentences: Sequence[str], prompts: Sequence[Tensor] = (), **_: object) -> Tensor:
        return torch.stack([sum(self.words[_PARTS.index(w)] for w in said.split()) for said in sentences])  # type: ignore[misc]


def _faces(labels: Tensor) -> ClipBatch:
    parts = torch.tensor([[float(part in said.split()) for part in _PARTS] for said in _CLASSES.values()])
    stripes = (parts[labels] + 0.15 * torch.randn(len(labels), 5))[:, None, None, None].expand(-1, 2, 3, 5, -1)
    return ClipBatch(face=stripes, valid=torch.ones(len(labels), 2, dtype=torch.bool))


def test_a_class_that_was_never_trained_is_read_by_its_description_alone() -> None:
    sees: Any = _Sees()
    reads: Any = _Reads(sees.said)
    config = DuseConfig(htpc="none", attention_heads=1)
    duse = Duse(sees, reads, TOY.only("abcdef"), config, log_scale=2.0).train()
    adam = torch.optim.Adam([weight for weight in duse.parameters() if weight.requires_grad], lr=0.01)
    for _ in range(120):
        labels = torch.randint(6, (48,))
        adam.zero_grad()
        F.cross_entropy(duse(_faces(labels)), labels).backward()
        adam.step()
    seventh = _faces(torch.full((200,), 6))
    right = {}
    for said in ("eyes jaw", "brows lips"):
        described = replace(TOY, descriptions=(*TOY.descriptions[:6], (said,)))
        right[said] = float((duse.for_space(described).eval()(seventh).argmax(-1) == 6).float().mean())
    assert right["eyes jaw"] > 3 / 7
    assert right["brows lips"] < 1 / 7
