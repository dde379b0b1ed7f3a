"""Small pictures of faces at the moments that show a class most clearly, gathered as a source goes by.

Memory: per person one small JPEG a label, and those of the frames that readings are still to come for.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mimica.clips import STATUSES, Reading
from mimica.reading.events import Seen
from mimica.reading.sinks.annotate import obscure
from mimica.reading.sinks.spans import says

SIDE = 112
"""Pixels a side."""

_AROUND = 0.25
_WAITING = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A face at `time` seconds, as JPEG; `says` is the label, or the status where that is not ok."""

    time: float
    says: str
    confidence: float
    jpeg: bytes


class Thumbnails:
    """Keeps, for each person and label, the face in the middle of the most confident window."""

    def __init__(self, *, blur_faces: bool = False) -> None:
        self.blur_faces = blur_faces
        self._crops: dict[int, deque[tuple[float, bytes]]] = {}
        self._best: dict[int, dict[str, Thumbnail]] = {}

    def see(self, event: Seen) -> None:
        """Cut out the faces of a frame."""
        for person, face in event.faces.items():
            crops = self._crops.setdefault(person, deque(maxlen=_WAITING))
            crops.append((event.frame.time, self._cut(event.frame.image, face.box)))

    def read(self, reading: Reading) -> None:
        """Keep the face nearest to a reading's middle if no reading of the same label was more confident."""
        if reading.person is None or reading.confidence is None:
            return
        best = self._best.setdefault(reading.person, {})
        said = says(reading)
        if said in best and best[said].confidence >= reading.confidence:
            return
        within = [c for c in self._crops.get(reading.person, ()) if reading.start - 0.1 <= c[0] <= reading.end + 0.1]
        if within:
            time, jpeg = min(within, key=lambda crop: abs(crop[0] - reading.middle))
            best[said] = Thumbnail(time=time, says=said, confidence=float(reading.confidence), jpeg=jpeg)

    def settle(self, time: float) -> None:
        """Let go of the faces before a time in seconds; no window begins there any more."""
        for crops in self._crops.values():
            while len(crops) > 1 and crops[1][0] <= time:
                crops.popleft()

    def of(self, person: int, most: int = 7) -> list[Thumbnail]:
        """The faces of a person in order of time, the most confident ones; an unsure one only if there is no other."""
        best = sorted(self._best.get(person, {}).values(), key=lambda thumb: -thumb.confidence)
        sure = [thumb for thumb in best if thumb.says not in STATUSES]
        return sorted((sure or best[:1])[:most], key=lambda thumb: thumb.time)

    def _cut(self, image: np.ndarray, box: Sequence[float] | np.ndarray) -> bytes:
        height, width = image.shape[:2]
        x0, y0, x1, y1 = (float(v) for v in box)
        side = max(1, min(round(max(x1 - x0, y1 - y0) * (1 + 2 * _AROUND)), height, width))
        left = min(max(round((x0 + x1 - side) / 2), 0), width - side)
        top = min(max(round((y0 + y1 - side) / 2), 0), height - side)
        crop = Image.fromarray(np.ascontiguousarray(image[top : top + side, left : left + side]))
        if self.blur_faces:
            obscure(crop, (0, 0, side, side))
        small = crop.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        out = io.BytesIO()
        small.save(out, "JPEG", quality=85)
        return out.getvalue()
