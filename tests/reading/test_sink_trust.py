"""The page shows how far a model can be trusted where that was measured, and nothing where it was not."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from mimica.reading.sinks.trust import trust_figures, trust_section, without_curves

MEASURED = {
    "data": "faces <of> others", "n": 40, "war": 0.7,
    "reliability": [
        {"number": 10, "confidence": 0.4, "accuracy": 0.5}, {"number": 30, "confidence": 0.9, "accuracy": 0.8},
    ],
    "risk_coverage": [
        {"coverage": 0.5, "risk": 0.1, "confidence": 0.9}, {"coverage": 0.75, "risk": 0.15, "confidence": 0.6},
        {"coverage": 1.0, "risk": 0.3, "confidence": 0.2},
    ],
    "slices": [{"by": "quality", "value": "0 to 1", "n": 40, "war": 0.7, "uar": 0.7}],
}  # fmt: skip
MODEL = {"name": "made-up", "unsure below": 0.5, "held_out": MEASURED}


def test_the_figures_show_what_was_measured_and_plotly_accepts_them() -> None:
    figures = trust_figures(MODEL)
    assert set(figures) == {"figure-reliability", "figure-coverage"}
    for figure in figures.values():
        go.Figure(figure["data"], figure["layout"])
    bars, line = figures["figure-reliability"]["data"][1], figures["figure-coverage"]["data"][0]
    assert (bars["x"], bars["y"]) == ([0.4, 0.9], [0.5, 0.8])
    assert (line["x"], line["y"]) == ([0.5, 0.75, 1.0], [0.1, 0.15, 0.3])


@pytest.mark.parametrize(("threshold", "at"), [(0.5, (0.8125, 0.1875)), (0.0, (1.0, 0.3)), (0.9, (0.5, 0.1))])
def test_a_dot_marks_what_is_kept_by_the_threshold(threshold: float, at: tuple[float, float]) -> None:
    dot = trust_figures({**MODEL, "unsure below": threshold})["figure-coverage"]["data"][1]
    assert (dot["x"][0], dot["y"][0]) == pytest.approx(at)


def test_no_dot_where_nothing_is_kept() -> None:
    assert len(trust_figures({**MODEL, "unsure below": 0.95})["figure-coverage"]["data"]) == 1


@pytest.mark.parametrize("model", [{}, {"held_out": "soon"}, {"held_out": {"war": 0.7}}])
def test_a_model_that_was_not_measured_has_no_section(model: dict) -> None:
    assert trust_section(model) == ""
    assert trust_figures(model) == {}


def test_the_section_says_on_what_and_how_many_and_escapes_it() -> None:
    said = trust_section(MODEL)
    assert "faces &lt;of&gt; others: 40 faces" in said
    assert all(f'id="{place}"' in said for place in trust_figures(MODEL))


def test_what_is_drawn_is_not_written_out_as_well() -> None:
    assert without_curves(MODEL) == {**MODEL, "held_out": {"data": "faces <of> others", "n": 40, "war": 0.7}}
    assert without_curves({"name": "x"}) == {"name": "x"}
