"""The page's figures, as plotly's own records; the page draws them in the colours of its theme.

A figure is `data` and `layout`, its `kind`, and for a timeline `x`, which is that of every trace that has none of its
own. One that has `narrow` has that as its left margin where the page is narrow. Times are whole milliseconds; the page
turns them into dates of 1 January 1970, which plotly formats as a clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mimica.look.palette import STATUS, class_colours, rgb
from mimica.reading.sinks.series import Points, Series, thinned

MOST_POINTS = 4000
"""Points of a curve at most; longer ones show means of neighbours."""

LEFT = 48
"""Pixels that the numbers on the left of a timeline take."""

_TOUCH = 2e-3
_HEIGHT = 180
_HATCH = {".": "rgba(30,34,40,0.55)", "/": "rgba(30,34,40,0.55)", "x": "rgba(128,136,146,0.7)"}
_SHADES = {"unsure": (".", 0.7), "low_quality": ("/", 0.75)}
CHANGED = "#8e5bd0"
"""The colour of the mark where the scene changes the answer."""

_AXES = {"face": "y3", "scene": "y4", "both": "y"}
_ROWS = {"face": "the face alone", "scene": "the scene alone", "both": "both: the reading"}
_TALL = 372
_DOMAINS = {"face": [0.76, 1], "scene": [0.46, 0.7], "both": [0.16, 0.4], "mark": [0.085, 0.115], "strip": [0, 0.055]}
_DOMAINS_STILL = {"face": [0.74, 1], "scene": [0.37, 0.63], "both": [0, 0.26]}


def timeline(
    series: Series, *, until: float, gaps: list[tuple[float, float]], names: Mapping[str, str], left: int = LEFT
) -> dict[str, Any]:
    """Class probabilities of a person over time, stacked, over a strip of what each window says.

    Of a model that reads the scene too there are three rows, by the face alone, by the scene alone and by both,
    in each a bar a reading over its own stretch of time, and a mark where the scene changes the answer.
    `until` is the end of the axis in seconds, `gaps` when no face was seen, `names` what each label
    and status is called. The axis begins `left` pixels from the edge, but on a narrow page as near as it can.
    """
    rows = _bars_of if series.views else _rows
    points, curve = _curve(series, rows)
    x = [_ms(time) for time, *_ in curve]
    colours = class_colours(series.labels)
    traces: list[dict[str, Any]] = [_told(curve, names)]
    traces += _stack(curve, colours, names)
    for v, view in enumerate(series.views):
        alone = list(rows(replace(points, probabilities=points.views[:, v])))
        traces += [trace | {"yaxis": _AXES[view], "stackgroup": view} for trace in _stack(alone, colours, names)]
    for status, (shape, alpha) in _SHADES.items():
        spans = [(a, b) for a, b, said in zip(points.starts, points.ends, points.says, strict=True) if said == status]
        traces += _shade(spans, STATUS[status], alpha, shape)
    traces += _shade(gaps, STATUS["no_face"], 0.25, "x")
    traces.append(_strip(points, series.labels, colours))
    if series.views:
        told = zip(points.starts, points.ends, points.by_face_alone, strict=True)
        spans = [(a, b) for a, b, alone in told if alone is not None]
        traces += [band | {"yaxis": "y5"} for band in _shade(spans, CHANGED, 1, "")]
    layout = (_layout_by_view if series.views else _layout)(until, left)
    return {"data": traces, "layout": layout, "kind": "timeline", "x": x, "narrow": LEFT}


def bars(series: Series, names: Mapping[str, str]) -> dict[str, Any]:
    """Class probabilities of a person in a photo, a bar a class; in three rows where the scene is read too."""
    if series.views:
        return _bars_by_view(series, names)
    probabilities = series.points().probabilities.mean(axis=0)
    colours = class_colours(series.labels)
    values = [round(float(p), 4) for p in probabilities]
    data = {
        "type": "bar", "orientation": "h", "x": values, "y": [names[label] for label in series.labels],
        "text": [f"{100 * value:.0f} %" for value in values], "textposition": "outside", "cliponaxis": False,
        "marker": {"color": [colours[label] for label in series.labels]}, "hoverinfo": "skip", "width": 0.7,
    }  # fmt: skip
    layout = {
        "height": 34 * len(values) + 30, "margin": {"l": 96, "r": 48, "t": 4, "b": 26}, "showlegend": False,
        "xaxis": {"range": [0, 1], "tickvals": [0, 0.5, 1], "ticktext": ["0", "50 %", "100 %"], "fixedrange": True},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "ticks": ""},
    }  # fmt: skip
    return {"data": [data], "layout": layout, "kind": "bars"}


_Row = tuple[float, np.ndarray, str, float]


def _curve(series: Series, rows: Callable[[Points], Iterator[_Row]]) -> tuple[Points, list[_Row]]:
    """Readings and the points of their curve, thinned until there are few enough."""
    whole, step = series.points(), 1
    while True:
        points = thinned(whole, step)
        curve = list(rows(points))
        if len(curve) <= MOST_POINTS or step >= len(series):
            return points, curve
        step = max(step + 1, math.ceil(step * len(curve) / MOST_POINTS))


def _rows(points: Points) -> Iterator[_Row]:
    """Points of the curve: one a reading, and where a run of readings begins or ends a step from or to zero."""
    count = len(points.says)
    zero = np.zeros(points.probabilities.shape[1])
    for i in range(count):
        p, said, sure = points.probabilities[i], points.says[i], float(points.confidence[i])
        start, end = float(points.starts[i]), float(points.ends[i])
        first = i == 0 or start - points.ends[i - 1] > _TOUCH
        last = i == count - 1 or points.starts[i + 1] - end > _TOUCH
        if first:
            yield from ((start, zero, "", 0.0), (start, p, said, sure))
        if not (first or last):
            yield (start + end) / 2, p, said, sure
        if last:
            yield from ((end, p, said, sure), (end, zero, "", 0.0))


def _bars_of(points: Points) -> Iterator[_Row]:
    """Points of a curve that is flat over each reading's own stretch of time, and zero where there is none."""
    zero, end = np.zeros(points.probabilities.shape[1]), -math.inf
    for i, said in enumerate(points.says):
        p, sure, start = points.probabilities[i], float(points.confidence[i]), float(points.starts[i])
        if start - end > _TOUCH:
            if i:
                yield end, zero, "", 0.0
            yield start, zero, "", 0.0
        end = float(points.ends[i])
        yield from ((start, p, said, sure), (end, p, said, sure))
    yield end, zero, "", 0.0


