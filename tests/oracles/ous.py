"""OUS (arXiv 2405.18769) said slowly: one loop an index, float64, equation by equation, with every option.

B clips, T frames, C classes, H heads, K layers of a tower, d joint dimension. `weights` holds a part's own weights
by name; `options` its choices by name. A clip's frames are a list of features [d].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oracles.duse import cosine, dot, layer_norm, linear, part, relu, softmax, unit, weighted

Weights = Mapping[str, np.ndarray]
Options = Mapping[str, Any]
Vectors = Sequence[np.ndarray]


# What trains it.


def cross_entropy(logits: Vectors, labels: Sequence[int]) -> float:
    """Eq. 1: -sum_i y_i log(y^_i) of each clip, and the mean over the clips."""
    total = 0.0
    for scores, label in zip(logits, labels, strict=True):
        for i, share in enumerate(softmax(list(scores))):
            total -= (1.0 if i == label else 0.0) * math.log(share)
    return total / len(labels)


def similarity(options: Options, faces: Vectors, scenes: Vectors) -> float:
    """Eq. 2: as printed, with sums over the batch under both roots; or the mean over clips of each one's cosine."""
    if options["similarity"] == "literal":
        above = sum(dot(f, s) for f, s in zip(faces, scenes, strict=True))
        return 1 - above / (math.sqrt(sum(dot(f, f) for f in faces)) * math.sqrt(sum(dot(s, s) for s in scenes)))
    return 1 - sum(cosine(f, s) for f, s in zip(faces, scenes, strict=True)) / len(faces)


def scene_contrast(faces: Vectors, scenes: Vectors, temperature: float) -> float:
    """Eq. 3 as printed, as the mean over i: -log of exp(sim(s_i, f_i)/t) over the sum of exp(sim(s_i, f_j)/t)."""
    total = 0.0
    for i, scene in enumerate(scenes):
        below = sum(math.exp(cosine(scene, face) / temperature) for face in faces)
        total -= math.log(math.exp(cosine(scene, faces[i]) / temperature) / below)
    return total / len(scenes)


def objective(options: Options, losses: Mapping[str, float], reached: float) -> float:
    """Eq. 4: the sum of the three where what is `reached` exceeds alpha, else the contrastive one; and what is ours."""
    loss = losses["contrast"]
    if options["losses"] == "global" and reached > options["alpha"]:
        loss += losses["similarity"] + losses.get("polarity", 0.0)
    loss += options["alone"] * (losses["face_alone"] + losses["scene_alone"])
    return loss + options["infonce"] * losses.get("infonce", 0.0)


# What goes on in a clip.


