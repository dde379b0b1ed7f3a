"""The value objects that travel from room to room: frames, faces, tracks, clips, readings.

Axes: B clips in a batch, T frames of a clip, S side of a square view in pixels, C classes.
Boxes are `x0, y0, x1, y1` in pixels of the frame as it is shown, rotation applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

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

    `scenes` uint8 [T, S, S, 3] is the same frames whole, where a recogniser asks for them.
    """

    person: int
    start: float
    end: float
    faces: np.ndarray
    times: np.ndarray
    quality: np.ndarray
    scenes: np.ndarray | None = None


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
    `face` and the `scene` alone say of this window, never smoothed. `status` says whether to rely on it.
    """

    source: str
    person: int | None
    start: float
    end: float
    label: str | None
    confidence: float | None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
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


def reading_columns(labels: tuple[str, ...], views: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """Every column of a table of readings: the fixed ones, one a class, one a class and view.

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
    return READING_COLUMNS + classes + extra


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
    return row


def reading_record(reading: Reading) -> dict[str, object]:
    """A reading as one nested record for JSON: the fixed columns, `probabilities` and `views` as objects."""
    record: dict[str, object] = {c.name: getattr(reading, c.name) for c in READING_COLUMNS}
    record["probabilities"] = dict(reading.probabilities)
    if reading.views:
        record["views"] = {view: dict(p) for view, p in reading.views.items()}
    return record
