from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from drawn import Squares, alone, folder, photo, picture, walk
from mimica.clips import Clip, ClipBatch, Reading
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.reading.explain import Explanation, explain, explain_source, one_source
from mimica.reading.reader import Reader
from mimica.reading.settings import Settings
from mimica.recognition.model import Explained, Explains, Recogniser
from mimica.recognition.registry import load

C, N = len(EXPRESSIONS), 3


class Vision:
    """A tower that is asked only how large a face is."""

    size = 16

    def normalise(self, pixels: Tensor) -> Tensor:
        return pixels


class Shades:
    """A network whose weights follow the brightness of frames, so that each clip has its own."""

    vision = Vision()
    heads: int | None = N

    def __call__(self, batch: ClipBatch) -> Tensor:
        return self.explained(batch).logits

    def explained(self, batch: ClipBatch) -> Explained:
        bright = batch.face.mean((2, 3, 4))
        frames = (9 * bright).masked_fill(~batch.valid, -torch.inf).softmax(-1)
        logits = torch.sin(35 * (frames * bright).sum(-1)[:, None] + torch.arange(C)) * 2
        if self.heads is None:
            return Explained(logits=logits, frames=frames, classes=None)
        sharp = torch.arange(1, self.heads + 1)[:, None]
        return Explained(logits=logits, frames=frames, classes=(sharp * logits[:, None]).softmax(-1))


def stub(**changes: Any) -> Recogniser:
    network: Any = Shades()
    return Recogniser(**({"name": "shades", "network": network, "space": EXPRESSIONS, "frames": 16} | changes))


def some_clip(frames: int = 5, seed: int = 0) -> Clip:
    faces = np.random.default_rng(seed).integers(0, 256, (frames, 1, 1, 1), np.uint8).repeat(16, 1).repeat(16, 2)
    times = 2 + np.arange(frames) / 8
    return Clip(person=4, start=2.0, end=2 + frames / 8, faces=faces.repeat(3, 3), times=times, quality=np.ones(frames))


# What is explained


def test_the_weights_are_the_networks_own_and_the_probabilities_are_calibrated() -> None:
    recogniser, clip = stub(temperature=1.7), some_clip()
    told = explain(recogniser, clip)
    found = recogniser.network.explained(recogniser.batch([clip]))  # type: ignore[attr-defined]
    assert np.allclose(told.frames, found.frames[0])
    assert told.classes is not None
    assert np.allclose(told.classes, found.classes[0])
    assert np.allclose(told.probabilities, recogniser.probabilities([clip])[0])
    assert np.allclose(told.probabilities, (found.logits[0] / 1.7).softmax(-1))
    assert told.shown == int(told.probabilities.argmax())
    assert (told.labels, told.person, told.model, told.temperature) == (EXPRESSIONS.names, 4, "shades", 1.7)
    assert np.array_equal(told.faces, clip.faces)
    assert np.array_equal(told.times, clip.times)


@pytest.mark.parametrize(("texts", "sentences"), [(None, 1), ("first", 1), ("mean", 3)])
def test_the_texts_are_those_that_the_model_read(texts: str | None, sentences: int) -> None:
    facts = {} if texts is None else {"config": {"texts": texts}}
    told = explain(stub(facts=facts), some_clip())
    assert told.texts == tuple(described[:sentences] for described in EXPRESSIONS.descriptions)


def test_a_trained_models_explanation_is_of_the_very_reading(tiny_model: Path) -> None:
    recogniser = load(str(tiny_model))
    assert isinstance(recogniser.network, Explains)
    faces = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 3), np.uint8)
    told = explain(recogniser, replace(some_clip(6), faces=faces))
    assert np.allclose(told.probabilities, recogniser.probabilities([replace(some_clip(6), faces=faces)])[0], atol=1e-6)
    assert told.classes is not None
    assert np.allclose(told.classes.sum(-1), 1)
    assert told.frames.sum() == pytest.approx(1)
    assert told.frames.shape == (6,)


def test_a_model_that_does_not_tell_what_it_weighs_is_refused() -> None:
    network: Any = torch.nn.Identity()
    with pytest.raises(UsageError, match="shades cannot be explained"):
        explain(stub(network=network), some_clip())


# Which person and which window

