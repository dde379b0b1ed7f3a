from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn import SIDE, Squares, alone, film, folder, photo, picture, walk
from mimica.clips import Face, Track
from mimica.data.faces_people import Followed, Person, chosen, cut_out, follow
from mimica.data.faces_settings import FacesSettings
from mimica.errors import InputError
from mimica.faces.align import upright_view, uprights
from mimica.faces.crop import FER_MARGIN, face_view, scene_view

EXACT = FacesSettings(size=32, format="png", align=False)


class Leaning(Squares):
    """Sees what is drawn, and eyes whose line leans by a tenth."""

    def detect(self, images):
        return [[self._lean(face) for face in faces] for faces in super().detect(images)]

    def _lean(self, face: Face) -> Face:
        marks = np.array([[0.3, 0.4], [0.7, 0.44], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]])
        return Face(box=face.box, score=face.score, landmarks=face.box[:2] + SIDE * marks)


def found(source: Path, settings: FacesSettings = EXACT, detector: Squares | None = None) -> Followed:
    return follow(str(source), lambda video: detector or Squares(), settings)


def person(number: int, *, side: float = 50, frames: int = 10, quality: float = 1.0) -> Person:
    boxes = np.tile([0.0, 0.0, side, side + 10], (frames, 1))
    track = Track(person=number, times=np.arange(frames) / 10, boxes=boxes, quality=np.full(frames, quality))
    return Person(track=track, indices=np.arange(frames), landmarks=None)


def all_of(*people: Person, still: bool = False) -> Followed:
    return Followed(looked=10, fps=10.0, still=still, people=people, notes=())


def read(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


# Who is there


def test_the_face_is_black_in_its_scene_where_that_is_asked(tmp_path: Path) -> None:
    source = folder(tmp_path / "frames", images := walk([{"a": (10, 20), "b": (90, 20)}] * 8))
    settings = FacesSettings(size=32, format="png", align=False, scene_mask_face=True, keep="all")
    people = found(source, settings).people
    outs = [tmp_path / str(one.track.person) for one in people]
    cut_out(str(source), people, outs, settings)
    for one, out in zip(people, outs, strict=True):
        boxes = one.track.boxes
        hidden = [scene_view(image, size=32, hidden=box) for image, box in zip(images, boxes, strict=True)]
        assert np.array_equal(read(out / "scene"), hidden)
        assert not np.array_equal(hidden[0], scene_view(images[0], size=32))


def test_everyone_is_followed_with_the_frames_they_are_seen_in(tmp_path: Path) -> None:
    images = walk([{"a": (10, 20)}] * 3 + [{"a": (10, 20), "b": (90, 20)}] * 4 + [{"b": (90, 20)}] * 2)
    seen = found(folder(tmp_path / "frames", images))
    assert seen.looked == 9
    assert [p.indices.tolist() for p in seen.people] == [[0, 1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8]]
    assert all(np.allclose(p.track.times, p.indices / 25) for p in seen.people)
    assert [p.size for p in seen.people] == [SIDE, SIDE]


def test_frames_a_second_are_at_most_those_asked_for_and_otherwise_the_sources_own(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", alone(30), rate=10)
    assert found(source).fps == pytest.approx(10)
    slow = found(source, FacesSettings(fps=2))
    assert (slow.looked, slow.fps) == (6, pytest.approx(2))
    assert slow.people[0].indices.tolist() == [0, 5, 10, 15, 20, 25]


def test_a_photo_is_one_frame_without_a_rate(tmp_path: Path) -> None:
    seen = found(photo(tmp_path / "a.png", picture({"a": (30, 20)})), detector=Squares(0.92))
    assert (seen.looked, seen.fps, seen.still, len(seen.people)) == (1, None, True, 1)


def test_landmarks_are_kept_where_all_frames_have_them(tmp_path: Path) -> None:
    source = folder(tmp_path / "frames", alone(10))
    assert found(source).people[0].landmarks is None
    marks = found(source, detector=Leaning()).people[0].landmarks
    assert marks is not None
    assert marks.shape == (10, 5, 2)
    assert np.allclose(marks[:, 1] - marks[:, 0], [0.4 * SIDE, 0.04 * SIDE])


def test_progress_is_told_in_seconds(tmp_path: Path) -> None:
    told: list[tuple[float, float | None]] = []
    source = folder(tmp_path / "frames", alone(10))
    follow(str(source), lambda video: Squares(), EXACT, progress=lambda at, of: told.append((at, of)))
    assert told == [(i / 25, 0.4) for i in range(10)]


# Who of them is kept


def test_the_largest_takes_most_of_the_pictures_over_time() -> None:
    near, long = person(0, side=60, frames=10), person(1, side=40, frames=30)
    kept, left, why = chosen(all_of(near, long), FacesSettings())
    assert [p.track.person for p in kept] == [1]
    assert (left, why) == ({"not the largest": 1}, "")


def test_all_may_be_kept_in_order_of_appearance() -> None:
    kept, left, why = chosen(all_of(person(0, side=30), person(1, side=60)), FacesSettings(keep="all"))
    assert [p.track.person for p in kept] == [0, 1]
    assert (left, why) == ({}, "")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (person(0, side=60, frames=7), "too short"),
        (person(0, side=39), "too small"),
        (person(0, side=60, quality=0.4), "low quality"),
        (person(0, side=39, frames=7), "too short"),
    ],
)
def test_a_person_is_left_out_for_a_reason(bad: Person, reason: str) -> None:
    settings = FacesSettings(min_face=40, min_quality=0.5)
    assert chosen(all_of(bad), settings) == ([], {reason: 1}, reason)


