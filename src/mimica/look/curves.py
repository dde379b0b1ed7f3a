"""Curves of how far confidence can be trusted, drawn into axes of matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mimica.look.picture import INK, LINE, PALE

_BAR, _CURVE = "#2f6f9f", "#b4562f"


def draw_reliability(axes: Any, bars: Sequence[tuple[int, float, float]], *, ece: float | None, of: str) -> None:
    """What was right by confidence: a bar for each bin, given as its number, mean confidence and share that is right.

    `of` is what is counted, such as faces.
    """
    axes.plot([0, 1], [0, 1], color=PALE, linestyle=":")
    places = [confidence for _, confidence, _ in bars]
    axes.bar(places, [right for *_, right in bars], width=widths(places), color=_BAR)
    for number, confidence, right in bars:  # upright, for two bars may stand closer than a number is wide
        axes.text(
            confidence, right + 0.015, str(number), ha="center", va="bottom", rotation=90, fontsize=8, color=PALE,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
    error = "" if ece is None else f", ECE {ece:.3f}"
    axes.set_title(f"Right by confidence{error}; numbers are {of}", loc="left", fontsize=11, color=INK)
    axes.set(xlabel="confidence", ylabel="right", ylim=(0, 1.1), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    _framed(axes)


def widths(places: Sequence[float], widest: float = 0.045) -> list[float]:
    """How wide the bars at some places, in their order, may be that none overlaps its neighbour.

    >>> [round(width, 3) for width in widths([0.5, 0.6, 0.62])]
    [0.045, 0.018, 0.018]
    """
    gaps = [widest / 0.9, *(right - left for left, right in pairwise(places)), widest / 0.9]
    return [0.9 * min(widest / 0.9, *beside) for beside in pairwise(gaps)]


def draw_coverage(axes: Any, curve: Sequence[tuple[float, float, float]], *, threshold: float | None) -> None:
    """What is wrong among the most confident that are kept: points of coverage, risk and least confidence.

    Below `threshold` a reading is unsure; the point where that begins is marked.
    """
    axes.plot([coverage for coverage, *_ in curve], [risk for _, risk, _ in curve], color=_CURVE, linewidth=2)
    kept = [point for point in curve if threshold is not None and point[2] >= threshold]
    if kept:
        coverage, risk, _ = kept[-1]
        axes.plot(coverage, risk, "o", color=_CURVE)
        axes.annotate(
            f"unsure below {threshold:.2f}", (coverage, risk), xytext=(-8, 10), textcoords="offset points",
            ha="right", fontsize=10, color=INK,
        )  # fmt: skip
    axes.set_title("Wrong among the most confident that are kept", loc="left", fontsize=11, color=INK)
    axes.set(xlabel="kept", ylabel="wrong", ylim=(0, max([risk for _, risk, _ in curve], default=1.0) * 1.15 or 1))
    _framed(axes)


def _framed(axes: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=PALE)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1.01)
