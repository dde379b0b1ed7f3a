"""Who the synthetic actor is: traits and styles, and which of them are for training and which for testing.

B actors. A trait is a place from 0 to 1 between two extremes; `actor_face` turns it into lengths and colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor_settings import Part
from mimica.data.augment import generator
from mimica.errors import unknown

PARTS: tuple[Part, ...] = ("train", "test")

BANDS = MappingProxyType(
    {
        "train": ((0.00, 0.18), (0.26, 0.48), (0.56, 0.78), (0.86, 1.00)),
        "test": ((0.19, 0.25), (0.49, 0.55), (0.79, 0.85)),
    }
)
"""The ranges of every trait, of a part. They alternate, so that a test actor lies between train actors in
every trait and is like none of them in any; a gap keeps the ranges apart. The same holds for places and
palettes of scenes. This is the one place where the split is stated; it is never changed by a seed."""

TRAITS = (
    "face_width", "face_length", "jaw", "eye_distance", "eye_size", "nose_width", "nose_length", "mouth_width",
    "lip_fullness", "brow_thickness", "brow_height", "skin", "warmth", "iris", "hair_colour", "lip_colour", "shirt",
)  # fmt: skip

HAIR = MappingProxyType(
    {"train": ("short", "bob", "long", "bald", "fringe", "curls"), "test": ("cropped", "bun", "waves")}
)
BEARD = MappingProxyType({"train": ("none", "full", "stubble"), "test": ("none", "goatee")})
GLASSES = MappingProxyType({"train": ("none", "round"), "test": ("none", "square")})
"""The styles of a part. Nothing at all is in both; every other style is in one."""

HAIR_STYLES, BEARD_STYLES, GLASSES_STYLES = (
    tuple(dict.fromkeys(table["train"] + table["test"])) for table in (HAIR, BEARD, GLASSES)
)
_RARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """B synthetic actors: traits [B] from 0 to 1, and styles [B] as places in the lists of styles."""

    face_width: Tensor
    face_length: Tensor
    jaw: Tensor
    eye_distance: Tensor
    eye_size: Tensor
    nose_width: Tensor
    nose_length: Tensor
    mouth_width: Tensor
    lip_fullness: Tensor
    brow_thickness: Tensor
    brow_height: Tensor
    skin: Tensor
    warmth: Tensor
    iris: Tensor
    hair_colour: Tensor
    lip_colour: Tensor
    shirt: Tensor
    hair: Tensor
    beard: Tensor
    glasses: Tensor

    def __len__(self) -> int:
        return len(self.skin)

    def take(self, places: Tensor) -> Identity:
        """The actors at these places, in this order; one may be taken many times."""
        return Identity(**{name: getattr(self, name)[places] for name in (*TRAITS, "hair", "beard", "glasses")})


def banded(u: np.ndarray, part: str) -> np.ndarray:
    """Uniform numbers 0 to 1 moved into the ranges of a part, each range as likely as it is long."""
    bands = np.array(BANDS[part])
    length = bands[:, 1] - bands[:, 0]
    ends = np.cumsum(length)
    at = u * ends[-1]
    which = np.minimum(np.searchsorted(ends, at, side="right"), len(bands) - 1)
    return np.asarray(bands[which, 0] + (at - (ends - length)[which]) * 0.999)


def stream(part: str, what: int, seed: int, place: int) -> np.random.Generator:
    """Random numbers that are a function of (part, what they are for, seed, place)."""
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    return generator(seed, 1000 * (1 + PARTS.index(part)) + what, place)


def identities(number: int, *, part: Part, seed: int) -> Identity:
    """Synthetic actors 0 to `number`; one does not change when more are asked for."""
    return identities_at(range(number), part=part, seed=seed)


def identities_at(places: Sequence[int] | np.ndarray, *, part: Part, seed: int) -> Identity:
    """The synthetic actors of these numbers."""
    known = {int(place): _person(part, seed, int(place)) for place in sorted(set(map(int, places)))}
    traits = np.stack([known[int(place)][0] for place in places]).astype(np.float32)
    styles = np.stack([known[int(place)][1] for place in places])
    values = dict(zip(TRAITS, torch.from_numpy(traits).unbind(1), strict=True))
    hair, beard, glasses = torch.from_numpy(styles).unbind(1)
    return Identity(**values, hair=hair, beard=beard, glasses=glasses)


def _person(part: Part, seed: int, place: int) -> tuple[np.ndarray, np.ndarray]:
    random = stream(part, 0, seed, place)
    traits, u = banded(random.random(len(TRAITS)), part), random.random(5)
    hair = HAIR[part][int(u[0] * len(HAIR[part]))]
    beard = BEARD[part][1 + int(u[2] * (len(BEARD[part]) - 1))] if u[1] < _RARE else "none"
    glasses = GLASSES[part][1 + int(u[4] * (len(GLASSES[part]) - 1))] if u[3] < _RARE else "none"
    places = (HAIR_STYLES.index(hair), BEARD_STYLES.index(beard), GLASSES_STYLES.index(glasses))
    return traits, np.array(places)
