"""Action Units: their numbers, names, muscles, what one sees of them, and what ARKit calls it.

Numbers, names and muscles: Ekman, Friesen & Hager, *Facial Action Coding System* (2002). What one sees is in our own
words. Blendshapes: the table of py-feat (docs/pages/au_reference.md) with the names of ARKit, which MediaPipe's face
landmarker gives too; they say which shape goes with a unit, and no shape measures one alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mimica.errors import UsageError

Region = Literal["brow", "eye", "cheek", "nose", "mouth", "jaw", "head", "gaze"]
"""Where in the face a unit is seen."""

_SIDED = {
    "browOuterUp", "browDown", "eyeWide", "cheekSquint", "eyeSquint", "noseSneer", "mouthUpperUp", "mouthSmile",
    "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthStretch", "mouthPress", "eyeBlink", "eyeLookUp", "eyeLookDown",
}  # fmt: skip
"""Blendshapes that there are a left and a right of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One Action Unit: its FACS number, its name, what one sees of it, where, the muscles, ARKit's blendshapes."""

    number: int
    name: str
    look: str
    region: Region
    muscle: str = ""
    arkit: tuple[str, ...] = ()


def _unit(number: int, name: str, look: str, region: Region, muscle: str = "", arkit: str = "") -> Unit:
    """A unit whose blendshapes are named without their sides."""
    shapes = tuple(one + side for one in arkit.split() for side in (("Left", "Right") if one in _SIDED else ("",)))
    return Unit(number=number, name=name, look=look, region=region, muscle=muscle, arkit=shapes)


_ORBIT, _LIPS = "orbicularis oculi", "orbicularis oris"

_UNITS = (
    _unit(1, "inner brow raiser", "the inner corners of the brows are raised", "brow",
          "frontalis, inner part", "browInnerUp"),
    _unit(2, "outer brow raiser", "the outer parts of the brows are raised", "brow",
          "frontalis, outer part", "browOuterUp"),
    _unit(4, "brow lowerer", "the brows are lowered and drawn together", "brow",
          "corrugator supercilii, depressor supercilii, procerus", "browDown"),
    _unit(5, "upper lid raiser", "the upper eyelids are raised and the eyes wide", "eye",
          "levator palpebrae superioris", "eyeWide"),
    _unit(6, "cheek raiser", "the cheeks are raised and the eyes narrowed by them", "cheek",
          f"{_ORBIT}, outer part", "cheekSquint"),
    _unit(7, "lid tightener", "the eyelids are tightened", "eye", f"{_ORBIT}, part in the lids", "eyeSquint"),
    _unit(9, "nose wrinkler", "the nose is wrinkled", "nose",
          "levator labii superioris alaeque nasi", "noseSneer"),
    _unit(10, "upper lip raiser", "the upper lip is raised", "mouth", "levator labii superioris", "mouthUpperUp"),
    _unit(12, "lip corner puller", "the corners of the lips are pulled up", "mouth",
          "zygomaticus major", "mouthSmile"),
    _unit(15, "lip corner depressor", "the corners of the lips are pulled down", "mouth",
          "depressor anguli oris", "mouthFrown"),
    _unit(16, "lower lip depressor", "the lower lip is pulled down", "mouth",
          "depressor labii inferioris", "mouthLowerDown"),
    _unit(17, "chin raiser", "the chin boss is pushed up", "jaw", "mentalis", "mouthShrugLower"),
    _unit(20, "lip stretcher", "the lips are stretched sideways", "mouth", "risorius, platysma", "mouthStretch"),
    _unit(23, "lip tightener", "the lips are tightened", "mouth", _LIPS, "mouthPress"),
    _unit(24, "lip pressor", "the lips are pressed together", "mouth", _LIPS, "mouthPress"),
    _unit(25, "lips part", "the lips are parted", "mouth",
          f"depressor labii inferioris, or {_LIPS} and mentalis relaxed", "jawOpen"),
    _unit(26, "jaw drop", "the jaw is dropped and the mouth open", "jaw",
          "masseter relaxed, temporalis, medial pterygoid", "jawOpen"),
)  # fmt: skip

