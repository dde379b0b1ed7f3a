from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mimica.clips import ClipBatch
from mimica.encoders.towers import last_of, step_through
from mimica.errors import UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse
from mimica.recognition.duse.prompts import PromptCluster, prompted_layers, sinusoid, timed
from oracles import duse as oracle

Build = Callable[..., Duse]
BatchFor = Callable[..., ClipBatch]
SENTENCES = [described[0] for described in EXPRESSIONS.descriptions]

presets = pytest.mark.parametrize("preset", ["duse", "duse-paper"])
both = pytest.mark.parametrize("on", ["compact", "clip"])


def cluster(layers: int = 3, text_width: int = 8, vision_width: int = 6, **choices: Any) -> PromptCluster:
    config = DuseConfig(**({"tokens": 2, "frame_pe": "sinusoid"} | choices))
    return PromptCluster(config, layers=layers, text_width=text_width, vision_width=vision_width)


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a module, what is not learned included, as the oracle wants them."""
    everything = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: value.detach().double().numpy() for name, value in everything.items()}


# How many layers take prompts.


@pytest.mark.parametrize(
    ("depth", "vision", "text", "layers"),
    [
        ("shallow", 12, 12, 1), ("normal", 12, 12, 4), ("deep", 12, 12, 8),  # ViT-B/32 and B/16
        ("shallow", 24, 12, 1), ("normal", 24, 12, 8),  # ViT-L/14
        ("normal", 4, 6, 1), ("deep", 4, 6, 3), ("shallow", 2, 2, 1), ("normal", 1, 1, 1),
        (0, 12, 12, 0), (4, 24, 12, 4), (12, 24, 12, 12),
    ],
)  # fmt: skip
def test_depth_is_a_share_of_the_vision_layers_or_the_number_itself(
    depth: str | int, vision: int, text: int, layers: int
) -> None:
    assert prompted_layers(depth, vision_layers=vision, text_layers=text) == layers


@pytest.mark.parametrize("word", ["shallow", "normal", "deep"])
def test_the_words_for_depth_are_those_of_the_oracle(word: str) -> None:
    for layers in range(1, 40):
        assert prompted_layers(word, vision_layers=layers, text_layers=layers) == oracle.depth(word, layers)


def test_deep_prompts_do_not_fit_a_large_vision_tower_beside_a_shallow_text_tower() -> None:
    with pytest.raises(UsageError) as caught:
        prompted_layers("deep", vision_layers=24, text_layers=12)
    assert str(caught.value) == (
        "depth deep means 16 prompted layers, but each couples a vision layer to a text layer and the towers have 24 "
        "and 12; choose depth=12 or another number from 0 to 12"
    )
    assert prompted_layers(12, vision_layers=24, text_layers=12) == 12, "what is offered is taken"


@pytest.mark.parametrize("depth", [-1, 13])
def test_a_number_of_layers_that_the_towers_have_not_is_refused(depth: int) -> None:
    with pytest.raises(UsageError, match="choose depth=12 or another number from 0 to 12"):
        prompted_layers(depth, vision_layers=12, text_layers=12)


def test_a_depth_that_the_towers_have_not_is_refused_when_it_is_built(build: Build) -> None:
    with pytest.raises(UsageError, match="towers have 3 and 2; choose depth=2 or another number from 0 to 2"):
        build(depth=3)
    assert len(build(on="clip", depth=3).folded()["vision_prompts"]) == 3


def test_an_unknown_depth_is_met_with_the_choices() -> None:
    with pytest.raises(UsageError, match=r"unknown depth of DuSE 'deeep'; did you mean 'deep'.*shallow, normal, deep"):
        prompted_layers("deeep", vision_layers=12, text_layers=12)


# What the prompts are.


@pytest.mark.parametrize("width", [2, 7, 32])
def test_the_position_code_is_the_sinusoid_of_the_oracle(width: int) -> None:
    expected = np.stack([oracle.position(t, width) for t in range(20)])
    assert np.allclose(sinusoid(20, width).numpy(), expected, atol=1e-5)


def test_the_position_of_time_has_unit_norm_per_pair() -> None:
    assert torch.allclose(sinusoid(16, 192).norm(dim=-1), torch.tensor(math.sqrt(96)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("coupling", ["linear_relu", "linear", "mlp"])
def test_vision_prompts_are_those_of_the_oracle(coupling: str, seed: int) -> None:
    torch.manual_seed(seed)
    made = cluster(coupling=coupling)
    for weight in made.parameters():
        nn.init.normal_(weight)
    weights = weights_of(made)
    expected = oracle.coupled(weights, coupling, weights["text"])
    assert np.allclose(made.vision_prompts().detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("choices", [{}, {"pe_learned": False, "pe_scale": 1.0}, {"frame_pe": "none"}], ids=str)
def test_every_frame_is_told_its_place_in_the_first_layer_only(choices: dict[str, Any], seed: int) -> None:
    torch.manual_seed(seed)
    made, options = cluster(**choices), DuseConfig(**({"frame_pe": "sinusoid"} | choices)).facts()
    for weight in made.parameters():
        nn.init.normal_(weight)
    frame = torch.tensor([0, 1, 2, 0, 7])
    entered = [layer.detach() for layer in timed(made.vision_prompts(), made.pe_scale, frame)]
    assert [p.shape[0] for p in entered] == [5, 1, 1]
    for i, t in enumerate(frame.tolist()):
        expected = oracle.prompts_of(weights_of(made), options, t)
        got = torch.stack([layer.expand(5, -1, -1)[i] for layer in entered])
        assert np.allclose(got.numpy(), expected, atol=1e-5)


def test_without_prompted_layers_there_are_no_prompts() -> None:
    made = cluster(layers=0)
    assert made.text_prompts() == []
    assert timed(made.vision_prompts(), made.pe_scale, torch.arange(3)) == []


def test_tokens_before_the_texts_alone_have_no_part_in_the_pictures() -> None:
    made = cluster(layers=1, htpc="coop")
    assert {name for name, _ in made.named_parameters()} == {"text"}
    assert timed(made.vision_prompts(), made.pe_scale, torch.arange(3)) == []


@pytest.mark.parametrize(
    ("choices", "names"),
    [
        ({}, ["text", "pe_scale", "couple.0.weight", "couple.0.bias", "couple.2.weight", "couple.2.bias"]),
        ({"coupling": "linear_relu", "pe_learned": False}, ["text", "couple.0.weight", "couple.0.bias"]),
        ({"coupling": "linear", "frame_pe": "none"}, ["text", "couple.weight", "couple.bias"]),
    ],
    ids=str,
)
def test_text_prompts_are_the_only_prompts_that_are_learned(choices: dict[str, Any], names: list[str]) -> None:
    made = cluster(tokens=4, **choices)
    assert {name for name, _ in made.named_parameters()} == set(names)
    assert [tuple(p.shape) for p in made.text_prompts()] == [(1, 4, 8)] * 3


@pytest.mark.parametrize("coupling", ["linear_relu", "linear", "mlp"])
def test_one_map_is_shared_by_all_layers(coupling: str) -> None:
    made = cluster(layers=2, coupling=coupling)
    with torch.no_grad():
        made.text[1] = made.text[0]
    assert torch.equal(*made.vision_prompts())


def test_the_prompts_of_a_layer_start_out_different_from_each_other() -> None:
    prompts = cluster(1, 384, 192, tokens=8).vision_prompts()[0].detach()
    alike = nn.functional.cosine_similarity(prompts[:, None], prompts[None], dim=-1)
    assert alike[~torch.eye(8, dtype=torch.bool)].max() < 0.6


def test_half_of_what_the_printed_map_gives_is_zero_at_the_start() -> None:
    prompts = cluster(4, 512, 768, tokens=4, coupling="linear_relu").vision_prompts()
    assert 0.45 < (prompts == 0).float().mean() < 0.55
    assert (prompts >= 0).all()


def test_time_at_its_printed_scale_would_drown_the_prompts() -> None:
    made = cluster(1, 384, 192, tokens=8)
    prompts = made.vision_prompts().detach()
    ours, printed = (timed(prompts, scale, torch.tensor([3]))[0][0] for scale in (made.pe_scale, torch.ones(())))
    alike = [nn.functional.cosine_similarity(told[:1], told[1:], dim=-1) for told in (ours, printed)]
    assert alike[0].max() < 0.96
    assert alike[1].min() > 0.999


# How they enter the layers of a tower.


class Mixing(nn.Module):
    """A layer in which every token reads every other by its place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, width).double()

    def forward(self, x: Tensor) -> Tensor:
        share = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None] / x.shape[1]
        return x + torch.tanh(self.read(x) + (share * x).mean(1, keepdim=True))


