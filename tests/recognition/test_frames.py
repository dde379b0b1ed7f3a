"""Frames that are in several clips, encoded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import Clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from mimica.recognition.frames import KeptFrames
from mimica.recognition.model import EncodesFrames, Recogniser
from mimica.recognition.registry import build, method

Make = Callable[..., Recogniser]


class Counting:
    """A tower that counts the pictures it is shown."""

    def __init__(self, tower: Any) -> None:
        self.tower, self.seen = tower, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tower, name)

    def __call__(self, images: torch.Tensor, *how: Any, **other: Any) -> torch.Tensor:
        self.seen += len(images)
        return self.tower(images, *how, **other)

    def with_layers(self, images: torch.Tensor, **how: Any) -> Any:
        self.seen += len(images)
        return self.tower.with_layers(images, **how)


@pytest.fixture
def make(tiny_dual: DualEncoder) -> Make:
    def of(preset: str = "ous", **changed: Any) -> Recogniser:
        torch.manual_seed(7)
        small = {"frames_layers": 1, "blocks": 1, "frames_heads": 2, "fusion_heads": 2, "start": "random", "mlp": 2}
        network = build(replace(method(preset), **small), tiny_dual, EXPRESSIONS)  # type: ignore[type-var]
        del network.vision  # a module, and what counts is none
        network.vision = Counting(tiny_dual.vision)  # type: ignore[assignment]
        facts = {"view_temperatures": {"face": (0.6, 0.3)}}
        return Recogniser(
            name="both", network=network.eval(), space=EXPRESSIONS, frames=16, temperature=0.5, facts=facts, **changed
        )

    return of


def film(frames: int, person: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Faces of a person and the scenes behind everyone."""
    draw = lambda seed: np.random.default_rng(seed).integers(0, 256, (frames, 48, 48, 3), np.uint8)  # noqa: E731
    return draw(person), draw(99)


def clip(first: int, length: int, person: int = 0, *, of: int = 20) -> Clip:
    faces, scenes = film(of, person)
    there = slice(first, first + length)
    times = np.arange(of)[there] / 8
    return Clip(
        person=person, start=times[0], end=times[-1], times=times, faces=faces[there], scenes=scenes[there],
        quality=np.linspace(0.5, 1, length),
    )  # fmt: skip


WINDOWS = [[clip(0, 8), clip(2, 6, 1)], [clip(4, 8)], [clip(8, 8), clip(8, 3, 1)], [clip(12, 8), clip(12, 1, 1)]]


@pytest.mark.parametrize("preset", ["ous", "ous-paper", "ous-repo"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_kept_frames_give_the_very_probabilities_of_frames_encoded_anew(
    make: Make, preset: str, mirrored: bool
) -> None:
    recogniser = make(preset, mirrored=mirrored)
    assert isinstance(recogniser.network, EncodesFrames)
    kept, shown = KeptFrames(recogniser), []
    for clips in WINDOWS:
        found, anew = kept.views(clips), recogniser.views(clips)
        assert list(found) == list(anew) == ["face", "scene", "both"]
        for view in anew:
            assert np.allclose(found[view], anew[view], rtol=0, atol=1e-6)
        shown.append(found["both"])
        kept.forget(clips[0].times[4])
    assert np.concatenate(shown).std(0).max() > 0.001  # clips that differ are read differently


@pytest.mark.parametrize(("mirrored", "looks"), [(False, 1), (True, 2)])
@pytest.mark.parametrize(("hides", "scenes"), [(False, 20), (True, 30)])
def test_a_face_is_encoded_once_for_all_its_clips_and_a_scene_once_for_everyone_unless_a_face_is_hidden_in_it(
    make: Make, monkeypatch: pytest.MonkeyPatch, mirrored: bool, looks: int, hides: bool, scenes: int
) -> None:
    recogniser = make(mirrored=mirrored)
    monkeypatch.setattr(type(recogniser.network), "hides_face", hides)
    kept, tower = KeptFrames(recogniser), recogniser.network.vision
    for clips in WINDOWS:
        kept.views(clips)
    assert tower.seen == looks * (30 + scenes)  # type: ignore[attr-defined]


def test_no_more_is_kept_than_what_was_not_let_go(make: Make) -> None:
    kept = KeptFrames(make())
    for first in range(0, 12, 4):
        kept.views([clip(first, 8)])
        assert len(kept) == 2 * 8
        kept.forget((first + 4) / 8)
        assert len(kept) == 2 * 4
    kept.forget(np.inf)
    assert len(kept) == 0


def test_frames_without_scenes_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match="faces alone, such as duse-compact"):
        KeptFrames(make()).views([clip(0, 4), replace(clip(0, 4, 1), scenes=None)])


def test_a_network_of_faces_alone_is_asked_as_ever_and_nothing_is_kept(tiny_dual: DualEncoder) -> None:
    network = build(method("duse"), tiny_dual, EXPRESSIONS).eval()
    recogniser = Recogniser(name="faces", network=network, space=EXPRESSIONS, frames=16)
    kept, clips = KeptFrames(recogniser), [clip(0, 8), clip(4, 8)]
    found = kept.views(clips)
    assert list(found) == ["both"]
    assert np.array_equal(found["both"], recogniser.probabilities(clips))
    assert len(kept) == 0
