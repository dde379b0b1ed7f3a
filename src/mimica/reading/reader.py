"""The main job: a video in; frames, tracks and readings out, as they come.

Everything is an iterator and nothing is held longer than a window, so that an hour of video needs
no more memory than a minute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np

from mimica.clips import UNIT_COLUMNS, Clip, Frame, Reading, Status
from mimica.errors import UsageError
from mimica.faces.crop import FER_MARGIN, face_view, scene_view
from mimica.faces.detect import Detector
from mimica.faces.quality import LOW
from mimica.reading.behind import Behind
from mimica.reading.events import Event, Opened, Seen, Settled
from mimica.reading.settings import Settings
from mimica.reading.sightings import Sightings, faces_of
from mimica.reading.windows import View, Window, Windows
from mimica.recognition.frames import KeptFrames
from mimica.recognition.model import NO_SCENE, ReadsScene, Recogniser
from mimica.units.detect import UnitDetector
from mimica.video.read import Video, open_video
from mimica.video.sampling import WindowGrid
from mimica.video.sources import is_camera


class Reader:
    """Reads apparent expressions of every person in a source, with one recogniser and one way of reading.

    A reader may read any number of sources, one after the other; people are numbered anew in each. With `units`, a
    detector of Action Units, it tells how strong those look too, in every frame that is looked at and every reading.
    With `scenes` each source comes with its scene, and pictures of it are one face each.
    """

    def __init__(
        self, recogniser: Recogniser, settings: Settings | None = None, *, detector: Detector | None = None,
        units: UnitDetector | None = None, scenes: bool = False,
    ) -> None:  # fmt: skip
        self.recogniser, self.settings, self.units = recogniser, settings or Settings(), units
        if recogniser.reads_scenes and self.settings.faces == "none" and not scenes:
            raise UsageError(f"{recogniser.name} cannot read with --faces none: {NO_SCENE}")
        self.scenes = scenes
        self.alone = scenes or self.settings.faces == "none"
        self.detector = detector or faces_of(self.settings, alone=self.alone)
        threshold = self.settings.unsure_below
        self.unsure_below = recogniser.unsure_below if threshold is None else threshold
        frames = self.settings.window or recogniser.window or recogniser.frames
        if frames > recogniser.frames:
            raise UsageError(f"{recogniser.name} reads windows of at most {recogniser.frames} frames, got {frames}")
        stride = self.settings.stride or max(1, frames // 2)
        self.grid = WindowGrid(fps=self.settings.fps, frames=frames, stride=stride)

    def read(
        self,
        source: str | Path,
        *,
        every_frame: bool = False,
        stopped: Callable[[], bool] = lambda: False,
        clips: Callable[[Clip, Reading], None] = lambda clip, reading: None,
        scene: Path | None = None,
    ) -> Iterator[Event]:
        """The events of a source, in the order that `mimica.reading.events` states.

        `every_frame` also gives the frames that fps thinning passes over, unread. Once `stopped`
        answers True no further frame is read and what is under way is finished. `clips` is given each
        clip with the reading of it, just before that reading. `scene` holds the frames that faces were cut out of,
        at the same times, for a reader of `scenes`. Raises InputError where the source cannot be read at all.
        """
        if is_camera(source):
            self._warm()
        with ExitStack() as stack:
            video = stack.enter_context(open_video(source, frame_rate=self.settings.frame_rate))
            behind = None
            if scene is not None:
                behind = Behind(stack.enter_context(open_video(scene, frame_rate=self.settings.frame_rate)))
            yield self._opened(str(source), video)
            run = _Run(self, str(source), video, clips, behind)
            yield from run.events(every_frame=every_frame, stopped=stopped)

    def _warm(self) -> None:
        """Have everything loaded before a camera films, which would not wait for it."""
        import scipy.optimize  # noqa: F401 - the tracker asks for it once it follows someone

        T, size = self.grid.frames, self.recogniser.size
        self.detector.detect([np.zeros((240, 320, 3), np.uint8)])
        faces, times = np.zeros((T, size, size, 3), np.uint8), np.arange(T) / self.grid.fps
        clip = Clip(
            person=0, start=0.0, end=self.grid.duration, faces=faces, times=times, quality=np.ones(T), scenes=faces
        )
        KeptFrames(self.recogniser).views([clip])
        if self.units:
            self.units.strengths(np.zeros((1, self.units.size, self.units.size, 3), np.uint8))

    def _opened(self, source: str, video: Video) -> Opened:
        info = video.info
        return Opened(
            source=source,
            kind=info.kind,
            width=info.width,
            height=info.height,
            rate=info.rate,
            duration=info.duration,
            labels=self.recogniser.space.names,
            views=(("raw",) if self.settings.smooth else ()) + self.recogniser.alone,
            model=self.recogniser.card,
            units=self.units.card if self.units else {},
            settings=asdict(self.settings)
            | {"unsure_below": self.unsure_below, "window": self.grid.frames, "stride": self.grid.stride},
        )


class _Run:
    """One source, read once."""

    def __init__(
        self, reader: Reader, source: str, video: Video, clips: Callable[[Clip, Reading], None], behind: Behind | None
    ) -> None:
        self.reader, self.source, self.clips, self.behind = reader, source, clips, behind
        still = video.info.kind == "photo"
        self.sightings = Sightings(video, reader.settings, reader.detector, alone=reader.alone, units=reader.units)
        self.margin = 0.0 if reader.alone else FER_MARGIN
        self.windows = Windows(reader.grid, step=0.0 if still else 1 / reader.settings.fps)
        self.kept = KeptFrames(reader.recogniser)
        self.smoothed: dict[int, tuple[float, np.ndarray]] = {}
        self.duration = video.info.duration or math.inf

    def events(self, *, every_frame: bool, stopped: Callable[[], bool]) -> Iterator[Event]:
        for batch in self.sightings.batches(every_frame, stopped):
            # What is over by the first of these frames need not wait until faces are found in them.
            yield from self._settled(self.windows.close(next((frame.time for frame, looked in batch if looked), 0.0)))
            for seen in self.sightings.seen(batch):
                yield seen
                if seen.read:
                    yield from self._settled(self.windows.add(seen.frame.time, self._views(seen)))
        finished = not stopped()
        yield from self._told(self.windows.finish())
        yield from self.sightings.ending(finished)

    def _views(self, seen: Seen) -> dict[int, View]:
        size, image = self.reader.recogniser.size, seen.frame.image
        return {
            person: View(
                time=seen.frame.time,
                face=face_view(image, face.box, size=size, margin=self.margin),
                quality=seen.quality[person],
                scene=self._scene(seen.frame, face.box),
                units=seen.units.get(person),
            )
            for person, face in seen.faces.items()
        }

    def _scene(self, frame: Frame, box: np.ndarray) -> np.ndarray | None:
        """What is behind a face, for a recogniser that reads that too; a face in a given scene is as it was given."""
        recogniser = self.reader.recogniser
        if not isinstance(recogniser.network, ReadsScene):
            return None
        if self.behind is not None:
            return scene_view(self.behind.at(frame.time), size=recogniser.size)
        return scene_view(frame.image, size=recogniser.size, hidden=box if recogniser.network.hides_face else None)

    def _settled(self, over: list[Window]) -> Iterator[Reading | Settled]:
        """What windows that are over say, and that they are."""
        if over:
            yield from self._told(over)
            self.kept.forget(self.windows.held_since)
            yield Settled(time=self.windows.open_since)

    def _told(self, windows: list[Window]) -> Iterator[Reading]:
        """The readings of windows that are over, all their clips in one batch."""
        clips = list(chain.from_iterable(window.clips for window in windows))
        shares = self.kept.views(clips) if clips else {}
        by_clip = iter([{view: of[i] for view, of in shares.items()} for i in range(len(clips))])
        for window in windows:
            if window.absence is not None:
                start, end = window.absence
                yield Reading(
                    source=self.source, person=None, start=start, end=end, label=None, confidence=None, status="no_face"
                )
            for clip in window.clips:
                reading = self._reading(clip, next(by_clip))
                self.clips(clip, reading)
                yield reading

    def _reading(self, clip: Clip, shares: Mapping[str, np.ndarray]) -> Reading:
        """The reading of a clip of which each view says what `shares` [C] have; smoothing is of `both`."""
        names = self.reader.recogniser.space.names
        share = self._smooth(clip, shares["both"])
        views = {"raw": shares["both"]} if self.reader.settings.smooth else {}
        views |= {view: shares[view] for view in self.reader.recogniser.alone}
        confidence = float(share.max())
        status: Status = "ok"
        if float(np.median(clip.quality)) < LOW:
            status = "low_quality"
        elif confidence < self.reader.unsure_below:
            status = "unsure"
        return Reading(
            source=self.source,
            person=clip.person,
            start=clip.start,
            end=min(clip.end, max(self.duration, float(clip.times[-1]))),
            label=names[int(share.argmax())],
            confidence=confidence,
            probabilities=dict(zip(names, share.tolist(), strict=True)),
            views={view: dict(zip(names, of.tolist(), strict=True)) for view, of in views.items()},
            units={} if clip.units is None else _mean(clip.units),
            status=status,
        )

    def _smooth(self, clip: Clip, raw: np.ndarray) -> np.ndarray:
        """An exponential average over this person's earlier windows, forgetting by true time."""
        if not self.reader.settings.smooth:
            return raw
        share = raw
        if clip.person in self.smoothed:
            then, before = self.smoothed[clip.person]
            new = 1 - math.exp(-max(clip.end - then, 0.0) / self.reader.settings.smooth)
            share = new * raw + (1 - new) * before
        self.smoothed[clip.person] = (clip.end, share)
        return share


def _mean(units: np.ndarray) -> dict[str, float]:
    """The mean strength of each unit over frames [T, U], of those in which it is known, by the name of its column."""
    known = ~np.isnan(units)
    number = known.sum(0)
    total = np.where(known, units, 0.0).sum(0)
    columns = zip(UNIT_COLUMNS, total.tolist(), number.tolist(), strict=True)
    return {column.name: of / frames for column, of, frames in columns if frames}