def test_a_good_face_in_the_background_does_not_stand_for_a_bad_one_in_front() -> None:
    kept, left, why = chosen(all_of(person(0, side=80, quality=0.2), person(1)), FacesSettings())
    assert (kept, left, why) == ([], {"low quality": 1, "not the largest": 1}, "low quality")


def test_where_all_are_bad_the_largest_says_why() -> None:
    people = person(0, side=20, frames=3), person(1, side=80, quality=0.2), person(2, side=20, frames=3)
    _, left, why = chosen(all_of(*people), FacesSettings(keep="all"))
    assert (left, why) == ({"too short": 2, "low quality": 1}, "low quality")


def test_limits_are_kept_by_what_just_meets_them() -> None:
    settings = FacesSettings(min_face=40, min_frames=5, min_quality=0.7)
    assert chosen(all_of(person(0, side=40, frames=5, quality=0.7)), settings)[2] == ""


def test_where_nobody_is_seen_none_is_found() -> None:
    assert chosen(all_of(), FacesSettings()) == ([], {}, "none found")


def test_a_photo_is_not_too_short() -> None:
    assert chosen(all_of(person(0, frames=1), still=True), FacesSettings())[2] == ""
    assert chosen(all_of(person(0, frames=1)), FacesSettings())[2] == "too short"


# Their pictures


def test_faces_are_cut_as_predict_cuts_them_with_the_scene_of_each(tmp_path: Path) -> None:
    images = walk([{"a": (10 + i, 20), "b": (90, 20 + i)} for i in range(5)])
    source = folder(tmp_path / "frames", images)
    people = found(source).people
    folders = [tmp_path / "0", tmp_path / "1"]
    cut_out(str(source), people, folders, EXACT)
    for who, out in zip(people, folders, strict=True):
        wanted = [
            face_view(image, around, size=32, margin=FER_MARGIN)
            for image, around in zip(images, who.track.boxes, strict=True)
        ]
        assert np.array_equal(read(out / "faces"), wanted)
        assert np.array_equal(read(out / "scene"), [scene_view(image, size=32) for image in images])
        assert [path.name for path in sorted((out / "faces").iterdir())] == [f"{i:05d}.png" for i in range(5)]


def test_a_person_who_comes_later_has_their_own_frames(tmp_path: Path) -> None:
    images = walk([{"a": (10, 20)}] * 3 + [{"a": (10, 20), "b": (90, 20)}] * 4 + [{"b": (90, 20)}] * 2)
    source = folder(tmp_path / "frames", images)
    late = found(source).people[1]
    cut_out(str(source), [late], [tmp_path / "late"], EXACT)
    assert np.array_equal(read(tmp_path / "late" / "scene"), [scene_view(image, size=32) for image in images[4:]])


def test_aligned_faces_are_upright_views_of_steady_squares(tmp_path: Path) -> None:
    images = alone(10)
    source = folder(tmp_path / "frames", images)
    settings = FacesSettings(size=32, format="png", margin=0.3)
    (who,) = found(source, detector=Leaning()).people
    cut_out(str(source), [who], [tmp_path / "0"], settings)
    squares = uprights(who.track.times, who.track.boxes, who.landmarks, margin=0.3)
    assert squares[0].roll == pytest.approx(0.1, abs=0.01)
    wanted = [upright_view(image, place, size=32) for image, place in zip(images, squares, strict=True)]
    assert np.array_equal(read(tmp_path / "0" / "faces"), wanted)


def test_a_source_that_loses_frames_between_both_readings_is_not_cut_short(tmp_path: Path) -> None:
    source = folder(tmp_path / "frames", alone(10))
    people = found(source).people
    (source / "frame_0009.png").unlink()
    with pytest.raises(InputError, match=r"frames changed while it was read; run the command again"):
        cut_out(str(source), people, [tmp_path / "0"], EXACT)
