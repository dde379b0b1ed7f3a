"""Tiny towers and a tiny model on disk for every room's tests, and no network for any of them."""

from __future__ import annotations

import math
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from mimica.encoders.towers import DualEncoder
    from mimica.generation.augment import Augmented
    from tiny_loop import World

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny tensors: threads cost more than they save
sys.path.insert(0, str(Path(__file__).parent))  # for `oracles` and what is tiny or drawn
hypothesis.settings.register_profile("house", deadline=None)  # how fast an example is says nothing of a busy machine
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Any test that reaches beyond this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1"):
            pytest.fail(f"a test tried to reach {host}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def tiny_text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the asset `minilm` is one: a BERT of 2 layers and width 32 with random weights, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ":", "a", "face", "the", "and", "lips", "brows", "eyes"]
    words += ["happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"]
    words += [chr(c) for c in range(ord("b"), ord("z") + 1)] + [f"##{chr(c)}" for c in range(ord("a"), ord("z") + 1)]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(words))
    BertTokenizerFast(str(vocabulary), model_max_length=256).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=256, initializer_range=0.3,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub gives it: 32 pixels, patches of 16, 3 layers, widths 128 and 64, joint dimension 16."""
    from tiny_clip import write_clip

    folder = tmp_path_factory.mktemp("tiny-clip")
    write_clip(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, tiny_text_folder: Path) -> Path:
    """The file of a compact encoder with random weights: 48 pixels, width 32, 3 layers, joint dimension 16."""
    import torch

    from mimica.encoders.compact import CompactConfig, CompactVision
    from mimica.encoders.sentence import SentenceTower
    from mimica.encoders.store import save_encoder
    from mimica.labels import EXPRESSIONS

    torch.manual_seed(1)
    vision = CompactVision(CompactConfig(entry=8, stem=(8, 8, 16), width=32, heads=2, layers=3, dim=16)).eval()
    texts = [described[0] for described in EXPRESSIONS.descriptions]
    with torch.no_grad():
        # Random towers make nearly the same feature of everything: sharper attention, and texts without their mean.
        for block in vision.blocks:
            block.qkv.weight.mul_(4)
        vision.stem[-1].weight.mul_(10)
        common = SentenceTower(tiny_text_folder, dim=16).sentences(texts).mean(0)
        common = common / common.norm()
        project = torch.randn(16, 32) @ (torch.eye(32) - torch.outer(common, common))
    path = tmp_path_factory.mktemp("tiny-encoder") / "compact-tiny.safetensors"
    save_encoder(path, vision, project, {"log_scale": math.log(10.0)})
    return path


@pytest.fixture
def minilm(monkeypatch: pytest.MonkeyPatch, tiny_text_folder: Path) -> None:
    """The tiny sentence encoder is taken for the asset `minilm`."""
    from mimica import assets

    monkeypatch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)


@pytest.fixture(scope="session")
def mobilenet_weights() -> dict[str, Tensor]:
    """Random weights by the names that torchvision has for those of MobileNetV2."""
    import torch

    from oracles import mobilenet

    torch.manual_seed(0)
    made = {}
    for name, shape in mobilenet.shapes().items():
        if name.endswith("tracked"):
            made[name] = torch.tensor(7)
        elif len(shape) > 1:
            made[name] = torch.randn(shape) * (1.2 / math.prod(shape[1:]) ** 0.5)
        else:
            made[name] = torch.rand(shape) * 0.2 + (0.9 if name.endswith(("weight", "var")) else -0.1)
    return made | {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}


@pytest.fixture
def mobilenet(mobilenet_weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken for the asset `mobilenet-v2`."""
    import torch

    from mimica import assets

    torch.save(mobilenet_weights, tmp_path / "mobilenet_v2-b0353104.pth")
    monkeypatch.setattr(assets, "find", {"mobilenet-v2": tmp_path}.__getitem__)


@pytest.fixture(scope="session")
def tiny_dual(tiny_encoder: Path, tiny_text_folder: Path) -> DualEncoder:
    """Both towers of the tiny compact encoder."""
    from mimica import assets
    from mimica.encoders.named import open_encoder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)
        return open_encoder(str(tiny_encoder))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder) -> Path:
    """The file of a DuSE over the tiny towers that was never trained: it reads all seven expressions at random."""
    import torch

    from mimica.clips import ClipBatch
    from mimica.labels import EXPRESSIONS
    from mimica.recognition.duse.config import DuseConfig
    from mimica.recognition.duse.model import Duse
    from mimica.recognition.store import save_recogniser

    vision = tiny_dual.vision
    torch.manual_seed(2)
    duse = Duse(vision, tiny_dual.text, EXPRESSIONS, DuseConfig(depth="deep"), log_scale=tiny_dual.log_scale)
    pictures = torch.nn.functional.interpolate(torch.rand(64, 3, 6, 6), size=48, mode="bilinear")[:, None]
    batch = ClipBatch(face=vision.normalise(pictures), valid=torch.ones(64, 1, dtype=torch.bool))
    with torch.no_grad():  # so that no class has all pictures
        duse.aggregator.out.bias.copy_(-duse.frame_features(batch).mean((0, 1)))
    path = tmp_path_factory.mktemp("tiny-model") / "duse-tiny.safetensors"
    card = {"temperature": 1.0, "unsure_below": 0.3, "calibrated_on": None, "metrics": {}, "date": "2026-01-01"}
    save_recogniser(path, duse, encoder=tiny_dual, facts={"frames": 16, "data": {"origin": "none"}, **card})
    return path


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a tiny augmentation loop is made from: drawn clips in a long tail, and a generator."""
    from tiny_loop import world

    return world(tmp_path_factory.mktemp("tiny-world"))


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, tiny_encoder: Path) -> None:
    """The judges and the encoder of the loop are tiny ones."""
    from tiny_loop import stand_in

    stand_in(monkeypatch, tiny_encoder)


@pytest.fixture(scope="session")
def whole_loop(
    tiny_world: World, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Augmented]:
    """The folder of a tiny loop of two rounds that was never stopped, not to be changed, and what it came to."""
    from tiny_loop import stand_in

    out = tmp_path_factory.mktemp("whole-loop")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, tiny_encoder)
        return out, tiny_world.loop(out)


@pytest.fixture
def looped(whole_loop: tuple[Path, Augmented], tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(whole_loop[0], tmp_path / "looped"))