_FURTHER = (
    _unit(8, "lips toward each other", "the lips are drawn toward each other", "mouth",
          _LIPS, "mouthClose"),
    _unit(11, "nasolabial deepener", "the fold from nose to cheek is deepened", "cheek", "zygomaticus minor"),
    _unit(13, "sharp lip puller", "the corners of the lips are drawn up sharply", "mouth",
          "levator anguli oris"),
    _unit(14, "dimpler", "the corners of the lips are drawn into dimples", "mouth", "buccinator", "mouthDimple"),
    _unit(18, "lip pucker", "the lips are puckered", "mouth",
          "incisivii labii superioris and inferioris", "mouthPucker"),
    _unit(19, "tongue show", "the tongue is shown", "mouth", "", "tongueOut"),
    _unit(21, "neck tightener", "the neck is tightened into cords", "jaw", "platysma"),
    _unit(22, "lip funneler", "the lips are pushed out into a funnel", "mouth", _LIPS, "mouthFunnel"),
    _unit(27, "mouth stretch", "the mouth is stretched wide open downward", "jaw", "pterygoids, digastric", "jawOpen"),
    _unit(28, "lip suck", "the lips are sucked in over the teeth", "mouth", _LIPS, "mouthRollLower mouthRollUpper"),
    _unit(29, "jaw thrust", "the jaw is thrust forward", "jaw", "", "jawForward"),
    _unit(30, "jaw sideways", "the jaw is shifted to one side", "jaw", "", "jawLeft jawRight"),
    _unit(31, "jaw clencher", "the jaw is clenched", "jaw", "masseter"),
    _unit(32, "lip bite", "the lip is bitten", "mouth"),
    _unit(33, "cheek blow", "air is blown through the cheeks", "cheek"),
    _unit(34, "cheek puff", "the cheeks are puffed out", "cheek", "", "cheekPuff"),
    _unit(35, "cheek suck", "the cheeks are sucked in", "cheek"),
    _unit(36, "tongue bulge", "the tongue bulges under a cheek or lip", "cheek"),
    _unit(37, "lip wipe", "the tongue wipes over the lips", "mouth"),
    _unit(38, "nostril dilator", "the nostrils are flared", "nose", "nasalis, alar part"),
    _unit(39, "nostril compressor", "the nostrils are narrowed", "nose",
          "nasalis, transverse part, depressor septi nasi"),
    _unit(43, "eyes closed", "the eyes are closed", "eye", "levator palpebrae superioris relaxed", "eyeBlink"),
    _unit(45, "blink", "the eyes blink", "eye",
          f"levator palpebrae superioris relaxed, {_ORBIT}, part in the lids", "eyeBlink"),
    _unit(46, "wink", "one eye winks", "eye", f"{_ORBIT}, part in the lids"),
    _unit(51, "head turn left", "the head is turned to its left", "head"),
    _unit(52, "head turn right", "the head is turned to its right", "head"),
    _unit(53, "head up", "the head is lifted", "head"),
    _unit(54, "head down", "the head is lowered", "head"),
    _unit(55, "head tilt left", "the head is tilted to its left", "head"),
    _unit(56, "head tilt right", "the head is tilted to its right", "head"),
    _unit(57, "head forward", "the head is pushed forward", "head"),
    _unit(58, "head back", "the head is drawn back", "head"),
    _unit(61, "eyes turn left", "the eyes look to their left", "gaze", "", "eyeLookOutLeft eyeLookInRight"),
    _unit(62, "eyes turn right", "the eyes look to their right", "gaze", "", "eyeLookInLeft eyeLookOutRight"),
    _unit(63, "eyes up", "the eyes look up", "gaze", "", "eyeLookUp"),
    _unit(64, "eyes down", "the eyes look down", "gaze", "", "eyeLookDown"),
)  # fmt: skip

UNITS = MappingProxyType({unit.number: unit for unit in _UNITS})
"""The units that are drawn, measured and planned, by their FACS number; their order is that of every array of units."""

EVERY_UNIT = MappingProxyType({unit.number: unit for unit in sorted(_UNITS + _FURTHER, key=lambda one: one.number)})
"""Every unit that is known here, the `UNITS` among them, by its FACS number: what a text or a source may name.

Where a shape of ARKit goes with several units, its strength tells them apart: a slight `jawOpen` is 25, more is 26,
all of it 27.
"""

LETTERS = MappingProxyType({"A": 0.10, "B": 0.25, "C": 0.50, "D": 0.75, "E": 1.0})
"""How strong a unit is, 0 to 1, for the letter of FACS: a trace, slight, marked, severe, as far as it goes.

FACS gives the letters no numbers; these are ours.
"""


def letter(strength: float) -> str:
    """The letter of FACS whose strength is nearest; none below half of an A.

    >>> [letter(strength) for strength in (0.0, 0.1, 0.3, 0.6, 0.8, 1.0)]
    ['', 'A', 'B', 'C', 'D', 'E']
    """
    if strength < LETTERS["A"] / 2:
        return ""
    return min(LETTERS, key=lambda one: abs(LETTERS[one] - strength))


def of_blendshape(name: str) -> tuple[int, ...]:
    """The units that a blendshape of ARKit goes with, by their FACS numbers; none where it goes with no unit.

    >>> of_blendshape("mouthSmileLeft"), of_blendshape("jawOpen")
    ((12,), (25, 26, 27))
    """
    return tuple(unit.number for unit in EVERY_UNIT.values() if name in unit.arkit)


def caption(units: Iterable[int], *, names: bool = False) -> str:
    """One sentence that says how a face with these units looks.

    `names` gives the units' FACS names instead of what one sees of them. Raises UsageError for a number that
    is no unit.

    >>> caption((6, 12), names=True)
    'a face with cheek raiser and lip corner puller'
    >>> caption(())
    'a face at rest, no part of it moved'
    """
    known = [known_unit(number) for number in units]
    parts = [unit.name if names else unit.look for unit in known]
    if not parts:
        return "a face at rest, no part of it moved"
    joined = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return f"a face {'with' if names else 'on which'} {joined}"


def known_unit(number: int) -> Unit:
    """The unit of that FACS number. Raises UsageError that lists those there are."""
    if number not in EVERY_UNIT:
        raise UsageError(f"there is no Action Unit {number} here; choose from {', '.join(map(str, EVERY_UNIT))}")
    return EVERY_UNIT[number]
