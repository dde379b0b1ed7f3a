"""Figures of an augmentation loop's report, as plotly takes them: numbers in, plain values out, NaN as gaps.

T frames, A units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np

from mimica.facs import EVERY_UNIT
from mimica.generation.report_files import Clip, Steps, Table
from mimica.look.palette import LINES, REGIONS, rgb

Figure = dict[str, Any]
PICTURES = 9
"""Pictures of a strip; its curves run below them, each moment under its picture."""
PLANNED, MEASURED_ALONE = 0.05, 0.3
"""A unit has a row where its plan ever goes above the first, or what was measured of it above the second."""
_ROW, _HEIGHT, _NAMES = 26, 0.88, 46


def shown_units(clip: Clip) -> list[int]:
    """The places of the units that a clip's curves show: what was planned, and what came without being planned."""
    planned, measured = (_most(curves) for curves in (clip.planned, clip.measured))
    return [a for a in range(len(clip.units)) if planned[a] > PLANNED or measured[a] >= MEASURED_ALONE]


def unit_rows(clip: Clip, times: Sequence[float]) -> Figure:
    """The units of a clip, a row each from 0 to 1: planned dashed, measured solid and filled from its own ground.

    `times` are those of the frames of its film in seconds; of a film without frames the axis counts frames of the plan.
    Empty where no unit is to be shown.
    """
    places, T = shown_units(clip), len(clip.planned)
    if not places:
        return {}
    begin, end = (times[0], times[-1]) if times else (0, T - 1)
    x = np.linspace(begin, end, T).round(4).tolist()
    data = [trace for row, a in enumerate(places) for trace in _row(clip, a, len(places) - 1 - row, x)]
    half = (end - begin) / max(min(PICTURES, len(times) or T) - 1, 1) / 2 or 0.5
    across = {"range": [begin - half, end + half], "fixedrange": True, "nticks": 6, "ticksuffix": " s" if times else ""}
    layout = {
        "height": _ROW * len(places) + 36, "margin": {"l": _NAMES, "r": 0, "t": 4, "b": 32}, "showlegend": False,
        "hovermode": "closest",
        "xaxis": across,
        "yaxis": {
            "range": [-0.08, len(places)], "fixedrange": True, "ticks": "", "tickvals": list(range(len(places))),
            "ticktext": [f"AU{clip.units[a]}" for a in reversed(places)],
        },
    }  # fmt: skip
    return {"data": data, "layout": layout}


def _row(clip: Clip, a: int, ground: int, x: list[float]) -> list[Figure]:
    name, colour = unit_name(clip.units[a]), unit_colour(clip.units[a])
    pale = "rgba({},{},{},0.28)".format(*rgb(colour))
    line: Figure = {"type": "scatter", "mode": "lines", "x": x}
    flat = line | {"y": [ground] * len(x), "line": {"width": 0, "color": colour}, "hoverinfo": "skip"}
    drawn = [flat]
    for what, curves, how in (("measured", clip.measured, {}), ("planned", clip.planned, {"dash": "4px,3px"})):
        values = plain(curves[:, a])
        one = line | {
            "y": [None if v is None else round(ground + _HEIGHT * v, 4) for v in values], "customdata": values,
            "name": f"{name}, {what}", "hovertemplate": "%{customdata:.2f}",
            "line": {"color": colour, "width": 2 if what == "measured" else 1.6, **how},
        }  # fmt: skip
        drawn.append(one | ({"fill": "tonexty", "fillcolor": pale} if what == "measured" else {}))
    return drawn


def unit_name(number: int) -> str:
    """A unit by its FACS number and name."""
    return f"AU{number} {EVERY_UNIT[number].name}" if number in EVERY_UNIT else f"AU{number}"


def unit_colour(number: int) -> str:
    """The colour of a unit, by where in the face it is seen."""
    return REGIONS.get(EVERY_UNIT[number].region, LINES[5]) if number in EVERY_UNIT else LINES[5]


