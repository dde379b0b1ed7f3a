"""Reading with the scene beside the face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import Squares, folder, walk
from mimica.clips import Clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.faces.crop import scene_view
from mimica.labels import EXPRESSIONS
from mimica.reading.events import Event, Seen
from mimica.reading.reader import Reader
from mimica.reading.settings import Settings
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
