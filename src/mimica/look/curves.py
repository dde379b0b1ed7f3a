"""Curves of how far confidence can be trusted, and of units over time, drawn into axes of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from mimica.look.palette import LINES, REGIONS
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
    place = begins(curve, threshold)
    if place:
        coverage, risk = place
        axes.plot(coverage, risk, "o", color=_CURVE)
        axes.annotate(
            f"unsure below {threshold:.2f}", (coverage, risk), xytext=(-8, 10), textcoords="offset points",
            ha="right", fontsize=10, color=INK,
        )  # fmt: skip
    axes.set_title("Wrong among the most confident that are kept", loc="left", fontsize=11, color=INK)
    axes.set(xlabel="kept", ylabel="wrong", ylim=(0, max([risk for _, risk, _ in curve], default=1.0) * 1.15 or 1))
    _framed(axes)


def begins(curve: Sequence[tuple[float, float, float]], threshold: float | None) -> tuple[float, float] | None:
    """Where on a curve of coverage, risk and least confidence a threshold of confidence lies; between points by a line.

    The end of the curve where all of it lies above, None where nothing does and without a threshold.

    >>> begins([(0.5, 0.0, 0.75), (1.0, 0.5, 0.25)], 0.5)
    (0.75, 0.25)
    """
    for (coverage, risk, above), (further, riskier, below) in pairwise(curve):
        if threshold is not None and above >= threshold > below:
            share = (above - threshold) / (above - below)
            return coverage + share * (further - coverage), risk + share * (riskier - risk)
    return curve[-1][:2] if threshold is not None and curve and curve[-1][2] >= threshold else None


def draw_units(axes: Any, seconds: Sequence[float], curves: Mapping[str, Sequence[float]], *, title: str) -> None:
    """How strong units are over time, a curve each; curves at 0 throughout are left out."""
    moved = {name: values for name, values in curves.items() if max(values, default=0.0) > 0}
    for number, (name, values) in enumerate(moved.items()):
        axes.plot(seconds, values, color=LINES[number % len(LINES)], linewidth=2, label=name,
                  linestyle=("-", "--", ":")[number // len(LINES) % 3])  # fmt: skip
    if moved:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), frameon=False, fontsize=9, labelcolor=INK)
    else:
        axes.text(0.5, 0.5, "at rest", ha="center", va="center", transform=axes.transAxes, color=PALE)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set(xlabel="seconds", ylabel="strength", xlim=(0, max(seconds, default=1.0)), ylim=(0, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=PALE)


def draw_unit_rows(axes: Any, seconds: Sequence[float], strengths: Any, *, title: str) -> None:
    """How strong units [N, U] are over time, a row each in the order of `facs.UNITS`, filled from its own ground.

    A row is as high as strength 1; units that are NaN throughout have none. Frames farther apart than others are not
    joined.
    """
    import numpy as np

    from mimica.facs import UNITS

    seen = [place for place in range(len(UNITS)) if not np.isnan(strengths[:, place]).all()] if len(seconds) else []
    times, values = broken(np.asarray(seconds, float), np.asarray(strengths, float))
    units = list(UNITS.values())
    for row, place in enumerate(seen):
        ground, colour = len(seen) - 1 - row, REGIONS[units[place].region]
        axes.plot([min(seconds), max(seconds)], [ground, ground], color=LINE, linewidth=0.6, zorder=1)
        axes.fill_between(times, ground, ground + 0.92 * values[:, place], color=colour, alpha=0.75, linewidth=0)
        if len(seconds) == 1:  # a photo has no width
            axes.bar(seconds, 0.92 * strengths[0, place], bottom=ground, color=colour, width=0.2)
    axes.set_yticks(range(len(seen)), [f"AU{units[place].number} {units[place].name}" for place in reversed(seen)])
    axes.set(xlabel="seconds", ylim=(-0.1, max(len(seen), 1)))
    if len(seconds) > 1:
        axes.set_xlim(min(seconds), max(seconds))
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=PALE, length=0)


def broken(times: Any, values: Any) -> tuple[Any, Any]:
    """Times [N] and values [N, K] with a row of NaN wherever frames lie farther apart than three of the usual steps."""
    import numpy as np

    gaps = np.diff(times)
    wide = np.flatnonzero(gaps > 3 * np.median(gaps if len(gaps) else 0.0)) + 1
    return np.insert(times, wide, times[wide]), np.insert(values, wide, np.nan, axis=0)


def _framed(axes: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=PALE)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1.01)
