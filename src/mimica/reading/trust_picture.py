"""How far a recogniser can be trusted, as one picture: its reliability diagram beside its risk by coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mimica.notice import SHORT
from mimica.reading.evaluate import Evaluation
from mimica.reading.picture import DPI, INK, LINE, PALE, save

_BAR, _CURVE = "#2f6f9f", "#b4562f"


def draw_trust(result: Evaluation, path: Path, *, title: str, threshold: float) -> None:
    """Draw an evaluation as PNG, SVG or PDF; `threshold` is the confidence below which a reading is unsure.

    Raises UsageError for another ending, MissingExtra without matplotlib, InputError where it cannot be written.
    """
    save(path, lambda: _drawn(result, title, threshold), flag="--picture")


def _drawn(result: Evaluation, title: str, threshold: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.2), dpi=DPI, facecolor="white")
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.07, right=0.98, top=0.84, bottom=0.2, wspace=0.2)
    figure.suptitle(title, x=0.07, ha="left", fontsize=14, color=INK)
    _reliability(left, result)
    _coverage(right, result, threshold)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(LINE)
        axes.tick_params(colors=PALE)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_xlim(0, 1.01)
    figure.text(0.07, 0.04, f"{result.n} faces that the model had not learned from. {SHORT}", fontsize=10, color=PALE)
    return figure


def _reliability(axes: Any, result: Evaluation) -> None:
    axes.plot([0, 1], [0, 1], color=PALE, linestyle=":")
    bars = result.reliability
    axes.bar(
        [b.confidence for b in bars],
        [b.accuracy for b in bars],
        width=0.045,
        color=_BAR,
        edgecolor="white",
        linewidth=0.5,
    )
    for bar in bars:
        axes.text(bar.confidence, bar.accuracy + 0.015, str(bar.number), ha="center", fontsize=8, color=PALE)
    error = "" if result.ece is None else f", ECE {result.ece:.3f}"
    axes.set_title(f"Right by confidence{error}; numbers are faces", loc="left", fontsize=11, color=INK)
    axes.set(xlabel="confidence", ylabel="right", ylim=(0, 1.05))


def _coverage(axes: Any, result: Evaluation, threshold: float) -> None:
    curve = result.curve
    axes.plot([point.coverage for point in curve], [point.risk for point in curve], color=_CURVE, linewidth=2)
    kept = [point for point in curve if point.confidence >= threshold]
    if kept:
        axes.plot(kept[-1].coverage, kept[-1].risk, "o", color=_CURVE)
        axes.annotate(
            f"unsure below {threshold:.2f}", (kept[-1].coverage, kept[-1].risk),
            xytext=(-8, 10), textcoords="offset points", ha="right", fontsize=10, color=INK,
        )  # fmt: skip
    axes.set_title("Wrong among the most confident that are kept", loc="left", fontsize=11, color=INK)
    axes.set(xlabel="kept", ylabel="wrong", ylim=(0, max([point.risk for point in curve], default=1.0) * 1.15 or 1))
