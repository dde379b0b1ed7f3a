"""The value objects that travel from room to room: frames, faces, tracks, clips, readings.

Axes: B clips in a batch, T frames of a clip, S side of a square view in pixels, C classes, U units.
Boxes are `x0, y0, x1, y1` in pixels of the frame as it is shown, rotation applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from mimica.facs import UNITS

if TYPE_CHECKING:
    import torch

Status = Literal["ok", "unsure", "no_face", "low_quality"]
STATUSES: tuple[Status, ...] = ("ok", "unsure", "no_face", "low_quality")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of a video: `image` uint8 [H, W, 3] RGB, its presentation `time` in seconds, its `index`.

    `index` counts the decoded frames of the source from 0, whether or not all of them are kept.
    """

    image: np.ndarray
    time: float
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face found in one frame: `box` [4] in pixels, `score` 0 to 1, `landmarks` [5, 2] or None.

    Landmarks are, as seen in the picture: left eye, right eye, nose tip, left and right mouth corner.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray | None = None

    @property
    def size(self) -> float:
        """The shorter side of the box in pixels."""
        return float(min(self.box[2] - self.box[0], self.box[3] - self.box[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One person over time: `times` [N] seconds, `boxes` [N, 4] pixels, `quality` [N] 0 to 1."""

    person: int
    times: np.ndarray
    boxes: np.ndarray
    quality: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """T frames of one person: `faces` uint8 [T, S, S, 3], `times` [T] seconds, `quality` [T] 0 to 1.

    `scenes` uint8 [T, S, S, 3] is the same frames whole, where a recogniser asks for them; `units` [T, U] how
    strong Action Units look, in the order of `facs.UNITS`, NaN where they were not seen.
    """

    person: int
    start: float
    end: float
    faces: np.ndarray
    times: np.ndarray
    quality: np.ndarray
    scenes: np.ndarray | None = None
    units: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipBatch:
    """What a recogniser reads: `face` [B, T, 3, S, S], `scene` the same or None, `valid` [B, T] bool.

    Views are float and normalised by the encoder's own statistics. Where `valid` is False a clip
    has no frame and whatever stands in `face` is without effect.
    """

    face: torch.Tensor
    valid: torch.Tensor
    scene: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.face.ndim != 5 or self.face.shape[2] != 3 or self.face.shape[3] != self.face.shape[4]:
            raise ValueError(f"face must be [B, T, 3, S, S], got {list(self.face.shape)}")
        if self.valid.shape != self.face.shape[:2]:
            raise ValueError(f"valid must be {list(self.face.shape[:2])}, got {list(self.valid.shape)}")

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same batch on another device."""
        scene = None if self.scene is None else self.scene.to(device)
        return ClipBatch(face=self.face.to(device), valid=self.valid.to(device), scene=scene)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one window of time says of one person.

    `label` is the class shown most, of apparent expression, and None where no face was seen;
    `confidence` its calibrated probability, 0 to 1; `probabilities` maps each class to its own and
    is empty where no face was seen. `start` and `end` are seconds. `views` holds further
    probabilities by name: `raw`, before smoothing, and of a model that reads the scene too what the
    `face` and the `scene` alone say of this window, never smoothed. `units` holds how strong each Action Unit looks on
    average over the window, 0 to 1, by the names of `UNIT_COLUMNS`, where a detector of units was asked and saw it.
    `status` says whether to rely on it.
    """

    source: str
    person: int | None
    start: float
    end: float
    label: str | None
    confidence: float | None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)
    status: Status = "ok"

    @property
    def middle(self) -> float:
        """The time in seconds that the reading is about."""
        return (self.start + self.end) / 2

    @property
    def by_face_alone(self) -> str | None:
        """The class that the face alone shows most, where the scene changes the answer; otherwise None.

        It does where face and scene together show another class most in this window, before smoothing, and the
        label is another. A reading whose status is not `ok` has no answer that could change.
        """
        face = self.views.get("face")
        if not face or self.status != "ok":
            return None
        both = self.views.get("raw", self.probabilities)
        alone, together = (max(of, key=lambda label: of[label]) for of in (face, both))
        return alone if alone not in (together, self.label) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table of readings: its name, its type, and what it says."""

    name: str
    type: Literal["text", "integer", "number"]
    meaning: str
    required: bool = True


READING_COLUMNS: tuple[Column, ...] = (
    Column(name="source", type="text", meaning="the file, folder or camera that was read"),
    Column(
        name="person",
        type="integer",
        meaning="who, numbered from 0 within a source; empty where no face was seen",
        required=False,
    ),
    Column(name="start", type="number", meaning="start of the window in seconds of the source's own clock"),
    Column(name="end", type="number", meaning="end of the window in seconds"),
    Column(
        name="label",
        type="text",
        meaning="class of apparent expression shown most; empty where no face was seen",
        required=False,
    ),
    Column(name="confidence", type="number", meaning="calibrated probability of the label, 0 to 1", required=False),
    Column(
        name="status",
        type="text",
        meaning="ok, unsure (below the threshold), no_face, low_quality (small, blurred or turned)",
    ),
)
"""The fixed columns of a reading; `reading_columns` adds one a class."""


UNIT_COLUMNS: tuple[Column, ...] = tuple(
    Column(
        name=f"AU{number}",
        type="number",
        meaning=f"how strong Action Unit {number} looks ({unit.name}), 0 to 1; empty where it was not seen",
        required=False,
    )
    for number, unit in UNITS.items()
)
"""A column for each Action Unit; in a table of readings it holds the mean over the window."""

SIGHTING_COLUMNS: tuple[Column, ...] = (
    *READING_COLUMNS[:2],
    Column(name="time", type="number", meaning="when, in seconds of the source's own clock"),
    *UNIT_COLUMNS,
)
"""The columns of a table of units over time: one row a face and frame."""


def reading_columns(labels: tuple[str, ...], views: tuple[str, ...] = (), *, units: bool = False) -> tuple[Column, ...]:
    """Every column of a table of readings: the fixed ones, one a class, one a class and view, with `units` one a unit.

    >>> [c.name for c in reading_columns(("happiness", "fear"), ("raw",))][-4:]
    ['happiness', 'fear', 'raw_happiness', 'raw_fear']
    """
    classes = tuple(
        Column(name=label, type="number", meaning=f"calibrated probability of {label}, 0 to 1", required=False)
        for label in labels
    )
    extra = tuple(
        Column(name=f"{view}_{label}", type="number", meaning=_of_view(label, view), required=False)
        for view in views
        for label in labels
    )
    return READING_COLUMNS + classes + extra + (UNIT_COLUMNS if units else ())


def _of_view(label: str, view: str) -> str:
    if view in ("face", "scene"):
        return f"calibrated probability of {label} by the {view} alone, 0 to 1"
    return f"probability of {label} by the view {view}"


def reading_row(reading: Reading) -> dict[str, str | int | float | None]:
    """A reading as one flat row, keyed by the names of `reading_columns`; what is absent is left out."""
    row: dict[str, str | int | float | None] = {c.name: getattr(reading, c.name) for c in READING_COLUMNS}
    row |= reading.probabilities
    for view, probabilities in reading.views.items():
        row |= {f"{view}_{label}": p for label, p in probabilities.items()}
    return row | dict(reading.units)


def reading_record(reading: Reading) -> dict[str, object]:
    """A reading as one nested record for JSON: the fixed columns, `probabilities`, `views` and `units` as objects."""
    record: dict[str, object] = {c.name: getattr(reading, c.name) for c in READING_COLUMNS}
    record["probabilities"] = dict(reading.probabilities)
    if reading.views:
        record["views"] = {view: dict(p) for view, p in reading.views.items()}
    if reading.units:
        record["units"] = dict(reading.units)
    return record
