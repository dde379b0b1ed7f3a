"""Mimica reads apparent facial expression in real video.

>>> import mimica
>>> recogniser = mimica.load("duse-compact")
>>> recogniser.space.names[0]
'happiness'
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mimica.clips import Reading
    from mimica.recognition.model import Recogniser

__version__ = "0.1.0"
__all__ = ["__version__", "load", "read"]


def load(name: str = "duse-compact", *, device: str = "cpu") -> Recogniser:
    """A recogniser by name (`mimica models list`) or by the path that training wrote.

    Raises UsageError for an unknown name, CheckpointError for weights that do not fit.
    """
    from mimica.recognition.registry import load as find

    return find(name, device=device)


def read(video: str | Path, *, model: str = "duse-compact", **settings: Any) -> Iterator[Reading]:
    """The readings of every person in a video, photo, folder of frames or camera, as they come.

    `settings` are the fields of `mimica.reading.settings.Settings`: fps, window, stride, faces, ...
    Raises InputError where the video cannot be read.
    """
    from mimica.clips import Reading
    from mimica.reading.reader import Reader
    from mimica.reading.settings import Settings

    for event in Reader(load(model), Settings(**settings)).read(video):
        if isinstance(event, Reading):
            yield event