def _stack(curve: list[_Row], colours: Mapping[str, str], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The classes of a curve, one upon the other."""
    return [
        {
            "type": "scatter", "y": [round(float(p[c]), 4) for _, p, _, _ in curve], "mode": "lines",
            "line": {"width": 0}, "fillcolor": colour, "stackgroup": "classes", "name": names[label],
            "hovertemplate": "%{y:.2f}",
        }
        for c, (label, colour) in enumerate(colours.items())
    ]  # fmt: skip


def _bars_by_view(series: Series, names: Mapping[str, str]) -> dict[str, Any]:
    """The same by the face alone, by the scene alone and by both, a row each."""
    points, colours = series.points(), class_colours(series.labels)
    shares = {view: points.views[:, v] for v, view in enumerate(series.views)} | {"both": points.probabilities}
    data = [
        {
            "type": "bar", "x": [names[label] for label in series.labels],
            "y": [round(float(p), 4) for p in of.mean(0)],
            "text": [f"{100 * float(p):.0f} %" for p in of.mean(0)], "textposition": "outside", "cliponaxis": False,
            "marker": {"color": [colours[label] for label in series.labels]}, "hoverinfo": "skip", "width": 0.7,
            "yaxis": _AXES[view],
        }
        for view, of in shares.items()
    ]  # fmt: skip
    layout = {
        "height": 350, "margin": {"l": LEFT, "r": 12, "t": 26, "b": 30}, "showlegend": False,
        "xaxis": {"fixedrange": True, "ticks": "", "anchor": "y"}, "annotations": _row_names(_DOMAINS_STILL),
        **{f"yaxis{_AXES[row][1:]}": _upright(domain) | {"range": [0, 1.12]} for row, domain in _DOMAINS_STILL.items()},
    }  # fmt: skip
    return {"data": data, "layout": layout, "kind": "bars"}


def _told(curve: list[_Row], names: Mapping[str, str]) -> dict[str, Any]:
    """An invisible line that puts what a window says on top of what is shown under the pointer."""
    text = [f"{names[said]} {sure:.2f}" if said in names and not math.isnan(sure) else "" for _, _, said, sure in curve]
    return {
        "type": "scatter", "y": [0] * len(curve), "mode": "lines", "line": {"width": 0, "color": "rgba(0,0,0,0)"},
        "text": text, "hovertemplate": "<b>%{text}</b><extra></extra>", "showlegend": False,
    }  # fmt: skip


def _shade(spans: list[tuple[float, float]], colour: str, alpha: float, shape: str) -> list[dict[str, Any]]:
    """Stretches of time as full-height bands, neighbours joined."""
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= _TOUCH:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    if not joined:
        return []
    fill = "rgba({},{},{},{})".format(*rgb(colour), alpha)
    pattern = {"shape": shape, "size": 6, "solidity": 0.2, "bgcolor": fill, "fgcolor": _HATCH[shape]} if shape else {}
    band = {
        "type": "scatter", "x": [_ms(t) for a, b in joined for t in (a, a, b, b)], "y": [0, 1, 1, 0] * len(joined),
        "mode": "lines", "line": {"width": 0}, "fill": "tozeroy", "fillcolor": fill, "hoverinfo": "skip",
        "showlegend": False, "fillpattern": pattern,
    }  # fmt: skip
    return [band]


def _strip(points: Points, labels: tuple[str, ...], colours: Mapping[str, str]) -> dict[str, Any]:
    """What each window says, as one row of colours."""
    kinds = {**{label: colours[label] for label in labels}, **STATUS}
    places = {said: i for i, said in enumerate(kinds)}
    edges = [_ms(float(points.starts[0]))]
    row: list[int | None] = []
    for start, end, said in zip(points.starts.tolist(), points.ends.tolist(), points.says, strict=True):
        if _ms(start) > edges[-1]:
            edges.append(_ms(start))
            row.append(None)
        if _ms(end) > edges[-1]:
            edges.append(_ms(end))
            row.append(places[said])
    scale = [[edge / len(kinds), colour] for i, colour in enumerate(kinds.values()) for edge in (i, i + 1)]
    return {
        "type": "heatmap", "x": edges, "y": [0], "z": [row], "zmin": -0.5, "zmax": len(kinds) - 0.5,
        "colorscale": scale, "showscale": False, "hoverinfo": "skip", "yaxis": "y2",
    }  # fmt: skip


def _layout(until: float, left: int) -> dict[str, Any]:
    clock = "%-H:%M:%S" if until >= 3600 else "%-M:%S"
    return {
        "height": _HEIGHT, "margin": {"l": left, "r": 12, "t": 10, "b": 26}, "showlegend": False,
        "hovermode": "x unified",
        "xaxis": {
            "type": "date", "range": [0, _ms(max(until, 0.1))], "hoverformat": f"{clock}.%1f", "anchor": "y2",
            "tickformatstops": [
                {"dtickrange": [None, 999], "value": f"{clock}.%1f"}, {"dtickrange": [1000, None], "value": clock},
            ],
        },
        "yaxis": {"domain": [0.13, 1], "range": [0, 1.002], "tickvals": [0, 0.5, 1], "ticktext": ["0", "50 %", "100 %"],
                  "fixedrange": True},
        "yaxis2": {"domain": [0, 0.09], "showticklabels": False, "showgrid": False, "zeroline": False,
                   "fixedrange": True, "ticks": ""},
    }  # fmt: skip


def _layout_by_view(until: float, left: int) -> dict[str, Any]:
    """The same for three rows, a mark and a strip."""
    layout = _layout(until, left)
    plain = layout["yaxis2"]
    return layout | {
        "height": _TALL, "margin": layout["margin"] | {"t": 26}, "annotations": _row_names(_DOMAINS),
        **{f"yaxis{_AXES[row][1:]}": _upright(_DOMAINS[row]) for row in _AXES},
        "yaxis2": plain | {"domain": _DOMAINS["strip"]},
        "yaxis5": plain | {"domain": _DOMAINS["mark"], "range": [0, 1]},
    }  # fmt: skip


def _upright(domain: list[float]) -> dict[str, Any]:
    return {"domain": domain, "range": [0, 1.002], "tickvals": [0, 1], "ticktext": ["0", "100 %"], "fixedrange": True}


def _row_names(domains: Mapping[str, list[float]]) -> list[dict[str, Any]]:
    """What each row is, above it."""
    return [
        {
            "text": name, "x": 0, "xref": "paper", "xanchor": "left", "y": domains[row][1], "yref": "paper",
            "yanchor": "bottom", "showarrow": False,
        }
        for row, name in _ROWS.items()
    ]  # fmt: skip


def _ms(seconds: float) -> int:
    return round(float(seconds) * 1000)
