from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mimica import checkpoint
from mimica.clips import ClipBatch
from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse
from mimica.recognition.registry import METHODS, build, method
from mimica.recognition.store import load_recogniser, save_recogniser

FACTS = {"frames": 16, "window": 8, "temperature": 1.25, "unsure_below": 0.4}
PAIR = LabelSpace(
    name="pair", names=("up", "down"), descriptions=(("it rises", "it climbs"), ("it sinks",)), polarity=(1, -1)
)
VARIANTS: list[dict[str, Any]] = [
    {"depth": 0}, {"depth": 3, "tokens": 2, "heads": 2, "beta": 0.5}, {"head_maps": "separate", "score": "mlp"},
    {"logits": "learnable", "pe_learned": False}, {"texts": "mean", "semantic_learned": False, "order": "none"},
    {"after_depth": "carry", "coupling": "linear", "frame_pe": "none"}, {"text_place": "end", "residual": "original"},
]  # fmt: skip


@pytest.fixture(scope="session")
def clip(tiny_clip: Path) -> DualEncoder:
    return load_clip(tiny_clip)


@pytest.fixture
def copied(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model where a test may damage it."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny_model.with_suffix(suffix), tmp_path)
    return tmp_path / tiny_model.name


def moved(config: Any, encoder: DualEncoder, space: LabelSpace = EXPRESSIONS) -> Any:
    """A network with random weights, as if it had been trained."""
    torch.manual_seed(0)
    network = build(config, encoder, space)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(0.2 * torch.randn_like(weight))
    return network.eval()


def batch_for(encoder: DualEncoder) -> ClipBatch:
    """Two clips of five frames and one of three, each frame of other shades, and scenes of others yet."""
    S = encoder.vision.size
    pictures = torch.rand(30, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    pictures = torch.nn.functional.interpolate(pictures, size=S, mode="bilinear").view(2, 3, 5, 3, S, S)
    valid = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] * 5])
    face, scene = encoder.vision.normalise(pictures)
    return ClipBatch(face=face, scene=scene, valid=valid)


def far(found: Tensor, expected: Tensor) -> float:
    """How far logits are from those expected, as a share of the largest."""
    return float((found - expected).abs().max() / expected.abs().max())


def restate(path: Path, **facts: object) -> None:
    sidecar = path.with_suffix(".json")
    told = json.loads(sidecar.read_text()) | facts
    sidecar.write_text(json.dumps({k: v for k, v in told.items() if v is not None}))


def rewrite(path: Path, **changes: Tensor | None) -> None:
    """Other tensors, signed for anew; None takes one out. Of `a__b` the name is `a.b`."""
    tensors, facts = checkpoint.load(path)
    changed = tensors | {name.replace("__", "."): t for name, t in changes.items()}
    del facts["sha256"]
    checkpoint.save(path, {name: t for name, t in changed.items() if t is not None}, facts)


# What is saved comes back


