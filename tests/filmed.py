"""A camera for the tests that films when it is told to, so that nothing depends on how fast this machine is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

Picture = Callable[[], np.ndarray | None]

_LONG = 60.0
"""Seconds after which a wait is a failed test."""


class Slow:
    """Films `pictures`, `rate` a second; while frame `pause` is converted to RGB, all that is left is filmed.

    Up to that one, the next frame waits until the one before was asked for its picture: a reading that keeps up.
    Frames whose picture nobody will ask for are not waited for: `waits(index)` is False.
    """

    has_audio, rotation, duration = False, 0, None

    def __init__(
        self,
        pictures: Sequence[np.ndarray],
        *,
        rate: float = 16.0,
        pause: int | None = None,
        waits: Callable[[int], bool] = lambda index: True,
    ) -> None:
        self.pictures, self.rate, self.waits = pictures, rate, waits
        self.pause = len(pictures) if pause is None else pause
        self.height, self.width = pictures[0].shape[:2]
        self.closing = self.closed = False
        self.threads: set[int] = set()
        self._seen, self._filmed = threading.Semaphore(0), threading.Event()

    def decode(self) -> Iterator[tuple[float, Picture]]:
        """Each frame's time and picture."""
        self.threads.add(threading.get_ident())
        for index in range(len(self.pictures)):
            if 0 < index <= self.pause + 1 and self.waits(index - 1) and not self._awaited():
                return
            yield index / self.rate, lambda index=index: self._picture(index)
        self._filmed.set()

    def close(self) -> None:
        """Note that it was let go of, and by which thread."""
        self.closed = True
        self.threads.add(threading.get_ident())

    def _awaited(self) -> bool:
        """Whether the frame before was looked at; False if it never will be."""
        while not self._seen.acquire(timeout=0.01):
            if self.closing:
                return False
        return True

    def _picture(self, index: int) -> np.ndarray:
        self._seen.release()
        if index == self.pause:
            assert self._filmed.wait(_LONG)
        return self.pictures[index]


class Hung:
    """A camera that gives its first pictures and then none; `deaf` if it does not even notice that it is closed."""

    def __init__(self, pictures: int, *, deaf: bool = False) -> None:
        self.pictures, self.deaf = pictures, deaf
        self.closing = self.closed = False
        self.freed = threading.Event()

    def decode(self) -> Iterator[tuple[float, Picture]]:
        """Each frame's time and picture."""
        for index in range(self.pictures):
            yield index / 16, lambda: np.zeros((4, 4, 3), np.uint8)
        while not self.freed.wait(0.001) and (self.deaf or not self.closing):
            pass

    def close(self) -> None:
        """Note that it was let go of."""
        self.closed = True
