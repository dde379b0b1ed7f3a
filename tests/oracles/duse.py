"""DuSE (arXiv 2604.12777) said slowly: one loop an index, float64, equation by equation, with every option.

B clips, T frames, C classes, N heads, H attention heads, K layers of which M are prompted, L tokens, n prompt
tokens, d widths. `weights` holds a part's own weights by name; `options` its choices by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]
Options = Mapping[str, Any]
Layer = Callable[[np.ndarray], np.ndarray]
"""A layer of a tower as a black box: tokens [L, d] in, tokens [L, d] out."""
Tower = Callable[[Any, np.ndarray], np.ndarray]
"""A tower as a black box: a picture or a sentence and its prompts [M, n, d] in, a feature [d] out."""


def dot(x: np.ndarray, y: np.ndarray) -> float:
    return sum(a * b for a, b in zip(x.tolist(), y.tolist(), strict=True))


def unit(x: np.ndarray) -> np.ndarray:
    return x / math.sqrt(sum(value * value for value in x))


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    return dot(x, y) / math.sqrt(dot(x, x) * dot(y, y))


def softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    raised = [math.exp(score - top) for score in scores]
    return [value / sum(raised) for value in raised]


def weighted(shares: Sequence[float], vectors: Sequence[np.ndarray]) -> np.ndarray:
    total = np.zeros(len(vectors[0]))
    for share, vector in zip(shares, vectors, strict=True):
        total = total + share * vector
    return total


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """y_i = sum_j W_ij x_j + b_i."""
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    return np.array([dot(weight[i], x) + (0.0 if bias is None else float(bias[i])) for i in range(len(weight))])


def relu(x: np.ndarray) -> np.ndarray:
    return np.array([max(value, 0.0) for value in x])


def layer_norm(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return (x - mean) / math.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def position(t: int, width: int) -> np.ndarray:
    """The sinusoid of place t: sin and cos of t / 10000^(2i / width), side by side."""
    code = np.zeros(width)
    for i in range(width):
        angle = t / 10000 ** (2 * (i // 2) / width)
        code[i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
    return code


def depth(word: str, layers: int) -> int:
    """III-B: how many of a tower's layers a strategy prompts; of a layer the nearest whole number, at least one."""
    return {"shallow": 1, "normal": max(1, round(layers / 3)), "deep": max(1, round(2 * layers / 3))}[word]


# The prompt stream, III-B.


def prompted(layers: Sequence[Layer], entered: np.ndarray, prompts: np.ndarray, *, at: int, after: str) -> np.ndarray:
    """Eqs. 2 and 4, [E_i, _] = layer_i([E_i-1, P_i-1]) for i to M, then 3 and 5, E_j = layer_j(E_j-1): E_K [L, d].

    The brackets put prompts before token `at`. To `carry` is to have what eqs. 2 and 4 write as "_" of layer M
    stand beside the tokens of all further layers.
    """
    tokens, told = list(entered), []
    for i, layer in enumerate(layers, start=1):
        if i <= len(prompts):
            told = list(prompts[i - 1])
        elif after == "drop":
            told = []
        out = list(layer(np.array([*tokens[:at], *told, *tokens[at:]])))
        tokens, told = out[:at] + out[at + len(told) :], out[at : at + len(told)]
    return np.array(tokens)


def coupled(weights: Weights, coupling: str, prompts: np.ndarray) -> np.ndarray:
    """Eq. 6: each token of the text prompts [M, n, d_T] through one map that all layers share: [M, n, d_V]."""

    def mapped(token: np.ndarray) -> np.ndarray:
        if coupling == "linear":
            return linear(weights, "couple", token)
        hidden = relu(linear(weights, "couple.0", token))  # as printed, this is all
        return hidden if coupling == "linear_relu" else linear(weights, "couple.2", hidden)

    return np.array([[mapped(token) for token in layer] for layer in prompts])


def prompts_of_frame(prompts: np.ndarray, scale: float, t: int) -> np.ndarray:
    """What frame t of a clip is given [M, n, d_V]: the first layer's prompts are told the time, the others are not."""
    told = prompts.copy()
    for token in range(prompts.shape[1] if len(prompts) else 0):
        told[0, token] += scale * position(t, prompts.shape[-1])
    return told


def prompts_of(weights: Weights, options: Options, t: int) -> np.ndarray:
    """The vision prompts [M, n, d_V] of frame t, from the weights of the prompt cluster."""
    if options["htpc"] != "on" or "text" not in weights:
        return np.zeros((0, 0, 0))
    made = coupled(weights, options["coupling"], weights["text"])
    if options["frame_pe"] == "none":
        return made
    return prompts_of_frame(made, float(weights["pe_scale"]) if options["pe_learned"] else options["pe_scale"], t)


# The aggregator, III-C.


def over_time(weights: Weights, options: Options, frames: Mapping[int, np.ndarray]) -> list[np.ndarray]:
    """Eqs. 9 and 10, V_m: the frames of one clip, each by its place in time, attend to each other."""
    d, heads = len(next(iter(frames.values()))), options["attention_heads"]
    share = d // heads
    read = []
    for t, frame in frames.items():
        x = layer_norm(weights, "norm", frame) if options["attention"] == "stable" else frame
        if options["order"] == "sinusoid":
            x = x + float(weights["order_scale"]) * position(t, d)
        read.append(linear(weights, "qkv", x) if options["projections"] == "qkv" else np.concatenate([x, x, x]))
    moved = []
    for q, frame in zip(read, frames.values(), strict=True):
        mixed = np.zeros(d)
        for h in range(heads):
            query, key, value = (slice(k * d + h * share, k * d + (h + 1) * share) for k in range(3))
            scores = [dot(q[query], k[key]) / math.sqrt(share) for k in read]
            mixed[h * share : (h + 1) * share] = weighted(softmax(scores), [v[value] for v in read])
        out = linear(weights, "out", mixed)
        moved.append(frame + out if options["attention"] == "stable" else out)
    return moved


