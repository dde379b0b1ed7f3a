"""Which shapes of the rendered face make an Action Unit, how gaze moves the lids, and what a blink is.

T frames, U units in the order of `actor.UNIT_ORDER`, E expression shapes of the face, K eyes (left 0, right 1).
The shapes are ARKit's, halved into left and right (`_L`, `_R`); a name without a side here means both.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mimica.facs import UNITS

SHAPES = MappingProxyType(
    {
        1: {"browInnerUp": 1.15},
        2: {"browOuterUp": 1.0},
        # A trace of the sneer draws the brows together.
        4: {"browDown": 1.2, "noseSneer": 0.15},
        5: {"eyeWide": 1.2},
        # The shape of the cheek hardly narrows the eye, which the unit does.
        6: {"cheekRaiser": 0.8, "eyeSquint": 0.25},
        7: {"eyeSquint": 1.0},
        # FACS: a strong 9 pulls the inner brows down as well.
        9: {"noseSneer": 1.0, "browDown": 0.3},
        10: {"mouthUpperUp": 0.9},
        12: {"mouthSmile": 0.95},
        # The shape is faint for a full unit, and the lower lip follows the corners a little.
        15: {"mouthFrown": 1.55, "mouthShrugLower": 0.15},
        16: {"mouthLowerDown": 1.15},
        17: {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.25},
        # Risorius pulls the corners sideways and a little back, as a dimple does.
        20: {"mouthStretch": 1.1, "mouthDimple": 0.25},
        # Tight lips are narrowed and rolled in, not pressed; ARKit has no shape of its own for it.
        23: {"mouthPress": 0.6, "mouthRollLower": 0.45, "mouthRollUpper": 0.45, "mouthPucker": 0.15},
        24: {"mouthPress": 1.0, "mouthRollLower": 0.2, "mouthRollUpper": 0.2},
        # Lips may part without the jaw; the trace of jaw keeps them from merely thinning.
        25: {"mouthLowerDown": 0.4, "mouthUpperUp": 0.2, "jawOpen": 0.07},
        # A full jawOpen is unit 27, a mouth stretched open; a dropped jaw is little more than half of it.
        26: {"jawOpen": 0.6},
    }
)
"""By the FACS number of a unit: the shapes that make it, and how much of each at the unit's full strength."""

FROWN = MappingProxyType({"browDown": 0.3, "browInnerUp": -0.6, "browOuterUp": 0.12})
"""What unit 4 adds where unit 1 is absent. The model's lowered brow leaves its inner end where it is, and that end
makes the difference between a frown and sorrow, in which unit 1 holds it up."""

REST = MappingProxyType({"mouthPress": 0.1, "mouthShrugLower": 0.06})
"""What closes the lips of the neutral face, which are a little apart in the model."""

LID_PER_DEGREE = MappingProxyType(
    {"eyeLookUp": 1 / 30, "eyeLookDown": 1 / 30, "eyeLookOut": 1 / 35, "eyeLookIn": 1 / 35}
)
"""How much of a shape of the lids each degree of gaze in its direction brings: eyelids follow the eye."""

_SIDES = ("_L", "_R")
_LIDS = ("eyeWide", "eyeSquint", "eyeLookDown", "eyeLookUp")


def both(shape: str, names: Sequence[str]) -> list[int]:
    """The places of a shape in a face's list of shapes: of its two sides, or of itself where it has none."""
    if shape in names:
        return [names.index(shape)]
    return [names.index(shape + side) for side in _SIDES]


def mapping(names: Sequence[str]) -> np.ndarray:
    """What each unit at full strength asks of each shape, [U, E]."""
    table = np.zeros((len(UNITS), len(names)), np.float32)
    for row, unit in zip(table, UNITS, strict=True):
        for shape, share in SHAPES[unit].items():
            row[both(shape, names)] += share
    return table


def weights(
    units: np.ndarray, names: Sequence[str], *, gaze: np.ndarray, blink: np.ndarray, lopsided: np.ndarray | None = None
) -> np.ndarray:
    """How much of each shape [T, E] there is in frames of these units [T, U].

    `gaze` [T, K, 2] is where each eye looks, in degrees to the face's left and up; `blink` [T] is how
    far the lids are closed, 0 to 1. `lopsided` [U] makes a unit that much stronger on the left than
    on the right. With no unit, gaze ahead and no blink the face is as it is at rest.
    """
    made = units @ mapping(names)
    if lopsided is not None:
        side = np.array([name.endswith("_L") for name in names]) * 1.0 - [name.endswith("_R") for name in names]
        made += side * ((units * lopsided) @ mapping(names))
    _frown(made, names, units)
    # An open mouth has no lips to close.
    open_ = 6 * made[:, both("jawOpen", names)] + made[:, both("mouthLowerDown", names)[:1]]
    for shape, share in REST.items():
        made[:, both(shape, names)] += share * np.clip(1 - open_, 0, 1)
    _follow(made, names, gaze)
    _close(made, names, blink)
    return np.asarray(made.clip(-0.6, 1.6), np.float32)


def _frown(made: np.ndarray, names: Sequence[str], units: np.ndarray) -> None:
    """Lowered brows whose inner ends nothing holds up."""
    one, four = (units[:, list(UNITS).index(unit)] for unit in (1, 4))
    for shape, share in FROWN.items():
        made[:, both(shape, names)] += share * (four * (1 - one))[:, None]


def _follow(made: np.ndarray, names: Sequence[str], gaze: np.ndarray) -> None:
    """The lids go where the eye goes."""
    for k, side in enumerate(_SIDES):
        across, up = gaze[:, k, 0] * (1 if side == "_L" else -1), gaze[:, k, 1]
        for shape, degrees in (
            ("eyeLookOut", across),
            ("eyeLookIn", -across),
            ("eyeLookUp", up),
            ("eyeLookDown", -up),
        ):
            made[:, names.index(shape + side)] += np.clip(degrees, 0, None) * LID_PER_DEGREE[shape]


def _close(made: np.ndarray, names: Sequence[str], blink: np.ndarray) -> None:
    """A blink; what else moves the lids gives way to it, or they would pass each other."""
    for shape in _LIDS:
        made[:, both(shape, names)] *= (1 - blink)[:, None]
    made[:, both("eyeBlink", names)] += blink[:, None]
