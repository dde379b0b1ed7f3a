"""Tiny videos, drawn on disk: frame i of n is one grey that grows with i, so that order and colour can be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Write a video of the given times, in milliseconds, and pictures; returns its path."""

    def make(
        name: str,
        times: Sequence[int] = range(0, 1000, 40),
        *,
        codec: str = "libx264",
        pixels: str = "yuv420p",
        images: Sequence[np.ndarray] | None = None,
        sound: str | None = None,
        turn: tuple[int, bool] | None = None,
        options: dict[str, str] | None = None,
        tick: Fraction = Fraction(1, 1000),
    ) -> Path:
        images = images or [grey(10 * i + 4) for i in range(len(times))]
        path = tmp_path / name
        with av.open(path, "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as container:
            stream = container.add_stream(codec, rate=25, options=options or {})
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt, stream.codec_context.time_base = pixels, tick
            if turn is not None:
                stream.set_display_rotation(turn[0], hflip=turn[1])
            audio = container.add_stream(sound, rate=16000) if sound else None
            for time, image in zip(times, images, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
                frame = frame.reformat(format=pixels)
                frame.pts, frame.time_base = time, tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if audio is not None:
                _hum(container, audio, seconds=times[-1] / 1000)
        return path

    return make


@pytest.fixture
def hum() -> Callable[..., None]:
    """Write seconds of a low tone to a sound stream."""
    return _hum


def grey(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), min(level, 255), np.uint8)


def _hum(container: Any, stream: Any, seconds: float) -> None:
    for start in range(0, int(16000 * seconds), 1024):
        wave = np.sin(np.arange(start, start + 1024) / 16).astype(np.float32)[None] * 0.2
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