@pytest.mark.parametrize("kind", ["compact", "clip"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_reads_after_loading_as_it_did_but_for_half_precision(
    name: str, kind: str, tiny_dual: DualEncoder, clip: DualEncoder, tmp_path: Path
) -> None:
    encoder = {"compact": tiny_dual, "clip": clip}[kind]
    network, batch = moved(method(name), encoder), batch_for(encoder)
    with torch.no_grad():
        expected = network(batch)
    save_recogniser(tmp_path / "d.safetensors", network, encoder=encoder, facts=FACTS)
    back = load_recogniser(tmp_path / "d.safetensors")
    with torch.no_grad():
        # Two times twelve layers, one behind the other, make more of a rounded weight.
        assert far(back.network(batch), expected) < (2e-2 if name.startswith("ous-") else 2e-3)
    assert (back.name, back.frames, back.window) == ("d", 16, 8)
    assert (back.temperature, back.unsure_below, back.space) == (1.25, 0.4, EXPRESSIONS)
    assert not any(weight.requires_grad for weight in back.network.parameters())  # type: ignore[attr-defined]


@pytest.mark.parametrize("choices", VARIANTS)
def test_every_choice_reads_after_loading_as_it_did(
    choices: dict[str, Any], tiny_dual: DualEncoder, clip: DualEncoder, tmp_path: Path
) -> None:
    encoder = clip if choices.get("depth") == 3 else tiny_dual
    duse, batch = moved(DuseConfig(**choices), encoder, PAIR), batch_for(encoder)
    save_recogniser(tmp_path / "d.safetensors", duse, encoder=encoder, facts=FACTS)
    back: Any = load_recogniser(tmp_path / "d.safetensors")
    with torch.no_grad():
        assert far(back.network(batch), duse(batch)) < 2e-3
    assert (back.space, back.network.config, back.network.text) == (PAIR, duse.config, None)


def test_saving_leaves_a_network_as_it_was_to_learn_on(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    duse = moved(DuseConfig(), tiny_dual)
    before = {name: value.clone() for name, value in duse.learned().items()}
    save_recogniser(tmp_path / "d.safetensors", duse, encoder=tiny_dual, facts=FACTS)
    assert duse.text is tiny_dual.text
    assert all(weight.requires_grad for weight in duse.aggregator.parameters())
    assert duse.learned().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in duse.learned().items())


def test_a_frozen_network_can_be_saved_too(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    duse, batch = moved(DuseConfig(), tiny_dual).freeze(), batch_for(tiny_dual)
    save_recogniser(tmp_path / "d.safetensors", duse, encoder=tiny_dual, facts=FACTS)
    assert far(load_recogniser(tmp_path / "d.safetensors").network(batch), duse(batch)) < 2e-3


@pytest.mark.parametrize("name", METHODS)
def test_a_saved_recogniser_holds_what_was_learned_and_what_it_folds_to_and_no_tower(
    name: str, tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    network = moved(method(name), tiny_dual)
    save_recogniser(tmp_path / "d.safetensors", network, encoder=tiny_dual, facts=FACTS)
    tensors, _ = checkpoint.load(tmp_path / "d.safetensors")
    parts = ("vision_prompts", "pe_scale", "texts", "text_maps")
    folded = {f"constants.{part}" for part in parts} if isinstance(network, Duse) else set()
    folded = {"texts"} if name == "dfer-clip-head" or name.startswith("ous") else folded
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert tensors.keys() == trained | folded
    assert {t.dtype for t in tensors.values()} == {torch.float16}


@pytest.mark.parametrize("name", METHODS)
def test_a_saved_recogniser_states_what_it_is_and_what_it_was_learned_on(
    name: str, tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    config = method(name)
    save_recogniser(tmp_path / "d.safetensors", moved(config, tiny_dual, PAIR), encoder=tiny_dual, facts=FACTS)
    facts = checkpoint.read_facts(tmp_path / "d.safetensors")
    assert facts["kind"] == "recogniser"
    others = {"linear-probe": "linear-probe", "dfer-clip-head": "dfer-clip-head"}
    assert facts["architecture"] == others.get(name, "ous" if name.startswith("ous") else "duse")
    assert facts["config"] == config.facts()
    assert LabelSpace.from_facts(facts["labels"]) == PAIR
    assert (facts["encoder"], facts["encoder_sha256"]) == (tiny_dual.name, tiny_dual.identity)
    assert facts["log_scale"] == pytest.approx(tiny_dual.log_scale)
    assert facts.items() >= FACTS.items()


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


# What does not fit is refused


def test_the_encoder_is_found_beside_the_model_when_both_have_moved(copied: Path, tiny_encoder: Path) -> None:
    restate(copied, encoder=f"/elsewhere/{tiny_encoder.name}")
    with pytest.raises(CheckpointError, match=r"needs the encoder /elsewhere/.*copy it beside duse-tiny"):
        load_recogniser(copied)
    for suffix in (".safetensors", ".json"):
        shutil.copy(tiny_encoder.with_suffix(suffix), copied.parent)
    assert load_recogniser(copied).size == 48


def test_another_encoder_than_it_was_trained_on_is_refused(copied: Path) -> None:
    restate(copied, encoder_sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"was trained on another encoder than .*compact-tiny"):
        load_recogniser(copied)


@pytest.mark.parametrize("key", ["encoder", "config", "layers", "frames", "temperature", "labels", "architecture"])
def test_a_card_that_lacks_a_fact_is_refused_by_its_name(copied: Path, key: str) -> None:
    restate(copied, **{key: None})
    with pytest.raises(CheckpointError, match=rf"duse-tiny\.json does not state {key}, as a recogniser's must"):
        load_recogniser(copied)


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({"frames": "many"}, "states frames as 'many', which is no int"),
        ({"temperature": "hot"}, "states temperature as 'hot', which is no float"),
        ({"config": ["deep"]}, r"states config as \['deep'\], which is no dict"),
        ({"labels": {"names": ["up"]}}, "a label space is stated as JSON with the lists 'names' and 'descriptions'"),
        ({"config": {"gamma": 1}}, "unknown option of DuSE 'gamma'. Choose from: htpc, depth, "),
        ({"config": {"lsea": "of"}}, r"unknown lsea of DuSE 'of'\. Choose from: on, mean"),
        ({"encoder": "compct"}, "needs the encoder compct, which is not there"),
    ],
)
def test_a_card_that_states_something_wrong_is_refused_in_its_name(
    copied: Path, fact: dict[str, object], said: str
) -> None:
    restate(copied, **fact)
    with pytest.raises(CheckpointError, match=rf"duse-tiny\.(json|safetensors).*{said}"):
        load_recogniser(copied)


def test_an_architecture_of_another_version_is_met_with_those_of_this(copied: Path) -> None:
    restate(copied, architecture="argen")
    with pytest.raises(
        CheckpointError, match="is of the architecture 'argen'; this version reads duse, ous, linear-probe, dfer"
    ):
        load_recogniser(copied)


@pytest.mark.parametrize("change", [{"layers": 3}, {"config": {"tokens": 2}}, {"config": {"heads": 2}}])
def test_weights_that_do_not_fit_the_card_are_refused(copied: Path, change: dict[str, object]) -> None:
    restate(copied, **change)
    with pytest.raises(CheckpointError, match=r"does not fit Duse: of another shape: "):
        load_recogniser(copied)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"constants__texts": None}, r"missing: constants\.texts"),
        ({"aggregator__out__bias": None}, r"missing: aggregator\.out\.bias"),
        ({"aggregator__more": torch.ones(1)}, r"left over: aggregator\.more"),
        ({"vision__project__weight": torch.ones(16, 32)}, r"left over: vision\.project\.weight"),
        ({"constants__pe_scale": torch.ones(2)}, r"of another shape: constants\.pe_scale"),
    ],
)
def test_tensors_that_are_missing_or_too_many_are_refused(
    copied: Path, change: dict[str, Tensor | None], said: str
) -> None:
    rewrite(copied, **change)
    with pytest.raises(CheckpointError, match=rf"duse-tiny\.safetensors does not fit Duse: {said}"):
        load_recogniser(copied)


@pytest.mark.parametrize("name", ["duse", "coop", "linear-probe", "dfer-clip-head", "ous-repo"])
def test_weights_for_another_number_of_classes_are_refused_in_those_words(
    name: str, tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    path = tmp_path / "d.safetensors"
    save_recogniser(path, moved(method(name), tiny_dual), encoder=tiny_dual, facts=FACTS)
    restate(path, labels=PAIR.facts())
    with pytest.raises(CheckpointError, match=r"was trained on 7 classes, and d\.json states 2: up, down; take the"):
        load_recogniser(path)


def test_classes_of_other_names_are_read_by_those_names(copied: Path) -> None:
    other = replace(EXPRESSIONS, name="numbered", names=tuple("abcdefg"), aliases={})
    restate(copied, labels=other.facts())
    assert load_recogniser(copied).space == other
