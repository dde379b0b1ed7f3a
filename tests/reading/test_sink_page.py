"""The page stands alone, escapes what comes from outside, stays small for long videos, and says what it left out."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from sink_stream import LABELS, box, photo, picture, reading, stream, with_scenes

from mimica.clips import Face, Frame, Reading
from mimica.look.palette import CLASSES, PERSONS, class_colours, ink, luminance, rgb
from mimica.notice import NOTICE, SHORT
from mimica.reading.events import Closed, Opened, Seen, Settled
from mimica.reading.sinks import open_sink
from mimica.reading.sinks.base import SinkOptions
from mimica.reading.sinks.figures import MOST_POINTS, timeline
from mimica.reading.sinks.series import Series
from mimica.reading.sinks.thumbnails import SIDE, Thumbnails

NAMES = {name: name.replace("_", " ") for name in (*LABELS, "unsure", "low_quality", "no_face")}


def page(path: Path, events, **options) -> str:
    with open_sink("html", path, SinkOptions(**options)) as sink:
        for event in events:
            sink.append(event)
    return path.read_text(encoding="utf-8")


def figures(text: str) -> dict[str, dict]:
    return json.loads(re.search(r'id="figures">(.*?)</script>', text, re.DOTALL).group(1))


def words(text: str) -> str:
    body = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(tmp_path_factory.mktemp("page") / "x.html", stream(seconds=12.0, empty_until=1.0))


def test_the_page_loads_nothing_from_elsewhere(text: str) -> None:
    shell = re.sub(r"<script>/\*\*.*?</script>", "", text, flags=re.DOTALL)
    assert "plotly.js v" in text
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?:", shell)
    assert "@import" not in shell


def test_every_element_is_closed(text: str) -> None:
    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list) -> None:
            if tag not in ("meta", "img"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(text)
    assert parser.open == []


def test_the_page_says_what_it_is_and_what_the_law_says(text: str) -> None:
    said = words(text)
    assert SHORT in said
    assert NOTICE in said
    assert "Incomplete" not in said
    assert "2 faces smaller than 24 pixels were left out." in said
    assert "made-up" in said


@pytest.mark.parametrize("person", [0, 1])
def test_each_timeline_is_a_figure_that_plotly_accepts(person: int, text: str) -> None:
    figure = figures(text)[f"figure-{person}"]
    go.Figure(figure["data"], figure["layout"])
    stacked = [t for t in figure["data"] if t.get("stackgroup")]
    assert [t["name"] for t in stacked] == list(LABELS)
    sums = np.sum([t["y"] for t in stacked], axis=0)
    assert sums[0] == sums[-1] == 0
    assert sums[1:-1] == pytest.approx(1, abs=1e-3)
    assert figure["x"] == sorted(figure["x"])
    assert (figure["x"][0], len(figure["x"])) == (1000, len(stacked[0]["y"]))


def test_unsure_low_quality_and_no_face_are_shaded_where_they_were(text: str) -> None:
    bands = [t for t in figures(text)["figure-1"]["data"] if t.get("fill") == "tozeroy"]
    unsure, low, nobody = bands
    assert (nobody["x"][0], nobody["x"][-1]) == (0, 1000)
    assert unsure["x"][0] == 1000
    assert unsure["x"][-1] < low["x"][0]
    assert low["x"][-1] == pytest.approx(12_000, abs=500)


def test_the_strip_has_one_cell_between_two_edges(text: str) -> None:
    (strip,) = (t for t in figures(text)["figure-0"]["data"] if t["type"] == "heatmap")
    assert len(strip["x"]) == len(strip["z"][0]) + 1
    assert strip["x"] == sorted(set(strip["x"]))


def test_the_table_sums_time_by_label() -> None:
    series = Series(("a", "b"))
    rows = ((0, "a", "ok", 0.9), (1, "a", "ok", 0.7), (2, "b", "ok", 0.6), (3, "b", "unsure", 0.4))
    for start, label, status, p in rows:
        series.append(Reading(
            source="s", person=0, start=start, end=start + 1, label=label, confidence=p, status=status,
            probabilities={"a": p, "b": 1 - p},
        ))  # fmt: skip
    summary = series.summary()
    assert summary.seen == pytest.approx(4)
    assert summary.shares == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert summary.confidence == pytest.approx((0.9 + 0.7 + 0.6) / 3)
    assert (summary.unsure, summary.low_quality) == (0.25, 0)


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>.mp4", '"><img src=x onerror=alert(1)>'])
def test_whatever_comes_from_outside_is_escaped(evil: str, tmp_path: Path) -> None:
    opened = Opened(
        source=evil, kind="video", width=9, height=9, rate=1.0, duration=2.0, labels=(evil, "b"),
        model={evil: evil, "list": [evil]}, settings={evil: {evil: evil}},
    )  # fmt: skip
    told = Reading(
        source=evil, person=0, start=0, end=2, label=evil, confidence=0.9, probabilities={evil: 0.9, "b": 0.1}
    )
    picture_of = Seen(
        frame=Frame(image=np.zeros((9, 9, 3), np.uint8), time=1.0, index=0),
        faces={0: Face(box=np.array([1.0, 1, 5, 5]), score=1.0)},
    )
    closed = Closed(frames=1, read=1, last_time=2.0, notes=(evil,))
    text = page(tmp_path / "x.html", [opened, picture_of, told, closed], link=evil)
    assert evil not in text
    assert "onerror=alert(1)>" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).replace("&gt;", "")
    assert figures(text)["figure-0"]["data"][1]["name"] == evil


def test_an_interrupted_reading_is_said_to_be_incomplete(tmp_path: Path) -> None:
    said = words(page(tmp_path / "x.html", stream(seconds=3.0, finished=False)))
    assert "Incomplete. Reading stopped at 0:02.9" in said


def test_a_photo_has_bars_and_no_timeline(tmp_path: Path) -> None:
    text = page(tmp_path / "x.html", photo())
    assert [f["kind"] for f in figures(text).values()] == ["bars", "bars"]
    for figure in figures(text).values():
        go.Figure(figure["data"], figure["layout"])
    assert "0:00" not in words(text)


def test_no_person_is_said_and_needs_no_plotly(tmp_path: Path) -> None:
    opened, closed = next(stream()), Closed(frames=4, read=2, last_time=1.0)
    text = page(tmp_path / "x.html", [opened, closed])
    assert "No person was read." in words(text)
    assert len(text) < 50_000


def test_of_many_persons_those_seen_longest_are_shown(tmp_path: Path) -> None:
    opened, closed = next(stream()), Closed(frames=4, read=2, last_time=40.0)
    crowd = [reading(p, 0.0, 1.0 + p) for p in range(30)]
    text = page(tmp_path / "x.html", [opened, *crowd, closed])
    assert sorted(int(k.removeprefix("figure-")) for k in figures(text)) == list(range(18, 30))
    assert "18 more people, each seen for 0:18.0 or less, are not shown" in words(text)


def test_a_long_video_has_a_bounded_number_of_points() -> None:
    series = Series(LABELS)
    for i in range(20_000):
        series.append(reading(0, i * 0.5, i * 0.5 + 2))
    figure = timeline(series, until=10_000, gaps=[], names=NAMES)
    assert 2000 < len(figure["x"]) <= MOST_POINTS
    assert figure["x"][-1] == 10_001_500
    assert np.sum([t["y"] for t in figure["data"] if t.get("stackgroup")], axis=0)[1:-1] == pytest.approx(1, abs=2e-3)


def test_a_gap_drops_the_curves_to_zero() -> None:
    series = Series(LABELS)
    for start in (0.0, 1.0, 10.0, 11.0):
        series.append(reading(0, start, start + 2))
    figure = timeline(series, until=13, gaps=[], names=NAMES)
    sums = np.sum([t["y"] for t in figure["data"] if t.get("stackgroup")], axis=0)
    silent = [x for x, total in zip(figure["x"], sums, strict=True) if total == 0]
    assert silent == [0, 3000, 10_000, 13_000]


def thumbnails(text: str) -> list[np.ndarray]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_each_thumbnail_is_small_and_has_words(text: str) -> None:
    images = thumbnails(text)
    alts = re.findall(r'alt="(Face of person \d at [^"]+)"', text)
    assert 4 <= len(images) == len(alts) <= 14
    assert all(image.shape == (SIDE, SIDE, 3) for image in images)


def test_the_thumbnail_is_the_frame_nearest_to_the_middle_of_the_most_confident_window() -> None:
    faces = Thumbnails()
    for i in range(50):
        image = np.full((40, 40, 3), i * 5, np.uint8)
        seen = {0: Face(box=np.array([5.0, 5, 30, 30]), score=1.0)}
        faces.see(Seen(frame=Frame(image=image, time=i * 0.1, index=i), faces=seen))
    for start, confidence in ((0.0, 0.5), (2.0, 0.9), (2.5, 0.7)):
        faces.read(Reading(source="s", person=0, start=start, end=start + 1, label="fear", confidence=confidence))
    (thumb,) = faces.of(0)
    assert (thumb.time, thumb.confidence) == (pytest.approx(2.5), 0.9)
    assert np.asarray(Image.open(io.BytesIO(thumb.jpeg))).mean() == pytest.approx(125, abs=2)


def test_faces_that_no_window_is_to_come_for_are_let_go() -> None:
    faces = Thumbnails()
    for i in range(2000):
        seen = {0: Face(box=np.array([2.0, 2, 30, 30]), score=1.0)}
        faces.see(Seen(frame=Frame(image=np.zeros((40, 40, 3), np.uint8), time=i * 0.1, index=i), faces=seen))
        faces.settle(i * 0.1 - 2.0)
        assert len(faces._crops[0]) < 25


@pytest.mark.parametrize("where", [(-10, -10, 20, 20), (80, 30, 120, 70), (0, 0, 100, 60), (99, 59, 100, 60)])
def test_a_face_at_the_edge_fills_its_thumbnail(where: tuple[int, ...]) -> None:
    faces = Thumbnails()
    image = np.full((60, 100, 3), 200, np.uint8)
    seen = {0: Face(box=np.array(where, dtype=float), score=1.0)}
    faces.see(Seen(frame=Frame(image=image, time=0.0, index=0), faces=seen))
    faces.read(reading(0, 0.0, 0.0))
    shown = np.asarray(Image.open(io.BytesIO(faces.of(0)[0].jpeg)))
    assert abs(shown.astype(int) - 200).max() <= 2


def test_blurred_thumbnails_do_not_show_the_face() -> None:
    size = (320, 180)
    where = box(0, 0.0, size)
    seen = Seen(
        frame=Frame(image=picture({0: where}, 0.0, size), time=0.0, index=0),
        faces={0: Face(box=np.array(where), score=1.0)},
    )
    darkest = []
    for blur in (False, True):
        faces = Thumbnails(blur_faces=blur)
        faces.see(seen)
        faces.read(reading(0, 0.0, 0.0))
        image = np.asarray(Image.open(io.BytesIO(faces.of(0)[0].jpeg)))
        darkest.append(image[35:75, 25:90].max(axis=2).min())
    assert darkest[0] < 40 < 80 < darkest[1]


@pytest.mark.parametrize(("blur", "plays"), [(False, True), (True, False)])
def test_the_source_is_played_unless_faces_are_blurred(blur: bool, plays: bool, tmp_path: Path) -> None:
    text = page(tmp_path / "x.html", stream(seconds=3.0), link="my clip.mp4", blur_faces=blur)
    assert ('<video id="player" controls preload="metadata" src="my%20clip.mp4">' in text) is plays
    assert '<a href="my%20clip.mp4">open the source</a>' in text


def test_memory_does_not_grow_with_frames(tmp_path: Path) -> None:
    with open_sink("html", tmp_path / "x.html") as sink:
        sink.append(next(stream()))
        for i in range(600):
            seen = {i // 50: Face(box=np.array([2.0, 2, 30, 30]), score=1.0)}
            sink.append(Seen(frame=Frame(image=np.zeros((40, 40, 3), np.uint8), time=i * 0.1, index=i), faces=seen))
            sink.append(Settled(time=i * 0.1))
        assert sum(map(len, sink._thumbnails._crops.values())) <= 2 * 12


# Machado, Oliveira and Fernandes (2009), severity 1, linear RGB
SEEN_AS = {
    "full": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    c = np.array(rgb(colour)) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(sight) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SEEN_AS)
def test_class_colours_can_be_told_apart_in_every_kind_of_colour_vision(sight: str) -> None:
    labs = {name: lab(colour, SEEN_AS[sight]) for name, colour in CLASSES.items()}
    near = min((np.linalg.norm(labs[a] - labs[b]), a, b) for a in labs for b in labs if a < b)
    assert near[0] > 10, near


@pytest.mark.parametrize("colour", [*CLASSES.values(), *PERSONS])
def test_words_on_a_colour_have_enough_contrast(colour: str) -> None:
    light, dark = sorted((luminance(colour), luminance(ink(colour))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_classes_of_ones_own_have_colours_of_their_own() -> None:
    colours = class_colours(["fear", "boredom", "contempt"])
    assert colours["fear"] == CLASSES["fear"]
    assert len(set(colours.values())) == 3


# A model that reads the scene too


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(tmp_path_factory.mktemp("viewed") / "x.html", with_scenes(stream(seconds=6.0)))


def rows(figure: dict) -> dict[str, np.ndarray]:
    """What stands in each row of a timeline [C, points], by the axis that it is drawn on."""
    stacked = [t for t in figure["data"] if t.get("stackgroup")]
    return {axis: np.array([t["y"] for t in stacked if t.get("yaxis", "y") == axis]) for axis in ("y3", "y4", "y")}


def test_there_are_three_rows_and_in_each_a_reading_is_one_bar(viewed: str) -> None:
    for person in (0, 1):
        figure = figures(viewed)[f"figure-{person}"]
        go.Figure(figure["data"], figure["layout"])
        face, scene, both = rows(figure).values()
        assert face.shape == scene.shape == both.shape == (7, len(figure["x"]))
        for row in (face, scene, both):
            assert not row[:, [0, -1]].any()
            assert row[:, 1:-1].sum(0) == pytest.approx(1, abs=2e-3)
            assert np.array_equal(row[:, 1:-1:2], row[:, 2:-1:2])  # as high where a reading ends as where it begins
        inside = np.array([2000 < x < 3000 for x in figure["x"]])
        assert np.array_equal(face[:, inside], np.roll(both, 1, 0)[:, inside])
        early = np.array([0 < x < 1500 for x in figure["x"]])
        assert np.array_equal(face[:, early], both[:, early])
    names = [told["text"] for told in figure["layout"]["annotations"]]
    assert names == ["the face alone", "the scene alone", "both: the reading"]


def test_the_mark_stands_where_the_scene_changes_the_answer_and_nowhere_else(viewed: str) -> None:
    (mark,) = (t for t in figures(viewed)["figure-0"]["data"] if t.get("yaxis") == "y5")
    assert 1800 <= min(mark["x"]) <= 2200
    assert 2800 <= max(mark["x"]) <= 3200
    said = words(viewed)
    assert "The scene changes the answer (face alone → both): 0:0" in said
    assert "neutral → sadness" in said
    assert SHORT in said
    assert NOTICE in said


def test_where_a_reading_is_unsure_there_is_no_answer_to_change(tmp_path: Path) -> None:
    text = page(tmp_path / "x.html", with_scenes(stream(seconds=6.0), changed=(0.0, 2.3)))
    assert not [t for t in figures(text)["figure-1"]["data"] if t.get("yaxis") == "y5"]
    assert "The scene changes no answer." in words(text)


def test_a_model_of_faces_alone_has_one_row_and_no_word_of_scenes(text: str) -> None:
    axes = {key for figure in figures(text).values() for key in figure["layout"] if "axis" in key}
    assert axes == {"xaxis", "yaxis", "yaxis2"}
    assert "scene" not in words(text)


def test_a_photo_has_three_rows_of_bars(tmp_path: Path) -> None:
    text = page(tmp_path / "x.html", with_scenes(photo(), changed=(0.0, 0.0)))
    for figure in figures(text).values():
        go.Figure(figure["data"], figure["layout"])
        face, scene, both = figure["data"]
        assert [t["yaxis"] for t in (face, scene, both)] == ["y3", "y4", "y"]
        assert face["y"] == np.roll(both["y"], 1).tolist()
    assert "happiness → " not in words(text).partition("Person 0")[0]
    assert "(face alone → both): sadness → happiness." in words(text)


def test_a_long_video_has_a_bounded_number_of_bars() -> None:
    series = Series(LABELS, ("face", "scene"))
    for told in with_scenes(reading(0, i * 0.5, i * 0.5 + 2) for i in range(6_000)):
        series.append(told)
    figure = timeline(series, until=3_000, gaps=[], names=NAMES)
    assert 2000 < len(figure["x"]) <= MOST_POINTS
    for row in rows(figure).values():
        assert row.sum(0)[1:-1] == pytest.approx(1, abs=2e-3)
