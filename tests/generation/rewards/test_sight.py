from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError
from mimica.facs import UNITS
from mimica.generation.rewards.sight import Shape, Sight, SightConfig, load_sight
from mimica.labels import EXPRESSIONS
from tiny_sight import small, tiny_sight

SHAPES: tuple[Shape, ...] = ("strided", "attending")


def some(frames: int = 4, size: int = 16) -> torch.Tensor:
    return torch.rand(3, frames, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sight_says_how_strong_units_are_who_it_is_and_which_class(shape: Shape) -> None:
    sight = tiny_sight(shape)
    units, who, classes = sight.units(some()), sight.embed(some()), sight.recogniser(some())
    assert units.shape == (3, 4, len(UNITS))
    assert units.min() > 0
    assert units.max() < 1
    torch.testing.assert_close(who.norm(dim=-1), torch.ones(3, 4))
    assert classes.shape == (3, len(EXPRESSIONS))
    torch.testing.assert_close(classes.sum(1), torch.ones(3))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_class_of_a_clip_depends_on_its_frames_and_not_on_their_order(shape: Shape) -> None:
    sight, clips = tiny_sight(shape), some()
    torch.testing.assert_close(sight.recogniser(clips), sight.recogniser(clips.flip(1)))
    assert not torch.allclose(sight.recogniser(clips), sight.recogniser(clips[:, :1]), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_is_seen_for_itself(shape: Shape) -> None:
    sight, clips = tiny_sight(shape), some()
    torch.testing.assert_close(sight.units(clips)[:, 2], sight.units(clips[:, 2:3])[:, 0])
    changed = clips.clone()
    changed[:, 0] = 0
    torch.testing.assert_close(sight.embed(changed)[:, 1:], sight.embed(clips)[:, 1:])


def test_larger_frames_are_brought_to_its_size() -> None:
    sight, large = tiny_sight(), some(size=64)
    small_ones = torch.nn.functional.interpolate(
        large.flatten(0, 1), size=(16, 16), mode="bilinear", antialias=True, align_corners=False
    ).view(3, 4, 3, 16, 16)
    torch.testing.assert_close(sight.units(large), sight.units(small_ones))


def test_what_is_seen_can_be_followed_back_to_the_pictures() -> None:
    clips = some().requires_grad_()
    sight = tiny_sight()
    (sight.units(clips).sum() + sight.embed(clips)[..., 0].sum() + sight.recogniser(clips)[:, 0].sum()).backward()
    assert clips.grad is not None
    assert (clips.grad.abs().sum((2, 3, 4)) > 0).all()


def test_a_unit_that_was_not_learned_is_not_a_number() -> None:
    torch.manual_seed(0)
    units = Sight(replace(small(), units=(12, 1))).units(some())
    known = [tuple(UNITS).index(unit) for unit in (1, 12)]
    others = [a for a in range(len(UNITS)) if a not in known]
    assert units[..., others].isnan().all()
    assert not units[..., known].isnan().any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sight_comes_back_from_its_file_in_half_precision_and_frozen(shape: Shape, tmp_path: Path) -> None:
    made = tiny_sight(shape)
    made.save(tmp_path / "s.safetensors", {"which": "rewarding"})
    read = load_sight(tmp_path / "s.safetensors")
    torch.testing.assert_close(read.units(some()), made.units(some()), atol=5e-3, rtol=0)
    assert read.config == made.config
    assert not any(weight.requires_grad for weight in read.parameters())
    assert not read.training
    facts = checkpoint.read_facts(tmp_path / "s.safetensors")
    assert facts["kind"] == "sight"
    assert facts["which"] == "rewarding"


def test_a_file_of_something_else_or_of_other_classes_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x.safetensors", {}, {"kind": "encoder"})
    with pytest.raises(CheckpointError, match="holds no sight"):
        load_sight(tmp_path / "x.safetensors")
    Sight(replace(small(), classes=("yes", "no"))).save(tmp_path / "y.safetensors")
    with pytest.raises(CheckpointError, match="other classes"):
        load_sight(tmp_path / "y.safetensors")


def test_a_shape_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 8"):
        SightConfig(size=50)
    with pytest.raises(UsageError, match="strided, attending"):
        SightConfig(shape="round")  # type: ignore[arg-type]
