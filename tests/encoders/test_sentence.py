from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimica import assets
from mimica.encoders.sentence import SentenceTower
from mimica.errors import AssetError, CheckpointError, MissingExtra, UsageError

TEXTS = ["a face", "sadness: the inner brows rise and draw together", "the lips"]


@pytest.fixture(scope="module")
def loaded(tiny_text_folder: Path) -> SentenceTower:
    torch.manual_seed(0)
    return SentenceTower(tiny_text_folder, dim=16).eval()


@pytest.fixture
def text(loaded: SentenceTower) -> SentenceTower:
    loaded.zero_grad()
    return loaded


def some_prompts(layers: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.randn(1, 4, 32, generator=random) for _ in range(layers)]


def length(text: SentenceTower, sentences: list[str]) -> int:
    return int(text.tokenizer(sentences, padding=True, return_tensors="pt")["input_ids"].shape[1])


def test_without_prompts_a_sentence_is_the_mean_of_the_librarys_own_tokens(
    text: SentenceTower, tiny_text_folder: Path
) -> None:
    from transformers import BertModel

    bert = BertModel.from_pretrained(tiny_text_folder, attn_implementation="eager").eval()
    batch = text.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = bert(**batch).last_hidden_state
        for i, feature in enumerate(text.sentences(TEXTS)):
            mean = hidden[i, : int(batch["attention_mask"][i].sum())].mean(0)
            assert torch.allclose(feature, mean / mean.norm(), atol=1e-5)


def test_sentences_are_of_unit_length_and_joint_features_are_their_projection(text: SentenceTower) -> None:
    sentences = text.sentences(TEXTS, some_prompts(2))
    assert torch.allclose(sentences.norm(dim=-1), torch.ones(3))
    assert torch.allclose(text(TEXTS, some_prompts(2)), sentences @ text.project.weight.T, atol=1e-6)


def test_its_shape_is_read_from_the_folder(text: SentenceTower) -> None:
    assert (text.width, text.layers, text.dim) == (32, 2, 16)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_sentence_is_read_the_same_alone_and_beside_longer_ones(text: SentenceTower, layers: int) -> None:
    together = text(TEXTS, some_prompts(layers))
    alone = torch.cat([text([sentence], some_prompts(layers)) for sentence in TEXTS])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_prompts_enter_their_layer_and_their_places_are_dropped_after_it(text: SentenceTower, layers: int) -> None:
    entered: list[int] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: entered.append(given[0].shape[1]))
        for layer in text.bert.encoder.layer
    ]
    text(TEXTS, some_prompts(layers))
    for hook in hooks:
        hook.remove()
    plain = length(text, TEXTS)
    assert entered == [plain + 4] * layers + [plain] * (2 - layers)


def test_what_comes_out_at_the_places_of_prompts_is_neither_read_nor_pooled(text: SentenceTower) -> None:
    expected = text(TEXTS, some_prompts(2))

    def spoil(_: nn.Module, __: object, out: Tensor) -> Tensor:
        return torch.cat([out[:, :1], torch.randn_like(out[:, 1:5]) * 100, out[:, 5:]], dim=1)

    hooks = [layer.register_forward_hook(spoil) for layer in text.bert.encoder.layer]
    spoiled = text(TEXTS, some_prompts(2))
    for hook in hooks:
        hook.remove()
    assert torch.equal(spoiled, expected)


@pytest.mark.parametrize("layer", [0, 1])
def test_the_prompts_of_every_layer_change_the_feature_and_have_a_gradient(text: SentenceTower, layer: int) -> None:
    prompts = [prompt.requires_grad_() for prompt in some_prompts(2)]
    before = text(TEXTS, prompts)
    before.square().sum().backward()
    gradient = prompts[layer].grad
    assert gradient is not None
    assert gradient.abs().max() > 1e-3
    changed = [-prompt if i == layer else prompt for i, prompt in enumerate(prompts)]
    assert (text(TEXTS, changed) - before).abs().max() > 1e-3


def test_the_last_prompts_may_be_carried_on_instead(text: SentenceTower) -> None:
    entered: list[int] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: entered.append(given[0].shape[1]))
        for layer in text.bert.encoder.layer
    ]
    carried = text(TEXTS, some_prompts(1), after="carry")
    for hook in hooks:
        hook.remove()
    assert entered == [length(text, TEXTS) + 4] * 2
    assert (carried - text(TEXTS, some_prompts(1))).abs().max() > 1e-4
    assert torch.allclose(carried[:1], text(TEXTS[:1], some_prompts(1), after="carry"), atol=1e-5)


