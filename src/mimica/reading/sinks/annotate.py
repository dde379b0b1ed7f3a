"""What is drawn into a picture: who, which label, how sure, and a small bar for each class.

Sizes follow the height of the picture. Tags and bars keep off every face and inside the picture;
bars that find no such place are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mimica.clips import UNIT_COLUMNS, Status
from mimica.facs import UNITS
from mimica.look.palette import REGIONS, class_colours, ink, person_colour, rgb

_DARK, _LIGHT, _TRACK, _GREY = (14, 17, 22), (240, 243, 246), (58, 64, 72), (150, 156, 164)
_FAINT = (188, 194, 201)
_PIXELS = 6
_MARGIN = 0.2
_COST_TO_DROP = 0.05
_MOST_UNITS, _WEAKEST_UNIT = 5, 0.2
_REGION = {column.name: unit.region for column, unit in zip(UNIT_COLUMNS, UNITS.values(), strict=True)}
_NAME = {column.name: unit.name for column, unit in zip(UNIT_COLUMNS, UNITS.values(), strict=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A person as drawn into one picture: `box` [4] in pixels, and what the reading nearest in time says.

    `status` is None where no reading covers the picture's time; `by_face_alone` is the class that the face alone
    shows, where the scene changes the answer; `units` the strengths of Action Units by the names of their columns.
    """

    person: int
    box: np.ndarray
    label: str | None = None
    confidence: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    status: Status | None = None
    by_face_alone: str | None = None
    units: Mapping[str, float] = field(default_factory=dict)


class _Rect(NamedTuple):
    x: int
    y: int
    w: int
    h: int

    def overlap(self, other: _Rect) -> int:
        w = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        h = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        return max(w, 0) * max(h, 0)


class _Bar(NamedTuple):
    name: str
    value: float
    colour: tuple[int, int, int]
    bright: bool = False


