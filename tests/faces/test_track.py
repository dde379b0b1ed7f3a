import pickle

import numpy as np
import pytest

from mimica.clips import Face, Frame
from mimica.errors import UsageError
from mimica.faces.track import Tracker

H, W, SIDE = 240, 420, 40


def texture(seed: int, rows: int, columns: int) -> np.ndarray:
    """Coarse random colours: one seed, one look."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 255, (rows // 10 + 1, columns // 10 + 1, 3))
    return np.kron(cells, np.ones((10, 10, 1), int))[:rows, :columns].astype(np.uint8)


def face(x: float, y: float = 80, *, score: float = 0.99, side: float = SIDE) -> Face:
    return Face(box=np.array([x, y, x + side, y + side]), score=score)


def picture(people: dict[int, Face], room: int = 100) -> np.ndarray:
    """People by the seed of their look, the first nearest to the viewer, each drawn around their face."""
    image = texture(room, H, W) // 4 + 90
    for seed, shown in reversed(people.items()):
        x, y = (round(edge) for edge in shown.box[:2])
        body = texture(seed, 90, 70)
        left, right = max(x - 15, 0), min(x + 55, W)
        if left < right:
            image[y - 10 : y + 80, left:right] = body[:, left - (x - 15) : right - (x - 15)]
    return image


def frame(time: float, people: dict[int, Face], room: int = 100) -> Frame:
    return Frame(image=picture(people, room), time=time, index=round(time * 1000))


def watch(tracker: Tracker, time: float, people: dict[int, Face], room: int = 100) -> dict[int, int]:
    """Show people to a tracker; who has which number afterwards."""
    numbers = tracker.update(frame(time, people, room), list(people.values()))
    return {seed: number for seed, shown in people.items() for number, got in numbers.items() if got is shown}


def stay(tracker: Tracker, people: dict[int, Face], start: float, end: float, room: int = 100) -> dict[int, int]:
    numbers: dict[int, int] = {}
    for time in np.arange(start, end, 0.125):
        numbers = watch(tracker, float(time), people, room)
    return numbers


@pytest.mark.parametrize("rate", [5, 8, 30])
@pytest.mark.parametrize("uneven", [False, True])
def test_two_people_who_cross_keep_their_numbers(rate, uneven):
    tracker, rng, got = Tracker(), np.random.default_rng(1), set()
    for k in range(3 * rate):
        time = (k + (rng.uniform(-0.4, 0.4) if uneven and k else 0)) / rate
        people = {1: face(30 + 100 * time), 2: face(350 - 100 * time, 90)}
        image = picture(people)
        hidden = abs(people[1].box[0] - people[2].box[0]) < 35
        shown = {1: people[1]} if hidden else people
        numbers = tracker.update(Frame(image=image, time=time, index=k), list(shown.values()))
        got |= {(seed, n) for seed, one in shown.items() for n, found in numbers.items() if found is one}
    assert got == {(1, 0), (2, 1)}


@pytest.mark.parametrize("rate", [5, 8, 30])
def test_two_people_of_the_same_look_who_cross_are_told_apart_by_where_they_go(rate):
    tracker, got = Tracker(), set()
    for k in range(3 * rate):
        left, right = face(30 + 100 * k / rate), face(350 - 100 * k / rate)
        image = picture({1: left})
        x = max(round(right.box[0]) - 15, 0)
        image[70:160, x : x + 70] = texture(1, 90, 70)
        shown = [left] if abs(left.box[0] - right.box[0]) < 60 else [left, right]
        if len(shown) == 1:
            shown = [] if abs(left.box[0] - right.box[0]) < 40 else shown
        numbers = tracker.update(Frame(image=image, time=k / rate, index=k), shown)
        got |= {(one is left, n) for one in shown for n, found in numbers.items() if found is one}
    assert got == {(True, 0), (False, 1)}


def test_someone_who_stood_behind_another_is_recognised_by_their_own_look():
    tracker = Tracker(max_gap=1.0)
    stay(tracker, {1: face(100)}, 0, 1)
    for time in np.arange(1, 3, 0.125):
        tracker.update(frame(time, {2: face(115, 125), 1: face(100)}), [face(115, 125), face(100)])
    stay(tracker, {}, 3, 6)
    assert stay(tracker, {1: face(100)}, 6, 7) == {1: 0}


@pytest.mark.parametrize("gap", [0.3, 0.9])
def test_someone_unseen_for_less_than_the_gap_keeps_their_number(gap):
    tracker = Tracker(max_gap=1.0)
    stay(tracker, {1: face(100)}, 0, 1)
    watch(tracker, 1.0, {})
    assert watch(tracker, 0.875 + gap, {1: face(104)}) == {1: 0}


def test_someone_who_comes_back_later_and_looks_the_same_keeps_their_number():
    tracker = Tracker(max_gap=1.0)
    stay(tracker, {1: face(100)}, 0, 1)
    stay(tracker, {}, 1, 6)
    assert stay(tracker, {1: face(110)}, 6, 7) == {1: 0}


def test_someone_else_who_comes_later_gets_a_new_number():
    tracker = Tracker(max_gap=1.0)
    stay(tracker, {1: face(100)}, 0, 1)
    stay(tracker, {}, 1, 6)
    assert stay(tracker, {2: face(100)}, 6, 7) == {2: 1}


def test_of_two_lost_people_who_look_the_same_neither_is_recognised():
    tracker = Tracker(max_gap=1.0)
    stay(tracker, {1: face(100)}, 0, 1)
    twin = tracker.update(frame(1.0, {1: face(250)}), [face(250)])
    assert twin == {}
    for time in (1.125, 1.25):
        both = [face(100), face(250)]
        image = np.maximum(picture({1: both[0]}), 0)
        image[70:160, 235:305] = texture(1, 90, 70)
        tracker.update(Frame(image=image, time=time, index=0), both)
    stay(tracker, {}, 1.375, 6)
    assert stay(tracker, {1: face(180)}, 6, 7) == {1: 2}


def test_after_a_cut_someone_else_in_the_same_place_is_a_new_person_and_the_cut_back_finds_the_first():
    tracker = Tracker()
    assert stay(tracker, {1: face(100)}, 0, 1, room=100) == {1: 0}
    assert stay(tracker, {2: face(100)}, 1, 2, room=200) == {2: 1}
    assert stay(tracker, {1: face(100)}, 2, 3, room=100) == {1: 0}


def test_what_is_seen_only_once_is_no_person():
    tracker = Tracker()
    watch(tracker, 0.0, {})
    assert watch(tracker, 0.1, {1: face(50)}) == {}
    assert watch(tracker, 0.2, {2: face(300)}) == {}
    assert tracker.tracks() == []


def test_a_person_is_returned_once_seen_often_enough():
    tracker = Tracker(min_hits=3)
    watch(tracker, 0.0, {})
    assert [watch(tracker, t, {1: face(50)}) for t in (0.1, 0.2, 0.3)] == [{}, {}, {1: 0}]


def test_for_photos_one_sighting_is_enough():
    assert watch(Tracker(min_hits=1, start_score=0.7), 0.0, {1: face(50, score=0.8)}) == {1: 0}


@pytest.mark.parametrize(("score", "numbers"), [(0.97, {1: 0}), (0.92, {})])
def test_in_the_first_frame_a_sure_face_is_trusted_at_once(score, numbers):
    assert watch(Tracker(), 0.0, {1: face(50, score=score)}) == numbers


def test_a_weak_score_carries_a_person_on_but_begins_none():
    tracker = Tracker()
    stay(tracker, {1: face(50)}, 0, 1)
    assert stay(tracker, {1: face(50, score=0.75), 2: face(250, score=0.75)}, 1, 2) == {1: 0}


def test_people_of_one_frame_are_numbered_from_left_to_right():
    assert watch(Tracker(), 0.0, {3: face(300), 1: face(20), 2: face(160)}) == {1: 0, 2: 1, 3: 2}


def test_how_far_someone_can_have_moved_depends_on_time_not_on_frames():
    near, far = Tracker(), Tracker()
    for tracker in (near, far):
        stay(tracker, {1: face(100)}, 0, 1)
    assert watch(near, 0.875 + 0.6, {1: face(145)}) == {1: 0}
    assert watch(far, 0.875 + 0.03, {1: face(145)}) == {}


def test_one_pairing_that_is_plainly_right_wins_over_two_that_are_barely_possible():
    tracker = Tracker()
    stripes = np.repeat(texture(1, H, 10)[:, :1], W, axis=1)  # everyone looks the same
    for time, left_edges in ((0.0, (67, 100)), (0.125, (67, 100)), (0.25, (100, 133))):
        got = tracker.update(Frame(image=stripes, time=time, index=0), [face(x) for x in left_edges])
    assert {number: found.box[0] for number, found in got.items()} == {1: 100}


def test_someone_half_hidden_does_not_become_someone_new():
    tracker = Tracker()
    stay(tracker, {1: face(100), 2: face(250)}, 0, 1)
    for time in (1.0, 1.125, 1.25, 1.375):
        seen = [face(100), face(265)]
        image = picture({1: seen[0], 3: seen[1]})
        assert set(tracker.update(Frame(image=image, time=time, index=0), seen)) == {0}
    assert watch(tracker, 1.5, {1: face(100), 2: face(252)}) == {1: 0, 2: 1}


def test_tracks_hold_what_was_returned():
    tracker, kept = Tracker(), []
    for k in range(10):
        people = {1: face(30 + 5 * k), 2: face(300 - 5 * k, score=0.99 if k > 4 else 0.5)}
        got = tracker.update(frame(k / 8, people), list(people.values()), [0.1 * k, 0.5])
        kept += [(n, k / 8, *one.box) for n, one in sorted(got.items())]
    tracks = tracker.tracks()
    assert [track.person for track in tracks] == [0, 1]
    assert sorted(kept) == [
        (track.person, time, *box) for track in tracks for time, box in zip(track.times, track.boxes, strict=True)
    ]
    assert tracks[0].quality == pytest.approx(np.arange(10) / 10)
    assert set(tracks[1].quality) == {0.5}


def test_without_quality_one_is_kept():
    tracker = Tracker()
    watch(tracker, 0.0, {1: face(50)})
    assert tracker.tracks()[0].quality.tolist() == [1.0]


def test_memory_does_not_grow_while_no_person_is_confirmed():
    tracker, sizes = Tracker(), []
    for k in range(300):
        watch(tracker, k / 8, {k: face(10 + 37 * k % 350, score=0.92)} if k else {})
        sizes.append(len(pickle.dumps(tracker)))
    assert max(sizes[200:]) <= max(sizes[50:100])


def test_frames_must_come_in_order_of_time():
    tracker = Tracker()
    watch(tracker, 1.0, {})
    with pytest.raises(ValueError, match=r"in order of time, got 0\.5 s after 1\.0 s"):
        watch(tracker, 0.5, {})


def test_quality_must_be_given_for_every_face():
    with pytest.raises(ValueError, match="each of 1 faces, got 2"):
        Tracker().update(frame(0, {}), [face(10)], [1, 1])


@pytest.mark.parametrize("wrong", [{"max_gap": -1}, {"min_hits": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="max_gap >= 0 and min_hits >= 1"):
        Tracker(**wrong)
