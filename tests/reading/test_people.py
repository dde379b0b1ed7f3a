"""Who is who from the video to the readings: people who leave and return, who cross, and a crowd.

A person is a picture of coarse patches of their own; the detector is told where each face is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from drawn import folder
from mimica.clips import Face, Reading, Track
from mimica.reading.events import Closed, Event, Seen
from mimica.reading.reader import Reader
from mimica.reading.settings import Settings
from mimica.recognition.model import Recogniser
from mimica.recognition.registry import load

H, W, SIDE, RATE = 200, 400, 36, 10
QUICK = Settings(fps=RATE, window=8, stride=4, unsure_below=0.0, frame_rate=RATE)

Places = Mapping[int, tuple[float, float]]


@pytest.fixture(scope="module")
def recogniser(tiny_model: Path) -> Recogniser:
    return load(str(tiny_model))


@dataclass
class Told:
    """A detector that is told where the faces of each frame are, in the order of the frames."""

    frames: Sequence[Places]
    hidden: Mapping[int, set[int]] = field(default_factory=dict)
    seen: int = 0

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        found = []
        for _ in images:
            here = self.frames[self.seen]
            gone = self.hidden.get(self.seen, set())
            boxes = [np.array([x, y, x + SIDE, y + SIDE]) for who, (x, y) in here.items() if who not in gone]
            found.append([Face(box=box, score=0.99) for box in boxes])
            self.seen += 1
        return found


def patches(person: int) -> np.ndarray:
    random = np.random.default_rng(person)
    body = np.kron(random.integers(0, 255, (7, 6, 3)), np.ones((10, 10, 1)))
    return body.astype(np.uint8)


def scene(places: Places) -> np.ndarray:
    """People before a grey wall, head and shoulders each, the first nearest to the viewer."""
    image = np.full((H + 80, W + 80, 3), 120, np.uint8)
    for person, (x, y) in reversed(places.items()):
        left, top = round(x) - 12 + 40, round(y) - 10 + 40
        image[top : top + 70, left : left + 60] = patches(person)
    return image[40:-40, 40:-40]


def read(recogniser: Recogniser, path: Path, frames: Sequence[Places], **hidden: Mapping[int, set[int]]) -> list[Event]:
    source = folder(path, [scene(places) for places in frames])
    return list(Reader(recogniser, QUICK, detector=Told(frames, **hidden)).read(source))


def who(events: list[Event], frames: Sequence[Places]) -> dict[int, set[int]]:
    """Which numbers each person was given."""
    given: dict[int, set[int]] = defaultdict(set)
    for seen in (event for event in events if isinstance(event, Seen)):
        for number, face in seen.faces.items():
            (person,) = (p for p, at in frames[seen.frame.index].items() if np.allclose(face.box[:2], at))
            given[person].add(number)
    return given


def spans(events: list[Event], person: int | None) -> list[tuple[float, float]]:
    return [(r.start, r.end) for r in events if isinstance(r, Reading) and r.person == person]


def test_a_face_that_leaves_and_returns_is_the_same_person_and_the_time_between_has_no_face(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    here: Places = {1: (100, 60)}
    frames = [here] * 20 + [{}] * 30 + [{1: (250, 70)}] * 20
    events = read(recogniser, tmp_path / "returns", frames)
    assert who(events, frames) == {1: {0}}
    assert {r.person for r in events if isinstance(r, Reading)} == {0, None}
    assert all(end <= 2.0 + 1e-6 or start >= 5.0 for start, end in spans(events, 0))
    assert all(start >= 2.0 and end <= 5.0 + 1e-6 for start, end in spans(events, None))
    assert max(end for _, end in spans(events, None)) > 4.5
    (track,) = (event for event in events if isinstance(event, Track))
    assert len(track.times) >= 38


@pytest.mark.parametrize("speed", [6.0, 12.0])
def test_two_people_who_cross_keep_their_numbers_and_their_readings(
    recogniser: Recogniser, tmp_path: Path, speed: float
) -> None:
    number = round(300 / speed)
    frames: list[Places] = [{1: (20 + speed * i, 60), 2: (330 - speed * i, 66)} for i in range(number)]
    hidden = {i: {2} for i, at in enumerate(frames) if abs(at[1][0] - at[2][0]) < 0.8 * SIDE}
    assert hidden, "the nearer one hides the other for a while"
    events = read(recogniser, tmp_path / "cross", frames, hidden=hidden)
    assert who(events, frames) == {1: {0}, 2: {1}}
    alone = read(recogniser, tmp_path / "alone", [{1: at[1]} for at in frames])
    first, expected = ([r for r in told if isinstance(r, Reading) and r.person == 0] for told in (events, alone))
    assert [(r.start, r.end) for r in first] == [(r.start, r.end) for r in expected]
    # Before they meet the nearer one is read as if the other were not there.
    for one, other in zip(first[:2], expected[:2], strict=True):
        assert one.label == other.label
        assert list(one.probabilities.values()) == pytest.approx(list(other.probabilities.values()), abs=1e-5)


def test_ten_faces_are_ten_people_each_with_readings_of_their_own(recogniser: Recogniser, tmp_path: Path) -> None:
    crowd = {n: (14 + 78.0 * (n % 5), 20 + 100.0 * (n // 5)) for n in range(10)}
    frames = [{n: (x + i % 2, y) for n, (x, y) in crowd.items()} for i in range(20)]
    events = read(recogniser, tmp_path / "crowd", frames)
    given = who(events, frames)
    assert sorted(given) == list(range(10))
    assert sorted(number for numbers in given.values() for number in numbers) == list(range(10))
    told: dict[int | None, list[Reading]] = defaultdict(list)
    for event in events:
        if isinstance(event, Reading):
            told[event.person].append(event)
    assert set(told) == set(range(10))
    assert len({tuple((r.start, r.end) for r in rows) for rows in told.values()}) == 1, "all on one grid of windows"
    shares = np.array([list(rows[0].probabilities.values()) for rows in told.values()])
    assert len(np.unique(shares.round(4), axis=0)) == 10, "nobody has another's reading"
    assert isinstance(events[-1], Closed)
    assert len([event for event in events if isinstance(event, Track)]) == 10
