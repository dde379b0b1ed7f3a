"""Features said plainly: points one by one, attention as a softmax, networks by the names in their authors' files."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def farthest_points(points: np.ndarray, count: int) -> list[int]:
    """From point 0, always the point whose nearest chosen one is farthest; the lowest index of several."""
    chosen = [0]
    for _ in range(count - 1):
        distance = [min(float(((p - points[c]) ** 2).sum()) for c in chosen) for p in points]
        chosen.append(max(range(len(points)), key=distance.__getitem__))
    return chosen


def to_patches(
    features: np.ndarray, points: np.ndarray, where: np.ndarray, centres: np.ndarray, side: int, cells: int
) -> np.ndarray:
    """Three nearest centres by inverse squared distance, scattered into zeros, pooled 3 x 3, pooled to the cells."""
    image = torch.zeros(features.shape[1], side * side, dtype=torch.float64)
    for point, pixel in zip(points, where, strict=True):
        squared = ((centres - point) ** 2).sum(1)
        nearest = np.argsort(squared)[:3]
        weights = 1 / (squared[nearest] + 1e-8)
        image[:, pixel] = torch.from_numpy((weights / weights.sum()) @ features[nearest])
    pooled = F.avg_pool2d(image.reshape(1, -1, side, side), 3, stride=1)
    return F.adaptive_avg_pool2d(pooled, cells)[0].flatten(1).T.numpy()


def _norm1d(x: Tensor, w: dict[str, Tensor], name: str, batch: bool) -> Tensor:
    """BatchNorm over [M, P, C], by the statistics of this batch or by those that were kept."""
    flat = x.reshape(-1, x.shape[-1])
    mean = flat.mean(0) if batch else w[f"{name}.running_mean"]
    variance = flat.var(0, unbiased=False) if batch else w[f"{name}.running_var"]
    return (x - mean) / torch.sqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def tokens(groups: Tensor, w: dict[str, Tensor], *, batch: bool) -> Tensor:
    """The token encoder layer by layer, on the whole of every group."""

    def conv(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"][..., 0].T + w[f"{name}.bias"]

    x = conv(groups, "encoder.first_conv.0")
    x = conv(F.relu(_norm1d(x, w, "encoder.first_conv.1", batch)), "encoder.first_conv.3")
    x = torch.cat([x.amax(1, keepdim=True).expand_as(x), x], -1)
    x = conv(x, "encoder.second_conv.0")
    x = conv(F.relu(_norm1d(x, w, "encoder.second_conv.1", batch)), "encoder.second_conv.3")
    return x.amax(1)


def _layer_norm(x: Tensor, w: dict[str, Tensor], name: str, eps: float) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _linear(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", torch.zeros(()))


def block(x: Tensor, w: dict[str, Tensor], name: str, heads: int, eps: float) -> Tensor:
    """A pre-norm block of a vision transformer, head by head; x [M, d]."""
    width = x.shape[1] // heads
    joined = _linear(_layer_norm(x, w, f"{name}.norm1", eps), w, f"{name}.attn.qkv")
    q, k, v = joined.chunk(3, -1)
    mixed = []
    for h in range(heads):
        own = slice(h * width, (h + 1) * width)
        weights = torch.softmax(q[:, own] @ k[:, own].T / math.sqrt(width), -1)
        mixed.append(weights @ v[:, own])
    x = x + _linear(torch.cat(mixed, -1), w, f"{name}.attn.proj")
    inner = _gelu(_linear(_layer_norm(x, w, f"{name}.norm2", eps), w, f"{name}.mlp.fc1"))
    return x + _linear(inner, w, f"{name}.mlp.fc2")


def point_mae(groups: Tensor, centres: Tensor, w: dict[str, Tensor], heads: int, depth: int, *, batch: bool) -> Tensor:
    """Outputs after a third, two thirds and all of the blocks, each through the last norm."""
    x = tokens(groups, w, batch=batch)
    places = _linear(_gelu(_linear(centres, w, "pos_embed.0")), w, "pos_embed.2")
    taps = []
    for i in range(depth):
        x = block(x + places, w, f"blocks.blocks.{i}", heads, 1e-5)
        if (i + 1) % (depth // 3) == 0:
            taps.append(_layer_norm(x, w, "norm", 1e-5))
    return torch.cat(taps, -1)


def dino(pixels: Tensor, w: dict[str, Tensor], heads: int, depth: int) -> Tensor:
    """Patch tokens of a picture [3, S, S] by the names of DINO's authors."""
    kernel = w["patch_embed.proj.weight"]
    patch = kernel.shape[-1]
    tokens = []
    for i in range(0, pixels.shape[1], patch):
        for j in range(0, pixels.shape[2], patch):
            tokens.append(
                (kernel * pixels[:, i : i + patch, j : j + patch]).sum((1, 2, 3)) + w["patch_embed.proj.bias"]
            )
    x = torch.cat([w["cls_token"][0], torch.stack(tokens)]) + w["pos_embed"][0]
    for i in range(depth):
        x = block(x, w, f"blocks.{i}", heads, 1e-6)
    return _layer_norm(x, w, "norm", 1e-6)[1:]


