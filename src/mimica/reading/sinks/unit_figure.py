"""Action Units over time as a figure of plotly, in the form of `figures`: a row a unit, filled from its own ground.

U units in the order of `facs.UNITS`, N frames of one person.
"""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np

from mimica.facs import UNITS
from mimica.look.curves import broken
from mimica.look.palette import REGIONS, rgb

MOST_POINTS = 2000
"""Points of a row at most; longer ones show means of neighbours."""

UNIT_HINT = (
    "Action Units: how strong each looks, from its line (0) up to the next (1). They say what a face does, never why."
)
"""What is said wherever the figure stands."""

UNIT_LEFT = 168
"""Pixels that the names of units take on the left of a figure."""

_ROW, _HEIGHT = 22, 0.92


class UnitSeries:
    """One person's units as they come: some 72 bytes a frame."""

    def __init__(self) -> None:
        self._times, self._strengths = array("d"), array("f")

    def append(self, time: float, strengths: np.ndarray) -> None:
        """Take the strengths [U] at a time in seconds."""
        self._times.append(time)
        self._strengths.extend(strengths.tolist())

    def figure(self, *, until: float, still: bool = False) -> dict[str, Any]:
        """The figure of all that was taken; of a photo, `still`, a bar a unit. Empty where no unit was seen."""
        times, strengths = np.array(self._times), np.array(self._strengths).reshape(-1, len(UNITS))
        if np.isnan(strengths).all():
            return {}
        return unit_bars(strengths) if still else unit_timeline(times, strengths, until=until)


def unit_timeline(times: np.ndarray, strengths: np.ndarray, *, until: float | None = None) -> dict[str, Any]:
    """Strengths [N, U] at times [N] in seconds, a row each; units that were not seen have none.

    `until` is the end of the axis, the last time where it is not given.
    """
    places = _seen(strengths)
    end = max(until if until is not None else float(times[-1]) if len(times) else 0.0, 0.1)
    times, strengths = broken(*_thinned(times, strengths))
    x = [round(1000 * time) for time in times.tolist()]
    units = list(UNITS.values())
    data: list[dict[str, Any]] = []
    for row, place in enumerate(places):
        ground, unit = len(places) - 1 - row, units[place]
        values = [None if math.isnan(value) else round(value, 3) for value in strengths[:, place].tolist()]
        colour = "rgba({},{},{},0.75)".format(*rgb(REGIONS[unit.region]))
        flat = {"type": "scatter", "mode": "lines", "line": {"width": 0, "color": colour}, "x": x}
        data.append(flat | {"y": [None if v is None else ground for v in values], "hoverinfo": "skip"})
        data.append(flat | {
            "y": [None if v is None else ground + _HEIGHT * v for v in values], "fill": "tonexty", "fillcolor": colour,
            "customdata": values, "name": f"AU{unit.number} {unit.name}", "hovertemplate": "%{customdata:.2f}",
        })  # fmt: skip
    return {"data": data, "layout": _layout(places, end), "kind": "timeline", "x": x}


def unit_bars(strengths: np.ndarray) -> dict[str, Any]:
    """Strengths [N, U] of a photo, a bar a unit."""
    places, units = _seen(strengths), list(UNITS.values())
    values = [round(float(np.nanmean(strengths[:, place])), 4) for place in places]
    bar = {
        "type": "bar", "orientation": "h", "x": values, "y": _names(places), "text": [f"{v:.2f}" for v in values],
        "textposition": "outside", "cliponaxis": False, "hoverinfo": "skip", "width": 0.7,
        "marker": {"color": [REGIONS[units[place].region] for place in places]},
    }  # fmt: skip
    layout = {
        "height": _ROW * len(places) + 40, "margin": {"l": UNIT_LEFT, "r": 48, "t": 4, "b": 26}, "showlegend": False,
        "xaxis": {"range": [0, 1], "tickvals": [0, 0.5, 1], "fixedrange": True},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "ticks": ""},
    }  # fmt: skip
    return {"data": [bar], "layout": layout, "kind": "bars"}


def _layout(places: list[int], end: float) -> dict[str, Any]:
    clock = "%-H:%M:%S" if end >= 3600 else "%-M:%S"
    return {
        "height": _ROW * max(len(places), 1) + 40, "margin": {"l": UNIT_LEFT, "r": 12, "t": 10, "b": 26},
        "showlegend": False, "hovermode": "closest",
        "xaxis": {
            "type": "date", "range": [0, round(1000 * end)], "hoverformat": f"{clock}.%1f",
            "tickformatstops": [
                {"dtickrange": [None, 999], "value": f"{clock}.%1f"}, {"dtickrange": [1000, None], "value": clock},
            ],
        },
        "yaxis": {"range": [-0.08, len(places)], "tickvals": list(range(len(places))), "ticks": "",
                  "ticktext": _names(places)[::-1], "fixedrange": True},
    }  # fmt: skip


def _names(places: list[int]) -> list[str]:
    units = list(UNITS.values())
    return [f"AU{units[place].number} {units[place].name}" for place in places]


def _seen(strengths: np.ndarray) -> list[int]:
    return [place for place in range(len(UNITS)) if not np.isnan(strengths[:, place]).all()]


def _thinned(times: np.ndarray, strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of so many neighbours that few enough are left; a mean is of those that are known."""
    step = math.ceil(len(times) / MOST_POINTS)
    if step <= 1:
        return times, strengths
    firsts = np.arange(0, len(times), step)
    known = ~np.isnan(strengths)
    total = np.add.reduceat(np.where(known, strengths, 0.0), firsts, axis=0)
    number = np.add.reduceat(known, firsts, axis=0)
    return times[firsts], np.where(number > 0, total / np.maximum(number, 1), np.nan)
