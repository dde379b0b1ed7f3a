"""Facts of the Facial Action Coding System: units, what classes of expression look like, curves over time.

Source: Ekman, Friesen & Hager, *Facial Action Coding System* (2002), and what each table names beside it.
"""

from mimica.facs.curves import curve
from mimica.facs.expressions import (
    ANTAGONISTS,
    CAVEAT,
    COMPOUNDS,
    CORES,
    PRIOR_CORES,
    PROTOTYPES,
    SOURCES,
    Antagonists,
    Prototype,
    prototypes,
)
from mimica.facs.units import EVERY_UNIT, LETTERS, UNITS, Region, Unit, caption, letter, of_blendshape

__all__ = [
    "ANTAGONISTS",
    "CAVEAT",
    "COMPOUNDS",
    "CORES",
    "EVERY_UNIT",
    "LETTERS",
    "PRIOR_CORES",
    "PROTOTYPES",
    "SOURCES",
    "UNITS",
    "Antagonists",
    "Prototype",
    "Region",
    "Unit",
    "caption",
    "curve",
    "letter",
    "of_blendshape",
    "prototypes",
]
