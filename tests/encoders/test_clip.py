from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mimica.clips import ClipBatch
from mimica.encoders.clip import ClipText, ClipVision
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.model import Duse, DuseConfig
from mimica.recognition.duse.prompts import prompted_layers

TEXTS = ["a face", "sadness: the inner brows rise and draw together", "lips"]
N, L = 5, 1 + 4


@pytest.fixture(scope="module")
def library(tiny_clip: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(tiny_clip, attn_implementation="eager").eval().requires_grad_(False)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(N, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def some_prompts(layers: int, width: int, n: int = 4, items: int = 1) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    return [torch.randn(items, n, width, generator=random) for _ in range(layers)]


def given(clip: DualEncoder, stream: str, images: Tensor) -> tuple[Any, Any]:
    return (clip.vision, images) if stream == "vision" else (clip.text, TEXTS)


def layers_of(tower: Any) -> nn.ModuleList:
    layers: nn.ModuleList = tower.tower.encoder.layers
    return layers


def batch_of(clip: DualEncoder, texts: list[str]) -> Any:
    return clip.text.tokenizer(texts, padding=True, return_tensors="pt")  # type: ignore[attr-defined]


both = pytest.mark.parametrize("stream", ["vision", "text"])


def test_the_towers_have_the_shape_that_the_folder_states(clip: DualEncoder) -> None:
    vision, text = clip.vision, clip.text
    assert (vision.size, vision.width, vision.layers, vision.dim) == (32, 128, 3, 16)
    assert (text.width, text.layers, text.dim) == (64, 3, 16)
    assert clip.log_scale == pytest.approx(2.302585)


def test_both_towers_are_frozen_and_in_full_precision(clip: DualEncoder) -> None:
    for tower in (clip.vision, clip.text):
        assert isinstance(tower, nn.Module)
        assert not any(p.requires_grad or p.dtype != torch.float32 for p in tower.parameters())
        assert not any(part.training for part in tower.modules())


def test_without_prompts_pictures_have_the_librarys_own_features(
    clip: DualEncoder, library: Any, images: Tensor
) -> None:
    expected = library.get_image_features(pixel_values=images).pooler_output
    assert torch.allclose(clip.vision(images), expected, atol=1e-5)
    assert expected.std(0).min() > 0.05, "features that are all alike prove nothing"


def test_without_prompts_sentences_have_the_librarys_own_features(clip: DualEncoder, library: Any) -> None:
    expected = library.get_text_features(**batch_of(clip, TEXTS)).pooler_output
    assert torch.allclose(clip.text(TEXTS), expected, atol=1e-5)
    assert expected.std(0).min() > 0.05


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_a_sentence_is_read_the_same_by_every_attention_of_the_library(
    tiny_clip: Path, clip: DualEncoder, implementation: str
) -> None:
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(tiny_clip, attn_implementation=implementation).eval()
    text = ClipText(model, clip.text.tokenizer)  # type: ignore[attr-defined]
    assert torch.allclose(text(TEXTS, some_prompts(2, 64)), clip.text(TEXTS, some_prompts(2, 64)), atol=1e-5)


@both
def test_no_prompts_and_prompts_of_no_tokens_are_the_same_to_the_last_bit(
    clip: DualEncoder, images: Tensor, stream: str
) -> None:
    tower, inputs = given(clip, stream, images)
    assert torch.equal(tower(inputs, some_prompts(3, tower.width, n=0)), tower(inputs))


@both
def test_layer_tokens_are_the_librarys_hidden_states(
    clip: DualEncoder, library: Any, images: Tensor, stream: str
) -> None:
    tower, inputs = given(clip, stream, images)
    if stream == "vision":
        states = library.vision_model(pixel_values=images, output_hidden_states=True).hidden_states
    else:
        states = library.text_model(batch_of(clip, TEXTS)["input_ids"], output_hidden_states=True).hidden_states
    tokens = tower.layer_tokens(inputs, layers=[3, 0, 1, 2])
    assert sorted(tokens) == [0, 1, 2, 3]
    for number, state in enumerate(states):
        assert torch.allclose(tokens[number], state, atol=1e-5), number


@both
@pytest.mark.parametrize("after", ["drop", "carry"])
def test_layer_tokens_leave_the_prompts_out_and_end_in_the_feature(
    clip: DualEncoder, images: Tensor, stream: str, after: str
) -> None:
    tower, inputs = given(clip, stream, images)
    prompts = some_prompts(2, tower.width)
    plain = tower.layer_tokens(inputs, layers=[1, 3])
    tokens = tower.layer_tokens(inputs, prompts, layers=[1, 3], after=after)
    assert {number: t.shape for number, t in tokens.items()} == {number: t.shape for number, t in plain.items()}
    last = tokens[3]
    if stream == "vision":
        pooled = tower.tower.post_layernorm(last[:, 0])
    else:
        ends = batch_of(clip, TEXTS)["attention_mask"].sum(1) - 1
        pooled = tower.tower.final_layer_norm(last[range(len(last)), ends])
    assert torch.allclose(tower.project(pooled), tower(inputs, prompts, after=after), atol=1e-6)


def test_features_come_with_what_is_taken_of_some_layers(clip: DualEncoder, images: Tensor) -> None:
    features, taken = clip.vision.with_layers(images, layers=[1, 3], take=lambda tokens: tokens[:, 0])
    assert torch.equal(features, clip.vision(images))
    for layer, tokens in clip.vision.layer_tokens(images, layers=[1, 3]).items():
        assert torch.equal(taken[layer], tokens[:, 0])


@both
def test_no_layer_above_the_highest_asked_for_is_computed(clip: DualEncoder, images: Tensor, stream: str) -> None:
    tower, inputs = given(clip, stream, images)
    run: list[int] = []
    hooks = [layer.register_forward_hook(lambda *_, i=i: run.append(i)) for i, layer in enumerate(layers_of(tower))]
    tower.layer_tokens(inputs, layers=[1])
    for hook in hooks:
        hook.remove()
    assert run == [0]


@both
@pytest.mark.parametrize("layer", [-1, 4])
def test_a_layer_that_is_not_there_is_refused(clip: DualEncoder, images: Tensor, stream: str, layer: int) -> None:
    tower, inputs = given(clip, stream, images)
    with pytest.raises(UsageError, match=rf"no layer {layer}; choose from 0, .* to 3"):
        tower.layer_tokens(inputs, layers=[layer])


@both
@pytest.mark.parametrize("layers", [0, 1, 2, 3])
@pytest.mark.parametrize("after", ["drop", "carry"])
def test_prompts_leave_after_their_last_layer_or_are_carried_on(
    clip: DualEncoder, images: Tensor, stream: str, layers: int, after: str
) -> None:
    tower, inputs = given(clip, stream, images)
    entered: list[int] = []
    hooks = [layer.register_forward_pre_hook(lambda _, x: entered.append(x[0].shape[1])) for layer in layers_of(tower)]
    tower(inputs, some_prompts(layers, tower.width), after=after)
    for hook in hooks:
        hook.remove()
    plain = L if stream == "vision" else batch_of(clip, TEXTS)["input_ids"].shape[1]
    beyond = plain + 4 if after == "carry" and layers else plain
    assert entered == [plain + 4] * layers + [beyond] * (3 - layers)


@both
def test_an_unknown_way_after_the_last_prompts_is_refused(clip: DualEncoder, images: Tensor, stream: str) -> None:
    tower, inputs = given(clip, stream, images)
    with pytest.raises(UsageError, match=r"'keep'.*Choose from: drop, carry"):
        tower(inputs, after="keep")


def spoiled(tower: Any, inputs: Any, at: int, prompts: list[Tensor], after: str) -> Tensor:
    """The feature where what comes out of the prompted layers at the places of prompts is noise."""

    def spoil(_: nn.Module, __: object, out: Tensor) -> Tensor:
        return torch.cat([out[:, :at], torch.randn_like(out[:, at : at + 4]) * 100, out[:, at + 4 :]], dim=1)

    hooks = [layer.register_forward_hook(spoil) for layer in layers_of(tower)[: len(prompts)]]
    feature: Tensor = tower(inputs, prompts, after=after)
    for hook in hooks:
        hook.remove()
    return feature


@both
@pytest.mark.parametrize(("layers", "after", "same"), [(2, "drop", True), (3, "carry", True), (2, "carry", False)])
def test_what_comes_out_of_a_layer_at_its_prompts_never_reaches_the_next_prompted_one(
    clip: DualEncoder, images: Tensor, stream: str, layers: int, after: str, same: bool
) -> None:
    tower, inputs = given(clip, stream, images)
    prompts = some_prompts(layers, tower.width)
    feature = spoiled(tower, inputs, L if stream == "vision" else 1, prompts, after)
    assert torch.equal(feature, tower(inputs, prompts, after=after)) is same


@both
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("after", ["drop", "carry"])
def test_the_prompts_of_every_layer_change_the_feature_and_have_a_gradient(
    clip: DualEncoder, images: Tensor, stream: str, layer: int, after: str
) -> None:
    tower, inputs = given(clip, stream, images)
    prompts = [prompt.requires_grad_() for prompt in some_prompts(3, tower.width)]
    before = tower(inputs, prompts, after=after)
    before.square().sum().backward()
    gradient = prompts[layer].grad
    assert gradient is not None
    assert gradient.abs().max() > 1e-4
    assert all(p.grad is None for p in tower.parameters())
    changed = [-prompt if i == layer else prompt for i, prompt in enumerate(prompts)]
    assert (tower(inputs, changed, after=after) - before).abs().max() > 1e-3


def text_by_hand(library: Any, ids: Tensor, prompts: Tensor, *, behind_end: bool) -> Tensor:
    """The feature with prompts at layer 1 alone, carried on: in the sequence that the library itself would read."""
    tower = library.text_model
    words = tower.embeddings.token_embedding(ids)
    first = words[:, :1] if not behind_end else words
    rest = words[:, 1:] if not behind_end else words[:, :0]
    x = torch.cat([first, prompts.expand(len(ids), -1, -1), rest], dim=1)
    x = x + tower.embeddings.position_embedding.weight[: x.shape[1]]
    mask = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
    for layer in tower.encoder.layers:
        x = layer(x, attention_mask=mask[None, None])
    end = x[:, ids.shape[1] - 1] if behind_end else x[:, -1]
    feature: Tensor = library.text_projection(tower.final_layer_norm(end))
    return feature


def test_first_prompts_stand_behind_the_start_token_and_move_the_words_up(clip: DualEncoder, library: Any) -> None:
    prompts, ids = some_prompts(1, 64), batch_of(clip, [TEXTS[1]])["input_ids"]
    expected = text_by_hand(library, ids, prompts[0], behind_end=False)
    assert torch.allclose(clip.text([TEXTS[1]], prompts, after="carry"), expected, atol=1e-5)


def test_prompts_behind_the_end_token_would_have_no_gradient_at_all(clip: DualEncoder, library: Any) -> None:
    ids = batch_of(clip, [TEXTS[1]])["input_ids"]
    gradients = []
    for behind_end in (True, False):
        prompts = some_prompts(1, 64)[0].requires_grad_()
        text_by_hand(library, ids, prompts, behind_end=behind_end).square().sum().backward()
        assert prompts.grad is not None
        gradients.append(prompts.grad.abs().max().item())
    assert gradients[0] == 0.0
    assert gradients[1] > 1e-3


@pytest.mark.parametrize("place", ["start", "end"])
def test_the_whole_sequence_has_the_positions_in_which_it_stands(clip: DualEncoder, library: Any, place: str) -> None:
    prompts, ids = some_prompts(2, 64), batch_of(clip, [TEXTS[1]])["input_ids"]
    entered: list[Tensor] = []
    hook = layers_of(clip.text)[0].register_forward_pre_hook(lambda _, x: entered.append(x[0]))
    clip.text([TEXTS[1]], prompts, place=place)  # type: ignore[arg-type]
    hook.remove()
    words, at = library.text_model.embeddings.token_embedding(ids), 1 if place == "start" else ids.shape[1]
    whole = torch.cat([words[:, :at], prompts[0], words[:, at:]], dim=1)
    expected = whole + library.text_model.embeddings.position_embedding.weight[: whole.shape[1]]
    assert torch.allclose(entered[0], expected, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("after", ["drop", "carry"])
def test_prompts_at_the_end_change_no_sentence_and_have_no_gradient_at_all(
    clip: DualEncoder, layers: int, after: Any
) -> None:
    prompts = [prompt.requires_grad_() for prompt in some_prompts(layers, 64)]
    at_end = clip.text(TEXTS, prompts, after=after, place="end")
    assert torch.allclose(at_end, clip.text(TEXTS), atol=1e-6)
    at_end.square().sum().backward()
    assert all(prompt.grad is not None and prompt.grad.abs().max() == 0 for prompt in prompts)
    assert (clip.text(TEXTS, prompts, after=after) - at_end).abs().max() > 1e-2


def test_prompts_at_the_end_take_as_much_room(clip: DualEncoder) -> None:
    assert clip.text(["a " * 71], some_prompts(1, 64), place="end").isfinite().all()
    with pytest.raises(UsageError, match="beside 4 prompts 71 fit"):
        clip.text(["a " * 72], some_prompts(1, 64), place="end")


def test_first_prompts_stand_behind_the_patches_and_pass_the_norm_before_layer_1(
    clip: DualEncoder, library: Any, images: Tensor
) -> None:
    prompts, tower = some_prompts(1, 128, items=N), library.vision_model
    x = tower.pre_layrnorm(torch.cat([tower.embeddings(images), prompts[0]], dim=1))
    for layer in tower.encoder.layers:
        x = layer(x, attention_mask=None)
    expected = library.visual_projection(tower.post_layernorm(x[:, 0]))
    assert torch.allclose(clip.vision(images, prompts, after="carry"), expected, atol=1e-5)


@both
@pytest.mark.parametrize("layers", [0, 2])
def test_an_item_is_read_the_same_alone_and_beside_others(
    clip: DualEncoder, images: Tensor, stream: str, layers: int
) -> None:
    tower, inputs = given(clip, stream, images)
    prompts = some_prompts(layers, tower.width)
    alone = torch.cat([tower(inputs[i : i + 1], prompts) for i in range(len(inputs))])
    assert torch.allclose(tower(inputs, prompts), alone, atol=1e-5)


@pytest.mark.parametrize(("n", "fit"), [(0, 75), (4, 71)])
def test_a_sentence_with_no_room_beside_the_prompts_is_refused_with_both_numbers(
    clip: DualEncoder, n: int, fit: int, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = some_prompts(1, 64, n=n) if n else []
    assert clip.text(["a " * fit], prompts).isfinite().all()
    with pytest.raises(UsageError, match=rf"has {fit + 1} tokens, but beside {n} prompts {fit} fit"):
        clip.text(["a " * (fit + 1)], prompts)
    assert capsys.readouterr() == ("", "")


# Of the vision tower width, layers, heads, patch; of the text tower width, heads; joint; millions of weights; depth.
REAL = {
    "B/32": (768, 12, 12, 32, 512, 8, 512, 151.3, 4),
    "B/16": (768, 12, 12, 16, 512, 8, 512, 149.6, 4),
    "L/14": (1024, 24, 16, 14, 768, 12, 768, 427.6, 8),
}


class Words:
    """Stands in for the tokenizer of the real vocabulary: every letter is a word."""

    def __len__(self) -> int:
        return 49408

    def __call__(self, texts: list[str], *, verbose: bool) -> dict[str, list[list[int]]]:
        return {"input_ids": [[49406, *map(ord, text), 49407] for text in texts]}


@pytest.mark.parametrize("name", REAL)
def test_the_published_shapes_take_prompts_in_both_towers(name: str) -> None:
    from transformers import CLIPConfig, CLIPModel

    width, layers, heads, patch, text_width, text_heads, dim, millions, depth = REAL[name]
    seen = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "patch_size": patch,
            "intermediate_size": 4 * width}  # fmt: skip
    read = {"hidden_size": text_width, "num_attention_heads": text_heads, "intermediate_size": 4 * text_width}
    with torch.device("meta"):
        model = CLIPModel(CLIPConfig(vision_config=seen, text_config=read, projection_dim=dim))
        vision, text = ClipVision(model), ClipText(model, Words())
        assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
        assert prompted_layers("normal", vision_layers=vision.layers, text_layers=text.layers) == depth
        prompts = [torch.empty(1, 4, width)] * depth
        assert vision(torch.empty(2, 3, 224, 224), prompts).shape == (2, dim)
        tokens = vision.layer_tokens(torch.empty(2, 3, 224, 224), prompts, layers=[depth])
        assert tokens[depth].shape == (2, 1 + (224 // patch) ** 2, width)
        assert text(["a", "a face"], [torch.empty(1, 4, text_width)] * depth).shape == (2, dim)


def a_duse(clip: DualEncoder) -> tuple[Duse, ClipBatch]:
    torch.manual_seed(0)
    duse = Duse(clip.vision, clip.text, EXPRESSIONS, DuseConfig(depth="normal"), log_scale=clip.log_scale)
    valid = torch.tensor([[True] * 3, [True, True, False]])
    return duse, ClipBatch(face=clip.vision.normalise(torch.rand(2, 3, 3, 32, 32)), valid=valid)


def test_a_duse_learns_its_prompts_through_both_towers(clip: DualEncoder) -> None:
    duse, batch = a_duse(clip)
    torch.nn.functional.cross_entropy(duse(batch), torch.tensor([0, 3])).backward()
    assert duse.prompts is not None
    for weight in (duse.prompts.text, duse.prompts.couple[0].weight):
        assert weight.grad is not None
        assert weight.grad.abs().max() > 0
    assert all(p.grad is None for name, p in duse.named_parameters() if name.startswith(("vision.", "text.")))


def test_a_frozen_duse_has_the_same_logits_and_no_text_tower(clip: DualEncoder) -> None:
    duse, batch = a_duse(clip)
    with torch.no_grad():
        before = duse.eval()(batch)
        after = duse.freeze()(batch)
    assert duse.text is None
    assert before.shape == (2, 7)
    assert before.std() > 1e-3
    assert torch.allclose(before, after, atol=1e-5)
