"""What to plan and how to have it put into words, stated and checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mimica.errors import UsageError, require

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


Scheme = Literal["sde", "ddim"]
Guided = Literal["off", "split", "coherent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How clips are sampled from noise."""

    steps: int = 8
    """How many steps lead from noise to a clip; each asks the model once for every pass of guidance."""
    noise: float = 0.7
    """How much chance there is in steps that are tuned: a of the flow's equation, or η of DDIM, 0 to 1."""
    temperature: float = 1.0
    """Deviation of the noise that a clip begins with; below 1 clips are smoother, and less unlike each other."""
    scheme: Scheme = "sde"
    """How chance enters a flow: by its stochastic equation (sde), or as DDIM has it, which in ten steps or fewer stays
    nearer to clips made without chance."""
    shift: float | None = None
    """How far the steps of a flow move toward noise; 1 spaces them evenly, None is what suits the model."""
    window: int = 0
    """How many steps in a row have chance and are tuned, the others none; 0: all but the last."""
    window_every: int = 25
    """After how many iterations of tuning that window moves on by a step."""

    def __post_init__(self) -> None:
        require(
            (2 <= self.steps <= 1000, f"steps must be 2 to 1000, got {self.steps}"),
            (0 <= self.temperature <= 1, f"temperature must be 0 to 1, got {self.temperature:g}"),
            (0 < self.noise <= 1, f"noise must be above 0 and at most 1, got {self.noise:g}"),
            (self.shift is None or self.shift > 0, f"shift must be above 0, got {self.shift}"),
            (
                0 <= self.window < self.steps and self.window_every >= 1,
                f"a window must be 0 to {self.steps - 1} steps and move every 1 or more iterations, "
                f"got {self.window} and {self.window_every}",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceSettings:
    """How strongly a clip is drawn to what it shall show, frame by frame."""

    frames: Guided = "off"
    """Off: one weight for all; split: weights of still and words by frame; coherent: these, and frames held together
    where the plan does not move."""
    weight: float = 2.0
    """With frames off: how far a prediction is drawn from the still alone toward plan and words; 1 is no guidance."""
    image_weight: float = 1.5
    """How far it is drawn toward the still, in early frames; 0.7 of that at the last."""
    text_weight: float = 5.0
    """How far it is drawn on toward plan and words, where the plan is at its strongest; half of that at rest."""
    coherence: float = 0.2
    """How strongly frames are held together at the end of sampling, from 0; at its start they are not."""
    change_scale: float = 0.5
    """A plan that changes by so much from one frame to the next, summed over units, loosens them to 1/e."""

    def __post_init__(self) -> None:
        if self.weight < 0 or self.image_weight < 0 or self.text_weight < 0:
            raise UsageError("weights of guidance must be 0 or more")
        if not 0 <= self.coherence <= 10 or not self.change_scale > 0:
            raise UsageError(
                f"coherence must be 0 to 10 and its scale above 0, got {self.coherence:g} and {self.change_scale:g}"
            )

    @property
    def passes(self) -> int:
        """How often the model is asked in each step."""
        return 3 if self.frames != "off" else 1 if self.weight == 1 else 2
