"""Small videos of several containers, encoded here, and the ways in which they are hurt."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any


def seeds(folder: Path) -> list[Path]:
    """Small videos of several kinds, encoded here."""
    kinds: list[tuple[str, str, str, dict[str, Any]]] = [
        ("plain.mp4", "libx264", "yuv420p", {"sound": True}),
        ("front.mp4", "libx264", "yuv420p", {"movflags": "+faststart"}),
        ("turned.mov", "libx264", "yuv420p", {"turn": 90}),
        ("plain.mkv", "libx264", "yuv420p", {}),
        ("plain.webm", "libvpx-vp9", "yuv420p", {"options": {"cpu-used": "8", "deadline": "realtime"}}),
        ("plain.avi", "mjpeg", "yuvj420p", {}),
        ("older.avi", "mpeg4", "yuv420p", {}),
        ("plain.gif", "gif", "rgb8", {}),
        ("plain.ts", "libx264", "yuv420p", {}),
    ]
    return [encode(folder / name, codec, pixels, **how) for name, codec, pixels, how in kinds]


def encode(
    path: Path, codec: str, pixels: str, *, sound: bool = False, movflags: str = "", turn: int = 0,
    options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """Two seconds of moving patches at ten frames a second."""
    import av
    import numpy as np

    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        stream = container.add_stream(codec, rate=10, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        stream.codec_context.gop_size = 8
        if turn:
            stream.set_display_rotation(turn)
        audio = container.add_stream("aac", rate=16000) if sound else None
        coarse = np.random.default_rng(0).integers(0, 255, (8, 32, 3), dtype=np.uint8)
        for i in range(20):
            image = np.kron(np.roll(coarse, i, axis=1)[:, :12], np.ones((8, 8, 1), np.uint8))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = i, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            _hum(container, audio)
    return path


def _hum(container: Any, stream: Any) -> None:
    import av
    import numpy as np

    for start in range(0, 32000, 1024):
        wave = np.sin(np.arange(start, start + 1024) / 16).astype(np.float32)[None] * 0.2
        piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def mutant(data: bytes, chance: random.Random) -> tuple[bytes, list[str]]:
    """The bytes of a file hurt in one to three ways, and which."""
    hurt, done = bytearray(data), []
    for change in chance.sample(CHANGES, chance.choice((1, 1, 2, 3))):
        change(hurt, chance)
        done.append(change.__name__.strip("_"))
    return bytes(hurt), done


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 32, 256)) if data else 0):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut_short(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _duplicate_chunk(data: bytearray, chance: random.Random) -> None:
    start, end = _block(data, chance)
    at = chance.randrange(len(data) + 1)
    data[at:at] = data[start:end]


def _delete_block(data: bytearray, chance: random.Random) -> None:
    start, end = _block(data, chance)
    del data[start:end]


def _blank_block(data: bytearray, chance: random.Random) -> None:
    start, end = _block(data, chance)
    data[start:end] = bytes([chance.choice((0x00, 0xFF, 0x20))]) * (end - start)


def _edit_header(data: bytearray, chance: random.Random) -> None:
    """Extreme numbers where sizes, counts, rates and dimensions stand: at the front or around an index."""
    starts = [0, *(max(0, data.find(mark) - 8) for mark in _MARKS if mark in data)]
    for _ in range(chance.choice((1, 2, 6))):
        width, at = chance.choice((1, 2, 4, 8)), chance.choice(starts) + chance.randrange(160)
        first, rest = chance.choice((0, 1, 0x7F, 0x80, 0xFF)), chance.choice((0, 0xFF))
        if at + width <= len(data):
            data[at : at + width] = bytes([first]) + bytes([rest]) * (width - 1)


_MARKS = (b"moov", b"tkhd", b"mdhd", b"stsd", b"avcC", b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"avih", b"strh",
          b"strf", b"idx1", b"\x16\x54\xae\x6b", b"\x15\x49\xa9\x66", b"\x1f\x43\xb6\x75")  # fmt: skip


def _block(data: bytearray, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((4, 64, 512, 4096)))


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip_bits, _cut_short, _duplicate_chunk, _delete_block, _blank_block, _edit_header,
)  # fmt: skip
