from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mimica
from mimica.clips import Clip, ClipBatch
from mimica.encoders.towers import DualEncoder
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from mimica.recognition.model import Explains, Recogniser
from mimica.recognition.registry import METHODS, build, method


@pytest.fixture(scope="module")
def recogniser(tiny_model: Path) -> Recogniser:
    return mimica.load(str(tiny_model))


def clip(frames: int, seed: int = 0) -> Clip:
    faces = np.random.default_rng(seed).integers(0, 256, (frames, 48, 48, 3), np.uint8)
    return Clip(person=0, start=0.0, end=1.0, faces=faces, times=np.arange(frames) / 10, quality=np.ones(frames))


def test_clips_are_padded_to_the_longest_and_their_frames_are_valid(recogniser: Recogniser) -> None:
    batch = recogniser.batch([clip(3), clip(1), clip(5)])
    assert batch.face.shape == (3, 5, 3, 48, 48)
    assert batch.valid.sum(1).tolist() == [3, 1, 5]
    assert batch.valid[0].tolist() == [True] * 3 + [False] * 2


def test_probabilities_are_shares_in_the_order_of_the_clips(recogniser: Recogniser) -> None:
    clips = [clip(3, 1), clip(16, 2), clip(1, 3)]
    shares = recogniser.probabilities(clips)
    assert shares.shape == (3, 7)
    assert shares.dtype == np.float64
    assert np.allclose(shares.sum(1), 1)
    for one, share in zip(clips, shares, strict=True):
        assert np.allclose(recogniser.probabilities([one])[0], share, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_logits_are_divided_by_the_temperature(recogniser: Recogniser, temperature: float) -> None:
    with torch.inference_mode():
        logits = recogniser.network(recogniser.batch([clip(4)]))
    expected = (logits / temperature).softmax(-1).numpy()
    assert np.allclose(replace(recogniser, temperature=temperature).probabilities([clip(4)]), expected, atol=1e-6)


def test_it_reads_at_the_size_of_its_encoder_and_states_what_its_file_states(recogniser: Recogniser) -> None:
    assert recogniser.size == 48
    assert (recogniser.frames, recogniser.temperature, recogniser.unsure_below) == (16, 1.0, 0.3)
    assert recogniser.name == "duse-tiny"


def test_pictures_that_differ_are_read_differently(recogniser: Recogniser) -> None:
    shares = recogniser.probabilities([clip(4, seed) for seed in range(6)])
    assert shares.std(0).max() > 0.01


def test_the_card_says_what_the_file_says_and_passes_over_what_it_leaves_open(recogniser: Recogniser) -> None:
    card = recogniser.card
    assert list(card)[:2] == ["name", "classes"]
    assert card["classes"] == "happiness, sadness, neutral, anger, surprise, disgust, fear"
    told = {key: recogniser.facts[key] for key in ("architecture", "encoder", "data", "date", "sha256")}
    assert card.items() >= told.items()
    assert not {"calibrated_on", "metrics", "licence"} & card.keys()
    assert (card["temperature"], card["unsure below"]) == (1.0, 0.3)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_duses_kind_can_show_what_its_logits_came_of(name: str, tiny_dual: DualEncoder) -> None:
    others = ("linear-probe", "dfer-clip-head", "ous", "ous-paper", "ous-repo")
    assert isinstance(build(method(name), tiny_dual, EXPRESSIONS), Explains) == (name not in others)


@pytest.mark.parametrize("mirrored", [False, True])
def test_only_a_recogniser_that_reads_mirror_images_as_well_does_not_tell_them_apart(
    recogniser: Recogniser, mirrored: bool
) -> None:
    seen, reader = clip(4), replace(recogniser, mirrored=mirrored)
    turned = replace(seen, faces=seen.faces[:, :, ::-1].copy())
    here, there = reader.probabilities([seen]), reader.probabilities([turned])
    assert np.allclose(here, there, atol=1e-6) == mirrored


def test_mirrored_logits_are_the_mean_of_both(recogniser: Recogniser) -> None:
    seen = clip(4)
    turned = replace(seen, faces=seen.faces[:, :, ::-1].copy())
    mean = (recogniser.logits([seen]) + recogniser.logits([turned])) / 2
    assert torch.allclose(replace(recogniser, mirrored=True).logits([seen]), mean, atol=1e-6)


@pytest.mark.parametrize(("quality", "over"), [(1.0, 2.0), (0.5, 2.0 * np.exp(0.4)), (0.0, 2.0 * np.exp(0.8))])
def test_the_worse_a_face_the_higher_the_temperature_where_there_is_a_slope(
    recogniser: Recogniser, quality: float, over: float
) -> None:
    seen = replace(clip(3), quality=np.full(3, quality))
    expected = (recogniser.logits([seen]) / over).softmax(-1).numpy()
    found = replace(recogniser, temperature=2.0, temperature_slope=0.8).probabilities([seen])
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
def test_features_come_with_the_very_logits_that_are_made_of_them(recogniser: Recogniser, mirrored: bool) -> None:
    recogniser, clips = replace(recogniser, mirrored=mirrored), [clip(3), clip(2, 1)]
    logits, features = recogniser.embedded(clips)
    assert torch.allclose(logits, recogniser.logits(clips), atol=1e-5)
    assert features.shape == (2, 16)
    silent = replace(recogniser, network=Silent(recogniser.network))
    assert torch.equal(*silent.embedded(clips))


class Silent:
    """A network that shows no features."""

    def __init__(self, network: Any) -> None:
        self.network, self.vision = network, network.vision

    def __call__(self, batch: ClipBatch) -> Any:
        return self.network(batch)


# Faces with scenes


@pytest.fixture(scope="module")
def both(tiny_dual: DualEncoder) -> Recogniser:
    """A recogniser that reads the scene beside the face, at random."""
    torch.manual_seed(4)
    network = build(replace(method("ous"), start="random"), tiny_dual, EXPRESSIONS)  # type: ignore[type-var]
    facts = {"view_temperatures": {"face": (2.0, 0.0)}}
    return Recogniser(name="both", network=network.eval(), space=EXPRESSIONS, frames=16, temperature=0.5, facts=facts)


def seen_in(frames: int, seed: int = 0) -> Clip:
    return replace(clip(frames, seed), scenes=clip(frames, seed + 100).faces)


def test_scenes_are_handed_on_padded_like_faces_to_a_network_that_reads_them_and_to_no_other(
    recogniser: Recogniser, both: Recogniser
) -> None:
    clips = [seen_in(3), seen_in(5, 1)]
    batch, swapped = both.batch(clips), [replace(c, faces=c.scenes, scenes=c.faces) for c in clips]
    assert batch.scene is not None
    assert torch.equal(batch.scene, both.batch(swapped).face)
    assert torch.equal(batch.face, recogniser.batch(clips).face)
    assert recogniser.batch(clips).scene is None


def test_clips_without_scenes_are_refused_by_one_that_reads_them(both: Recogniser) -> None:
    with pytest.raises(
        InputError, match=r"reads the scene beside each face.*take a model of faces alone, such as duse-c"
    ):
        both.probabilities([seen_in(3), clip(3)])


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_face_scene_and_both_show_are_shares_each_at_its_own_temperature(
    both: Recogniser, recogniser: Recogniser, mirrored: bool
) -> None:
    clips, reader = [seen_in(3), seen_in(5, 1)], replace(both, mirrored=mirrored)
    views = reader.views(clips)
    assert list(views) == ["face", "scene", "both"]
    assert np.allclose(views["both"], reader.probabilities(clips), atol=1e-6)
    with torch.inference_mode():
        looks = reader._looks(clips)
        for view, over in (("face", 2.0), ("scene", 0.5)):
            logits = torch.stack([reader.network.views(look)[view] for look in looks]).mean(0)  # type: ignore[attr-defined]
            assert np.allclose(views[view], (logits / over).softmax(-1).numpy(), atol=1e-6), view
    assert list(recogniser.views(clips)) == list(recogniser.logits_by_view(clips)) == ["both"]


def test_mirror_images_are_of_face_and_scene_alike(both: Recogniser) -> None:
    seen = seen_in(4)
    turned = replace(seen, faces=seen.faces[:, :, ::-1].copy(), scenes=seen.scenes[:, :, ::-1].copy())  # type: ignore[index]
    reader = replace(both, mirrored=True)
    assert np.allclose(reader.probabilities([seen]), reader.probabilities([turned]), atol=1e-5)
    assert not np.allclose(both.probabilities([seen]), both.probabilities([turned]), rtol=0, atol=1e-4)


def test_a_recogniser_says_whether_it_reads_scenes(recogniser: Recogniser, both: Recogniser) -> None:
    assert (recogniser.reads_scenes, both.reads_scenes) == (False, True)