def by_iteration(
    rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], *, heavy: str = "", title: str = ""
) -> Figure:
    """Numbers over the iterations of tuning: a line for each that any row has, by its name there and how to call it.

    The line of the name `heavy` is drawn stronger.
    """
    lines = {
        said: [(row["iteration"], row[name]) for row in rows if name in row] for name, said in names.items()
    }  # fmt: skip
    return _lines({said: points for said, points in lines.items() if points}, "iteration", heavy=heavy, title=title)


def quality(steps: Steps) -> Figure:
    """Rewards by the number of steps: a line for each that any row has."""
    names = [name for name in dict.fromkeys(name for row in steps.rows for name in row) if name not in _NO_QUALITY]
    lines = {name: [(row["steps"], row[name]) for row in steps.rows if name in row] for name in names}
    figure = _lines(lines, "steps", heavy="reward", title="")
    figure["layout"]["xaxis"] |= {"tickvals": [row["steps"] for row in steps.rows], "type": "log"}
    return figure


_NO_QUALITY = ("steps", "seconds")


def lead(table: Table) -> Figure:
    """How far each arm is above the reference in tail recall, in points with its interval; empty where none is."""
    arms = [arm for arm in table.arms if arm.ahead is not None and not math.isnan(arm.ahead[0])]
    if not arms:
        return {}
    names = [arm.name for arm in arms]
    value, low, high = (plain(100 * np.array([arm.ahead[i] for arm in arms if arm.ahead])) for i in range(3))
    bars = {
        "type": "data", "symmetric": False, "thickness": 1.6, "width": 5,
        "array": [None if v is None or h is None else round(h - v, 4) for v, h in zip(value, high, strict=True)],
        "arrayminus": [None if v is None or b is None else round(v - b, 4) for v, b in zip(value, low, strict=True)],
    }  # fmt: skip
    points = {
        "type": "scatter", "mode": "markers", "x": value, "y": names, "error_x": bars,
        "marker": {"color": LINES[0], "size": 9}, "hovertemplate": "%{x:+.1f} points<extra>%{y}</extra>",
    }  # fmt: skip
    layout = {
        "height": 34 * len(arms) + 56, "margin": {"l": 10, "r": 12, "t": 4, "b": 44}, "showlegend": False,
        "xaxis": {"title": {"text": "points"}, "fixedrange": True, "tickformat": "+d"},
        "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": "outside",
                  "ticklen": 8, "tickcolor": "rgba(0,0,0,0)", "tickvals": names,
                  "ticktext": ["<br>".join(wrap(name, _NARROW)) for name in names]},
        "shapes": [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"width": 1.4, "dash": "dot", "color": "rgba(128,128,128,0.9)"}}],
    }  # fmt: skip
    return {"data": [points], "layout": layout}


def _lines(lines: Mapping[str, list[tuple[float, float]]], across: str, *, heavy: str, title: str) -> Figure:
    data = []
    for number, (name, points) in enumerate(lines.items()):
        x, y = (plain([point[i] for point in points]) for i in range(2))
        colour = LINES[number % len(LINES)]
        data.append({
            "type": "scatter", "mode": "lines+markers" if len(points) <= _FEW else "lines", "x": x, "y": y,
            "name": name, "line": {"color": colour, "width": 3 if name == heavy else 1.8}, "marker": {"size": 5},
            "hovertemplate": f"%{{y:.4g}}<extra>{name}</extra>",
        })  # fmt: skip
    layout = {
        "height": 270, "margin": {"l": 10, "r": 12, "t": 8, "b": 40}, "hovermode": "x",
        "showlegend": len(data) > 1, "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"title": {"text": across}, "fixedrange": True},
        "yaxis": {"title": {"text": title}, "automargin": True, "fixedrange": True},
    }  # fmt: skip
    return {"data": data, "layout": layout}


_NARROW = 22
"""Letters of a line of an arm's name beside its interval."""
_FEW = 40
"""Points of a line up to which each is marked."""


def plain(values: Iterable[float]) -> list[float | None]:
    """Numbers as JSON has them: None where they are not known."""
    return [None if math.isnan(value) else round(float(value), 6) for value in values]


def _most(curves: np.ndarray) -> np.ndarray:
    """The greatest value of each unit [A]; 0 where none is known."""
    return np.nan_to_num(curves).max(0) if len(curves) else np.zeros(curves.shape[1])
