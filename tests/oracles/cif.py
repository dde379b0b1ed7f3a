"""CIF said plainly: one loop for each sum, one matrix for each letter. For small N and A only."""

from __future__ import annotations

import math

import numpy as np


def incidence(features: np.ndarray, centroids: np.ndarray, inside: np.ndarray, level: float) -> np.ndarray:
    """Membership of every node in every hyperedge, as the public code decides it."""
    H = np.zeros((len(features), len(centroids)))
    for i, x in enumerate(features):
        similar = [float(x @ c / (np.linalg.norm(x) * np.linalg.norm(c))) for c in centroids]
        low, high = min(similar), max(similar)
        for e, s in enumerate(similar):
            scaled = (s - low) / (high - low) if high > low else 1.0
            H[i, e] = 1.0 if inside[i] and scaled >= level else 0.0
    return H


def edge_features(H: np.ndarray, X: np.ndarray) -> np.ndarray:
    """De⁻¹ Hᵀ Dv^-½ X with the diagonal matrices written out; empty hyperedges and lone nodes give zeros."""
    De = np.diag([1 / d if d else 0.0 for d in H.sum(0)])
    Dv = np.diag([1 / math.sqrt(d) if d else 0.0 for d in H.sum(1)])
    return De @ H.T @ Dv @ X


def joint_incidence(part: np.ndarray, bank: np.ndarray, H: np.ndarray, hard: np.ndarray) -> np.ndarray:
    """[part's hyperedges | bank's | {i, its most similar bank node} | {a, its most similar part node}]."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    N, A = len(part), len(bank)
    columns = [np.concatenate([H[:, e], np.zeros(A)]) for e in range(H.shape[1])]
    for e in sorted({int(h) for h in hard if h >= 0}):
        columns.append(np.concatenate([np.zeros(N), (hard == e).astype(float)]))
    for i in range(N):
        pair = np.zeros(N + A)
        pair[i] = pair[N + max(range(A), key=lambda a: cosine(part[i], bank[a]))] = 1
        columns.append(pair)
    for a in range(A):
        pair = np.zeros(N + A)
        pair[N + a] = pair[max(range(N), key=lambda i: cosine(part[i], bank[a]))] = 1
        columns.append(pair)
    return np.stack([column for column in columns if column.any()], 1)


def propagate(
    part: np.ndarray, bank: np.ndarray, H: np.ndarray, hard: np.ndarray, layers: int, alpha: float
) -> np.ndarray:
    """S X with S = α Σ_{l<L} (1-α)^l Â^l + (1-α)^L Â^L, all of it dense; the part's rows."""
    J = joint_incidence(part, bank, H, hard)
    X = np.concatenate([part, bank])
    W = J @ np.diag(1 / J.sum(0)) @ J.T + np.eye(len(X))
    D = np.diag(1 / np.sqrt(W.sum(1)))
    A = D @ W @ D
    S = alpha * sum((1 - alpha) ** i * np.linalg.matrix_power(A, i) for i in range(layers))
    S = S + (1 - alpha) ** layers * np.linalg.matrix_power(A, layers)
    return (S @ X)[: len(part)]


def k_centres(points: np.ndarray, count: int, start: int, *, keep: bool) -> list[int]:
    """Greedy k centres; without `keep` the start is a centre that is never chosen for itself (the public code)."""
    centres = [start]
    chosen = [start] if keep else []
    while len(chosen) < count:
        distance = [min(float(np.linalg.norm(p - points[c])) for c in centres) for p in points]
        for c in chosen:
            distance[c] = -1.0
        farthest = max(range(len(points)), key=distance.__getitem__)
        centres.append(farthest)
        chosen.append(farthest)
    return chosen


def truncated_quotas(sizes: list[int], target: int) -> list[int]:
    """The public code's arithmetic: a ratio in floats, int(n · ratio), each hyperedge's share rounded, at least 1."""
    n = sum(sizes)
    ratio = target / n
    total = int(n * ratio)
    return [max(1, round(size / n * total)) for size in sizes]