QUICK = Settings(fps=10, window=8, stride=4, unsure_below=0.0, frame_rate=20)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds: b is there until 1.5 s and from 3.5 s on, a from 1.0 s on and is seen longest."""
    places = [({"a": (10, 24)} if i >= 20 else {}) | ({"b": (100, 24)} if i < 30 or i >= 70 else {}) for i in range(80)]
    return folder(tmp_path_factory.mktemp("two") / "two", walk(places))


def reader(settings: Settings = QUICK, **changes: Any) -> Reader:
    return Reader(stub(**changes), settings, detector=Squares())


@pytest.fixture(scope="module")
def read(two: Path) -> dict[int, list[Reading]]:
    """The readings of each person."""
    found: dict[int, list[Reading]] = {}
    for event in reader().read(two):
        if isinstance(event, Reading) and event.person is not None:
            found.setdefault(event.person, []).append(event)
    return found


def is_of(told: Explanation, reading: Reading) -> bool:
    shares = [reading.probabilities[name] for name in told.labels]
    same = (told.person, told.start, told.end, told.status) == (
        reading.person,
        reading.start,
        reading.end,
        reading.status,
    )
    return same and bool(np.allclose(told.probabilities, shares, atol=1e-6))


def test_the_surest_window_of_the_person_followed_longest_is_explained(
    two: Path, read: dict[int, list[Reading]]
) -> None:
    told = explain_source(reader(), two)
    longest = max(read, key=lambda who: sum(r.end - r.start for r in read[who]))
    surest = max(read[longest], key=lambda r: r.confidence or 0)
    assert longest != min(read)
    assert surest not in (read[longest][0], read[longest][-1])
    assert is_of(told, surest)
    assert told.source == str(two)
    assert told.chosen == f"the person followed longest of {len(read)}; the surest of {len(read[longest])} windows"


def test_another_person_may_be_asked_for(two: Path, read: dict[int, list[Reading]]) -> None:
    for person, readings in read.items():
        told = explain_source(reader(), two, person=person)
        assert is_of(told, max(readings, key=lambda r: r.confidence or 0))
        assert told.chosen.startswith(f"one of {len(read)} people; ")


@pytest.mark.parametrize("at", [1.2, 1.55, 2.71, 3.9])
def test_a_time_asks_for_the_window_whose_middle_is_nearest(
    two: Path, read: dict[int, list[Reading]], at: float
) -> None:
    longest = max(read, key=lambda who: sum(r.end - r.start for r in read[who]))
    there = [r for r in read[longest] if r.start <= at <= r.end]
    told = explain_source(reader(), two, at=at)
    assert is_of(told, min(there, key=lambda r: abs(r.middle - at)))
    assert f"the one around {at:g} s" in told.chosen


def test_at_a_time_it_is_someone_who_is_seen_then(two: Path, read: dict[int, list[Reading]]) -> None:
    told = explain_source(reader(), two, at=0.2)
    assert told.start <= 0.2 <= told.end
    assert told.person == next(who for who in read if any(r.start <= 0.2 for r in read[who]))
    assert told.chosen.startswith("the person followed longest of those seen then; ")


def test_the_frames_are_those_of_the_window(two: Path) -> None:
    told = explain_source(reader(), two, at=2.0)
    assert len(told.frames) == len(told.times) == len(told.faces) == 8
    assert told.frames.sum() == pytest.approx(1)
    assert told.times[0] == told.start
    assert (np.diff(told.times) > 0).all()
    assert told.times[-1] < told.end


def test_a_window_ends_with_its_source_as_its_reading_does(tmp_path: Path) -> None:
    assert explain_source(reader(), folder(tmp_path / "short", alone(15))).end == pytest.approx(15 / 20)


def test_a_reading_that_is_unsure_is_told_to_be(two: Path) -> None:
    assert explain_source(reader(replace(QUICK, unsure_below=1.0)), two).status == "unsure"


def test_a_photo_is_explained_at_its_one_moment(tmp_path: Path) -> None:
    source = photo(tmp_path / "both.png", picture({"a": (10, 20), "b": (100, 20)}))
    told = explain_source(reader(), source, at=0)
    assert (told.person, told.frames.tolist()) == (0, [1.0])
    assert told.chosen == "the first of 2 people in a photo; the only window"
    assert told.heading.startswith("both.png · person 0 · 0.00 s · read as ")


def test_progress_is_told_in_seconds(two: Path) -> None:
    told: list[float] = []
    explain_source(reader(), two, progress=lambda seconds, of: told.append(seconds))
    assert told == pytest.approx([i / 10 for i in range(40)])


def test_a_person_who_is_not_there_is_answered_with_those_who_are(two: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no person 7 in .*two; choose from person 0 \(0\.0 to .*, person 1 \(1\.1 to 4\.0 s\)"
    ):
        explain_source(reader(), two, person=7)


def test_a_time_that_is_not_there_is_answered_with_those_that_are(two: Path) -> None:
    with pytest.raises(UsageError, match=r"no face is read at 99 s of .*two; choose a time of person 0 .*, person 1 "):
        explain_source(reader(), two, at=99)
    with pytest.raises(UsageError, match=r"no face is read at 0\.2 s of .*; choose a time of person 1 \([^()]*\)$"):
        explain_source(reader(), two, person=1, at=0.2)
    with pytest.raises(UsageError, match="no face is read at nan s"):
        explain_source(reader(), two, at=float("nan"))


def test_a_source_without_a_face_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"wall\.png shows no face.*--faces none"):
        explain_source(reader(), photo(tmp_path / "wall.png", picture({})))


def test_a_model_that_cannot_tell_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    network: Any = torch.nn.Module()
    network.vision = Vision()
    with pytest.raises(UsageError, match="cannot be explained"):
        explain_source(reader(network=network), tmp_path / "gone.mp4")


def test_one_source_is_meant(tmp_path: Path) -> None:
    frames = folder(tmp_path / "clip" / "frames", alone(3))
    assert one_source(str(frames)) == str(frames)
    (tmp_path / "many").mkdir()
    for i in range(2):
        photo(tmp_path / "many" / f"{'ab'[i]}.png", picture({}))
    with pytest.raises(InputError, match=r"many holds 2 videos or pictures; name one of a\.png, b\.png$"):
        one_source(str(tmp_path / "many"))
    with pytest.raises(InputError, match=r"no file or folder .*gone\.mp4"):
        one_source(str(tmp_path / "gone.mp4"))
    with pytest.raises(InputError, match="did you mean 'mtcnn'"):
        one_source("asset:mtcn")
    with pytest.raises(UsageError, match="camera:0 has no end"):
        one_source("camera:0")