class Annotator:
    """Draws people into pictures of one source.

    It remembers on which side of each person the tag and the bars were, so that they do not jump
    from frame to frame.
    """

    def __init__(self, labels: Sequence[str], *, blur_faces: bool = False) -> None:
        self.blur_faces = blur_faces
        self._colours = class_colours(labels)
        self._sides: dict[tuple[str, int], int] = {}
        self._font_size = 0

    def annotate(self, image: np.ndarray, people: Sequence[Shown]) -> np.ndarray:
        """A copy of a picture, uint8 [H, W, 3], with the people drawn into it."""
        picture = Image.fromarray(image)
        self._measure(picture.height)
        faces = [_rect(shown.box) for shown in people]
        if self.blur_faces:
            for face in faces:
                obscure(picture, face)
        taken: list[_Rect] = []
        for shown, face in zip(people, faces, strict=True):
            self._draw_box(picture, face, person_colour(shown.person))
        for shown, face in zip(people, faces, strict=True):
            taken.append(self._place_tag(picture, shown, face, faces, taken))
        for shown, face in zip(people, faces, strict=True):
            if shown.probabilities and shown.status in ("ok", "unsure"):
                self._place(picture, "bars", shown.person, self._classes(shown), face, faces, taken)
        for shown, face in zip(people, faces, strict=True):
            if rows := strongest(shown.units):
                self._place(picture, "units", shown.person, self._panel(rows), face, faces, taken)
        self._small_print(picture, faces + taken)
        return np.asarray(picture)

    def _measure(self, height: int) -> None:
        size = round(min(max(height * 0.028, 10), 60))
        if size != self._font_size:
            self._font_size = size
            self._font = ImageFont.load_default(size)
            self._small = ImageFont.load_default(max(9, round(size * 0.8)))

    def _draw_box(self, picture: Image.Image, face: _Rect, colour: str) -> None:
        pen, width = ImageDraw.Draw(picture), max(2, self._font_size // 6)
        x, y, w, h = face
        radius = max(3, self._font_size // 2)
        rim = (x - width - 1, y - width - 1, x + w + width + 1, y + h + width + 1)
        pen.rounded_rectangle(rim, radius + width, outline=_DARK, width=width + 2)
        pen.rounded_rectangle((x - width, y - width, x + w + width, y + h + width), radius, outline=colour, width=width)

    def _place_tag(
        self, picture: Image.Image, shown: Shown, face: _Rect, faces: list[_Rect], taken: list[_Rect]
    ) -> _Rect:
        text, pad = tag(shown), max(3, self._font_size // 4)
        left, top, right, bottom = self._font.getbbox(text)
        w, h = round(right - left) + 2 * pad, round(bottom - top) + 2 * pad
        gap = max(4, self._font_size // 3)
        x, y = face.x, face.y
        options = [(x, y - h - gap), (x, y + face.h + gap), (x + face.w + gap, y), (x - w - gap, y)]
        spot, _ = self._choose("tag", shown.person, [_Rect(*at, w, h) for at in options], picture, faces, taken)
        colour = person_colour(shown.person)
        pen = ImageDraw.Draw(picture)
        pen.rounded_rectangle((spot.x, spot.y, spot.x + w, spot.y + h), pad, fill=colour, outline=_DARK)
        pen.text((spot.x + pad - left, spot.y + pad - top), text, font=self._font, fill=ink(colour))
        return spot

    def _place(
        self, picture: Image.Image, what: str, person: int, panel: Image.Image, face: _Rect, faces: list[_Rect],
        taken: list[_Rect],
    ) -> None:  # fmt: skip
        """Paste a panel beside a face, or leave it out where it would cover what is there."""
        w, h = panel.size
        gap = max(5, self._font_size // 2)
        below, above = face.y + face.h + 3 * gap + self._font_size, face.y - h - 3 * gap - self._font_size
        middle = face.y + (face.h - h) // 2
        options = [(face.x + face.w + gap, middle), (face.x - w - gap, middle), (face.x, below), (face.x, above)]
        spot, cost = self._choose(what, person, [_Rect(*at, w, h) for at in options], picture, faces, taken)
        if cost <= _COST_TO_DROP:
            picture.paste(panel, (spot.x, spot.y), panel)
            taken.append(spot)

    def _classes(self, shown: Shown) -> Image.Image:
        """One bar a class; grey where the reading is unsure."""
        sure = shown.status == "ok"
        rows = [
            _Bar(name, shown.probabilities[name], rgb(colour) if sure else _GREY, sure and name == shown.label)
            for name, colour in self._colours.items()
            if name in shown.probabilities
        ]
        return self._panel(rows)

    def _panel(self, rows: Sequence[_Bar]) -> Image.Image:
        """A small panel, RGBA, with a name and a bar a row."""
        row, pad = round(self._font_size * 1.1), max(4, self._font_size // 3)
        words = round(max(self._small.getlength(bar.name) for bar in rows))
        length = round(self._font_size * 4.5)
        panel = Image.new("RGBA", (words + length + 3 * pad, row * len(rows) + 2 * pad), (0, 0, 0, 0))
        pen = ImageDraw.Draw(panel)
        pen.rounded_rectangle((0, 0, panel.width - 1, panel.height - 1), pad, fill=(*_DARK, 205))
        for i, bar in enumerate(rows):
            y = pad + i * row
            pen.text((pad, y + row / 2), bar.name, font=self._small, anchor="lm",
                     fill=(*(_LIGHT if bar.bright else _FAINT), 255))  # fmt: skip
            x, thin = words + 2 * pad, max(1, row // 5)
            pen.rectangle((x, y + thin, x + length, y + row - thin - 1), fill=(*_TRACK, 225))
            if filled := round(length * min(max(bar.value, 0.0), 1.0)):
                pen.rectangle((x, y + thin, x + filled, y + row - thin - 1), fill=(*bar.colour, 255))
        return panel

    def _choose(
        self, what: str, person: int, options: list[_Rect], picture: Image.Image,
        faces: list[_Rect], taken: list[_Rect],
    ) -> tuple[_Rect, float]:  # fmt: skip
        """The place that covers the least of faces and of what is drawn already, moved into the picture."""
        last = self._sides.get((what, person), -1)
        best = (float("inf"), 0, 0.0, options[0])
        for side, option in enumerate(options):
            spot = _inside(option, picture)
            covered = sum(spot.overlap(face) for face in faces) + 0.7 * sum(spot.overlap(other) for other in taken)
            cost = covered / (spot.w * spot.h)
            wish = cost + 0.002 * side - (0.02 if side == last else 0.0)
            best = min(best, (wish, side, cost, spot))
        self._sides[what, person] = best[1]
        return best[3], best[2]

    def _small_print(self, picture: Image.Image, busy: list[_Rect]) -> None:
        text, pad = "apparent expression", max(4, self._font_size // 2)
        left, top, right, bottom = self._small.getbbox(text)
        w, h = round(right - left), round(bottom - top)
        x1, y1 = picture.width - w - pad, picture.height - h - pad
        corners = [_Rect(x1, y1, w, h), _Rect(pad, y1, w, h), _Rect(x1, pad, w, h), _Rect(pad, pad, w, h)]
        spot, _ = self._choose("print", -1, corners, picture, busy, [])
        ImageDraw.Draw(picture).text(
            (spot.x - left, spot.y - top), text, font=self._small, fill=_LIGHT, stroke_width=1, stroke_fill=_DARK
        )


def strongest(units: Mapping[str, float]) -> list[_Bar]:
    """The few strongest Action Units, in the order of FACS; none that is weak, so that the list stays small.

    >>> [bar.name for bar in strongest({"AU1": 0.1, "AU6": 0.4, "AU12": 0.9})]
    ['6 cheek raiser', '12 lip corner puller']
    """
    ranked = sorted((name for name in units if units[name] >= _WEAKEST_UNIT), key=lambda name: -units[name])
    kept = ranked[:_MOST_UNITS]
    return [
        _Bar(f"{name.removeprefix('AU')} {_NAME[name]}", units[name], rgb(REGIONS[_REGION[name]]))
        for name in _NAME
        if name in kept
    ]


def tag(shown: Shown) -> str:
    """The words beside a box.

    >>> tag(Shown(person=1, box=np.zeros(4), label="fear", confidence=0.832, status="ok"))
    'person 1 · fear 83 %'
    """
    who = f"person {shown.person}"
    if shown.status is None:
        return who
    if shown.status == "ok" and shown.label is not None and shown.confidence is not None:
        alone = f" · {shown.by_face_alone} by the face alone" if shown.by_face_alone else ""
        return f"{who} · {shown.label} {100 * shown.confidence:.0f} %{alone}"
    return f"{who} · {shown.status.replace('_', ' ')}"


def obscure(picture: Image.Image, face: Sequence[float]) -> None:
    """Make a face `x, y, w, h` and a margin around it unrecognisable, in place.

    The area is reduced to six pixels a side and spread out again; what was lost cannot be brought back.
    """
    x, y, w, h = face
    area = (
        max(0, int(x - _MARGIN * w)),
        max(0, int(y - _MARGIN * h)),
        min(picture.width, int(x + w * (1 + _MARGIN)) + 1),
        min(picture.height, int(y + h * (1 + _MARGIN)) + 1),
    )
    if area[2] <= area[0] or area[3] <= area[1]:
        return
    region = picture.crop(area)
    few = region.resize((_PIXELS, _PIXELS), Image.Resampling.BOX)
    picture.paste(few.resize(region.size, Image.Resampling.BILINEAR), area[:2])


def _rect(box: np.ndarray) -> _Rect:
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    return _Rect(x0, y0, max(1, x1 - x0), max(1, y1 - y0))


def _inside(rect: _Rect, picture: Image.Image) -> _Rect:
    x = max(2, min(rect.x, picture.width - rect.w - 2))
    y = max(2, min(rect.y, picture.height - rect.h - 2))
    return rect._replace(x=x, y=y)