def plane(points: np.ndarray, row: int, column: int, window: int) -> tuple[np.ndarray, float, float] | None:
    """Normal towards the sensor, offset and roughness of one point, from all measured points around it."""
    half = window // 2
    around = points[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1].reshape(-1, 3)
    around = around[np.isfinite(around).all(1)].astype(np.float64)
    here = points[row, column].astype(np.float64)
    if not np.isfinite(here).all() or len(around) < 4:
        return None
    centred = around - around.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(around))
    normal = vectors[:, 0] if vectors[:, 0] @ here < 0 else -vectors[:, 0]
    width = math.sqrt(values[1] + values[2])
    return normal, float((here - around.mean(0)) @ normal) / width, math.sqrt(max(values[0], 0)) / width


def fpfh(points: np.ndarray, normals: np.ndarray, there: np.ndarray, step: int, bins: int = 11) -> np.ndarray:
    """Rusu's histograms, pair by pair; the neighbourhood is that of the grid."""
    height, width = there.shape

    def around(i: int, j: int) -> list[tuple[int, int]]:
        steps = [(a * step, b * step) for a in range(-2, 3) for b in range(-2, 3) if (a, b) != (0, 0)]
        places = [(i + a, j + b) for a, b in steps if 0 <= i + a < height and 0 <= j + b < width]
        return [place for place in places if there[place]]

    def angles(p: np.ndarray, n: np.ndarray, q: np.ndarray, m: np.ndarray) -> tuple[float, float, float]:
        line = (q - p) / np.linalg.norm(q - p)
        if abs(n @ line) < abs(m @ line):  # the frame stands where the normal is nearer to the line
            n, m, line = m, n, -line
        v = np.cross(line, n)
        v = v / max(float(np.linalg.norm(v)), 1e-12)
        w = np.cross(n, v)
        return float(v @ m), float(n @ line), math.atan2(float(w @ m), float(n @ m))

    own = np.zeros((height, width, 3, bins))
    for i, j in np.argwhere(there):
        for place in around(i, j):
            alpha, phi, theta = angles(points[i, j], normals[i, j], points[place], normals[place])
            for number, value in enumerate(((alpha + 1) / 2, (phi + 1) / 2, theta / (2 * math.pi) + 0.5)):
                own[i, j, number, min(int(value * bins), bins - 1)] += 1
        if own[i, j].any():
            own[i, j] /= own[i, j].sum(-1, keepdims=True)
    mixed = np.zeros_like(own)
    for i, j in np.argwhere(there):
        places = around(i, j)
        if places:
            weights = np.array([1 / np.linalg.norm(points[i, j] - points[place]) for place in places])
            mean = sum(w * own[place] for w, place in zip(weights, places, strict=True)) / weights.sum()
            mixed[i, j] = own[i, j] + mean
            mixed[i, j] /= mixed[i, j].sum(-1, keepdims=True)
    return mixed.reshape(height, width, 3 * bins)
