from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.experiments.pictures import apartness, draw_stages

TRUTH = np.arange(24) % 3


def clustered(apart: float) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(24, 6)) + apart * np.eye(6)[TRUTH]


def silhouette(features: np.ndarray, truth: np.ndarray) -> float:
    """The mean silhouette, clip by clip as its definition has it."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    found = []
    for i, own in enumerate(truth):
        far = {c: np.mean([1 - unit[i] @ unit[j] for j in range(len(truth)) if truth[j] == c and j != i])
               for c in set(truth.tolist())}  # fmt: skip
        nearest = min(distance for c, distance in far.items() if c != own)
        found.append((nearest - far[own]) / max(nearest, far[own]))
    return float(np.mean(found))


@pytest.mark.parametrize("apart", [0.0, 2.0, 8.0])
def test_how_far_classes_are_apart_is_the_mean_silhouette_of_cosines(apart: float) -> None:
    features = clustered(apart)
    assert apartness(features, TRUTH) == pytest.approx(silhouette(features, TRUTH), abs=1e-6)


def test_stages_are_drawn_side_by_side_in_one_picture(tmp_path: Path) -> None:
    stages = {"before": clustered(0.0), "after": clustered(8.0)}
    labels = ("happiness", "sadness", "fear")
    draw_stages(stages, TRUTH, labels, tmp_path / "both.png", title="tiny")
    draw_stages({"after": stages["after"]}, TRUTH, labels, tmp_path / "one.png", title="tiny")
    both, one = (Image.open(tmp_path / f"{name}.png").size for name in ("both", "one"))
    assert both[0] == pytest.approx(2 * one[0], rel=0.1)
