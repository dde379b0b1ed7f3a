"""The frames of a scene beside those of a face, in step with them."""

from __future__ import annotations

import numpy as np

from mimica.errors import InputError
from mimica.video.read import Video

_SAME = 1e-6


class Behind:
    """Gives the frame of a scene at a time: the last one that is not later. Asked for in the order of times."""

    def __init__(self, video: Video) -> None:
        self.video, self.frames = video, iter(video)
        self.next = next(self.frames, None)
        self.image: np.ndarray | None = None

    def at(self, time: float) -> np.ndarray:
        """The picture uint8 [H, W, 3] at `time` seconds. Raises InputError for a scene without a frame."""
        while self.next is not None and (self.image is None or self.next.time <= time + _SAME):
            self.image, self.next = self.next.image, next(self.frames, None)
        if self.image is None:
            raise InputError(f"{self.video.info.source} holds no frame")
        return self.image
