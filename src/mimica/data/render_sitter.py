"""Who sits for a rendered clip: shape of the head, skin, hair, eyes, split into those to train on and those to test on.

A sitter's modes of identity and traits come from the ranges of `actor_identity.BANDS`: those of the two parts
alternate with gaps, so that no sitter to test on shares any value with one to train on. Styles are in one part alone,
but for having none. I modes of identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import ndtri

from mimica.data.actor_identity import banded, stream
from mimica.data.actor_settings import Part

TRAITS = (
    "skin", "warmth", "redness", "freckles", "shine", "age", "lips", "iris", "pupil", "hair_colour", "hairline",
    "brow_height", "brow_arch", "brow_thickness", "brow_density", "beard_density", "shirt",
)  # fmt: skip

HAIR = MappingProxyType(
    {"train": ("short", "swept", "shaven", "long", "curls", "high"), "test": ("cropped", "bob", "cap")}
)
BEARD = MappingProxyType({"train": ("none", "full", "stubble"), "test": ("none", "moustache")})
"""The styles of a part. Nothing at all is in both; every other style is in one."""

_BEARDED = 0.25
_MODES_TO = 2.2
"""How far a mode goes, in standard deviations; beyond it heads look wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitter:
    """Someone: strengths of the modes of identity [I] in standard deviations, traits from 0 to 1, styles by name."""

    modes: np.ndarray
    traits: Mapping[str, float]
    hair: str
    beard: str
    seed: float
    """Where spots, veins and strands lie, 0 to 1."""


def sitter(place: int, *, modes: int, part: Part, seed: int) -> Sitter:
    """The sitter of this number; a function of (part, seed, place) alone."""
    random = stream(part, 20, seed, place)
    traits = banded(random.random(len(TRAITS)), part)
    u = random.random(4)
    beards = BEARD[part]
    return Sitter(
        modes=mode_strengths(random.random(modes), part),
        traits=MappingProxyType(dict(zip(TRAITS, traits.tolist(), strict=True))),
        hair=HAIR[part][int(u[0] * len(HAIR[part]))],
        beard=beards[1 + int(u[2] * (len(beards) - 1))] if u[1] < _BEARDED else "none",
        seed=float(u[3]),
    )


def mode_strengths(u: np.ndarray, part: Part) -> np.ndarray:
    """Uniform numbers as strengths of modes: normal, cut off where heads go wrong, in the ranges of a part."""
    return np.asarray(ndtri(banded(u, part).clip(0.0139, 0.9861)).clip(-_MODES_TO, _MODES_TO).astype(np.float32))
