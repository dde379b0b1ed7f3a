"""Reading with the scene beside the face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drawn import Squares, folder, walk
from mimica.clips import Clip, Reading
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.faces.crop import scene_view
from mimica.labels import EXPRESSIONS
from mimica.reading.events import Event, Opened, Seen
from mimica.reading.reader import Reader
from mimica.reading.settings import Settings
from mimica.recognition.frames import KeptFrames
from mimica.recognition.model import Recogniser
from mimica.recognition.ous.config import OusConfig
from mimica.recognition.ous.model import Ous
from mimica.recognition.registry import load

QUICK = Settings(fps=10, window=8, stride=4, unsure_below=0.0, frame_rate=20)


def read(recogniser: Recogniser, source: Path, **how: object) -> list[Event]:
    return list(Reader(recogniser, QUICK, detector=Squares()).read(source, **how))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recogniser(tiny_model: Path) -> Recogniser:
    return load(str(tiny_model))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a; b comes in after half of one."""
    places = [{"a": (10, 24)} | ({"b": (100, 24)} if i >= 10 else {}) for i in range(40)]
    return folder(tmp_path_factory.mktemp("two") / "two", walk(places))


@pytest.fixture(scope="module")
def of_both(tiny_dual: DualEncoder) -> Recogniser:
    """A recogniser that reads the scene beside the face, at random."""
    torch.manual_seed(5)
    network = Ous(tiny_dual.vision, tiny_dual.text, EXPRESSIONS, OusConfig(), log_scale=tiny_dual.log_scale)
    return Recogniser(name="both", network=network.eval(), space=EXPRESSIONS, frames=16, window=8)


@pytest.mark.parametrize("hides", [False, True])
def test_each_face_is_read_before_its_scene_which_is_the_middle_of_the_frame(
    of_both: Recogniser, two: Path, monkeypatch: pytest.MonkeyPatch, hides: bool
) -> None:
    monkeypatch.setattr(Ous, "hides_face", hides)
    clips: list[Clip] = []
    events = read(of_both, two, clips=lambda clip, reading: clips.append(clip))
    images = {event.frame.time: event for event in events if isinstance(event, Seen) and event.read}
    assert {clip.person for clip in clips} == {0, 1}
    for clip in clips:
        assert clip.scenes is not None
        assert clip.scenes.shape == clip.faces.shape
        for time, scene in zip(clip.times.tolist(), clip.scenes, strict=True):
            seen = images[time]
            hidden = seen.faces[clip.person].box if hides else None
            assert np.array_equal(scene, scene_view(seen.frame.image, size=48, hidden=hidden))


def test_pictures_that_are_faces_and_nothing_else_are_refused_before_they_are_opened(of_both: Recogniser) -> None:
    with pytest.raises(UsageError, match=r"both cannot read with --faces none: .* such as duse-compact"):
        Reader(of_both, replace(QUICK, faces="none"))


def test_a_recogniser_of_faces_is_given_no_scene(recogniser: Recogniser, two: Path) -> None:
    clips: list[Clip] = []
    read(recogniser, two, clips=lambda clip, reading: clips.append(clip))
    assert [clip.scenes for clip in clips] == [None] * len(clips)


# What each view says alone


def told(events: list[Event]) -> list[Reading]:
    return [event for event in events if isinstance(event, Reading) and event.person is not None]


@pytest.mark.parametrize("smooth", [0.0, 2.0])
def test_a_reading_has_what_face_and_scene_say_alone_of_its_window_whatever_is_smoothed(
    of_both: Recogniser, two: Path, smooth: float
) -> None:
    calibrated = replace(of_both, temperature=1.0, facts={"view_temperatures": {"face": (0.5, 0.0)}})
    clips: list[Clip] = []
    reader = Reader(calibrated, replace(QUICK, smooth=smooth), detector=Squares())
    events = list(reader.read(two, clips=lambda clip, reading: clips.append(clip)))
    opened = next(event for event in events if isinstance(event, Opened))
    assert opened.views == (("raw",) if smooth else ()) + ("face", "scene")
    names = EXPRESSIONS.names
    assert len(told(events)) > 4
    for reading, clip in zip(told(events), clips, strict=True):
        assert tuple(reading.views) == opened.views
        anew = calibrated.views([clip])
        for view in ("face", "scene"):
            assert [reading.views[view][name] for name in names] == pytest.approx(anew[view][0].tolist(), abs=1e-6)
        both = reading.views["raw"] if smooth else reading.probabilities
        assert [both[name] for name in names] == pytest.approx(anew["both"][0].tolist(), abs=1e-6)


def test_a_reading_of_a_model_of_faces_alone_has_no_views(recogniser: Recogniser, two: Path) -> None:
    events = read(recogniser, two)
    assert next(event for event in events if isinstance(event, Opened)).views == ()
    assert {len(reading.views) for reading in told(events)} == {0}


def counting(encoded: dict[str, int], view: str, real: Any) -> Any:
    """What encodes the frames of a view, counting them."""

    def counted(network: Ous, pictures: torch.Tensor) -> Any:
        encoded[view] += len(pictures)
        return real(network, pictures)

    return counted


def test_at_half_window_stride_a_frame_is_encoded_once_and_let_go_with_its_last_window(
    of_both: Recogniser, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, held = {"faces": 0, "scenes": 0}, list[int]()
    for view in encoded:
        monkeypatch.setattr(Ous, f"of_{view}", counting(encoded, view, getattr(Ous, f"of_{view}")))
    forget = KeptFrames.forget

    def noted(self: KeptFrames, before: float) -> None:
        held.append(len(self))
        forget(self, before)

    monkeypatch.setattr(KeptFrames, "forget", noted)
    seen = [event for event in read(of_both, two) if isinstance(event, Seen) and event.faces]
    assert len(seen) == 20
    assert encoded["scenes"] <= 1.05 * len(seen)
    assert encoded["faces"] <= 1.05 * sum(len(event.faces) for event in seen)
    assert len(held) >= 3
    assert max(held) <= 8 * 3  # a window of two faces and the scene behind them
