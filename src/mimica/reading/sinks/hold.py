"""Frames held back until all is known that is to be drawn into them, and what is known of the people in them.

Memory: frames beyond `RAW_BYTES` are held as JPEG, and the oldest are given up once all of them
together pass `MOST_BYTES`, however long the readings take.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mimica.clips import Frame, Reading
from mimica.reading.events import Seen
from mimica.reading.sinks.annotate import Shown

RAW_BYTES = 64 * 2**20
"""Up to how many bytes frames are held as they are."""

MOST_BYTES = 512 * 2**20
"""How many bytes of frames are held at most."""

GAP, _GAP_AT_MOST = 0.6, 3.0
"""Seconds between two sightings of a person across which the box is interpolated."""


@dataclass(frozen=True, slots=True)
class _Kept:
    time: float
    index: int
    image: np.ndarray | bytes

    @property
    def bytes(self) -> int:
        return self.image.nbytes if isinstance(self.image, np.ndarray) else len(self.image)


class HeldFrames:
    """Frames in the order in which they came, raw or compressed."""

    def __init__(self, *, raw_bytes: int = RAW_BYTES, most_bytes: int = MOST_BYTES) -> None:
        self.raw_bytes = raw_bytes
        self.most_bytes = most_bytes
        self.bytes = 0
        self._frames: deque[_Kept] = deque()

    def append(self, frame: Frame) -> None:
        """Hold a frame."""
        raw = self.bytes + frame.image.nbytes <= self.raw_bytes
        kept = _Kept(frame.time, frame.index, frame.image if raw else _jpeg(frame.image))
        self._frames.append(kept)
        self.bytes += kept.bytes

    def release(self, due: Callable[[float], bool]) -> Iterator[Frame]:
        """Give up the frames from the oldest on whose time is due, and those for which there is no room."""
        while self._frames and (self.bytes > self.most_bytes or due(self._frames[0].time)):
            kept = self._frames.popleft()
            self.bytes -= kept.bytes
            image = kept.image if isinstance(kept.image, np.ndarray) else _picture(kept.image)
            yield Frame(image=image, time=kept.time, index=kept.index)


class Whereabouts:
    """Where each person was seen of late and what was read of them; answers for any time still held."""

    def __init__(self) -> None:
        self._seen: dict[int, list[tuple[float, np.ndarray]]] = {}
        self._readings: dict[int, list[Reading]] = {}
        self._last_read: float | None = None
        self.gap = GAP

    def see(self, event: Seen) -> None:
        """Take the faces of a frame. Where frames are read seldom, the gap that is bridged grows to match."""
        if not event.read:
            return
        if self._last_read is not None:
            self.gap = max(self.gap, min(1.5 * (event.frame.time - self._last_read), _GAP_AT_MOST))
        self._last_read = event.frame.time
        for person, face in event.faces.items():
            self._seen.setdefault(person, []).append((event.frame.time, np.asarray(face.box, dtype=float)))

    def read(self, reading: Reading) -> None:
        """Take a reading."""
        if reading.person is not None:
            self._readings.setdefault(reading.person, []).append(reading)

    def at(self, time: float, *, hold: bool = False) -> list[Shown]:
        """The people at a time in seconds; with `hold`, also just before the first and after the last sighting.

        In frames after the last that was read, everyone stays where they were: nobody looked again.
        """
        people = []
        for person, seen in sorted(self._seen.items()):
            unread = self._last_read is not None and time > self._last_read and seen[-1][0] == self._last_read
            box = _box(seen, time, self.gap, hold or unread)
            if box is not None:
                people.append(_shown(person, box, _nearest(self._readings.get(person, []), time)))
        return people

    def forget(self, time: float) -> None:
        """Drop what can matter only to frames before a time in seconds."""
        for person in list(self._seen):
            seen = self._seen[person]
            del seen[: max(0, bisect_left(seen, time - self.gap, key=lambda s: s[0]) - 1)]
            if seen and seen[-1][0] < time - 2 * self.gap:
                del self._seen[person]
        for person in list(self._readings):
            self._readings[person] = [r for r in self._readings[person] if r.end >= time]
            if not self._readings[person]:
                del self._readings[person]


def _box(seen: list[tuple[float, np.ndarray]], time: float, gap: float, hold: bool) -> np.ndarray | None:
    after = bisect_left(seen, time, key=lambda s: s[0])
    later = seen[after] if after < len(seen) else None
    if later is not None and later[0] == time:
        return later[1]
    earlier = seen[after - 1] if after else None
    if earlier is not None and later is not None and later[0] - earlier[0] < gap:
        share = (time - earlier[0]) / (later[0] - earlier[0])
        return np.asarray(earlier[1] + share * (later[1] - earlier[1]))
    near = [s for s in (earlier, later) if s is not None and abs(s[0] - time) < gap]
    return min(near, key=lambda s: abs(s[0] - time))[1] if hold and near else None


def _nearest(readings: list[Reading], time: float) -> Reading | None:
    covering = [r for r in readings if r.start - 1e-3 <= time <= r.end + 1e-3]
    return min(covering, key=lambda r: abs(r.middle - time), default=None)


def _shown(person: int, box: np.ndarray, reading: Reading | None) -> Shown:
    if reading is None:
        return Shown(person=person, box=box)
    return Shown(
        person=person, box=box, label=reading.label, confidence=reading.confidence,
        probabilities=reading.probabilities, status=reading.status, by_face_alone=reading.by_face_alone,
        units=reading.units,
    )  # fmt: skip


def _jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()


def _picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))
