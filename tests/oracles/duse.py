"""DuSE (arXiv 2604.12777) said slowly: one loop an index, float64, equation by equation as `duse` reads them.

B clips, T frames, C classes, N heads, H attention heads, M prompted layers, n prompt tokens, d widths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

Weights = Mapping[str, np.ndarray]


def unit(x: np.ndarray) -> np.ndarray:
    return x / math.sqrt(sum(value * value for value in x))


def softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    raised = [math.exp(score - top) for score in scores]
    return [value / sum(raised) for value in raised]


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """y_i = sum_j W_ij x_j + b_i."""
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    return np.array([
        sum(weight[i, j] * x[j] for j in range(len(x))) + (0.0 if bias is None else bias[i]) for i in range(len(weight))
    ])  # fmt: skip


def layer_norm(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return (x - mean) / math.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def over_time(weights: Weights, frames: list[np.ndarray], attention_heads: int) -> list[np.ndarray]:
    """Eqs. 9 and 10 with learned maps, a norm before and a residual around: the valid frames of one clip."""
    d = len(frames[0])
    share = d // attention_heads
    read = [linear(weights, "qkv", layer_norm(weights, "norm", frame)) for frame in frames]
    query, key, value = ([r[k * d : (k + 1) * d] for r in read] for k in range(3))
    moved = []
    for t, frame in enumerate(frames):
        mixed = np.zeros(d)
        for h in range(attention_heads):
            part = slice(h * share, (h + 1) * share)
            weight = softmax([float(query[t][part] @ key[u][part]) / math.sqrt(share) for u in range(len(frames))])
            mixed[part] = sum(weight[u] * value[u][part] for u in range(len(frames)))
        moved.append(frame + linear(weights, "out", mixed))
    return moved


def pooled(weights: Weights, moved: list[np.ndarray]) -> tuple[np.ndarray, list[float]]:
    """Eq. 11: V_o and the weight of each frame."""
    weight = softmax([float(linear(weights, "score", frame)[0]) for frame in moved])
    return sum((w * frame for w, frame in zip(weight, moved, strict=True)), np.zeros(len(moved[0]))), weight


def head_maps(weights: Weights, x: np.ndarray, heads: int) -> list[np.ndarray]:
    """One linear map to N heads of the same dimension, of a feature brought to unit length."""
    mapped = linear(weights, "maps", unit(x))
    d = len(mapped) // heads
    return [mapped[h * d : (h + 1) * d] for h in range(heads)]


def aggregate(
    weights: Weights, frames: np.ndarray, valid: np.ndarray, classes: np.ndarray,
    *, heads: int, attention_heads: int, beta: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """V_g [d] of one clip [T, d], with its frames' weights [T] and its semantic weights [N, C] (eqs. 9-13)."""
    kept = [t for t in range(len(frames)) if valid[t]]
    seen, weight = pooled(weights, over_time(weights, [frames[t] for t in kept], attention_heads))
    by_frame = np.zeros(len(frames))
    by_frame[kept] = weight
    V = head_maps(weights, seen, heads)
    F = [head_maps(weights, text, heads) for text in classes]  # F[c][h]
    feature, by_class = np.zeros(frames.shape[1]), np.zeros((heads, len(classes)))
    for h in range(heads):
        scores = [float(weights["scale"]) * float(unit(V[h]) @ unit(F[c][h])) for c in range(len(classes))]
        by_class[h] = softmax(scores)  # eq. 12
        meant = sum(by_class[h, c] * F[c][h] for c in range(len(classes)))
        feature += (beta * V[h] + (1 - beta) * meant) / heads  # eq. 13
    return feature, by_frame, by_class


def logits(feature: np.ndarray, classes: np.ndarray, log_scale: float) -> np.ndarray:
    """Eq. 1, with both sides at unit length and CLIP's scale: exp(s) cos(V_g, F_T(i))."""
    return np.array([math.exp(log_scale) * float(unit(feature) @ unit(text)) for text in classes])


def coupled(weights: Weights, prompts: np.ndarray) -> np.ndarray:
    """Eq. 6: text prompts [M, n, d_T] through one Linear, ReLU, Linear that all layers share: [M, n, d_V]."""
    return np.array([
        [linear(weights, "2", np.maximum(linear(weights, "0", prompt), 0)) for prompt in layer] for layer in prompts
    ])  # fmt: skip


def position(t: int, width: int) -> np.ndarray:
    """The sinusoid of place t: sin and cos of t / 10000^(2i / width), side by side."""
    code = np.zeros(width)
    for i in range(width):
        angle = t / 10000 ** (2 * (i // 2) / width)
        code[i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
    return code


def prompts_of_frame(prompts: np.ndarray, scale: float, t: int) -> np.ndarray:
    """What frame t of a clip is given [M, n, d_V]: the first layer's prompts are told the time, the others are not."""
    told = prompts.copy()
    for token in range(prompts.shape[1] if len(prompts) else 0):
        told[0, token] += scale * position(t, prompts.shape[-1])
    return told
