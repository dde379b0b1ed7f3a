"""The annotated video: true times, the right label at each, nothing over a face, and faces that can be hidden."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from sink_stream import LABELS, box, picture, reading, stream, with_scenes

from mimica.clips import Face, Frame, Reading
from mimica.reading.events import Seen
from mimica.reading.sinks import open_sink
from mimica.reading.sinks.annotate import Annotator, Shown, obscure, tag
from mimica.reading.sinks.base import SinkOptions
from mimica.reading.sinks.hold import HeldFrames, Whereabouts

SIZE = (640, 360)


def shown(person: int, where, status="ok") -> Shown:
    r = reading(person, 2.0, 4.0)
    return Shown(
        person=person, box=np.array(where), label=r.label, confidence=r.confidence, probabilities=r.probabilities,
        status=status,
    )  # fmt: skip


def frame(time: float, index: int = 0, side: int = 8) -> Frame:
    return Frame(image=np.full((side, side, 3), index % 256, np.uint8), time=time, index=index)


def seen(time: float, where: dict[int, tuple], read: bool = True) -> Seen:
    faces = {p: Face(box=np.array(b, dtype=float), score=1.0) for p, b in where.items()}
    return Seen(frame=frame(time), faces=faces, read=read)


def test_the_video_has_every_frame_at_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with open_sink("mp4", path) as sink:
        assert sink.wants == "every"
        for event in stream(seconds=3.0, lag=1.5):
            sink.append(event)
    with av.open(str(path)) as container:
        times = [f.time for f in container.decode(video=0)]
    assert times == pytest.approx([i / 10 for i in range(30)], abs=1e-3)


def test_a_frame_waits_for_its_readings_and_no_longer() -> None:
    written: list[float] = []
    spy = _Spy(written)
    for event in stream(seconds=6.0, lag=1.0):
        spy.sink.append(event)
        if written and type(event).__name__ == "Settled" and event.time < 5.5:
            assert max(written) < event.time
    assert len(written) == 60
    assert spy.most < 40


class _Spy:
    """An mp4 sink that notes the times of the frames that it gives to the writer."""

    def __init__(self, written: list[float]) -> None:
        from mimica.reading.sinks.mp4 import Mp4Sink

        spy, self.most = self, 0

        class Sink(Mp4Sink):
            def _open(self):
                return self

            def write(self, image, time):
                written.append(time)
                spy.most = max(spy.most, len(self._held._frames))

        self.sink = Sink(None, SinkOptions())


def test_the_label_is_that_of_the_window_whose_middle_is_nearest() -> None:
    where = Whereabouts()
    for time in np.arange(0, 6, 0.25):
        where.see(seen(time, {0: (0, 0, 4, 4)}))
    for start in (0.0, 1.0, 2.0, 3.0):
        where.read(reading(0, start, start + 2.0))
    labels = {t: where.at(t)[0].label for t in (0.25, 1.75, 2.75, 5.0)}
    expected = {0.25: reading(0, 0, 2).label, 1.75: reading(0, 1, 3).label, 2.75: reading(0, 2, 4).label}
    assert labels == {**expected, 5.0: reading(0, 3, 5).label}
    assert where.at(5.75)[0].status is None


@pytest.mark.parametrize(("gap", "found"), [(0.2, True), (0.5, True), (0.7, False)])
def test_a_box_is_interpolated_across_short_gaps_only(gap: float, found: bool) -> None:
    where = Whereabouts()
    for step in range(3):
        where.see(seen(step * 0.1, {}))
    where.see(seen(1.0, {0: (0, 0, 10, 10)}))
    where.gap = 0.6
    where.see(seen(1.0 + gap, {0: (20, 0, 30, 10)}))
    where.gap = 0.6
    at_half = where.at(1.0 + gap / 2)
    assert [list(s.box) for s in at_half] == ([pytest.approx([10, 0, 20, 10])] if found else [])


def test_boxes_bridge_the_gap_where_frames_are_read_seldom() -> None:
    where = Whereabouts()
    for time in (0.0, 1.0, 2.0):
        where.see(seen(time, {0: (0, 0, 10 + time, 10)}))
    assert list(where.at(0.5)[0].box) == pytest.approx([0, 0, 10.5, 10])


def test_a_box_is_held_at_the_ends_only_if_asked() -> None:
    where = Whereabouts()
    where.see(seen(1.0, {0: (0, 0, 10, 10)}))
    assert where.at(0.8) == []
    assert len(where.at(0.8, hold=True)) == len(where.at(1.4, hold=True)) == 1
    assert where.at(2.0, hold=True) == []


def test_after_the_last_frame_that_was_read_everyone_seen_in_it_stays() -> None:
    where = Whereabouts()
    where.see(seen(1.0, {0: (0, 0, 10, 10), 1: (20, 0, 30, 10)}))
    where.see(seen(1.1, {0: (0, 0, 10, 10)}))
    assert [s.person for s in where.at(1.15)] == [0]
    where.see(seen(1.2, {}))
    assert where.at(1.25) == []


def test_what_is_over_is_forgotten() -> None:
    where = Whereabouts()
    for i in range(1000):
        where.see(seen(i * 0.1, {i // 100: (0, 0, 4, 4)}))
        where.read(reading(i // 100, i * 0.1, i * 0.1 + 1))
        where.forget(i * 0.1 - 1)
    assert len(where._seen) <= 2
    assert sum(map(len, where._seen.values())) + sum(map(len, where._readings.values())) < 60


def test_held_frames_take_bounded_memory_and_keep_order() -> None:
    held = HeldFrames(raw_bytes=4 * 3 * 64**2, most_bytes=12 * 3 * 64**2)
    given = []
    for i in range(300):
        held.append(frame(float(i), i, side=64))
        given += list(held.release(lambda time: False))
        assert held.bytes <= held.most_bytes
    assert [f.index for f in given] == list(range(len(given)))
    assert len(given) > 0
    rest = list(held.release(lambda time: True))
    assert (rest[-1].index, held.bytes) == (299, 0)
    assert all(abs(int(f.image.mean()) - f.index % 256) <= 2 for f in given + rest)


@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize("size", [(320, 180), (640, 360), (1920, 1080), (360, 640)])
def test_what_is_drawn_keeps_off_the_faces_and_changes_the_rest(ground: int, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), ground, np.uint8)
    side = min(size) * 0.3
    boxes = [(size[0] * 0.05, size[1] * 0.3), (size[0] * 0.6, size[1] * 0.4)]
    people = [shown(p, (x, y, x + side, y + side)) for p, (x, y) in enumerate(boxes)]
    drawn = Annotator(LABELS).annotate(image, people)
    assert drawn.shape == image.shape
    assert (image == ground).all()
    for person in people:
        x0, y0, x1, y1 = (int(v) for v in person.box)
        inner = 0.12 * side
        core = drawn[int(y0 + inner) : int(y1 - inner), int(x0 + inner) : int(x1 - inner)]
        assert (core == ground).all()
    assert (drawn != ground).any(axis=2).mean() > 0.03


@pytest.mark.parametrize("where", [(0, 0, 90, 90), (550, 0, 640, 90), (0, 270, 90, 360), (550, 270, 640, 360)])
def test_a_face_in_a_corner_still_has_tag_and_bars_inside_the_picture(where) -> None:
    ground = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    drawn = Annotator(LABELS).annotate(ground, [shown(0, where)])
    middle = Annotator(LABELS).annotate(ground, [shown(0, (275, 135, 365, 225))])
    painted, wanted = ((d > 30).any(axis=2).sum() for d in (drawn, middle))
    assert painted > 0.8 * wanted


def test_bars_that_would_cover_a_face_are_left_out() -> None:
    ground = np.full((120, 120, 3), 90, np.uint8)
    drawn = Annotator(LABELS).annotate(ground, [shown(0, (5, 25, 115, 115))])
    assert (drawn[40:100, 20:100] == 90).all()


def test_the_bars_stay_on_their_side_as_a_face_moves() -> None:
    annotator, sides = Annotator(LABELS), set()
    for step in range(40):
        x = 220 + step * 0.5
        annotator.annotate(np.zeros((360, 640, 3), np.uint8), [shown(0, (x, 120, x + 100, 220))])
        sides.add(annotator._sides["bars", 0])
    assert len(sides) == 1


def test_the_tag_says_what_the_face_alone_shows_where_the_scene_changes_the_answer() -> None:
    where, face = Whereabouts(), Face(box=np.array([1.0, 1, 5, 5]), score=1.0)
    where.see(Seen(frame=Frame(image=np.zeros((9, 9, 3), np.uint8), time=2.5, index=0), faces={0: face}))
    (told,) = (event for event in with_scenes([reading(0, 1.2, 3.2)]) if isinstance(event, Reading))
    where.read(told)
    assert tag(where.at(2.5)[0]) == "person 0 · sadness 82 % · neutral by the face alone"


@pytest.mark.parametrize("side", [24, 80, 300])
def test_a_blurred_face_holds_no_more_than_a_few_pixels(side: int) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (400, 400, 3), dtype=np.uint8)
    faces = []
    for seed in (1, 2):
        canvas = noise.copy()
        detail = np.random.default_rng(seed).permutation(np.repeat([0, 255], side * side // 2))
        canvas[40 : 40 + side, 40 : 40 + side] = detail.reshape(side, side, 1)
        blurred = Image.fromarray(canvas)
        obscure(blurred, (40, 40, side, side))
        faces.append(np.asarray(blurred).astype(int)[40 : 40 + side, 40 : 40 + side])
    contrast = [f.std() for f in faces]
    assert max(contrast) < 127 * 3 / (side / 6)


def test_with_blur_no_frame_shows_a_face_not_even_between_sightings(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with open_sink("mp4", path, SinkOptions(blur_faces=True)) as sink:
        for event in stream(seconds=2.0, size=SIZE, every=4, fps=20):
            sink.append(event)
    with av.open(str(path)) as container:
        for decoded in container.decode(video=0):
            image = decoded.to_ndarray(format="rgb24").astype(int)
            for person in range(2):
                x0, y0, x1, y1 = (int(v) for v in box(person, decoded.time, SIZE))
                eyes = image[int(y0 + 0.3 * (y1 - y0)) : int(y0 + 0.45 * (y1 - y0)), x0 + 30 : x1 - 30]
                assert eyes.max(axis=2).min() > 70, f"an eye shows at {decoded.time:.2f} s"


def test_the_eyes_would_show_without_blur() -> None:
    image = picture({0: box(0, 0.0, SIZE)}, 0.0, SIZE)
    x0, y0, x1, y1 = (int(v) for v in box(0, 0.0, SIZE))
    assert image[int(y0 + 0.3 * (y1 - y0)) : int(y0 + 0.45 * (y1 - y0)), x0 + 30 : x1 - 30].max(axis=2).min() < 25
