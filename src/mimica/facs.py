"""Facts of the Facial Action Coding System: units, and the core units of each class.

Source: Ekman, Friesen & Hager, *Facial Action Coding System* (2002), and the prototypes of its
Investigator's Guide, table 10-2. They describe how posed, full-blown expressions look; real faces
show parts of them, and the same units occur without any of these words applying.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from mimica.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One Action Unit: its FACS number, its name, and what one sees of it."""

    number: int
    name: str
    look: str


_UNITS = (
    Unit(number=1, name="inner brow raiser", look="the inner corners of the brows are raised"),
    Unit(number=2, name="outer brow raiser", look="the outer parts of the brows are raised"),
    Unit(number=4, name="brow lowerer", look="the brows are lowered and drawn together"),
    Unit(number=5, name="upper lid raiser", look="the upper eyelids are raised and the eyes wide"),
    Unit(number=6, name="cheek raiser", look="the cheeks are raised and the eyes narrowed by them"),
    Unit(number=7, name="lid tightener", look="the eyelids are tightened"),
    Unit(number=9, name="nose wrinkler", look="the nose is wrinkled"),
    Unit(number=10, name="upper lip raiser", look="the upper lip is raised"),
    Unit(number=12, name="lip corner puller", look="the corners of the lips are pulled up"),
    Unit(number=15, name="lip corner depressor", look="the corners of the lips are pulled down"),
    Unit(number=16, name="lower lip depressor", look="the lower lip is pulled down"),
    Unit(number=17, name="chin raiser", look="the chin boss is pushed up"),
    Unit(number=20, name="lip stretcher", look="the lips are stretched sideways"),
    Unit(number=23, name="lip tightener", look="the lips are tightened"),
    Unit(number=24, name="lip pressor", look="the lips are pressed together"),
    Unit(number=25, name="lips part", look="the lips are parted"),
    Unit(number=26, name="jaw drop", look="the jaw is dropped and the mouth open"),
)

UNITS = MappingProxyType({unit.number: unit for unit in _UNITS})
"""Every unit that is known here, by its FACS number."""

CORES = MappingProxyType(
    {
        "happiness": (6, 12),
        "sadness": (1, 4, 15),
        "neutral": (),
        "anger": (4, 5, 7, 23),
        "surprise": (1, 2, 5, 26),
        "disgust": (9, 15, 16),
        "fear": (1, 2, 4, 5, 7, 20, 26),
    }
)
"""The units that make the prototype of each class."""


def caption(units: Iterable[int], *, names: bool = False) -> str:
    """One sentence that says how a face with these units looks.

    `names` gives the units' FACS names instead of what one sees of them.

    >>> caption((6, 12), names=True)
    'a face with cheek raiser and lip corner puller'
    >>> caption(())
    'a face at rest, no part of it moved'
    """
    parts = [UNITS[n].name if names else UNITS[n].look for n in units]
    if not parts:
        return "a face at rest, no part of it moved"
    joined = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return f"a face {'with' if names else 'on which'} {joined}"


def curve(
    time: "np.ndarray",
    *,
    onset: "float | np.ndarray",
    apex: "float | np.ndarray",
    release: "float | np.ndarray",
    offset: "float | np.ndarray",
) -> "np.ndarray":
    """How strong a unit is over time, 0 to 1: it sets in, stays at its apex, and goes.

    It is 0 until `onset`, eases to 1 at `apex`, stays there until `release`, and is 0 again from
    `offset`; the four are in the clock of `time`, in this order, and broadcast against it.

    >>> import numpy as np
    >>> curve(np.array([0.0, 0.2, 0.5, 0.8, 1.0]), onset=0.1, apex=0.3, release=0.7, offset=0.9).round(2).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    import numpy as np

    if not (np.all(np.less(onset, apex)) and np.all(np.less_equal(apex, release)) and np.all(np.less(release, offset))):
        raise UsageError("a curve needs onset < apex <= release < offset; put its four times in this order")

    def eased(start: "float | np.ndarray", end: "float | np.ndarray") -> "np.ndarray":
        share = np.clip((time - start) / np.subtract(end, start), 0.0, 1.0)
        return np.asarray(share * share * (3.0 - 2.0 * share))

    return np.asarray(eased(onset, apex) * (1.0 - eased(release, offset)))
