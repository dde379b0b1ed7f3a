"""Who is seen in a source, who of them is kept for a training set, and their pictures cut out of it.

A source is read twice: once to follow faces, once to cut them, since only a whole track tells who is the largest
and where a steady square lies. Nothing is held but numbers. N frames of a person.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mimica.clips import Frame, Track
from mimica.data.faces_settings import FacesSettings
from mimica.errors import InputError
from mimica.faces.align import upright_view, uprights
from mimica.faces.boxes import area
from mimica.faces.crop import face_view, scene_view
from mimica.faces.detect import Detector
from mimica.faces.track import Tracker, identified
from mimica.video.read import Video, open_video
from mimica.video.sampling import Thinner

NONE, OTHERS, SHORT, SMALL, LOW_QUALITY = "none found", "not the largest", "too short", "too small", "low quality"
"""Why there is no clip of a source, or of someone in it."""

FACES, SCENE = "faces", "scene"

_GROUP = 4
"""Frames in which faces are looked for at once."""

_WRITTEN: dict[str, dict[str, Any]] = {"jpg": {"quality": 95}, "png": {"compress_level": 3}}

Progress = Callable[[float, float | None], None]
"""Told the seconds that are done, and the seconds in all where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who was followed: the track, `indices` [N] of its frames, `landmarks` [N, 5, 2] or None."""

    track: Track
    indices: np.ndarray
    landmarks: np.ndarray | None

    @property
    def size(self) -> float:
        """The median side of the face in pixels."""
        return float(np.median((self.track.boxes[:, 2:] - self.track.boxes[:, :2]).min(axis=1)))

    @property
    def quality(self) -> float:
        """The median quality, 0 to 1."""
        return float(np.median(self.track.quality))


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Who was found in a source: frames `looked` at, their `fps` (None of a photo), the people, what went wrong."""

    looked: int
    fps: float | None
    still: bool
    people: tuple[Person, ...]
    notes: tuple[str, ...]


def follow(
    source: str,
    detector: Callable[[Video], Detector],
    settings: FacesSettings,
    *,
    progress: Progress = lambda at, of: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Followed:
    """Find and follow every face of a source. Raises InputError where it cannot be read at all."""
    times = array("d")
    indices: defaultdict[int, array[int]] = defaultdict(lambda: array("q"))
    landmarks: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))
    with open_video(source) as video:
        still = video.info.kind == "photo"
        tracker = Tracker(min_hits=1 if still else 2)
        finder = detector(video)
        for group in _grouped(video.frames(Thinner(settings.fps), stopped=stopped)):
            for frame, faces in zip(group, finder.detect([frame.image for frame in group]), strict=True):
                for number, face in identified(tracker, frame, faces)[0].items():
                    indices[number].append(frame.index)
                    landmarks[number].extend([] if face.landmarks is None else face.landmarks.ravel().tolist())
                times.append(frame.time)
                progress(frame.time, video.info.duration)
        notes = tuple(video.notes)
    people = [
        Person(track=track, indices=np.array(indices[track.person]), landmarks=_points(landmarks[track.person], track))
        for track in tracker.tracks()
    ]
    fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else None
    return Followed(looked=len(times), fps=fps, still=still, people=tuple(people), notes=notes)


def _points(flat: array[float], track: Track) -> np.ndarray | None:
    """The landmarks of every frame, None unless all have them."""
    return np.array(flat).reshape(-1, 5, 2) if len(flat) == 10 * len(track.times) else None


def _grouped(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while group := list(islice(frames, _GROUP)):
        yield group


def chosen(followed: Followed, settings: FacesSettings) -> tuple[list[Person], Counter[str], str]:
    """Who is kept, why how many others are not, and, where nobody is, why: of whoever takes most of the pictures.

    The largest is looked for among all, good or bad: were it only among the good, a passer-by could stand for the one
    whom a video is about.
    """
    ranked = sorted(followed.people, key=lambda person: -float(area(person.track.boxes).sum()))
    alone = settings.keep == "largest"
    reasons = [
        OTHERS if place and alone else _reason(person, followed.still, settings) for place, person in enumerate(ranked)
    ]
    kept = [person for person, reason in zip(ranked, reasons, strict=True) if not reason]
    kept.sort(key=lambda person: person.track.person)
    return kept, Counter(filter(None, reasons)), "" if kept else next(iter(reasons), NONE)


def _reason(person: Person, still: bool, settings: FacesSettings) -> str:
    """Why someone is left out; empty if not."""
    if len(person.indices) < settings.min_frames and not still:
        return SHORT
    if person.size < (settings.min_face or 0):
        return SMALL
    return LOW_QUALITY if person.quality < settings.min_quality else ""


def cut_out(
    source: str,
    people: Sequence[Person],
    folders: Sequence[Path],
    settings: FacesSettings,
    *,
    progress: Progress = lambda at, of: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Write each person's faces, and the scene of each, into a folder of their own: `faces/` and `scene/`.

    Raises InputError if the frames in which people were followed are not all there a second time.
    """
    views = [_views(person, settings) for person in people]
    wanted: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for who, person in enumerate(people):
        for place, index in enumerate(person.indices.tolist()):
            wanted[index].append((who, place))
        for kind in (FACES, SCENE):
            (folders[who] / kind).mkdir(parents=True)
    seen = 0
    with open_video(source) as video:
        for frame in video.frames(lambda time, index: index in wanted, stopped=stopped):
            scene = None if settings.scene_mask_face else scene_view(frame.image, size=settings.size)
            for who, place in wanted[frame.index]:
                _save(folders[who] / FACES, place, views[who](frame.image, place), settings)
                own = people[who].track.boxes[place]
                behind = scene_view(frame.image, size=settings.size, hidden=own) if scene is None else scene
                _save(folders[who] / SCENE, place, behind, settings)
            seen += 1
            progress(frame.time, video.info.duration)
    if seen < len(wanted) and not stopped():
        raise InputError(f"{source} changed while it was read; run the command again")


def _views(person: Person, settings: FacesSettings) -> Callable[[np.ndarray, int], np.ndarray]:
    """What cuts a person's face out of the picture of the frame at a place in the track."""
    track, size, margin = person.track, settings.size, settings.margin
    if not settings.align:
        return lambda image, place: face_view(image, track.boxes[place], size=size, margin=margin)
    squares = uprights(track.times, track.boxes, person.landmarks, margin=margin)
    return lambda image, place: upright_view(image, squares[place], size=size)


def _save(folder: Path, place: int, view: np.ndarray, settings: FacesSettings) -> None:
    Image.fromarray(view).save(folder / f"{place:05d}.{settings.format}", **_WRITTEN[settings.format])
