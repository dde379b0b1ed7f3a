"""How far a recogniser can be trusted, as one picture: its reliability diagram beside its risk by coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mimica.look.curves import draw_coverage, draw_reliability
from mimica.look.picture import DPI, INK, PALE, save
from mimica.notice import SHORT
from mimica.reading.evaluate import Evaluation


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
    draw_reliability(left, result.reliability, ece=result.ece, of="faces")
    draw_coverage(right, result.curve, threshold=threshold)
    figure.text(0.07, 0.04, f"{result.n} faces that the model had not learned from. {SHORT}", fontsize=10, color=PALE)
    return figure
