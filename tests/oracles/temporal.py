"""The temporal head of DFER-CLIP (arXiv 2308.13382, 3.2), one clip, one token, one number at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

Weights = Mapping[str, np.ndarray]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def affine(weight: np.ndarray, bias: np.ndarray, x: Sequence[float]) -> list[float]:
    return [dot(row, x) + float(b) for row, b in zip(weight, bias, strict=True)]


def normed(weight: np.ndarray, bias: np.ndarray, x: Sequence[float]) -> list[float]:
    """A layer norm of one token."""
    mean = sum(x) / len(x)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in x) / len(x) + 1e-5)
    return [(value - mean) / deviation * float(w) + float(b) for value, w, b in zip(x, weight, bias, strict=True)]


def gelu(x: float) -> float:
    """By the hyperbolic tangent, as it is published."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attended(layer: Weights, heads: int, tokens: list[list[float]], place: int) -> list[float]:
    """What the token at one place takes from all tokens, head by head."""
    d = len(tokens[0])
    width = d // heads
    mapped = [affine(layer["self_attn.in_proj_weight"], layer["self_attn.in_proj_bias"], token) for token in tokens]
    taken: list[float] = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        query = mapped[place][:d][part]
        alike = [math.exp(dot(query, other[d : 2 * d][part]) / math.sqrt(width)) for other in mapped]
        shares = [value / sum(alike) for value in alike]
        values = [other[2 * d :][part] for other in mapped]
        taken += [sum(share * value[k] for share, value in zip(shares, values, strict=True)) for k in range(width)]
    return affine(layer["self_attn.out_proj.weight"], layer["self_attn.out_proj.bias"], taken)


def through(layer: Weights, heads: int, tokens: list[list[float]]) -> list[list[float]]:
    """One pre-norm layer: attention, then a perceptron of two maps, each added to what entered it."""
    calm = [normed(layer["norm1.weight"], layer["norm1.bias"], token) for token in tokens]
    moved = [
        [x + y for x, y in zip(token, attended(layer, heads, calm, place), strict=True)]
        for place, token in enumerate(tokens)
    ]
    out = []
    for token in moved:
        up = affine(
            layer["linear1.weight"], layer["linear1.bias"], normed(layer["norm2.weight"], layer["norm2.bias"], token)
        )
        down = affine(layer["linear2.weight"], layer["linear2.bias"], [gelu(value) for value in up])
        out.append([x + y for x, y in zip(token, down, strict=True)])
    return out


def clip_feature(weights: Weights, layers: int, heads: int, frames: Sequence[np.ndarray]) -> list[float]:
    """What comes out at the class token of one clip's frames, each brought to length sqrt(d) before."""
    d = len(weights["cls"][0, 0])
    tokens = [[float(x) for x in weights["cls"][0, 0]]]
    for frame in frames:
        length = math.sqrt(dot(frame, frame))
        tokens.append([float(x) / length * math.sqrt(d) for x in frame])
    tokens = [
        [x + float(p) for x, p in zip(token, weights["position"][0, place], strict=True)]
        for place, token in enumerate(tokens)
    ]
    for number in range(layers):
        name = f"over_time.layers.{number}."
        tokens = through(
            {key.removeprefix(name): value for key, value in weights.items() if key.startswith(name)}, heads, tokens
        )
    return tokens[0]


def logits(clip: Sequence[float], texts: Sequence[np.ndarray], scale: float) -> list[float]:
    """Cosines with the class texts, times the encoder's scale."""
    return [scale * dot(clip, text) / math.sqrt(dot(clip, clip) * dot(text, text)) for text in texts]
