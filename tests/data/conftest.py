"""Photos of one shade and videos whose frames grow lighter, drawn on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from drawn import alone, film

Draw = Callable[..., Path]


@pytest.fixture
def photo(tmp_path: Path) -> Draw:
    def make(name: str, shade: int = 100, size: tuple[int, int] = (48, 48)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (shade,) * 3).save(path)
        return path

    return make


@pytest.fixture
def video(tmp_path: Path) -> Draw:
    """A lossless video of `frames` frames; frame i has the shade `step` i."""

    def make(name: str, frames: int, step: int = 2) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(path, "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.height, stream.width, stream.pix_fmt = 48, 48, "bgr0"
            for i in range(frames):
                picture = np.full((48, 48, 3), i * step, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def two_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder that one is in, with the folder `in` of two short videos, a.mp4 and b.mp4, of a person each."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for person in "ab":
        film(Path("in") / f"{person}.mp4", alone(6, person), rate=5)
