"""From faces as they are seen to clips by windows of time, holding no more than a window.

All people share one grid of windows, so that their clips are read in one batch. T frames a window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from mimica.clips import Clip
from mimica.video.sampling import WindowGrid

_SAME = 1e-6
"""Seconds by which a time counts as on a boundary, as in WindowGrid."""


@dataclass(slots=True, kw_only=True)
class View:
    """One person's face in one frame, cropped, and the scene, where one is read: uint8 [S, S, 3].

    `units` [U] is how strong Action Units look in it, where that is asked; `told` once some clip has it.
    """

    time: float
    face: np.ndarray
    quality: float
    scene: np.ndarray | None = None
    units: np.ndarray | None = None
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that is over: the clips of all who were seen in it, or the `absence` of anyone, start to end."""

    start: float
    clips: tuple[Clip, ...]
    absence: tuple[float, float] | None = None


@dataclass(slots=True)
class Windows:
    """Collects views by person and gives each window once it is over.

    Every view in a window comes in at least one clip, unless frames came faster than they should: of
    more than T, T are taken, evenly spread. A person who shows in less than a quarter of a window has
    no clip there if the window before or after has those views; `step` is how long one frame lasts.
    """

    grid: WindowGrid
    step: float
    _next: int = 0
    _frames: deque[tuple[float, bool]] = field(default_factory=deque)
    _views: dict[int, deque[View]] = field(default_factory=dict)
    _told: float = -np.inf

    def add(self, time: float, people: Mapping[int, View]) -> list[Window]:
        """Take what was seen at `time` seconds; give the windows that ended at or before it."""
        over = self.close(time)
        if not self._frames:
            # After a gap in time there is nothing to tell of the windows that lie in it.
            self._next = max(self._next, self.grid.covering(time).start)
        if time < self.open_since - _SAME:
            return over  # between windows that do not touch
        self._frames.append((time, bool(people)))
        for person, view in people.items():
            self._views.setdefault(person, deque()).append(view)
        return over

    def close(self, until: float) -> list[Window]:
        """Give the windows that ended at or before a time, in seconds, from which on frames are still to come."""
        over = []
        while self._frames and until >= self.grid.end(self._next) - _SAME:
            last = until == np.inf and self._frames[-1][0] < self.grid.end(self._next) - _SAME
            window = self._window(self._next, last=last)
            if window is not None:
                over.append(window)
            self._next += 1
            self._forget(self.held_since)
            if last:
                self._frames.clear()
        return over

    def finish(self) -> list[Window]:
        """Give the windows that the end of the source leaves unfinished."""
        return self.close(np.inf)

    @property
    def open_since(self) -> float:
        """Where the next window to be given begins, in seconds."""
        return self.grid.start(self._next)

    @property
    def held_since(self) -> float:
        """From which time on, in seconds, a view may come in a clip that is still to be given."""
        return self.open_since - _SAME

    def _window(self, k: int, *, last: bool) -> Window | None:
        start, end = self.grid.start(k), self.grid.end(k)
        lost = np.inf if last else self.grid.start(k + 1) - _SAME
        clips = []
        for person, views in self._views.items():
            inside = [v for v in views if v.time < end - _SAME]
            fresh = [v for v in inside if not v.told]
            if fresh and (4 * len(inside) >= self.grid.frames or fresh[0].time < lost):
                clips.append(self._clip(person, inside, end))
        frames = [(time, seen) for time, seen in self._frames if time < end - _SAME]
        if clips:
            self._told = frames[-1][0]
            return Window(start=start, clips=tuple(clips))
        empty = self._absent(frames, lost)
        if not empty:
            return None
        self._told = empty[-1]
        return Window(start=start, clips=(), absence=(max(start, empty[0]), min(end, empty[-1] + self.step)))

    def _absent(self, frames: list[tuple[float, bool]], lost: float) -> list[float]:
        """The times to tell an absence of, in a window without clips; `lost` is where the next window begins."""
        empty = [time for time, seen in frames if not seen]
        if len(empty) < len(frames):
            # Whoever is seen is told of in the window before or the next: what neither of those has is left to tell.
            untold = (frame for frame in frames if frame[0] > self._told)
            empty = [time for time, seen in takewhile(lambda frame: not frame[1], untold)]
            return empty if empty and empty[0] < lost else []
        return empty if empty and empty[-1] > self._told else []

    def _clip(self, person: int, inside: list[View], end: float) -> Clip:
        T = self.grid.frames
        if len(inside) > T:
            inside = [inside[i] for i in np.linspace(0, len(inside) - 1, T).round().astype(int)]
        for view in inside:
            view.told = True
        scenes = [v.scene for v in inside if v.scene is not None]
        units = [v.units for v in inside if v.units is not None]
        return Clip(
            person=person,
            start=inside[0].time,
            end=min(end, inside[-1].time + self.step),
            faces=np.stack([v.face for v in inside]),
            times=np.array([v.time for v in inside]),
            quality=np.array([v.quality for v in inside]),
            scenes=np.stack(scenes) if len(scenes) == len(inside) else None,
            units=np.stack(units) if len(units) == len(inside) else None,
        )

    def _forget(self, before: float) -> None:
        while self._frames and self._frames[0][0] < before:
            self._frames.popleft()
        for person in list(self._views):
            views = self._views[person]
            while views and views[0].time < before:
                views.popleft()
            if not views:
                del self._views[person]
