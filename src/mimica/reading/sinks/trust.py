"""How far to trust the model, on its page: its reliability diagram and its risk-coverage curve.

Both are of data that the model has not learned from, as `mimica evaluate --keep` left them in its facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from mimica.look.curves import begins, widths

CURVES = ("reliability", "risk_coverage")
"""What of a model's figures is drawn instead of written."""

_RIGHT, _EVEN = "#2f6f9f", "#8a939e"


def trust_figures(model: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Plotly figures by the id of their place; none for a model without such data."""
    measured = _measured(model)
    if not all(measured.get(curve) for curve in CURVES):
        return {}
    return {
        "figure-reliability": _reliability(measured["reliability"]),
        "figure-coverage": _coverage(measured["risk_coverage"], model.get("unsure below")),
    }


def trust_section(model: Mapping[str, Any]) -> str:
    """The section of the page that holds the figures, or nothing."""
    measured = _measured(model)
    if not all(measured.get(curve) for curve in CURVES):
        return ""
    return (
        '<section class="card" aria-labelledby="h-trust"><h2 id="h-trust">How far to trust the model</h2>'
        '<div class="columns">'
        '<div class="figure" id="figure-reliability" role="img" aria-label="Reliability diagram: the share of '
        'readings that was right, by their confidence."></div>'
        '<div class="figure" id="figure-coverage" role="img" aria-label="Risk-coverage curve: the share of readings '
        'that was wrong, by how many of the most confident are kept."></div></div>'
        f'<p class="hint">Measured on {escape(str(measured.get("data", "other data")))}: {measured["n"]} faces that '
        "the model had not learned from. Left: where the bars reach the line, confidence is what it says. Right: "
        "what is wrong among the readings that are kept; the dot is where <i>unsure</i> begins. "
        "On other faces it may be worse."
        "</p></section>"
    )


def without_curves(model: Mapping[str, Any]) -> dict[str, Any]:
    """What is left to be written of a model."""
    measured = _measured(model)
    if not measured:
        return dict(model)
    return {**model, "held_out": {key: value for key, value in measured.items() if key not in (*CURVES, "slices")}}


def _measured(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a model states of data that it has not learned from; empty where it states nothing."""
    measured = model.get("held_out")
    return measured if isinstance(measured, Mapping) else {}


def _reliability(bars: list[Mapping[str, float]]) -> dict[str, Any]:
    places, told = [bar["confidence"] for bar in bars], [f"{bar['number']} faces" for bar in bars]
    data = [
        {"type": "scatter", "x": [0, 1], "y": [0, 1], "mode": "lines", "line": {"color": _EVEN, "dash": "dot"},
         "hoverinfo": "skip"},
        {"type": "bar", "x": places, "y": [bar["accuracy"] for bar in bars], "width": widths(places),
         "marker": {"color": _RIGHT}, "text": told, "textposition": "none",
         "hovertemplate": "confidence %{x:.2f}: right %{y:.2f}, %{text}<extra></extra>"},
    ]  # fmt: skip
    return {"data": data, "layout": _layout("confidence", "right", [0, 1]), "kind": "trust"}


def _coverage(curve: list[Mapping[str, float]], threshold: float | None) -> dict[str, Any]:
    x, y = [point["coverage"] for point in curve], [point["risk"] for point in curve]
    data: list[dict[str, Any]] = [
        {"type": "scatter", "x": x, "y": y, "mode": "lines", "line": {"color": _RIGHT, "width": 2},
         "hovertemplate": "of %{x:.0%} kept, %{y:.2f} wrong<extra></extra>"},
    ]  # fmt: skip
    place = begins([(point["coverage"], point["risk"], point["confidence"]) for point in curve], threshold)
    if place:
        data.append({
            "type": "scatter", "x": [place[0]], "y": [place[1]], "mode": "markers",
            "marker": {"color": _RIGHT, "size": 9}, "hoverinfo": "skip",
        })  # fmt: skip
    return {"data": data, "layout": _layout("kept", "wrong", [0, max(y) * 1.1 or 1]), "kind": "trust"}


def _layout(across: str, up: str, upright: list[float]) -> dict[str, Any]:
    return {
        "height": 240, "margin": {"l": 52, "r": 12, "t": 10, "b": 40}, "showlegend": False,
        "xaxis": {"title": {"text": across}, "range": [0, 1.02], "tickformat": ".0%", "fixedrange": True},
        "yaxis": {"title": {"text": up}, "range": upright, "tickformat": ".0%", "fixedrange": True},
    }  # fmt: skip
