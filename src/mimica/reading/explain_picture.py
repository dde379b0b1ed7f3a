"""An explanation as one picture: frames with their weights above, classes with texts and probabilities below.

Lengths are pixels of a picture 1600 wide, from its upper left corner; SVG and PDF have the same proportions.
T frames, C classes, N heads.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimica.look.palette import class_colours, ink, person_colour, rgb
from mimica.look.picture import DPI, INK, LINE, PALE, save
from mimica.notice import SHORT
from mimica.reading.explain import Explanation

_WIDTH, _MARGIN = 1600, 40
_INNER = _WIDTH - 2 * _MARGIN
_A_ROW, _LARGEST = 16, 190
_BARS = 72
_NAME, _PROBABILITY, _GAP = 170, 280, 24
_CELL, _CELLS = 64, 560


def draw(explanation: Explanation, path: str | Path) -> None:
    """Draw an explanation as PNG, SVG or PDF, by the ending of the path. The same explanation gives the same bytes.

    Raises UsageError for another ending, MissingExtra without matplotlib, InputError where it cannot be written.
    """
    path = Path(path)
    save(path, lambda: _Page(explanation, pixels=path.suffix.lower() == ".png").drawn())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Where the lower part's columns begin: a cell a head, their mean, the texts; how wide a cell and a text is."""

    heads: float
    cell: float
    mean: float
    texts: float
    text_width: float


