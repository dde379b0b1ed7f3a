"""What holds of the tracker whatever is seen: frames at uneven times, with any faces in any of four pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mimica.clips import Face, Frame
from mimica.faces.track import Tracker

H, W = 64, 120
Sighting = tuple[tuple[int, int, int], float]
Scene = list[tuple[float, int, list[Sighting]]]

ROOMS = [np.kron(np.random.default_rng(i).integers(0, 255, (8, 15, 3)), np.ones((8, 8, 1))).astype(np.uint8)
         for i in range(4)]  # fmt: skip
some = settings(max_examples=50)

sightings = st.tuples(
    # Few places, so that faces often share an edge, or lie as near to one person as to another.
    st.tuples(st.sampled_from(range(-10, W - 10, 20)), st.sampled_from([-10, 10, 30]), st.sampled_from([10, 30])),
    st.sampled_from([0.5, 0.91, 0.99]),
)
steps = st.sampled_from([0.0, 0.03125, 0.125, 0.125, 0.5, 4.0])
rooms = st.sampled_from([0, 0, 0, 1, 2, 3])


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """People who mostly stay near where they were, so that there is someone to follow, and strangers."""
    known = draw(st.lists(sightings, max_size=4, unique=True))
    scene = []
    for step, room in draw(st.lists(st.tuples(steps, rooms), min_size=1, max_size=12)):
        moves = [draw(st.sampled_from([-2, 0, 2, None])) for _ in known]
        near = [((x + move, y, side), score) for ((x, y, side), score), move in zip(known, moves, strict=True)
                if move is not None]  # fmt: skip
        scene.append((step, room, near + draw(st.lists(sightings, max_size=2))))
    return scene


def face(sighting: Sighting) -> Face:
    (x, y, side), score = sighting
    return Face(box=np.array([x, y, x + side, y + side], float), score=score)


def watched(scene: Scene, tracker: Tracker, *, start: float = 0.0) -> list[tuple[Frame, list[Face], dict[int, Face]]]:
    """Each frame of a scene, the faces in it, and what the tracker made of them."""
    told, time = [], start
    for index, (step, room, found) in enumerate(scene):
        time += step
        frame, faces = Frame(image=ROOMS[room], time=time, index=index), [face(sighting) for sighting in found]
        told.append((frame, faces, tracker.update(frame, faces)))
    return told


def people(scene: Scene, **how: float) -> list[dict[int, tuple[float, ...]]]:
    """Who is where in each frame of a scene."""
    told = watched(scene, Tracker(), **how)
    return [{number: (*one.box.tolist(), one.score) for number, one in got.items()} for _, _, got in told]


@some
@given(scenes())
def test_every_number_is_one_face_of_its_frame_and_no_face_has_two(scene: Scene) -> None:
    for _, faces, got in watched(scene, Tracker()):
        assert len({id(one) for one in got.values()}) == len(got)
        assert {id(one) for one in got.values()} <= {id(one) for one in faces}


@some
@given(scenes())
def test_numbers_are_given_in_order_of_appearance_and_none_is_left_out(scene: Scene) -> None:
    known = 0
    for _, _, got in watched(scene, Tracker()):
        assert sorted(got) == list(got)
        new = [number for number in got if number >= known]
        assert new == list(range(known, known + len(new)))
        known += len(new)


@some
@given(scenes(), st.randoms(use_true_random=False))
def test_who_is_who_does_not_depend_on_the_order_of_the_faces(scene: Scene, random: object) -> None:
    shuffled = [(step, room, random.sample(found, len(found))) for step, room, found in scene]  # type: ignore[attr-defined]
    assert people(shuffled) == people(scene)


@some
@given(scenes(), st.integers(0, 2**20))
def test_who_is_who_does_not_depend_on_when_the_clock_began(scene: Scene, start: int) -> None:
    assert people(scene, start=start) == people(scene)


@some
@given(scenes())
def test_tracks_are_what_was_told_and_nothing_else(scene: Scene) -> None:
    tracker = Tracker()
    told = watched(scene, tracker)
    tracks = tracker.tracks()
    assert [track.person for track in tracks] == list(range(len(tracks)))
    rows = [(n, frame.time, *one.box) for frame, _, got in told for n, one in got.items()]
    assert sorted(rows) == sorted(
        (track.person, time, *box) for track in tracks for time, box in zip(track.times, track.boxes, strict=True)
    )
    for track in tracks:
        assert len(track.times) > 0
        assert all(a <= b for a, b in pairwise(track.times))


@some
@given(scenes(), st.integers(2, 4))
def test_nobody_is_told_of_before_being_seen_often_enough(scene: Scene, hits: int) -> None:
    tracker, seen = Tracker(min_hits=hits, trust_score=1.1), 0
    for _, faces, got in watched(scene, tracker):
        seen += bool(faces)
        assert not got or seen >= hits
