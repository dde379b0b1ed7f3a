from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import Clip, ClipBatch
from mimica.data.augment import generator
from mimica.data.clipset import ClipSet
from mimica.data.degrade import blurred
from mimica.data.sampling import seen
from mimica.labels import LabelSpace
from mimica.training.calibrate import (
    COVERAGE,
    _copies,
    _degraded,
    as_clip,
    calibration,
    judged,
    logits_of,
    logits_of_set,
    seen_of,
)

PAIR = LabelSpace(name="pair", names=("dark", "light"), descriptions=(("dark",), ("light",)))


class Shades(torch.nn.Module):
    """Reads how light the upper half of a face is, as surely as it is told to."""

    def __init__(self, sure: float) -> None:
        super().__init__()
        self.sure = torch.nn.Parameter(torch.tensor(sure))
        self.space = PAIR
        self.vision: Any = SimpleNamespace(size=48, normalise=lambda pixels: pixels)

    def forward(self, batch: ClipBatch) -> torch.Tensor:
        light = self.sure * (batch.face[..., :24, :].mean((1, 2, 3, 4)) - 0.5)
        return torch.stack([-light, light], -1)


def clips(N: int = 300, T: int = 1, seed: int = 0) -> ClipSet:
    """Faces of a light that says with a chance, known from it, which class they are of."""
    random = np.random.default_rng(seed)
    light = random.uniform(0.3, 0.7, N)
    labels = (random.random(N) < 1 / (1 + np.exp(-20 * (light - 0.5)))).astype(int)
    noise = random.normal(0, 0.1, (N, T, 48, 48, 1))
    frames = np.clip((light[:, None, None, None, None] + noise) * 255, 0, 255).astype(np.uint8)
    return ClipSet(frames=list(frames), labels=labels, names=[str(i) for i in range(N)], space=PAIR)


@pytest.mark.parametrize("sure", [4.0, 100.0])
def test_confidence_comes_right_however_sure_the_network_is(sure: float) -> None:
    network: Any = Shades(sure)
    found, middling = calibration(network, clips()), calibration(network=Shades(10.0), held=clips())  # type: ignore[arg-type]
    assert found["temperature"] == pytest.approx(middling["temperature"] * sure / 10, rel=0.05)
    assert found["metrics"]["ece"] < 0.1
    assert found["metrics"]["war"] == middling["metrics"]["war"]


def test_the_threshold_leaves_the_stated_share_of_undegraded_clips() -> None:
    network, held = Shades(10.0), clips()
    found = calibration(network, held)  # type: ignore[arg-type]
    logits = logits_of(network, [as_clip(frames) for frames in held.frames])  # type: ignore[arg-type]
    shares = torch.from_numpy(logits / found["temperature"]).softmax(-1).numpy()
    assert (shares.max(1) >= found["unsure_below"]).mean() == pytest.approx(COVERAGE, abs=0.02)


def test_what_degraded_copies_give_stands_beside_and_is_no_better() -> None:
    network: Any = Shades(10.0)
    metrics = calibration(network, clips())["metrics"]
    assert metrics["degraded"]["war"] < metrics["war"]


def test_without_clips_there_is_no_calibration() -> None:
    network: Any = Shades(1.0)
    found = calibration(network, None)
    assert (found["temperature"], found["temperature_slope"], found["unsure_below"]) == (1.0, 0.0, 0.0)
    assert (found["calibrated_on"], found["metrics"]) == (None, {})


def test_all_frames_of_a_clip_suffer_the_same() -> None:
    still = np.repeat(clips(1).frames[0], 3, axis=0)
    for number in range(20):
        clip = _degraded(still, generator(0, 0, number), 48)
        assert clip.faces.shape == (3, 48, 48, 3)
        assert np.array_equal(clip.faces[0], clip.faces[2])
        assert clip.quality[0] == clip.quality[2]


def test_a_blurred_clip_is_of_lower_quality() -> None:
    sharp = np.zeros((48, 48, 3), np.uint8)
    sharp[::6, 10:40], sharp[:, 20:24] = 200, 255
    soft, hard = (judged(as_clip(picture[None])) for picture in (blurred(sharp, 3.0), sharp))
    assert soft.quality[0] < 0.7 < hard.quality[0]


# Sets, by sampling and in several views