def pooled(weights: Weights, options: Options, moved: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float]]:
    """Eq. 11: V_o = sum_i w_i V_m(i) and the weights, which sum to 1."""

    def score(frame: np.ndarray) -> float:
        if options["score"] == "linear":
            return float(linear(weights, "score", frame)[0])
        hidden = np.array([math.tanh(value) for value in linear(weights, "score.0", frame)])
        return float(linear(weights, "score.2", hidden)[0])

    shares = softmax([score(frame) for frame in moved])
    return weighted(shares, moved), shares


def head_maps(weights: Weights, options: Options, x: np.ndarray, *, of_text: bool) -> list[np.ndarray]:
    """A feature through a linear map to N heads of the same dimension."""
    mapped = linear(weights, "text_maps" if of_text and options["head_maps"] == "separate" else "maps", x)
    d = len(mapped) // options["heads"]
    return [mapped[h * d : (h + 1) * d] for h in range(options["heads"])]


def semantic(options: Options, scale: float, seen: np.ndarray, texts: Sequence[np.ndarray]) -> list[float]:
    """Eq. 12, the weight of each class text in one head: the formula has a dot product, the prose a cosine."""
    alike = {"dot": dot, "cosine": cosine}[options["similarity"]]
    return softmax([scale * alike(seen, text) for text in texts])


def aggregate(
    weights: Weights, options: Options, frames: Mapping[int, np.ndarray], classes: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Eqs. 9 to 13, of the frames that one clip has, by place, and the class texts: every step by its name."""
    if options["lsea"] == "mean":
        shares = [1 / len(frames)] * len(frames)
        middle = weighted(shares, list(frames.values()))
        return {"moved": np.array(list(frames.values())), "frame_weights": np.array(shares), "pooled": middle,
                "feature": middle}  # fmt: skip
    moved = over_time(weights, options, frames)
    clip, shares = pooled(weights, options, moved)
    if options["normalize_inputs"]:
        clip, classes = unit(clip), [unit(text) for text in classes]
    scale = float(weights["scale"]) if options["semantic_learned"] else options["semantic_scale"]
    N, beta = options["heads"], options["beta"]
    seen = head_maps(weights, options, clip, of_text=False)
    mapped = [head_maps(weights, options, text, of_text=True) for text in classes]
    text_maps = [[mapped[c][h] for c in range(len(classes))] for h in range(N)]
    by_class = [semantic(options, scale, seen[h], text_maps[h]) for h in range(N)]
    meant = [weighted(by_class[h], text_maps[h]) for h in range(N)]  # eq. 12
    feature = np.zeros(len(clip))
    for h in range(N):  # eq. 13
        feature += (beta * (seen[h] if options["residual"] == "mapped" else clip) + (1 - beta) * meant[h]) / N
    return {"moved": np.array(moved), "frame_weights": np.array(shares), "pooled": clip, "seen": np.array(seen),
            "text_maps": np.array(text_maps), "class_weights": np.array(by_class), "meant": np.array(meant),
            "feature": feature}  # fmt: skip


# What both streams come to, III-A.


def logits(options: Options, feature: np.ndarray, classes: Sequence[np.ndarray], log_scale: float) -> np.ndarray:
    """What eq. 1 raises e to: V_g . F_T(i), or exp(s) cos(V_g, F_T(i)) with CLIP's scale or one that was learned."""
    if options["logits"] == "raw_dot":
        return np.array([dot(feature, text) for text in classes])
    return np.array([math.exp(log_scale) * cosine(feature, text) for text in classes])


def loss(logits: np.ndarray, label: int) -> float:
    """Eq. 1 of one clip."""
    return -math.log(math.exp(logits[label]) / sum(math.exp(value) for value in logits))


def part(weights: Weights, name: str) -> dict[str, np.ndarray]:
    """The weights of one part, by the names that it has for them."""
    return {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}


def recognise(
    weights: Weights, options: Options, *, see: Tower, read: Tower, log_scale: float, clip: Mapping[int, Any],
    described: Sequence[Sequence[str]],
) -> dict[str, np.ndarray]:  # fmt: skip
    """The whole of DuSE for one clip, its frames by place, and each class's sentences: every step by its name."""
    prompts = part(weights, "prompts")
    told = prompts["text"] if options["htpc"] != "none" and "text" in prompts else np.zeros((0, 0, 0))
    classes = []
    for sentences in described:  # eqs. 2, 3, 8
        features = [read(sentence, told) for sentence in (sentences if options["texts"] == "mean" else sentences[:1])]
        classes.append(weighted([1 / len(features)] * len(features), features))
    frames = {t: see(picture, prompts_of(prompts, options, t)) for t, picture in clip.items()}  # eqs. 4 to 7
    found = aggregate(part(weights, "aggregator"), options, frames, classes)
    said = logits(options, found["feature"], classes, float(weights.get("log_scale", log_scale)))
    return {"frames": np.array(list(frames.values())), "texts": np.array(classes), **found, "logits": said}