@pytest.mark.parametrize("after", ["drop", "carry"])
@pytest.mark.parametrize("layers", [1, 2])
def test_prompts_at_the_end_are_read_as_those_at_the_start_for_they_have_no_position(
    text: SentenceTower, layers: int, after: Any
) -> None:
    prompts = [prompt.requires_grad_() for prompt in some_prompts(layers)]
    at_end = text(TEXTS, prompts, after=after, place="end")
    assert torch.allclose(at_end, text(TEXTS, prompts, after=after), atol=1e-5)
    assert (at_end - text(TEXTS)).abs().max() > 1e-3
    at_end.square().sum().backward()
    assert all(prompt.grad is not None and prompt.grad.abs().max() > 1e-4 for prompt in prompts)


def test_prompts_at_the_end_stand_behind_the_padding_of_shorter_sentences(text: SentenceTower) -> None:
    entered: list[Tensor] = []
    hook = text.bert.encoder.layer[1].register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    together = text(TEXTS, some_prompts(2), place="end")
    hook.remove()
    assert torch.equal(entered[0][:, -4:], some_prompts(2)[1].expand(3, -1, -1))
    alone = torch.cat([text([sentence], some_prompts(2), place="end") for sentence in TEXTS])
    assert torch.allclose(together, alone, atol=1e-5)


def test_layer_tokens_are_the_librarys_hidden_states(text: SentenceTower) -> None:
    batch = text.tokenizer(TEXTS, padding=True, return_tensors="pt")
    states = text.bert(**batch, output_hidden_states=True).hidden_states
    tokens = text.layer_tokens(TEXTS, layers=[0, 1, 2])
    seen = batch["attention_mask"].bool()
    assert all(torch.allclose(tokens[i][seen], state[seen], atol=1e-5) for i, state in enumerate(states))
    prompted = text.layer_tokens(TEXTS, some_prompts(2), layers=[2])
    assert prompted[2].shape == states[2].shape


def test_the_bert_is_frozen_and_stays_so_in_training(text: SentenceTower) -> None:
    text.train()
    assert {name for name, p in text.named_parameters() if p.requires_grad} == {"project.weight"}
    assert not any(part.training for part in text.bert.modules())
    first, second = text(TEXTS), text(TEXTS)
    assert torch.equal(first, second)  # no dropout
    text.eval()


@pytest.mark.parametrize("layers", [0, 2])
def test_a_sentence_longer_than_the_bert_can_read_is_refused_and_not_cut(text: SentenceTower, layers: int) -> None:
    assert text(["face " * 254], some_prompts(layers)).isfinite().all()
    with pytest.raises(UsageError, match=r"'face face .*' has 255 tokens, but beside 0 prompts 254 fit; shorten it"):
        text(["a", "face " * 255], some_prompts(layers))


def test_loading_and_reading_print_nothing(tiny_text_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_text_folder, tmp_path / "bert")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("model_max_length")  # a folder that does not state it must not be nagged about
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    code = (
        "import sys; from pathlib import Path; from mimica.encoders.sentence import SentenceTower;"
        "SentenceTower(Path(sys.argv[1]))(['a face ' * 60, 'the lips'])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("bars", [True, False])
def test_the_librarys_own_settings_are_left_as_they_were(tiny_text_folder: Path, bars: bool) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if bars else logging.disable_progress_bar)()
    logging.set_verbosity_info()
    try:
        SentenceTower(tiny_text_folder)
        assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.INFO, bars)
    finally:
        logging.set_verbosity(before[0])
        (logging.enable_progress_bar if before[1] else logging.disable_progress_bar)()


def test_weights_that_are_missing_are_not_made_up(tiny_text_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_text_folder, tmp_path / "bert")
    tensors = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if "layer.1" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=f"the sentence encoder in {folder} lacks 16 weights"):
        SentenceTower(folder)


def test_without_a_folder_the_asset_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="mimica assets fetch minilm"):
        SentenceTower()


def test_with_the_asset_no_folder_is_needed(monkeypatch: pytest.MonkeyPatch, tiny_text_folder: Path) -> None:
    monkeypatch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)
    assert SentenceTower().width == 32


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tiny_text_folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"mimica\[clip\]"):
        SentenceTower(tiny_text_folder)
