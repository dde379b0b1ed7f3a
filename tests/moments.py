"""Moments at which a process may be killed, for programs that show that nothing is lost by it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any


class Moments:
    """Counts moments, names them, and kills its own process at the one it is told."""

    def __init__(self, last: int | None) -> None:
        self.last, self.names = last, list[str]()

    def pass_by(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) - 1 == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, what: Callable[..., Any], name: str) -> Callable[..., Any]:
        def done(*given: Any) -> Any:
            self.pass_by(f"before {name}")
            answer = what(*given)
            self.pass_by(f"after {name}")
            return answer

        return done
