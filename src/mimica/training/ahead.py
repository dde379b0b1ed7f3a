"""What is prepared in threads while a model computes, and handed over in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")
Asked = TypeVar("Asked")


def prepared(
    make: Callable[[Asked], Made], wanted: Iterable[Asked], *, ahead: int, threads: int | None = None
) -> Iterator[Made]:
    """What `make` gives for each of `wanted`, in order, up to `ahead` of them made before they are asked for.

    Each is made in a thread of its own unless `threads` says how many there are; with `ahead` 0 there are
    none. What `make` raises is raised when its turn comes. However the iteration ends, nothing is begun after
    it and its threads have ended.
    """
    if ahead < 1:
        yield from map(make, wanted)
        return
    pool = ThreadPoolExecutor(threads or ahead, thread_name_prefix="ahead")
    making: deque[Future[Made]] = deque()
    try:
        for one in wanted:
            making.append(pool.submit(make, one))
            if len(making) > ahead:
                yield making.popleft().result()
        while making:
            yield making.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