def patches(picture: np.ndarray, side: int, embedding: np.ndarray, position: Vectors) -> list[np.ndarray]:
    """Eq. 12: [v^1 E; ...; v^N E] + E_pos, of a picture [3, S, S] in squares of `side`, row by row."""
    S, found = picture.shape[1], []
    for row in range(S // side):
        for column in range(S // side):
            square = picture[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
            vector = square.reshape(-1)
            found.append(np.array([dot(embedding[:, j], vector) for j in range(embedding.shape[1])]))
    return [token + place for token, place in zip(found, position, strict=True)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def recurrent(weights: Weights, options: Options, sequence: Vectors) -> list[np.ndarray]:
    """Eq. 13: h = act(W_h [h_prev, x] + b_h), plain with tanh; or the LSTM that the text speaks of."""
    own = {key.removesuffix("_l0"): value for key, value in weights.items()}
    d = len(sequence[0])
    h, c, out = np.zeros(d), np.zeros(d), []
    for x in sequence:
        raw = [
            dot(own["weight_ih"][i], x) + own["bias_ih"][i] + dot(own["weight_hh"][i], h) + own["bias_hh"][i]
            for i in range(len(own["bias_ih"]))
        ]
        if options["cell"] == "rnn":
            h = np.array([math.tanh(value) for value in raw])
        else:
            let_in, forget, write, show = (raw[k * d : (k + 1) * d] for k in range(4))
            c = np.array([sigmoid(forget[i]) * c[i] + sigmoid(let_in[i]) * math.tanh(write[i]) for i in range(d)])
            h = np.array([sigmoid(show[i]) * math.tanh(c[i]) for i in range(d)])
        out.append(h)
    return out


def fused_early(weights: Weights, options: Options, sequence: Vectors) -> list[np.ndarray]:
    if options["early"] == "none":
        return list(sequence)
    out = recurrent(part(weights, "early.cell"), options, sequence)
    return [x + h if options["early_residual"] else h for x, h in zip(sequence, out, strict=True)]


def early(weights: Weights, options: Options, faces: Vectors, scenes: Vectors) -> tuple[Any, Any, Any]:
    """V_f', V_s' and what V_s' is where no face is seen, of V_f and V_s."""
    if options["inputs"] == "scaled":
        faces, scenes = ([unit(x) * math.sqrt(len(x)) for x in view] for view in (faces, scenes))
    if options["early"] != "type":
        out = fused_early(weights, options, scenes)
        return fused_early(weights, options, faces), out, out
    both = [fused_early(weights, options, [f, s]) for f, s in zip(faces, scenes, strict=True)]
    alone = [fused_early(weights, options, [s])[0] for s in scenes]
    return [pair[0] for pair in both], [pair[1] for pair in both], alone


def attention(weights: Weights, heads: int, query: np.ndarray, keys: Vectors, values: Vectors) -> np.ndarray:
    """Eq. 15 of one query: softmax(q K^T / sqrt(d_k)) V, head by head, with the maps that surround it."""
    d = len(query)
    mapped = {"weight": weights["in_proj_weight"], "bias": weights["in_proj_bias"]}

    def through(number: int, x: np.ndarray) -> np.ndarray:
        rows = slice(number * d, (number + 1) * d)
        return linear({"of.weight": mapped["weight"][rows], "of.bias": mapped["bias"][rows]}, "of", x)

    q, k, v = through(0, query), [through(1, x) for x in keys], [through(2, x) for x in values]
    taken: list[float] = []
    for head in range(heads):
        own = slice(head * d // heads, (head + 1) * d // heads)
        shares = softmax([dot(q[own], key[own]) / math.sqrt(d / heads) for key in k])
        taken += weighted(shares, [value[own] for value in v]).tolist()
    return linear(weights, "out_proj", np.array(taken))


def quick_gelu(x: np.ndarray) -> np.ndarray:
    return np.array([value * sigmoid(1.702 * value) for value in x])


def frames_encoder(weights: Weights, options: Options, faces: Vectors) -> np.ndarray:
    """A pre-norm transformer over frames with their positions, what went in added, and the mean over time."""
    tokens = [face + weights["position"][t] for t, face in enumerate(faces)]
    for number in range(options["frames_layers"]):
        layer = part(weights, f"layers.layers.{number}")
        calm = [layer_norm(layer, "norm1", token) for token in tokens]
        own = part(layer, "self_attn")
        tokens = [
            token + attention(own, options["frames_heads"], calm[t], calm, calm) for t, token in enumerate(tokens)
        ]
        tokens = [
            token + linear(layer, "linear2", quick_gelu(linear(layer, "linear1", layer_norm(layer, "norm2", token))))
            for token in tokens
        ]
    return mean_over_time([face + token for face, token in zip(faces, tokens, strict=True)])


def mean_over_time(frames: Vectors) -> np.ndarray:
    """Eq. 14: 1/T sum_t V(t)."""
    total = np.zeros(len(frames[0]))
    for frame in frames:
        total = total + frame
    return total / len(frames)


def aligned(weights: Weights, options: Options, x: np.ndarray) -> np.ndarray:
    """A convolution of three along the features, zeros beyond both ends, then a linear layer."""
    if options["align"] == "conv":
        kernel, bias = weights["convolve.weight"][0, 0], float(weights["convolve.bias"][0])
        wide = np.array([0.0, *x, 0.0])
        x = np.array([sum(kernel[k] * wide[i + k] for k in range(3)) + bias for i in range(len(x))])
    return linear(weights, "linear", x)


def polar(weights: Weights, early_tokens: Sequence[Vectors]) -> tuple[np.ndarray, np.ndarray]:
    """V_pol and its logits, of what was taken of the first layers, frame by frame and layer by layer."""
    layers = len(early_tokens[0])
    calm = [
        layer_norm(weights, f"norms.{k}", mean_over_time([frame[k] for frame in early_tokens])) for k in range(layers)
    ]
    found = linear(weights, "down", relu(linear(weights, "up", np.concatenate(calm))))
    return found, linear(weights, "classify", found)


def block(weights: Weights, options: Options, queries: Vectors, tokens: Vectors, carried: Vectors) -> list[np.ndarray]:
    """Eqs. 5, 7-10, 15, with what `carry` leads around them."""
    calm = [layer_norm(weights, "norm", token) for token in tokens]  # eq. 5
    keys, values = calm, calm
    if options["kv"] == "respective":  # the face is key, the scene value; polarity, if any, is both
        keys, values = [*calm[:-2], calm[-2]], [*calm[:-2], calm[-1]]
    out = []
    for query, before in zip(queries, carried, strict=True):
        found = attention(part(weights, "attend"), options["fusion_heads"], query, keys, values)
        if options["carry"] == "literal":
            calmed = layer_norm(weights, "middle", found)  # eq. 7
            out.append(layer_norm(weights, "last", mlp(weights, options, calmed)))  # eqs. 8, 10
            continue
        moved = before + found
        out.append(moved + mlp(weights, options, layer_norm(weights, "middle", moved)))
    return out


def mlp(weights: Weights, options: Options, x: np.ndarray) -> np.ndarray:
    """Eq. 9: W_2 ReLU(W_1 x + b_1) + b_2."""
    act = relu if options["activation"] == "relu" else quick_gelu
    return linear(weights, "mlp.2", act(linear(weights, "mlp.0", x)))


def fusion(weights: Weights, options: Options, tokens: Vectors) -> np.ndarray:
    """Block after block, and the mean of what the last one leaves; or the mean of face and scene."""
    if options["fusion"] == "mean":
        return mean_over_time(tokens[-2:])
    if options["fusion_positions"]:
        tokens = [token + place for token, place in zip(tokens, weights["position"], strict=True)]
    sets = weights["queries"]
    state: Vectors = list(sets[0]) if options["carry"] == "query" else tokens
    for number in range(options["blocks"]):
        own = part(weights, f"blocks.{number}")
        if options["carry"] == "query":
            state = block(own, options, state, tokens, state)
        else:
            state = block(own, options, list(sets[0 if options["queries_shared"] else number]), state, state)
    return mean_over_time(state)


def understand(
    weights: Weights, options: Options, faces: Vectors, scenes: Vectors, early_tokens: Sequence[Vectors]
) -> dict[str, np.ndarray]:
    """Every step of one clip by its name, from what the frozen tower saw of it."""
    early_faces, early_scenes, unaware = early(weights, options, faces, scenes)
    moved = frames_encoder(part(weights, "frames_encoder"), options, early_faces)

    def met(view: str, x: np.ndarray) -> np.ndarray:
        if options["align"] == "none" or (view == "face" and options["aligned"] == "scene"):
            return x
        return aligned(part(weights, f"align_{view}"), options, x)

    face, scene = met("face", moved), met("scene", mean_over_time(early_scenes))
    tokens, found = [face, scene], {}
    if options["polarity"] == "on":
        found["polarity"], found["polarity_logits"] = polar(part(weights, "polarity"), early_tokens)
        tokens = [found["polarity"], face, scene]
    return {
        "faces": np.array(faces), "scenes": np.array(scenes), "encoder": mean_over_time(faces),
        "early_faces": np.array(early_faces), "early_scenes": np.array(early_scenes), "frames_encoder": moved,
        "face": face, "scene": scene, "unaware": met("scene", mean_over_time(unaware)), "aligned": (face + scene) / 2,
        **found, "feature": fusion(part(weights, "fusion"), options, tokens),
    }  # fmt: skip


def logits(feature: np.ndarray, texts: Vectors, log_scale: float) -> np.ndarray:
    """exp(s) cos(feature, text) of each class."""
    return np.array([math.exp(log_scale) * cosine(feature, text) for text in texts])


def leaning(options: Mapping[str, Any], fused: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Where it reads: (1 - lean) of what both say, and lean of what the face says."""
    return np.array([(1 - options["lean"]) * a + options["lean"] * b for a, b in zip(fused, face, strict=True)])
