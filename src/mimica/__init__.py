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
    from mimica.units.detect import UnitDetector

__version__ = "0.1.0"
__all__ = ["__version__", "load", "read"]


def load(name: str = "duse-compact", *, device: str = "cpu") -> Recogniser:
    """A recogniser by name (`mimica models list`) or by the path that training wrote.

    Raises UsageError for an unknown name, CheckpointError for weights that do not fit.
    """
    from mimica.recognition.registry import load as find

    return find(name, device=device)


def read(
    video: str | Path, *, model: str = "duse-compact", units: str | None = None, **settings: Any
) -> Iterator[Reading]:
    """The readings of every person in a video, photo, folder of frames or camera, as they come.

    `settings` are the fields of `mimica.reading.settings.Settings`: fps, window, stride, faces, ... `units` is a
    detector of Action Units to ask as well, such as compact-units; readings then say how strong those look.
    Raises InputError where the video cannot be read.
    """
    from mimica.clips import Reading
    from mimica.reading.reader import Reader
    from mimica.reading.settings import Settings

    how = Settings(**settings)
    for event in Reader(load(model), how, units=_detector(units, how.device) if units else None).read(video):
        if isinstance(event, Reading):
            yield event


def _detector(name: str, device: str) -> UnitDetector:
    from mimica.units.registry import load as find

    return find(name, device=device)
