"""A made-up source for the tests of sinks: cartoon faces that move, and readings that lag behind them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from mimica.clips import Face, Frame, Reading, Track
from mimica.labels import EXPRESSIONS
from mimica.reading.events import Closed, Event, Opened, Seen, Settled

LABELS = EXPRESSIONS.names
WINDOW, STRIDE = 1.6, 0.4


def stream(
    *,
    seconds: float = 4.0,
    fps: int = 10,
    every: int = 2,
    size: tuple[int, int] = (320, 180),
    persons: int = 2,
    lag: float = 1.0,
    finished: bool = True,
    source: str = "made up.mp4",
    empty_until: float = 0.0,
) -> Iterator[Event]:
    """The events of a video of cartoon faces; every `every`-th frame is read, readings come `lag` seconds late."""
    width, height = size
    yield Opened(
        source=source, kind="video", width=width, height=height, rate=float(fps), duration=seconds, labels=LABELS,
        model={"name": "made-up", "war": 0.61, "licence": "none"}, settings={"fps": fps / every, "window": WINDOW},
    )  # fmt: skip
    waiting = sorted(windows(seconds, persons, source, empty_until), key=lambda r: r.end)
    count = round(seconds * fps)
    for index in range(count):
        time = index / fps
        read = index % every == 0
        boxes = {p: box(p, time, size) for p in range(persons)} if time >= empty_until else {}
        faces = {p: Face(box=np.array(b), score=0.9) for p, b in boxes.items()} if read else {}
        yield Seen(frame=Frame(image=picture(boxes, time, size), time=time, index=index), faces=faces, read=read)
        while waiting and waiting[0].end <= time - lag:
            yield waiting.pop(0)
        yield Settled(time=min((r.start for r in waiting), default=time - lag))
    yield from waiting
    yield Settled(time=seconds)
    times = np.arange(0, count, every) / fps
    for p in range(persons):
        boxes_of = np.array([box(p, t, size) for t in times])
        yield Track(person=p, times=times, boxes=boxes_of, quality=np.full(len(times), 0.8))
    notes = ("2 faces smaller than 24 pixels were left out.",)
    yield Closed(frames=count, read=len(times), last_time=(count - 1) / fps, notes=notes, finished=finished)


def windows(seconds: float, persons: int, source: str, empty_until: float) -> Iterator[Reading]:
    """The readings of every person; person 1 is unsure at first and low in quality at the end."""
    if empty_until:
        yield Reading(
            source=source, person=None, start=0.0, end=empty_until, label=None, confidence=None, status="no_face"
        )
    starts = np.arange(empty_until, seconds - WINDOW + 1e-6, STRIDE)
    for start in starts.tolist():
        for p in range(persons):
            yield reading(p, start, start + WINDOW, source, seconds)


def reading(person: int, start: float, end: float, source: str = "made up.mp4", seconds: float = 4.0) -> Reading:
    """A reading whose probabilities drift from class to class as time goes by."""
    middle = (start + end) / 2
    place = person * 3 + middle / 2.0
    raw = np.array([math.exp(-3 * min((place - i) % 7, (i - place) % 7)) for i in range(7)]) + 0.01
    probabilities = dict(zip(LABELS, (raw / raw.sum()).tolist(), strict=True))
    label = max(probabilities, key=lambda name: probabilities[name])
    status = "unsure" if person == 1 and middle < seconds * 0.4 else "ok"
    if person == 1 and middle > seconds * 0.7:
        status = "low_quality"
    return Reading(
        source=source, person=person, start=start, end=end, label=label, confidence=probabilities[label],
        probabilities=probabilities, status=status,  # type: ignore[arg-type]
    )  # fmt: skip


def box(person: int, time: float, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where a person's face is: the first drifts right, the others stand."""
    width, height = size
    side = height * 0.4
    x = width * (0.08 + 0.45 * person) + (width * 0.03 * time if person == 0 else 0)
    y = height * (0.35 + 0.04 * math.sin(2 * time + person))
    return x, y, x + side, y + side


def picture(boxes: dict[int, tuple[float, float, float, float]], time: float, size: tuple[int, int]) -> np.ndarray:
    """A frame with a cartoon face in each box, on a ground that goes from dark to bright."""
    width, height = size
    ramp = np.linspace(30, 235, width, dtype=np.float32)[None, :, None]
    ground = np.repeat(np.repeat(ramp, height, 0), 3, 2) * np.array([0.8, 0.95, 1.0])
    image = Image.fromarray(ground.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for person, (x0, y0, x1, y1) in boxes.items():
        side, skin = x1 - x0, ((224, 172, 105), (141, 85, 36), (255, 219, 172))[person % 3]
        pen.ellipse((x0, y0, x1, y1), fill=skin)
        for eye in (0.32, 0.68):
            spot = (x0 + side * (eye - 0.06), y0 + side * 0.3, x0 + side * (eye + 0.06), y0 + side * 0.45)
            pen.ellipse(spot, fill=(20, 20, 20))
        bend = side * 0.12 * math.sin(time * 1.5 + person)
        mouth = [(x0 + side * u, y0 + side * 0.72 + bend * (1 - (4 * u - 2) ** 2)) for u in np.linspace(0.28, 0.72, 9)]
        for a, b in pairwise(mouth):
            pen.line((*a, *b), fill=(120, 20, 30), width=max(2, round(side / 28)))
    return np.asarray(image).copy()


def photo(*, source: str = "photo.png") -> Iterator[Event]:
    """The events of one picture with two faces."""
    size = (320, 180)
    yield Opened(source=source, kind="photo", width=320, height=180, rate=None, duration=None, labels=LABELS)
    boxes = {p: box(p, 0.0, size) for p in range(2)}
    faces = {p: Face(box=np.array(b), score=0.9) for p, b in boxes.items()}
    yield Seen(frame=Frame(image=picture(boxes, 0.0, size), time=0.0, index=0), faces=faces)
    for p in range(2):
        yield reading(p, 0.0, 0.0, source, 0.0)
    yield Closed(frames=1, read=1, last_time=0.0)


def with_scenes(events: Iterable[Event], changed: tuple[float, float] = (1.9, 3.1)) -> Iterator[Event]:
    """The same of a model that reads the scene too; where a window's middle is between two times in seconds the face
    alone shows the class after the label."""
    for event in events:
        if isinstance(event, Opened):
            event = replace(event, views=("face", "scene"))
        elif isinstance(event, Reading) and event.person is not None:
            both = np.array([event.probabilities[label] for label in LABELS])
            face = np.roll(both, 1) if changed[0] <= event.middle <= changed[1] else both
            shares = {"face": face, "scene": (both + 1) / 8}
            event = replace(
                event, views={view: dict(zip(LABELS, of.tolist(), strict=True)) for view, of in shares.items()}
            )
        yield event
