"""Pictures of a protocol's results: the confusion matrix, how far confidence can be trusted, the video features.

N clips, C classes, d the width of a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mimica.experiments.results import Results
from mimica.look.curves import draw_coverage, draw_reliability
from mimica.look.palette import class_colours
from mimica.look.picture import DPI, INK, LINE, PALE, save

MOST_POINTS = 4000
"""So many clips a t-SNE shows at most; of more, evenly spread ones."""

_FEWEST_POINTS = 8


def draw_confusion(found: Results, path: Path, *, title: str) -> None:
    """Draw the confusion matrix of all folds: the share of each class that was read as each, and the clips.

    Raises MissingExtra without matplotlib, InputError where it cannot be written, as all of these do.
    """
    save(path, lambda: _confusion(found, title))


def draw_confidence(found: Results, path: Path, *, title: str, threshold: float | None) -> None:
    """Draw the reliability diagram beside the risk by coverage; `threshold` is where `unsure` begins, if that is one.

    For folds whose models have thresholds of their own there is none.
    """
    save(path, lambda: _confidence(found, title, threshold))


def draw_features(
    features: np.ndarray, truth: np.ndarray, labels: tuple[str, ...], path: Path, *, title: str, seed: int = 0
) -> None:
    """Draw a t-SNE of features [N, d] by their classes `truth` [N], all together and each class before the others."""
    save(path, lambda: _features(embedded(features, seed=seed), truth[_spread(len(truth))], labels, title))


def draw_stages(
    stages: Mapping[str, np.ndarray], truth: np.ndarray, labels: tuple[str, ...], path: Path, *, title: str,
    seed: int = 0,
) -> None:  # fmt: skip
    """Draw a t-SNE of the features [N, d] of each stage side by side, by their classes `truth` [N].

    Above each stands how far classes are apart at that stage, before it was laid into the plane (`apartness`).
    """
    there = _spread(len(truth))
    save(
        path,
        lambda: _stages(
            {f"{name}: {apartness(of[there], truth[there]):+.2f}": embedded(of, seed=seed)
             for name, of in stages.items()},
            truth[there], labels, title,
        ),
    )  # fmt: skip


def apartness(features: np.ndarray, truth: np.ndarray) -> float:
    """The mean silhouette of features [N, d] by classes [N], of cosine distances: -1 mingled, 1 far apart.

    Rousseeuw, "Silhouettes" (J. Comput. Appl. Math. 20, 1987).
    """
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(features, truth, metric="cosine"))


def drawable(features: np.ndarray) -> bool:
    """Whether enough clips differ for neighbourhoods to mean anything; of equal ones scikit-learn's t-SNE crashes."""
    return len(np.unique(features, axis=0)) >= _FEWEST_POINTS


def embedded(features: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Features [N, d] in the plane, float [min(N, MOST_POINTS), 2], by t-SNE of their directions.

    van der Maaten and Hinton, "Visualizing Data using t-SNE" (JMLR 9, 2008). Distances are cosines, for it is by
    cosines that networks on CLIP compare.
    """
    from sklearn.manifold import TSNE

    kept = features[_spread(len(features))].astype(np.float64)
    kept /= np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
    perplexity = min(30.0, (len(kept) - 1) / 3)
    found: np.ndarray = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(kept)
    return found


def _spread(N: int) -> np.ndarray:
    return np.arange(N) if N <= MOST_POINTS else np.linspace(0, N - 1, MOST_POINTS).round().astype(int)


def _confusion(found: Results, title: str) -> Any:
    from matplotlib.figure import Figure

    table, C = found.confusion[:, :-1], len(found.labels)
    number = found.confusion.sum(1, keepdims=True)
    shares = np.divide(table, number, out=np.zeros(table.shape), where=number > 0)
    side = 2.6 + 0.78 * C
    figure = Figure(figsize=(side + 0.9, side), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(C):
        for j in range(C):
            ink = "white" if shares[i, j] > 0.55 else INK if table[i, j] else LINE
            axes.text(j, i - 0.1, f"{100 * shares[i, j]:.1f}", ha="center", va="center", fontsize=11, color=ink)
            soft = "white" if shares[i, j] > 0.55 else PALE if table[i, j] else LINE
            axes.text(j, i + 0.24, str(table[i, j]), ha="center", va="center", fontsize=7.5, color=soft)
    axes.set_xticks(range(C), found.labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(C), [f"{name}  {n}" for name, n in found.clips.items()])
    axes.set(xlabel="read as", ylabel="labelled, and number of clips")
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="left", fontsize=12, color=INK)
    return figure


def _confidence(found: Results, title: str, threshold: float | None) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK)
    left, right = figure.subplots(1, 2)
    draw_reliability(left, found.bars, ece=found.ece, of="clips")
    draw_coverage(right, found.curve, threshold=threshold)
    return figure


def _features(points: np.ndarray, truth: np.ndarray, labels: tuple[str, ...], title: str) -> Any:
    from matplotlib.figure import Figure

    there = [c for c in range(len(labels)) if (truth == c).any()]
    across = -(-len(there) // 3)
    size = float(np.clip(12000 / len(points), 5, 28))
    colours = [class_colours(labels)[name] for name in labels]
    figure = Figure(figsize=(5.6 + 1.9 * across, 5.9), dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK)
    grid = figure.add_gridspec(3, 3 + across, width_ratios=[1.86] * 3 + [1.9] * across)
    whole = figure.add_subplot(grid[:, :3])
    for c in there:
        inside = truth == c
        whole.scatter(points[inside, 0], points[inside, 1], s=size, color=colours[c], linewidths=0, alpha=0.8)
    _bare(whole)
    for place, c in enumerate(there):
        axes = figure.add_subplot(grid[place // across, 3 + place % across])
        inside = truth == c
        axes.scatter(points[~inside, 0], points[~inside, 1], s=size / 4, color=LINE, linewidths=0, alpha=0.6)
        axes.scatter(points[inside, 0], points[inside, 1], s=size / 2.5, color=colours[c], linewidths=0)
        axes.set_title(f"{labels[c]}  {inside.sum()}", loc="left", fontsize=9.5, color=INK, pad=3)
        _bare(axes)
    return figure


def _stages(planes: Mapping[str, np.ndarray], truth: np.ndarray, labels: tuple[str, ...], title: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(planes), 5), dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(f"{title}; in numbers the mean silhouette", x=0.01, ha="left", fontsize=12, color=INK)
    colours = [class_colours(labels)[name] for name in labels]
    for axes, (name, points) in zip(figure.subplots(1, len(planes), squeeze=False)[0], planes.items(), strict=True):
        size = float(np.clip(6000 / len(points), 4, 24))
        for c in range(len(labels)):
            inside = truth == c
            axes.scatter(*points[inside].T, s=size, color=colours[c], linewidths=0, alpha=0.8, label=labels[c])
        axes.set_title(name, loc="left", fontsize=11, color=INK)
        _bare(axes)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=len(labels), frameon=False
    )
    return figure


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(LINE)
