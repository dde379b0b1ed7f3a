"""What a sitter's traits and styles are in lengths and colours, as the shaders take them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from mimica.data.render_sitter import Sitter

_SKIN = (
    (247, 206, 180), (240, 190, 158), (226, 170, 134), (204, 146, 106), (162, 109, 76), (116, 76, 52), (80, 52, 39),
)  # fmt: skip
_HAIR = ((24, 20, 20), (52, 34, 26), (92, 60, 38), (140, 78, 44), (196, 154, 96), (168, 166, 166))
_IRIS = ((46, 28, 18), (84, 54, 28), (86, 92, 52), (70, 112, 150), (120, 134, 140))
_SHIRT = ((44, 62, 98), (92, 108, 96), (136, 60, 60), (208, 200, 186), (40, 40, 48))
_LIPS = ((0.92, 0.60, 0.56), (0.86, 0.44, 0.46))

# A style: hair stands off the top and the sides this far, the hairline is moved by this much, its edge is this uneven.
_STYLES = MappingProxyType(
    {
        "short": (0.75, 0.35, 0.0, 0.6), "swept": (1.25, 0.5, -0.6, 1.2), "shaven": (0.0, 0.0, 0.3, 0.5),
        "long": (0.8, 0.7, -0.2, 0.5), "curls": (1.6, 1.2, -0.4, 1.6), "high": (0.9, 0.4, 0.9, 0.8),
        "cropped": (0.3, 0.15, 0.2, 0.3), "bob": (0.9, 0.8, -1.2, 0.4), "cap": (0.7, 0.6, -1.4, 0.0),
    }
)  # fmt: skip
# How far a beard stands off, how dense it is, how far up the cheek it goes, whether there is a moustache.
_BEARDS = MappingProxyType(
    {"none": (0.0, 0.0, 0.0, 0.0), "full": (0.30, 0.9, 0.5, 1.0), "stubble": (0.0, 0.35, 0.5, 1.0),
     "moustache": (0.18, 0.9, -2.0, 1.0)}
)  # fmt: skip


def ramp(colours: tuple[tuple[int, int, int], ...], place: float) -> np.ndarray:
    """The colour [3], in linear light, at a place from 0 to 1 along a row of colours given in 0 to 255."""
    table = (np.array(colours) / 255) ** 2.2
    at = np.linspace(0, 1, len(colours))
    return np.array([np.interp(place, at, table[:, k]) for k in range(3)])


def look(sitter: Sitter) -> dict[str, Any]:
    """The uniforms that say how a sitter looks."""
    t = sitter.traits
    skin = ramp(_SKIN, t["skin"]) * np.exp(0.10 * (t["warmth"] - 0.5) * np.array([0.6, 0.0, -1.6]))
    hair = ramp(_HAIR, t["hair_colour"] * (1 - 0.8 * min(1.0, 1.5 * t["skin"])))
    top, side, line, uneven = _STYLES[sitter.hair]
    thick, dense, cheek, lip = _BEARDS[sitter.beard]
    pale, full = np.array(_LIPS)
    lips = pale + t["lips"] * (full - pale)
    return {
        "skin_colour": skin, "lip_colour": skin * lips + [0.035, 0.0, 0.005],
        "hair_colour": ramp(_SHIRT, 1 - t["shirt"]) if sitter.hair == "cap" else hair,
        "brow_colour": np.minimum(0.5 * hair + 0.02 * skin, 0.32 * skin), "shirt_colour": ramp(_SHIRT, t["shirt"]),
        "iris_colour": ramp(_IRIS, t["iris"] * (1 - 0.85 * t["skin"])),
        "complexion": (t["redness"], t["freckles"] ** 2 * (1 - t["skin"]), t["shine"], t["age"]),
        "brow": (0.3 * (t["brow_height"] - 0.5), 0.45 + 0.6 * t["brow_arch"], 0.26 + 0.24 * t["brow_thickness"],
                 0.62 + 0.38 * t["brow_density"]),
        "pupil": (0.13 + 0.10 * t["pupil"], 0.405), "seed": 50 * sitter.seed,
        "hair": (top, side, 9.6 + line + 1.2 * (t["hairline"] - 0.5), uneven),
        "beard": (thick, dense * (0.7 + 0.3 * t["beard_density"]), cheek, lip),
    }  # fmt: skip
