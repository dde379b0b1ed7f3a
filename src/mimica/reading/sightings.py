"""Who is seen in which frame of a source, and when: what every way of reading begins with.

N faces in a few frames, S side of a face view, U units.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mimica.clips import Face, Frame, Track
from mimica.faces.crop import face_view
from mimica.faces.detect import Detector, load_detector
from mimica.faces.track import Tracker, identified
from mimica.reading.events import Closed, Event, Seen, Settled
from mimica.reading.settings import Settings
from mimica.units.detect import UnitDetector
from mimica.video.read import Video
from mimica.video.sampling import Thinner

_GROUP = 4
"""Frames in which faces are looked for at once. A camera's come one by one."""


class Sightings:
    """The frames of one source, each with the people in it, and the units of their faces where a detector is asked.

    Where `alone`, every picture is one person's face already, and no tracker is needed.
    """

    def __init__(
        self, video: Video, settings: Settings, detector: Detector, *, alone: bool, units: UnitDetector | None = None
    ) -> None:
        self.video, self.settings, self.detector, self.units, self.alone = video, settings, detector, units, alone
        self.tracker = _Alone() if self.alone else Tracker(min_hits=1 if video.info.kind == "photo" else 2)
        self.frames = self.looked = 0
        self.last = 0.0

    def batches(self, every_frame: bool, stopped: Callable[[], bool]) -> Iterator[list[tuple[Frame, bool]]]:
        """Every frame with whether it is looked at; those that are not only where they are asked for."""
        thin = Thinner(self.settings.fps)
        kept: deque[int] = deque()

        def wanted(time: float, index: int) -> bool:
            self.frames, self.last = index + 1, time
            if thin(time, index):
                kept.append(index)
                return True
            return every_frame

        group = 1 if self.video.info.kind == "camera" else _GROUP
        return _grouped(self.video.frames(wanted, stopped=stopped), kept, group)

    def seen(self, batch: Sequence[tuple[Frame, bool]]) -> Iterator[Seen]:
        """These frames with the people in those that are looked at."""
        read = [frame.image for frame, looked in batch if looked]
        found = iter(self.detector.detect(read) if read else [])
        told = (self._who(frame, next(found)) if looked else Seen(frame=frame, read=False) for frame, looked in batch)
        return told if self.units is None else iter(self._with_units(list(told), self.units))

    def ending(self, finished: bool) -> Iterator[Event]:
        """What is told once there are no more frames: that all is settled, everyone's way, how it went."""
        yield Settled(time=math.inf)
        yield from self.tracker.tracks()
        yield Closed(
            frames=self.frames, read=self.looked, last_time=self.last, notes=tuple(self._notes(finished)),
            warnings=tuple(self.video.notes), finished=finished,
        )  # fmt: skip

    def _who(self, frame: Frame, faces: list[Face]) -> Seen:
        self.looked += 1
        people, quality = identified(self.tracker, frame, faces)
        return Seen(frame=frame, faces=people, quality=quality)

    def _with_units(self, told: list[Seen], units: UnitDetector) -> list[Seen]:
        """The same with how strong units look, of all their faces in one go."""
        margin = 0.0 if self.alone else units.margin
        faces = [
            face_view(seen.frame.image, face.box, size=units.size, margin=margin)
            for seen in told
            for face in seen.faces.values()
        ]
        strengths = iter(units.strengths(np.stack(faces)) if faces else ())
        return [replace(seen, units={person: next(strengths) for person in seen.faces}) for seen in told]

    def _notes(self, finished: bool) -> list[str]:
        notes = list(self.video.notes)
        if self.looked < self.frames:
            notes.append(
                f"{self.looked} of {self.frames} frames were looked at, at most {self.settings.fps:g} a second"
            )
        if not finished:
            notes.append(f"reading was stopped at {self.last:.1f} s")
        return notes


def faces_of(settings: Settings, *, alone: bool) -> Detector:
    """The detector of faces that settings ask for; none where every picture is a face already."""
    return load_detector("none" if alone else "mtcnn", min_face=settings.min_face, device=settings.device)


class _Alone:
    """Stands in for the tracker where every picture is one person's face already."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, np.ndarray, float]] = []

    def update(self, frame: Frame, faces: list[Face], quality: list[float]) -> dict[int, Face]:
        self.rows.append((frame.time, faces[0].box, quality[0]))
        return {0: faces[0]}

    def tracks(self) -> list[Track]:
        if not self.rows:
            return []
        times, boxes, quality = (np.array(column) for column in zip(*self.rows, strict=True))
        return [Track(person=0, times=times, boxes=boxes, quality=quality)]


def _grouped(frames: Iterator[Frame], kept: deque[int], size: int) -> Iterator[list[tuple[Frame, bool]]]:
    """Consecutive frames, as many as hold `size` that are to be looked at, each with whether it is.

    `kept` holds the indices of those, in order; frames that were lost on the way may be among them.
    """
    group: list[tuple[Frame, bool]] = []
    number = 0
    for frame in frames:
        while kept and kept[0] < frame.index:
            kept.popleft()
        looked = bool(kept) and kept[0] == frame.index
        group.append((frame, looked))
        number += looked
        if number == size:
            yield group
            group, number = [], 0
    if group:
        yield group