def search(
    X: np.ndarray, H: np.ndarray, hard: np.ndarray, nodes: np.ndarray, node_hard: np.ndarray, best: int
) -> np.ndarray:
    """Product of the least distance within the `best` most similar hyperedges and the least of all; background 0."""
    ids = sorted({int(h) for h in node_hard})
    mine = edge_features(H, X)
    theirs = [nodes[node_hard == e].mean(0) for e in ids]
    scores = np.zeros(len(X))
    for i, x in enumerate(X):
        if hard[i] < 0:
            continue
        own = mine[hard[i]]
        cosines = [float(own @ t / (np.linalg.norm(own) * np.linalg.norm(t))) for t in theirs]
        allowed = [ids[e] for e in sorted(range(len(ids)), key=lambda e: -cosines[e])[:best]]
        overall = min(float(np.linalg.norm(x - m)) for m in nodes)
        inside = min(float(np.linalg.norm(x - m)) for m, h in zip(nodes, node_hard, strict=True) if h in allowed)
        scores[i] = inside * overall
    return scores


def reweighted(raw: np.ndarray, X: np.ndarray, scores: np.ndarray, nodes: np.ndarray, neighbours: int) -> float:
    """PatchCore's re-weighted maximum: the weight from raw features, the neighbour from those after messages."""
    top = int(scores.argmax())
    nearest = min(range(len(nodes)), key=lambda a: float(np.linalg.norm(X[top] - nodes[a])))
    around = sorted(range(len(nodes)), key=lambda a: float(np.linalg.norm(nodes[nearest] - nodes[a])))[:neighbours]
    distances = [float(np.linalg.norm(raw[top] - nodes[a])) for a in around]
    weight = 1 - math.exp(distances[0]) / sum(math.exp(d) for d in distances)
    return weight * float(scores[top])


def heat(views: list[np.ndarray], side: int, power: float) -> np.ndarray:
    """Bilinear with aligned corners, product, power, five boxes of 5 and three of 7 with zeros beyond the border."""
    import torch
    import torch.nn.functional as F

    product = torch.ones(1, 1, side, side, dtype=torch.float64)
    for view in views:
        cells = round(len(view) ** 0.5)
        grid = torch.from_numpy(view.reshape(1, 1, cells, cells))
        product = product * F.interpolate(grid, size=(side, side), mode="bilinear", align_corners=True)
    product = product**power
    for size in (5, 5, 5, 5, 5, 7, 7, 7):
        kernel = torch.full((1, 1, size, size), 1 / size**2, dtype=torch.float64)
        product = F.conv2d(product, kernel, padding=size // 2)
    return product[0, 0].numpy()


def off_the_corners(z: np.ndarray, fills: int, distance: float) -> np.ndarray:
    """The public code's foreground of a depth image with zeros where nothing was measured, pixel by pixel."""
    height, width = z.shape
    if z.max() > 1 or z.min() < 0:
        z = (z - z.min()) / (z.max() - z.min())
    for _ in range(fills):
        old = z.copy()
        for i in range(height):
            for j in range(width):
                if old[i, j] == 0:
                    around = old[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
                    values = around[around != 0]
                    z[i, j] = values.mean() if len(values) else 0
    corner = [c[c != 0].mean() for c in (z[:2, :2], z[:2, -2:], z[-2:, :2], z[-2:, -2:])]
    mask = np.zeros(z.shape, bool)
    for i in range(height):
        for j in range(width):
            a, b = i / (height - 1), j / (width - 1)
            surface = (1 - a) * ((1 - b) * corner[0] + b * corner[1]) + a * ((1 - b) * corner[2] + b * corner[3])
            mask[i, j] = abs(z[i, j] - surface) > distance and z[i, j] != 0
    return mask
