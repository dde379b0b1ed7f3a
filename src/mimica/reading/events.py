"""What a Reader tells as it goes, in the order in which it happens; a sink takes what it needs.

For one source: `Opened`, then any number of `Seen`, `Reading` and `Settled`, then one `Track` a
person, then `Closed`. Readings come a little after the frames that they are about: a window is
read once it is full, and windows are read in batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mimica.clips import Face, Frame, Reading, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source begins. Everything that a sink must know before the first frame.

    `source` is what the user named; `width`, `height` in pixels as shown; `rate` nominal frames a
    second and `duration` seconds, each None where the container does not say. `labels` is the order
    of the classes, `views` the names of further probabilities that readings carry, `model` the card's
    facts, `settings` how the source is read (fps, window, stride, ...). `units` is the card of the detector of
    Action Units, empty where none is asked.
    """

    source: str
    kind: str
    width: int
    height: int
    rate: float | None
    duration: float | None
    labels: tuple[str, ...]
    views: tuple[str, ...] = ()
    model: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    units: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A frame was decoded. `faces` maps each person to the face seen, and is empty where none was;
    `quality` to how well that face can be read, 0 to 1; `units` to how strong its Action Units look [U], in the
    order of `facs.UNITS`, NaN where they are not seen, where a detector of units is asked.

    `read` is False for frames that fps thinning leaves out: no face was looked for in them. They
    are given only when some sink asks for every frame.
    """

    frame: Frame
    faces: Mapping[int, Face] = field(default_factory=dict)
    quality: Mapping[int, float] = field(default_factory=dict)
    units: Mapping[int, np.ndarray] = field(default_factory=dict)
    read: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Every reading whose window begins before `time` (seconds) has been given."""

    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A source is at its end. `frames` decoded, `read` looked at, `last_time` of the last frame in seconds.

    `notes` are sentences on what was left out and why; `warnings` those of them that speak of something wrong
    with the source. `finished` is False if reading was stopped or failed.
    """

    frames: int
    read: int
    last_time: float
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    finished: bool = True


Event = Opened | Seen | Reading | Settled | Track | Closed
