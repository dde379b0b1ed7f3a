"""The colours of classes and persons, the same in the video and on the page.

Class colours are those of Okabe and Ito (2008), chosen to be told apart in every kind of colour
vision; `neutral` is a dark grey, far from the pink even where red and green look alike. Person
colours are the bright scheme of Paul Tol (2021).
"""

from __future__ import annotations

from collections.abc import Iterable

CLASSES = {
    "happiness": "#e69f00",
    "sadness": "#0072b2",
    "neutral": "#5e646a",
    "anger": "#d55e00",
    "surprise": "#56b4e9",
    "disgust": "#009e73",
    "fear": "#cc79a7",
}
_OTHERS = ("#f0e442", "#882255", "#44aa99", "#332288", "#999933", "#aa4499", "#117733", "#88ccee", "#ddcc77")
PERSONS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
REGIONS = {
    "brow": "#4477aa", "eye": "#66ccee", "cheek": "#228833", "nose": "#ccbb44", "mouth": "#ee6677", "jaw": "#aa3377",
}  # fmt: skip
"""The colour of an Action Unit, by where in the face it is seen; Paul Tol's bright scheme too."""
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#5e646a", "#56b4e9", "#882255")
"""The colours of curves that are of no class, person or region; most are those of Okabe and Ito too."""
STATUS = {"unsure": "#c9ced5", "low_quality": "#a3a9b2", "no_face": "#4a5058"}


def class_colours(labels: Iterable[str]) -> dict[str, str]:
    """A colour `#rrggbb` for each class; classes of one's own take further colours in turn."""
    colours: dict[str, str] = {}
    others = 0
    for label in labels:
        if label in CLASSES:
            colours[label] = CLASSES[label]
        else:
            colours[label] = _OTHERS[others % len(_OTHERS)]
            others += 1
    return colours


def person_colour(person: int | None) -> str:
    """The colour `#rrggbb` of a person; it repeats after six."""
    return STATUS["unsure"] if person is None else PERSONS[person % len(PERSONS)]


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as red, green and blue, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink(colour: str) -> str:
    """Black or white, whichever is read more easily on a colour (WCAG 2 contrast)."""
    return "#000000" if (luminance(colour) + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def luminance(colour: str) -> float:
    """The relative luminance of a colour, 0 to 1, as WCAG 2 defines it."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
