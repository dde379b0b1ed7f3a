"""CIF's costly steps as the public code takes them, done on a CPU: dense, one after the other, nothing shared.

n points, M groups of P, S side in pixels, N patches, A nodes of the bank, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mimica.anomaly.features.maker import points_of
from mimica.anomaly.features.pointmae import GROUP, PointMae
from mimica.anomaly.features.pointmae_net import TokenEncoder
from mimica.anomaly.grid import finite, stretch_points
from mimica.anomaly.samples import Sample

ROWS = 8192
"""Points whose distances are sorted at a time; all at once would take more than a gigabyte."""


class NaivePointMae(PointMae):
    """Point-MAE's features with every point against every centre and every layer over all points."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """Features float32 [N, 1152]."""
        image = stretch_points(points_of(sample), self.side)
        where = np.flatnonzero(np.isfinite(image).all(-1))
        points = image.reshape(-1, 3)[where]
        centres = points[farthest_points(points, self.groups)]
        near = distances(centres, points).topk(GROUP, largest=False).indices
        members = torch.from_numpy(points[near.numpy()] - centres[:, None])
        with torch.inference_mode():
            x = tokens(self.encoder.encoder, members)
            places = self.encoder.pos_embed(torch.from_numpy(centres))
            taps = []
            for number, block in enumerate(self.encoder.blocks["blocks"]):  # type: ignore[arg-type]
                x = block(x + places)
                if number in self.encoder.shape.taps:
                    taps.append(self.encoder.norm(x))
            return finite(self._patches(torch.cat(taps, 1), points, where, centres), "pointmae", sample.name)

    def _patches(self, features: Tensor, points: np.ndarray, where: np.ndarray, centres: np.ndarray) -> np.ndarray:
        image = torch.zeros(self.side**2, features.shape[1])
        for rows in torch.arange(len(points)).split(ROWS):
            distance, order = distances(points[rows.numpy()], centres).sort(-1)
            weights = 1 / (distance[:, :3] ** 2 + 1e-8)
            weights = weights / weights.sum(1, keepdim=True)
            image[torch.from_numpy(where)[rows]] = (features[order[:, :3]] * weights[..., None]).sum(1)
        stacked = image.T.reshape(1, -1, self.side, self.side)
        pooled = F.adaptive_avg_pool2d(F.avg_pool2d(stacked, 3, stride=1), self.cells)
        return pooled[0].flatten(1).T.numpy()


def distances(a: np.ndarray, b: np.ndarray) -> Tensor:
    """Every distance [n, m], each by itself: as |a|² - 2ab + |b|² most of its digits are lost within a scan."""
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b), compute_mode="donot_use_mm_for_euclid_dist")


def farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """Indices [M]: all points looked at again for every centre."""
    chosen = np.zeros(count, np.int64)
    away = np.full(len(points), np.inf)
    for number in range(1, count):
        away = np.minimum(away, ((points - points[chosen[number - 1]]) ** 2).sum(1))
        chosen[number] = away.argmax()
    return chosen


def tokens(net: TokenEncoder, groups: Tensor) -> Tensor:
    """The authors' token encoder: convolutions over all points, the group's maximum repeated for each."""

    def norm(x: Tensor, layer: Any) -> Tensor:
        return F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)

    entry, first_norm, _, first = net.first_conv
    middle, second_norm, _, second = net.second_conv
    x = first(F.relu(norm(entry(groups.transpose(1, 2)), first_norm)))
    x = torch.cat([x.amax(2, keepdim=True).expand_as(x), x], 1)
    return torch.as_tensor(second(F.relu(norm(middle(x), second_norm))).amax(2))


def propagate(
    part: np.ndarray, bank: np.ndarray, part_incidence: np.ndarray, bank_hard: np.ndarray,
    *, layers: int, alpha: float, bank_unit: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Messages with every matrix written out, (N + A) to a side."""
    X = torch.from_numpy(np.concatenate([part, bank]))
    N, A = len(part), len(bank)
    unit = F.normalize(X, dim=1)
    similar = unit[:N] @ unit[N:].T
    H = torch.zeros(N + A, part_incidence.shape[1] + int(bank_hard.max()) + 1 + N + A)
    K = part_incidence.shape[1]
    H[:N, :K] = torch.from_numpy(part_incidence)
    H[N + torch.arange(A), K + torch.from_numpy(bank_hard)] = 1
    pairs = H.shape[1] - N - A
    H[torch.arange(N), pairs + torch.arange(N)] = 1
    H[N + similar.argmax(1), pairs + torch.arange(N)] = 1
    H[N + torch.arange(A), pairs + N + torch.arange(A)] = 1
    H[similar.argmax(0), pairs + N + torch.arange(A)] = 1
    W = H @ torch.diag(1 / H.sum(0).clamp(min=1e-12)) @ H.T + torch.eye(N + A)
    root = torch.diag(W.sum(1) ** -0.5)
    step = root @ W @ root
    S = sum((alpha * (1 - alpha) ** i * torch.linalg.matrix_power(step, i) for i in range(layers)), torch.zeros(()))
    S = S + (1 - alpha) ** layers * torch.linalg.matrix_power(step, layers)
    return np.asarray((S @ X)[:N])