@settings(max_examples=60)
@given(
    layers=st.integers(1, 4), prompted=st.integers(0, 4), n=st.integers(0, 3), length=st.integers(1, 4),
    at=st.integers(0, 4), after=st.sampled_from(["drop", "carry"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_prompts_enter_layer_by_layer_as_eqs_2_to_5_have_it(
    layers: int, prompted: int, n: int, length: int, at: int, after: Any, seed: int
) -> None:
    torch.manual_seed(seed)
    at, prompted = min(at, length), min(prompted, layers)
    tower = nn.ModuleList(Mixing(5) for _ in range(layers)).requires_grad_(False)
    tokens, prompts = torch.randn(2, length, 5).double(), torch.randn(prompted, n, 5).double()
    got = last_of(
        step_through(tower, tokens, [p[None] for p in prompts], at=at, after=after, run=lambda layer, x, _: layer(x))
    )
    boxes = [lambda x, layer=layer: layer(torch.from_numpy(x)[None])[0].numpy() for layer in tower]
    for one, out in zip(tokens.numpy(), got.numpy(), strict=True):
        assert np.allclose(out, oracle.prompted(boxes, one, prompts.numpy(), at=at, after=after), atol=1e-12)


def layers_of(tower: Any) -> nn.ModuleList:
    """The layers of any of the towers."""
    if hasattr(tower, "blocks"):
        return tower.blocks  # type: ignore[no-any-return]
    return tower.bert.encoder.layer if hasattr(tower, "bert") else tower.tower.encoder.layers  # type: ignore[no-any-return]


@contextmanager
def removed(hooks: Sequence[Any]) -> Iterator[None]:
    """Hooks, and at the end none."""
    yield
    for hook in hooks:
        hook.remove()


@contextmanager
def entering(tower: Any) -> Iterator[list[Tensor]]:
    """What enters the layers of a tower, first layer first."""
    seen: list[Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, x: seen.append(x[0].detach())) for layer in layers_of(tower)]
    with removed(hooks):
        yield seen


@both
@pytest.mark.parametrize("after", ["drop", "carry"])
@pytest.mark.parametrize("place", ["start", "end"])
def test_text_prompts_learn_through_the_texts_unless_they_stand_where_no_token_sees_them(
    build: Build, on: str, after: str, place: str
) -> None:
    duse = build(on=on, after_depth=after, text_place=place)
    duse.class_features().mul(torch.randn(7, 16)).sum().backward()
    assert duse.prompts is not None
    assert duse.prompts.text.grad is not None
    by_layer = duse.prompts.text.grad.abs().amax((1, 2))
    assert len(by_layer) == 2
    if on == "clip" and place == "end":
        assert (by_layer == 0).all(), "behind the end token of a causal tower"
    else:
        assert (by_layer > 1e-4).all()


@presets
@both
def test_text_prompts_learn_through_the_pictures_from_the_first_step(
    build: Build, batch_for: BatchFor, on: str, preset: str
) -> None:
    duse = build(preset, on)
    duse.frame_features(batch_for(on)).square().sum().backward()
    assert duse.prompts is not None
    assert duse.prompts.text.grad is not None
    assert (duse.prompts.text.grad.abs().amax((1, 2)) > 1e-4).all()


def test_without_prompts_pictures_and_texts_are_the_librarys_own_to_the_last_bit(
    build: Build, batch_for: BatchFor, tiny_clip: Path
) -> None:
    from transformers import CLIPModel

    library = CLIPModel.from_pretrained(tiny_clip).eval()
    duse, batch = build(on="clip", depth=0), batch_for("clip")
    with torch.no_grad():
        seen = library.get_image_features(pixel_values=batch.face[batch.valid]).pooler_output
        assert torch.equal(duse.frame_features(batch)[batch.valid], seen)
        ids = duse.text.tokenizer(SENTENCES, padding=True, return_tensors="pt")  # type: ignore[union-attr]
        assert torch.equal(duse.class_features(), library.get_text_features(**ids).pooler_output)


@both
@pytest.mark.parametrize("choices", [{"depth": 0}, {"htpc": "none"}], ids=str)
def test_without_prompts_the_towers_are_plain_to_the_last_bit(
    build: Build, batch_for: BatchFor, on: str, choices: dict[str, Any]
) -> None:
    duse, batch = build(on=on, **choices), batch_for(on)
    with torch.no_grad():
        assert torch.equal(duse.frame_features(batch)[batch.valid], duse.vision(batch.face[batch.valid]))
        assert torch.equal(duse.class_features(), duse.text(SENTENCES))  # type: ignore[misc]
        prompted = build(on=on).frame_features(batch), build(on=on).class_features()
        assert (prompted[0] - duse.frame_features(batch)).abs().max() > 1e-3
        assert (prompted[1] - duse.class_features()).abs().max() > 1e-3


@both
@pytest.mark.parametrize("after", ["drop", "carry"])
def test_sequences_are_longer_by_the_prompts_and_shrink_beyond_the_last_unless_they_are_carried(
    build: Build, batch_for: BatchFor, on: str, after: str
) -> None:
    duse, plain = build(on=on, depth=1, tokens=3, after_depth=after), build(on=on, depth=0)
    lengths = []
    for one in (duse, plain):
        with entering(one.vision) as seen, entering(one.text) as read:
            one(batch_for(on))
        lengths.append([[x.shape[1] for x in tower] for tower in (seen, read)])
    beyond = 3 if after == "carry" else 0
    for with_prompts, without in zip(*lengths, strict=True):
        assert with_prompts == [without[0] + 3] + [length + beyond for length in without[1:]]


def places(duse: Duse, stream: str) -> slice:
    """Where the prompts stand in a tower."""
    return slice(-4, None) if stream == "vision" else slice(1, 5)


@both
@pytest.mark.parametrize("stream", ["vision", "text"])
@pytest.mark.parametrize(("after", "same"), [("drop", True), ("carry", False)])
def test_what_comes_out_at_the_places_of_prompts_is_discarded(
    build: Build, batch_for: BatchFor, on: str, stream: str, after: str, same: bool
) -> None:
    depth = 1 if stream == "text" and on == "compact" else 2  # so that a layer is left to carry them to
    duse, batch = build(on=on, moved=True, depth=depth, after_depth=after), batch_for(on)
    tower, where = getattr(duse, stream), places(duse, stream)

    def spoil(_: nn.Module, __: object, out: Tensor) -> Tensor:
        out = out.clone()
        out[:, where] = torch.randn_like(out[:, where]) * 100
        return out

    with torch.no_grad(), entering(tower) as seen:
        before = duse(batch)
        with removed([layer.register_forward_hook(spoil) for layer in layers_of(tower)[:depth]]):
            spoiled = duse(batch)
    assert torch.equal(spoiled, before) is same
    layers = len(layers_of(tower))
    for i in range(1, depth):  # the prompts that enter the next layer are its own
        assert torch.equal(seen[i][:, where], seen[layers + i][:, where])
        own = duse.prompts.text_prompts() if stream == "text" else [p[None] for p in duse.prompts.vision_prompts()]  # type: ignore[union-attr]
        assert torch.equal(seen[i][:, where], own[i].detach().expand(len(seen[i]), -1, -1))
