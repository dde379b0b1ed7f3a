"""The source again as an MP4 video, with boxes, labels and probabilities drawn into every frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mimica.clips import Reading
from mimica.reading.events import Closed, Seen, Settled
from mimica.reading.sinks.annotate import Annotator
from mimica.reading.sinks.base import FileSink, Wants
from mimica.reading.sinks.hold import HeldFrames, Whereabouts

if TYPE_CHECKING:
    from mimica.video.write import VideoWriter

_RATE = 30.0


class Mp4Sink(FileSink):
    """Every frame at its own time, with the label of the window whose middle is nearest.

    A frame is held back until its readings have come and the next sighting of each face is known;
    `hold` says how much memory that takes at most. With `blur_faces` every face found is made
    unrecognisable, also between sightings and shortly before the first and after the last; a face
    that was never found cannot be blurred. The sound of the source comes along where it is a file,
    but not with `blur_faces`: a voice tells who someone is. A source without frames leaves no file.
    """

    wants: ClassVar[Wants] = "every"

    _writer: VideoWriter | None = None

    def _begin(self) -> None:
        self._annotator = Annotator(self.opened.labels, blur_faces=self.options.blur_faces)
        self._held = HeldFrames()
        self._where = Whereabouts()
        self._settled = self._newest = -math.inf
        self._frames = 0
        self._writer = self._open()

    def _seen(self, event: Seen) -> None:
        self._newest = event.frame.time
        self._frames += 1
        self._where.see(event)
        self._held.append(event.frame)
        self._write()

    def _reading(self, event: Reading) -> None:
        self._where.read(event)

    def _settled_to(self, event: Settled) -> None:
        self._settled = max(self._settled, event.time)
        self._write()

    def _ended(self, event: Closed) -> None:
        self._flush()

    def _finish(self) -> None:
        if not self._frames:
            self._abandon()
        elif self._writer is not None:
            self._flush()
            writer, self._writer = self._writer, None
            writer.close()

    def _keep(self) -> None:
        """The writer has moved its own part file; the one that held the place goes."""
        self.part.unlink(missing_ok=True)

    def _abandon(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.__exit__(InterruptedError, InterruptedError(), None)

    def _open(self) -> VideoWriter:
        from mimica.video.write import VideoWriter

        assert self.path is not None
        about = self.opened
        sound = about.source if Path(about.source).is_file() and not self.options.blur_faces else None
        return VideoWriter(
            self.path, width=about.width, height=about.height, rate=about.rate or _RATE, copy_audio_from=sound
        )

    def _flush(self) -> None:
        self._settled = self._newest = math.inf
        self._write()

    def _write(self) -> None:
        assert self._writer is not None
        time = None
        for frame in self._held.release(self._due):
            time = frame.time
            people = self._where.at(time, hold=self.options.blur_faces)
            self._writer.write(self._annotator.annotate(frame.image, people), time)
        if time is not None:
            self._where.forget(time)

    def _due(self, time: float) -> bool:
        return time < self._settled and self._newest >= time + self._where.gap
