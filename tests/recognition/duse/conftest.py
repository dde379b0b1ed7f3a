from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from mimica.clips import ClipBatch
from mimica.encoders.sentence import SentenceTower
from mimica.encoders.store import load_encoder
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.model import Duse, DuseConfig

Build = Callable[..., Duse]


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Every test draws the same numbers, whatever ran before it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def text(tiny_text_folder: Path, tiny_encoder: Path) -> SentenceTower:
    _, project, _ = load_encoder(tiny_encoder)
    tower = SentenceTower(tiny_text_folder, dim=16)
    with torch.no_grad():
        tower.project.weight.copy_(project)
    return tower


@pytest.fixture
def build(tiny_encoder: Path, text: SentenceTower) -> Build:
    """A DuSE over the tiny towers as it starts, or, if `moved`, with random weights as if it had been trained."""

    def make(*, moved: bool = False, **choices: object) -> Duse:
        vision, _, facts = load_encoder(tiny_encoder)
        config = DuseConfig(**({"depth": "deep"} | choices))  # type: ignore[arg-type]
        duse = Duse(vision, text, EXPRESSIONS, config, log_scale=facts["log_scale"])
        if moved:
            with torch.no_grad():
                for name, weight in duse.named_parameters():
                    if weight.requires_grad and weight.ndim:
                        weight.add_(torch.randn_like(weight) * (0.02 if name == "prompts.text" else 0.2))
        return duse

    return make


@pytest.fixture
def batch() -> ClipBatch:
    """Two clips of five frames and one of three, each frame of other shades, as a tower normalises them."""
    valid = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] * 5])
    pictures = torch.nn.functional.interpolate(torch.randn(15, 1, 6, 6) * 2, size=48, mode="bilinear")
    return ClipBatch(face=pictures.view(3, 5, 1, 48, 48).expand(-1, -1, 3, -1, -1), valid=valid)
