"""Follow faces from frame to frame: who is who, by where they were going and what they look like.

Every frame, known people and the faces found are paired at the least total cost (Hungarian
method). The cost weighs motion, overlap, size and look; all speeds are by true time, so frames
may come at any rate and at uneven times.

Axes: M people known, N faces found.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mimica.clips import Face, Frame, Track
from mimica.errors import UsageError
from mimica.faces.appearance import Look, likeness, look, overview, surroundings
from mimica.faces.boxes import overlap
from mimica.faces.quality import judge

# What it costs to leave someone unfound. Were it far more, two poor pairings would win over one that is plainly right.
_MISS = 1.5
_DAMPING = 0.6
_CUT = 0.6


@dataclass(slots=True, kw_only=True)
class _Person:
    """Someone who is followed; `number` is None until they are confirmed."""

    box: np.ndarray
    time: float
    look: Look
    number: int | None = None
    hits: int = 1
    lost: bool = False
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    times: array[float] = field(default_factory=lambda: array("d"))
    boxes: array[float] = field(default_factory=lambda: array("d"))
    quality: array[float] = field(default_factory=lambda: array("d"))

    def expected(self, time: float) -> np.ndarray:
        """Where the box should be: it goes on as it went, ever more slowly, as heads do."""
        travelled = _DAMPING * (1 - math.exp(-(time - self.time) / _DAMPING))
        return self.box + np.tile(self.velocity * travelled, 2)

    def see(self, box: np.ndarray, time: float, seen: Look, weight: float) -> None:
        """Take in a new sighting; `weight` is how far the look moves towards what was seen."""
        passed = max(time - self.time, 1e-3)
        velocity = (_centre(box) - _centre(self.box)) / passed
        # The box trembles by a few hundredths of its size: over a short time that would be a great speed.
        trust = passed / (passed + 0.15)
        self.velocity = (1 - trust) * self.velocity + trust * velocity
        self.box, self.time, self.lost = box, time, False
        self.look = self.look.blend(seen, weight)
        self.hits += 1

    def resume(self, newcomer: _Person) -> _Person:
        """Go on from where a newcomer is, who turned out to be this person."""
        self.box, self.time, self.velocity, self.lost = newcomer.box, newcomer.time, newcomer.velocity, False
        self.look = self.look.blend(newcomer.look, 0.5)
        return self

    def record(self, quality: float) -> None:
        """Keep the present box as part of the track."""
        self.times.append(self.time)
        self.boxes.extend(float(edge) for edge in self.box)
        self.quality.append(quality)


class Tracker:
    """Gives every person of a source one number, from 0 in order of appearance, and keeps it.

    Someone unseen for up to `max_gap` seconds is expected where they were going. After that, or
    after a cut to another shot, only a look that is clearly the same gives the number back: a new
    number for someone known is a smaller error than a known number for someone new.

    A face begins a person only with a score of `start_score` or more, and only once it was seen in
    `min_hits` frames, since what a detector mistakes for a face is seldom mistaken twice; until
    then it is not returned, and it is not returned afterwards either. In the first frame of a
    source a score of `trust_score` is enough: most sources begin with the person they are about.
    For photos, where there is no second frame, ask for `min_hits=1`.

    Memory grows by six numbers a person and frame, and by a look a person.
    """

    def __init__(
        self, *, max_gap: float = 1.0, min_hits: int = 2, start_score: float = 0.9, trust_score: float = 0.95
    ) -> None:
        if max_gap < 0 or min_hits < 1:
            raise UsageError(f"a tracker needs max_gap >= 0 and min_hits >= 1, got {max_gap} and {min_hits}")
        self._max_gap, self._min_hits = max_gap, min_hits
        self._start_score, self._trust_score = start_score, trust_score
        self._people: list[_Person] = []
        self._maybe: list[_Person] = []
        self._shot: Look | None = None
        self._time = -math.inf

    def update(self, frame: Frame, faces: Sequence[Face], quality: Sequence[float] | None = None) -> dict[int, Face]:
        """The persons seen in this frame and the face of each; faces not yet confirmed are left out.

        Frames come in order of time; the order of the faces is without effect. `quality` holds 0 to 1 for each
        face, and 1 is kept where it is left out.
        """
        if quality is not None and len(quality) != len(faces):
            raise ValueError(f"quality must be given for each of {len(faces)} faces, got {len(quality)}")
        if frame.time < self._time:
            raise ValueError(f"frames must come in order of time, got {frame.time} s after {self._time} s")
        order = sorted(range(len(faces)), key=lambda i: (*faces[i].box.tolist(), faces[i].score))
        faces = [faces[i] for i in order]  # from left to right, as people are numbered
        quality = [1.0 if quality is None else float(quality[i]) for i in order]
        first, self._time = self._shot is None, frame.time
        self._forget(frame)
        looks = [look(frame.image, face.box) for face in faces]
        weights = _weights(faces)
        seen: dict[int, _Person] = {}
        for person, i in self._pairs(frame.time, faces, looks):
            person.see(faces[i].box, frame.time, looks[i], weights[i])
            seen[i] = person
        for i in sorted(set(range(len(faces))) - seen.keys()):
            if faces[i].score >= self._start_score:
                seen[i] = self._begin(frame.time, faces[i], looks[i], first)
        return self._report(seen, faces, quality)

    def tracks(self) -> list[Track]:
        """Every person so far, by number, with all that `update` returned of them."""
        return [
            Track(
                person=number,
                times=np.array(person.times),
                boxes=np.array(person.boxes).reshape(-1, 4),
                quality=np.array(person.quality),
            )
            for number, person in enumerate(self._people)
        ]

    def _forget(self, frame: Frame) -> None:
        """Whoever was not seen for too long, or was in another shot, is no longer expected anywhere."""
        shot = overview(frame.image)
        cut = self._shot is not None and likeness(self._shot, shot) < _CUT
        self._shot = shot
        for person in self._people:
            person.lost |= cut or frame.time - person.time > self._max_gap
        self._maybe = [p for p in self._maybe if not cut and frame.time - p.time <= self._max_gap / 2]

    def _pairs(self, time: float, faces: Sequence[Face], looks: Sequence[Look]) -> Iterator[tuple[_Person, int]]:
        """Who is expected and was found, with the index of their face."""
        from scipy.optimize import linear_sum_assignment

        expected = [p for p in self._people if not p.lost] + self._maybe
        if not expected or not faces:
            return
        cost = _costs(expected, time, np.stack([face.box for face in faces]), looks)
        for m, i in zip(*linear_sum_assignment(cost), strict=True):
            if cost[m, i] < _MISS:
                yield expected[m], int(i)

    def _begin(self, time: float, face: Face, seen: Look, first: bool) -> _Person:
        """Someone new, or someone lost who is plainly recognised."""
        person = _Person(box=face.box, time=time, look=seen)
        if known := self._recognised(person):
            return known.resume(person)
        if first and face.score >= self._trust_score:
            person.hits = self._min_hits
        self._maybe.append(person)
        return person

    def _recognised(self, newcomer: _Person) -> _Person | None:
        """The one lost person whom a newcomer plainly looks like, if no other lost person comes near."""
        lost = [(n, person) for n, person in enumerate(self._people) if person.lost]
        alike = sorted(((likeness(person.look, newcomer.look), n) for n, person in lost), reverse=True)
        if not alike:
            return None
        best, n = alike[0]
        second = alike[1][0] if len(alike) > 1 else 0.0
        person = self._people[n]
        same_place = float(overlap(person.box[None], newcomer.box[None])[0, 0]) > 0.3
        needed = 0.85 if same_place else 0.92
        return person if best >= needed and best - second >= 0.05 else None

    def _confirm(self, person: _Person) -> _Person:
        """A number for whoever was seen often enough: the old one if they are recognised by now, or the next."""
        self._maybe = [p for p in self._maybe if p is not person]
        if known := self._recognised(person):
            return known.resume(person)
        person.number = len(self._people)
        self._people.append(person)
        return person

    def _awaited(self, newcomer: _Person) -> bool:
        """Whether someone known is expected near and was not found: half hidden, they look like someone new."""
        missed = [p.expected(newcomer.time) for p in self._people if not p.lost and p.time < newcomer.time]
        if not missed:
            return False
        away = np.linalg.norm(_centre(np.stack(missed)) - _centre(newcomer.box), axis=-1)
        return bool((away < _side(newcomer.box)).any())

    def _report(self, seen: dict[int, _Person], faces: Sequence[Face], quality: Sequence[float]) -> dict[int, Face]:
        """Number whoever is confirmed by now, keep what was seen of them, and return it."""
        found: dict[int, Face] = {}
        for i, person in sorted(seen.items()):
            if person.number is None and person.hits >= self._min_hits and not self._awaited(person):
                person = self._confirm(person)
            if person.number is not None:
                person.record(quality[i])
                found[person.number] = faces[i]
        return dict(sorted(found.items()))


class Follower(Protocol):
    """Anything that says who is who among the faces of a frame, as `Tracker` does."""

    def update(self, frame: Frame, faces: list[Face], quality: list[float]) -> dict[int, Face]:
        """The persons seen in this frame and the face of each."""
        ...


def identified(follower: Follower, frame: Frame, faces: list[Face]) -> tuple[dict[int, Face], dict[int, float]]:
    """Who is seen in a frame: the face of each person, and how well it can be read, 0 to 1."""
    scores = [judge(frame.image, face).score for face in faces]
    people = follower.update(frame, faces, scores)
    quality = {
        person: score
        for person, known in people.items()
        for face, score in zip(faces, scores, strict=True)
        if face is known
    }
    return people, quality


def _costs(people: Sequence[_Person], time: float, boxes: np.ndarray, looks: Sequence[Look]) -> np.ndarray:
    """What each pairing costs [M, N]; `_MISS` where it would take a jump, a swelling or another look."""
    expected = np.stack([person.expected(time) for person in people])
    gap = np.array([time - person.time for person in people])[:, None]
    size = np.maximum(_side(expected)[:, None], _side(boxes)[None])
    away = np.linalg.norm(_centre(expected)[:, None] - _centre(boxes)[None], axis=-1) / size
    away /= 0.6 + 2 * np.minimum(gap, 0.5)
    growth = np.abs(np.log(_side(boxes)[None] / _side(expected)[:, None])) / (0.4 + 0.6 * np.minimum(gap, 0.5))
    shared = overlap(expected, boxes)
    unlike = 1 - np.array([[likeness(person.look, seen) for seen in looks] for person in people])
    # A face that stays in its place may change its look (a hand, a shadow); one that moved may not.
    allowed = 0.25 + 0.35 * shared * np.exp(-gap)
    cost = 0.5 * away + 0.3 * (1 - shared) + 0.2 * growth + 2 * unlike
    return np.asarray(np.where((away > 1) | (growth > 1) | (unlike > allowed), _MISS, cost))


def _weights(faces: Sequence[Face]) -> list[float]:
    """How far each person's look may follow this sighting: not at all where someone else comes into its picture."""
    if not faces:
        return []
    pictured = np.stack([surroundings(face.box) for face in faces])
    others = overlap(pictured, pictured, "min") * (1 - np.eye(len(faces)))
    return [0.0 if share > 0.02 else 0.2 for share in others.max(axis=1)]


def _centre(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2)


def _side(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.maximum(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1), 1.0)))
