"""What to plan and how to have it put into words, stated and checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mimica.errors import UsageError

Manner = Literal["spontaneous", "posed"]
Backend = Literal["wan", "ltx", "cogvideox", "tiny"]
OnFailure = Literal["stop", "template"]

TOKENS: dict[Backend, int] = {"wan": 512, "ltx": 128, "cogvideox": 226, "tiny": 128}
"""How many tokens the text encoder of each generator reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """How plans are sampled."""

    frames: int = 16
    """How many frames the clip will have."""
    fps: float = 8.0
    """How many frames it shows in a second."""
    manner: Manner = "spontaneous"
    """How fast an expression sets in: spontaneous 0.4 to 0.7 s, posed 0.25 to 0.4 s."""
    seed: int = 0
    """What all that is random depends on."""

    def __post_init__(self) -> None:
        if self.frames < 4 or not 0 < self.fps <= 240:
            raise UsageError(f"a plan needs 4 frames or more and up to 240 a second, got {self.frames} at {self.fps:g}")
        if self.last < SHORTEST:
            raise UsageError(
                f"{self.frames} frames at {self.fps:g} a second last {self.last:.2f} s, too short for an expression to "
                f"set in; plan {SHORTEST:g} s or more, with more --frames or a lower --fps"
            )

    @property
    def last(self) -> float:
        """The time of the last frame in seconds."""
        return (self.frames - 1) / self.fps


SHORTEST = 1.0
"""The least time of the last frame: the slowest onset, and a little of the face at rest and of the apex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """Who puts plans into words, and how often it is asked."""

    server: str | None = None
    """Address of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1; without one the template writes."""
    language_model: str | None = None
    """The name of the vision-language model on that server."""
    key_variable: str = "MIMICA_SERVER_KEY"
    """The environment variable that holds the server's key, where it asks for one."""
    backend: Backend = "wan"
    """The generator that will read the prompt, which says how long it may be."""
    samples: int = 3
    """How many answers are asked for; of those that pass, the one nearest to the plan is taken."""
    retries: int = 2
    """How often it is asked again where none passes, told what was wrong."""
    timeout: float = 60.0
    """How many seconds an answer may take."""
    on_failure: OnFailure = "stop"
    """What to do where the server is down or refuses: stop, or go on with the template, which is said and counted."""
    cache: Path | None = None
    """Folder of answers that passed, which are not asked for again."""

    def __post_init__(self) -> None:
        if bool(self.server) != bool(self.language_model):
            raise UsageError("a server and the name of its model go together; give both --server and --language-model")
        if not 1 <= self.samples <= 16 or not 0 <= self.retries <= 2 or not self.timeout > 0:
            raise UsageError("samples must be 1 to 16, retries 0 to 2, and the timeout above 0 seconds")
