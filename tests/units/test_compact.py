from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.data.actor_units import unit_faces
from mimica.encoders.compact import CompactVision
from mimica.encoders.named import open_vision
from mimica.errors import CheckpointError
from mimica.metrics.correlation import correlations
from mimica.units.compact import CompactUnits, HeadConfig, head_on, load_compact, save_compact
from mimica.units.detect import ORDER
from mimica.units.registry import load

FACES = np.random.default_rng(0).integers(0, 255, (3, 48, 48, 3), dtype=np.uint8)


@pytest.fixture
def vision(tiny_encoder: Path) -> CompactVision:
    facts = checkpoint.read_facts(tiny_encoder)
    tower = open_vision(str(tiny_encoder), identity=facts["sha256"], asked_by=tiny_encoder)
    assert isinstance(tower, CompactVision)
    return tower


@pytest.fixture
def saved(vision: CompactVision, tiny_encoder: Path, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    identity = checkpoint.read_facts(tiny_encoder)["sha256"]
    head = head_on(vision, HeadConfig(narrow=4, wide=4, hidden=8))
    save_compact(path, head, encoder=str(tiny_encoder), identity=identity, facts={"limits": "none learned"})
    return path


def test_strengths_are_shares_of_every_unit_and_do_not_depend_on_the_batch(saved: Path) -> None:
    detector = load(str(saved))
    assert isinstance(detector, CompactUnits)
    whole = detector.strengths(FACES)
    assert whole.shape == (3, len(ORDER))
    assert whole.min() > 0
    assert whole.max() < 1
    assert np.concatenate([detector.strengths(FACES[i : i + 1]) for i in range(3)]) == pytest.approx(whole, abs=1e-5)
    assert detector.strengths(FACES[:0]).shape == (0, len(ORDER))
    assert detector.card["limits"] == "none learned"


def test_the_grid_is_a_place_for_every_four_pixels_and_finer_than_the_tokens(vision: CompactVision) -> None:
    shown = vision.normalise(torch.rand(2, 3, 48, 48))
    assert vision.grid(shown).shape == (2, vision.config.stem[1], 12, 12)
    rest = vision.stem[-1 - vision.config.blocks[-1] :](vision.grid(shown))
    tokens = rest.flatten(2).transpose(1, 2)
    assert torch.allclose(tokens + vision.position[:, 1:], vision.tokens(shown)[:, 1:], atol=1e-5)


def test_a_head_of_another_encoder_is_refused(saved: Path) -> None:
    facts = checkpoint.read_facts(saved)
    checkpoint.restate(saved, encoder="compact")
    with pytest.raises(CheckpointError, match="was trained on another encoder"):
        load_compact(saved)
    checkpoint.restate(saved, encoder=facts["encoder"], units=[1, 2])
    with pytest.raises(CheckpointError, match="states other units"):
        load_compact(saved)


def test_a_file_that_does_not_state_its_encoder_is_refused(saved: Path) -> None:
    told = {k: v for k, v in checkpoint.read_facts(saved).items() if k != "encoder"}
    tensors, _ = checkpoint.load(saved)
    checkpoint.save(saved, tensors, {k: v for k, v in told.items() if k not in ("format", "sha256")})
    with pytest.raises(CheckpointError, match="does not state encoder"):
        load_compact(saved)


def test_what_ships_follows_the_units_of_actors_it_has_not_seen() -> None:
    faces = unit_faces(140, first=7000, part="test", seed=5)
    found = correlations(load().strengths(faces.pictures), faces.units)
    assert np.nanmean(found) > 0.5
    assert min(found[ORDER.index(unit)] for unit in (1, 2, 4, 12, 26)) > 0.6