class _Page:
    """The picture while it is drawn."""

    def __init__(self, explanation: Explanation, *, pixels: bool) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.told, self.pixels = explanation, pixels
        self.figure = Figure(figsize=(_WIDTH / DPI, 1), dpi=DPI, facecolor="white")
        canvas: Any = FigureCanvasAgg(self.figure)
        self.ruler = canvas.get_renderer()
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.axis("off")
        self.colour = person_colour(explanation.person)

    def drawn(self) -> Any:
        """The figure, as high as what stands in it."""
        y = self._head(_MARGIN)
        y = self._frames(y + 26)
        y = self._classes(y + 30)
        height = self._foot(y + 16)
        self.figure.set_size_inches(_WIDTH / DPI, height / DPI)
        self.axes.set(xlim=(0, _WIDTH), ylim=(height, 0), aspect="auto")
        return self.figure

    def _head(self, y: float) -> float:
        told = self.told
        self._text(_MARGIN, y, self._fit(told.heading, _INNER, 17, "bold"), size=17, weight="bold")
        if told.chosen:
            self._text(_MARGIN, y + 30, self._fit(told.chosen, _INNER, 11), size=11, colour=PALE)
        return y + (44 if told.chosen else 18)

    def _title(self, y: float, title: str, what: str) -> None:
        self._text(_MARGIN, y, title, size=13, weight="bold")
        self._text(_MARGIN + self._wide(title, 13, "bold") + 14, y, what, size=10.5, colour=PALE)

    def _frames(self, y: float) -> float:
        """Rows of faces, each with its time above and its weight below."""
        T = len(self.told.frames)
        across = math.ceil(T / math.ceil(T / _A_ROW))
        side = min(_LARGEST, _INNER / across)
        equal = (
            f"how much each counts when they are pooled into one; the line is an equal share, 1/{T}: {100 / T:.1f} %"
        )
        self._title(y, "Frames", equal if T > 1 else "there is only one, so it has all of the weight")
        y += 14
        for first in range(0, T, across):
            places = range(first, min(first + across, T))
            for k, i in enumerate(places):
                self._frame(i, _MARGIN + k * side, y, side)
            base = y + 22 + side + 6 + _BARS
            right = _MARGIN + len(places) * side
            line = base - _BARS / T / self._most
            self.axes.plot([_MARGIN, right], [line, line], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=3)
            self.axes.plot([_MARGIN, right], [base, base], color=LINE, linewidth=1, zorder=1)
            y = base + 30
        return y - 6

    @property
    def _most(self) -> float:
        """The weight that the highest bar stands for."""
        return max(float(self.told.frames.max()), 1 / len(self.told.frames))

    def _frame(self, i: int, x: float, y: float, side: float) -> None:
        told, gap = self.told, 3
        weight, middle = float(told.frames[i]), x + side / 2
        self._text(middle, y + 10, f"{told.times[i]:.2f} s", size=9, colour=PALE, across="center")
        extent = (x + gap, x + side - gap, y + 22 + side - gap, y + 22 + gap)
        smooth = "bicubic" if self.pixels else "none"  # a reader of SVG and PDF smooths by itself
        self.axes.imshow(told.faces[i], extent=extent, interpolation=smooth, zorder=2, aspect="auto")
        base = y + 22 + side + 6 + _BARS
        high = _BARS * weight / self._most
        self._box(x + side * 0.2, base - high, side * 0.6, high, self.colour)
        self._text(middle, base + 11, f"{100 * weight:.1f} %", size=9, across="center")

    def _columns(self) -> _Columns:
        start = _MARGIN + _NAME
        if self.told.classes is None:
            return _Columns(heads=start, cell=0, mean=start, texts=start, text_width=_INNER - _NAME - _PROBABILITY)
        N = len(self.told.classes)
        cell = min(_CELL, _CELLS / (N + 1))
        mean = start + N * cell + 8
        texts = (mean + cell if N > 1 else start + cell) + _GAP
        width = _MARGIN + _INNER - _PROBABILITY - texts
        return _Columns(heads=start, cell=cell, mean=mean, texts=texts, text_width=width)

    def _classes(self, y: float) -> float:
        """A row a class: name, semantic weights, text, probability."""
        told, columns = self.told, self._columns()
        what = "how much each head draws on each class's text, in percent; a head's weights sum to 100"
        if told.classes is None:
            what = "this model has no semantic attention, so no head draws on their texts"
        self._title(y, "Classes", what)
        y += 32
        if told.classes is not None:
            N = len(told.classes)
            names = [str(n + 1) for n in range(N)]
            names[0] = "head 1" if columns.cell > 48 else "1"
            for n, name in enumerate(names):
                self._text(columns.heads + (n + 0.5) * columns.cell, y, name, colour=PALE, across="center")
            if N > 1:
                self._text(columns.mean + columns.cell / 2, y, "mean", colour=PALE, across="center")
        self._text(columns.texts, y, "class text", colour=PALE)
        self._text(_MARGIN + _INNER - _PROBABILITY + _GAP, y, "calibrated probability", colour=PALE)
        y += 14
        for c in range(len(told.labels)):
            y = self._class(c, y, columns)
        return y

    def _class(self, c: int, y: float, columns: _Columns) -> float:
        told, shown = self.told, c == self.told.shown
        colour, weight = class_colours(told.labels)[told.labels[c]], "bold" if shown else "normal"
        name = self._wrapped([told.labels[c]], _NAME - 40, 11, weight)
        lines = self._wrapped(told.texts[c], columns.text_width - _GAP, 10)
        height = max(38, 18 * max(len(name), len(lines)) + 14)
        middle = y + height / 2
        if shown:
            self._box(_MARGIN - 12, y, _INNER + 24, height, _mixed(colour, 0.14), behind=True)
            self._box(_MARGIN - 12, y, 5, height, colour)
        self.axes.plot([_MARGIN - 12, _WIDTH - _MARGIN + 12], [y, y], color=LINE, linewidth=0.6, zorder=1)
        self._box(_MARGIN + 4, middle - 7, 14, 14, colour)
        self._lines(_MARGIN + 28, middle, name, size=11, weight=weight)
        self._cells(c, y, height, columns)
        self._lines(columns.texts, middle, lines, size=10)
        self._probability(c, middle, colour, weight)
        return y + height

    def _cells(self, c: int, y: float, height: float, columns: _Columns) -> None:
        """The semantic weights of a class: each head's, then their mean."""
        if self.told.classes is None:
            return
        weights = self.told.classes
        # Twice an equal share is full at least: heads that hardly choose look as pale as they are.
        full = max(float(weights.max()), min(1.0, 2 / weights.shape[1]))
        cells = [(columns.heads + n * columns.cell, float(w), "normal") for n, w in enumerate(weights[:, c])]
        if len(weights) > 1:
            cells.append((columns.mean, float(weights[:, c].mean()), "bold"))
        for x, share, weight in cells:
            colour = _mixed(_mixed(self.colour, 0.75, "#000000"), share / full)
            self._box(x + 1, y + 2, columns.cell - 2, height - 4, colour)
            if columns.cell >= 30:
                at = (x + columns.cell / 2, y + height / 2)
                self._text(*at, f"{100 * share:.1f}", size=9, weight=weight, colour=ink(colour), across="center")

    def _probability(self, c: int, middle: float, colour: str, weight: str) -> None:
        told = self.told
        share, left = float(told.probabilities[c]), _MARGIN + _INNER - _PROBABILITY + _GAP
        long = 120.0
        self._box(left, middle - 8, long, 16, "#eef0f2")
        self._box(left, middle - 8, long * share, 16, colour)
        said = [f"{100 * share:.1f} %" + ("  ◂ read" if c == told.shown else "")]
        if c == told.shown and told.status != "ok":
            said.append(told.status.replace("_", " "))
        self._lines(left + long + 10, middle, said, size=10.5, weight=weight)

    def _foot(self, y: float) -> float:
        told = self.told
        self.axes.plot([_MARGIN - 12, _WIDTH - _MARGIN + 12], [y - 16] * 2, color=LINE, linewidth=0.6, zorder=1)
        said = f"{told.model} · temperature {told.temperature:.3g} · {SHORT}"
        self._text(_MARGIN, y + 8, said, size=11, weight="bold")
        limits = "Weights say what the model drew on, not whether it was right to, and not why a face looks as it does."
        self._text(_MARGIN, y + 32, limits, size=10, colour=PALE)
        return y + 32 + _MARGIN - 10

    def _text(
        self, x: float, y: float, said: str, *, size: float = 10, weight: str = "normal", colour: str = INK,
        across: str = "left",
    ) -> None:  # fmt: skip
        self.axes.text(
            x, y, said, fontsize=size, fontweight=weight, color=colour, ha=across, va="center_baseline", zorder=4
        )

    def _lines(self, x: float, middle: float, lines: list[str], *, size: float, weight: str = "normal") -> None:
        for i, line in enumerate(lines):
            self._text(x, middle + 18 * (i - (len(lines) - 1) / 2), line, size=size, weight=weight)

    def _box(self, x: float, y: float, width: float, height: float, colour: str, *, behind: bool = False) -> None:
        from matplotlib.patches import Rectangle

        self.axes.add_patch(Rectangle((x, y), width, height, color=colour, linewidth=0, zorder=0 if behind else 2))

    def _wide(self, said: str, size: float, weight: str = "normal") -> float:
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size, weight=weight)
        return float(self.ruler.get_text_width_height_descent(said, font, ismath=False)[0])

    def _fit(self, said: str, width: float, size: float, weight: str = "normal") -> str:
        """A line that is too long, cut at its start, where names of files are least telling."""
        if self._wide(said, size, weight) <= width:
            return said
        room = self._room(said[::-1], width - self._wide("…", size, weight), size, weight)
        return "…" + said[-room:]

    def _wrapped(self, sentences: Iterable[str], width: float, size: float, weight: str = "normal") -> list[str]:
        """Sentences as lines no wider than a width, each sentence on lines of its own; a word too long is broken."""
        lines = []
        for sentence in sentences:
            line = ""
            for word in sentence.split():
                longer = f"{line} {word}" if line else word
                if line and self._wide(longer, size, weight) > width:
                    lines.append(line)
                    longer = word
                while len(longer) > 1 and self._wide(longer, size, weight) > width:
                    room = self._room(longer, width, size, weight)
                    lines.append(longer[:room])
                    longer = longer[room:]
                line = longer
            lines.append(line)
        return lines

    def _room(self, said: str, width: float, size: float, weight: str) -> int:
        """How many letters there is room for, at least one."""
        lengths = range(1, len(said) + 1)
        return max(1, bisect_right(lengths, width, key=lambda n: self._wide(said[:n], size, weight)))


def _mixed(colour: str, share: float, ground: str = "#ffffff") -> str:
    """A share, 0 to 1, of a colour over a ground."""
    mixed = (
        round(under + (over - under) * min(max(share, 0.0), 1.0))
        for over, under in zip(rgb(colour), rgb(ground), strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)