class Moments(Shades):
    """Reads the light of each frame by its place in time, so that which frames it was given shows in its logits."""

    def forward(self, batch: ClipBatch) -> torch.Tensor:
        light = batch.face.mean((2, 3, 4)) * batch.valid
        place = torch.arange(1, light.shape[1] + 1)
        return torch.stack([light.sum(1), (light * place).sum(1)], -1)


def climbing(N: int = 5, T: int = 30) -> ClipSet:
    """Clips whose frame t has the shade 8 t, and one more a clip."""
    shades = 8 * np.arange(T)[None] + np.arange(N)[:, None]
    frames = list(np.broadcast_to(shades[:, :, None, None, None], (N, T, 48, 48, 1)).astype(np.uint8))
    return ClipSet(frames=frames, labels=np.arange(N) % 2, names=[str(i) for i in range(N)], space=PAIR)


def of_places(data: ClipSet, places: Any) -> np.ndarray:
    network: Any = Moments(1.0)
    return logits_of(network, [as_clip(np.asarray(frames[places])) for frames in data.frames])


def test_a_set_is_read_whole_unless_a_number_of_frames_is_said() -> None:
    network: Any = Moments(1.0)
    assert np.array_equal(logits_of_set(network, climbing()), of_places(climbing(), slice(None)))
    assert np.array_equal(logits_of_set(network, climbing(), frames=40), of_places(climbing(), slice(None)))


@pytest.mark.parametrize("sampling", ["segment", "tsn8x2", "stride", "uniform", "last"])
def test_a_set_is_read_by_the_sampling_and_the_logits_of_its_views_are_averaged(sampling: str) -> None:
    network: Any = Moments(1.0)
    data = climbing()
    one = logits_of_set(network, data, sampling=sampling, frames=8)
    assert np.allclose(one, of_places(data, seen(sampling, 30, 8)[0]), rtol=1e-5)
    if sampling != "last":
        several = [of_places(data, places) for places in seen(sampling, 30, 8, views=3)]
        assert np.abs(several[0] - several[2]).max() > 0.1
        found = logits_of_set(network, data, sampling=sampling, frames=8, views=3, batch=4)
        assert np.allclose(found, np.mean(several, 0), rtol=1e-5)


def test_clips_of_a_set_bring_their_scenes_of_the_same_frames() -> None:
    data = climbing(2, 30)
    data = replace(data, scenes=[np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1) for _ in range(2)])
    first, second = seen_of(data, 1, "segment", 4, views=2)
    for clip, places in ((first, seen("segment", 30, 4, views=2)[0]), (second, seen("segment", 30, 4, views=2)[1])):
        assert clip.scenes is not None
        assert clip.scenes[:, 0, 0, 0].tolist() == (2 * places).tolist()
        assert clip.faces[:, 0, 0, 0].tolist() == (8 * places + 1).tolist()
    assert seen_of(climbing(), 0, "segment", 4)[0].scenes is None


def test_degraded_copies_keep_the_scenes_of_their_clips() -> None:
    data = replace(clips(2), scenes=[np.full((1, 2, 2, 3), i, np.uint8) for i in range(2)])
    copies = list(_copies(data, 48, 0, "uniform", None))
    assert [int(copy.scenes[0, 0, 0, 0]) for copy in copies if copy.scenes is not None] == [0, 1] * 4
    assert np.array_equal(copies[1].faces, as_clip(data.frames[1][:]).faces)
    assert len({copy.faces.tobytes() for copy in copies}) > 4  # some stay as they are


def test_no_more_clips_are_asked_for_than_a_batch_has_before_they_are_read() -> None:
    network: Any = Shades(1.0)
    asked: list[int] = []
    read: list[int] = []
    network.register_forward_hook(lambda *of: read.append(len(asked)))

    def coming() -> Iterator[Clip]:
        for i, frames in enumerate(clips(20).frames):
            asked.append(i)
            yield as_clip(frames[:])

    assert logits_of(network, coming(), batch=8).shape == (20, 2)
    assert read == [8, 16, 20]


def test_confidence_is_fitted_to_the_frames_that_the_sampling_reads() -> None:
    network: Any = Shades(10.0)
    data = clips(200, T=4)
    last = replace(data, frames=[frames[-1:] for frames in data.frames])
    found = calibration(network, data, sampling="last", frames=1)
    assert found == calibration(network, last)
    assert found["temperature"] != calibration(network, data)["temperature"]
