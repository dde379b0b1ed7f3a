"""OUS over two tiny encoders, and batches of faces with scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mimica.clips import ClipBatch
from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition.ous.model import Ous
from mimica.recognition.registry import method

SMALL = {"frames_layers": 2, "blocks": 2, "frames_heads": 2, "fusion_heads": 2, "prompt": 3, "mlp": 2}
"""What every preset is brought to here, that a slow restatement is done in time."""


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Every test draws the same numbers, whatever ran before it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def encoders(tiny_dual: DualEncoder, tiny_clip: Path) -> Mapping[str, DualEncoder]:
    """The compact encoder beside a BERT, and a CLIP; both of three layers and joint dimension 16."""
    return {"compact": tiny_dual, "clip": load_clip(tiny_clip)}


@pytest.fixture
def build(encoders: Mapping[str, DualEncoder]) -> Callable[..., Ous]:
    """An OUS over tiny towers as it starts, or, if `moved`, with random weights as if it had been trained."""

    def make(
        preset: str = "ous", on: str = "compact", *, moved: bool = False, space: LabelSpace = EXPRESSIONS,
        **choices: object,
    ) -> Ous:  # fmt: skip
        config = replace(method(preset), **(SMALL | choices))  # type: ignore[type-var, arg-type]
        encoder = encoders[on]
        found = Ous(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale)
        with torch.no_grad():
            for weight in found.parameters():
                if moved and weight.requires_grad:
                    weight.add_(0.2 * torch.randn_like(weight))
        return found.eval()

    return make


@pytest.fixture
def batch_for(encoders: Mapping[str, DualEncoder]) -> Callable[..., ClipBatch]:
    """Two clips of so many frames and a shorter one between them, faces and scenes of other shades each."""

    def make(on: str = "compact", frames: int = 4, seed: int = 5) -> ClipBatch:
        valid = torch.ones(3, frames, dtype=torch.bool)
        valid[1, (frames + 1) // 2 :] = False
        vision = encoders[on].vision
        pictures = torch.rand(2 * 3 * frames, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
        pictures = torch.nn.functional.interpolate(pictures, size=vision.size, mode="bilinear")
        face, scene = vision.normalise(pictures).unflatten(0, (2, 3, frames))
        return ClipBatch(face=face, scene=scene, valid=valid)

    return make


@pytest.fixture
def batch(batch_for: Callable[..., ClipBatch]) -> ClipBatch:
    """Three clips for the compact encoder."""
    return batch_for()
