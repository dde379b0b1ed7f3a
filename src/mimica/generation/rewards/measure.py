"""How well a sight sees clips whose units, people and classes are known. N clips, T frames, A units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica.facs import UNITS
from mimica.generation.rewards.sight import Sight
from mimica.metrics.correlation import correlations
from mimica.metrics.detection import auroc

MOVES = 0.15
"""A unit counts in a clip where it rises by so much between frames."""


def measured(sight: Sight, clips: Tensor, units: Tensor, labels: Tensor, people: Tensor) -> dict[str, Any]:
    """What a sight makes of clips [N, T, 3, H, W] of people [N] in other clips too, by units [N, T, A] and labels [N].

    `unit_r` is Pearson's correlation over time, mean over all units that move in a clip. Units of a clip mostly move
    together, so that a detector which confuses two of them hardly shows there: `across_r` is that over all frames of
    all clips, mean over units, `by_unit` that of each. Likeness is the mean cosine of frames: `same_clip` with the
    clip's first, `same_person` with those of the person's other clips, `others` with everyone else's; `verification` is
    the area under the curve of telling the last two apart, frame by frame. `accuracy` is of classes.
    """
    with torch.no_grad():
        found, features, likely = sight.units(clips), sight.embed(clips), sight.recogniser(clips)
    known = labels >= 0
    right = (likely.argmax(1) == labels)[known]
    return {
        **unit_figures(found.numpy(), units.numpy()), **identity_figures(features, people),
        "accuracy": float(right.float().mean()) if len(right) else float("nan"),
    }  # fmt: skip


def unit_figures(found: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """Correlation of measured units with true ones, [N, T, A] each, over time where these move, and over all frames."""
    N, T, A = true.shape
    over_time = correlations(
        found.transpose(1, 0, 2).reshape(T, N * A), true.transpose(1, 0, 2).reshape(T, N * A)
    ).reshape(N, A)
    # What does not move at all follows nothing.
    over_time = np.where(np.isnan(over_time) & ~np.isnan(found).any(1), 0.0, over_time)
    over_time = np.where(np.ptp(true, axis=1) >= MOVES, over_time, np.nan)
    across = correlations(found.reshape(N * T, A), true.reshape(N * T, A))
    return {
        "unit_r": float(np.nanmean(over_time)), "across_r": float(np.nanmean(across)),
        "by_unit": {f"AU{unit}": float(r) for unit, r in zip(UNITS, across, strict=True)},
    }  # fmt: skip


def identity_figures(features: Tensor, people: Tensor) -> Mapping[str, float]:
    """How like each other unit-norm features [N, T, D] of people's clips are; see `measured`."""
    first = (features[:, 1:] * features[:, :1]).sum(-1)
    alike = torch.einsum("itd,jsd->ijts", features, features)
    person = people[:, None] == people
    other_clip = ~torch.eye(len(people), dtype=torch.bool)
    same, others = alike[person & other_clip].flatten().numpy(), alike[~person].flatten().numpy()
    scores = np.concatenate([same, others])
    truth = np.concatenate([np.ones(len(same), bool), np.zeros(len(others), bool)])
    return {
        "same_clip": float(first.mean()), "same_person": float(same.mean()), "others": float(others.mean()),
        "verification": float(auroc(truth, scores)),
    }  # fmt: skip
