from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import ClipBatch
from mimica.data.augment import generator
from mimica.data.clipset import ClipSet
from mimica.data.degrade import blurred
from mimica.labels import LabelSpace
from mimica.training.calibrate import COVERAGE, _degraded, _judged, as_clip, calibration, logits_of

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
    soft, hard = (_judged(as_clip(picture[None])) for picture in (blurred(sharp, 3.0), sharp))
    assert soft.quality[0] < 0.7 < hard.quality[0]
