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
Rule = Literal["grpo", "ddpo", "dpok", "draft", "bon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How clips are sampled from noise."""

    steps: int = 8
    """How many steps lead from noise to a clip; each asks the model once for every pass of guidance."""
    noise: float = 0.7
    """How much chance there is in steps that are tuned: a of the flow's equation, or η of DDIM, 0 to 1."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """What clips are rewarded for, each by its weight; 0 leaves it out. Units and identity cannot be left out."""

    units: float = 0.25
    """Units move as planned, as strong as planned."""
    expression: float = 0.15
    """A recogniser takes the clip for its class."""
    natural: float = 0.10
    """Motion is smooth, sets in before its apex, and is as fast as real motion of its size."""
    identity: float = 0.20
    """The face stays that of the still."""
    integrity: float = 0.15
    """Pictures are whole."""
    efficiency: float = 0.15
    """Few questions are asked of the model."""
    tail_weight: float = 1.5
    """By how much units, expression and natural count more in scarce classes."""
    bound: float = 5.0
    """The largest advantage, in deviations."""

    def __post_init__(self) -> None:
        weights = self.weights()
        if min(weights.values()) < 0 or self.tail_weight < 1 or not self.bound > 0:
            raise UsageError("weights of rewards must be 0 or more, the tail's 1 or more, the bound above 0")
        least = 0.1 * sum(weights.values())
        if min(self.units, self.identity) < least or not self.units > 0:
            raise UsageError(
                "rewards for units and for identity must each have a tenth of all weight or more, lest frames in any "
                f"order, or another face, should pay; got {self.units:g} and {self.identity:g} of {10 * least:g}"
            )

    def weights(self) -> dict[str, float]:
        """The weight of each reward by its name."""
        return {name: float(getattr(self, name)) for name in REWARDS}


REWARDS = ("units", "expression", "natural", "identity", "integrity", "efficiency")
"""The names of all rewards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSettings:
    """How a generator is tuned by rewards."""

    rule: Rule = "grpo"
    """How rewards change it: within groups (grpo), by each prompt's own past (ddpo), held to the model before (dpok),
    through the last steps themselves (draft), or by learning the best of each group (bon)."""
    iterations: int = 60
    """How often clips are made and learned from."""
    groups: int = 5
    """How many stills with a plan are taken in an iteration."""
    group: int = 6
    """How many clips are made of each, from one and the same noise."""
    steps: tuple[int, ...] = (6, 8, 10)
    """How many steps clips are made with; one of these is drawn for each group."""
    choose_steps: bool = False
    """Learn beside it how few steps a clip needs, among 4, 6, 8, 12 and 20, and draw those instead."""
    lr: float = 3e-4
    """Learning rate."""
    clip_range: float = 1e-3
    """How far the ratio of probabilities may move from 1 before it pays no more (grpo, ddpo)."""
    kl: float = 0.03
    """Weight of the distance from the model before tuning; ddpo and bon have none."""
    weight_decay: float = 1e-4
    """Weight decay of AdamW."""
    max_norm: float = 1.0
    """The largest norm of a gradient."""
    ema: float = 0.995
    """Decay of the average of the weights that is measured and kept; 0: none."""
    fraction: float = 0.6
    """Share of the steps with chance that is learned from, drawn anew in each iteration."""
    updates: int = 1
    """How often the same clips are learned from."""
    last: int = 1
    """Through how many last steps draft goes back."""
    rank: int = 32
    """Rank of the adapter (LoRA)."""
    alpha: int = 32
    """Scale of the adapter, which is alpha / rank."""
    evaluate_every: int = 10
    """After how many iterations held-out clips are made and judged; 0: never."""
    save_every: int = 1
    """How many iterations may be lost when it is killed."""
    most_kl: float = 0.05
    """It stops where clips are as far as that from the model before, mean over latents and steps."""
    patience: int = 3
    """It stops where so many times in a row held-out judges found worse what those that reward found better."""
    least_diversity: float = 0.7
    """It stops where clips of one plan differ by less than this share of what they did before."""
    seed: int = 0
    """What all that is random depends on."""

    def __post_init__(self) -> None:
        for name, least in {"iterations": 1, "groups": 1, "group": 2, "updates": 1, "last": 1, "rank": 1, "alpha": 1,
                            "evaluate_every": 0, "save_every": 1, "patience": 1}.items():  # fmt: skip
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}")
        require(
            (self.steps and min(self.steps) > 1, f"steps must be one number or more, each above 1, got {self.steps}"),
            (self.lr > 0, f"lr must be above 0, got {self.lr:g}"),
            (0 < self.clip_range < 1, f"clip-range must be between 0 and 1, got {self.clip_range:g}"),
            (self.kl >= 0 and self.weight_decay >= 0, "kl and weight-decay must be 0 or more"),
            (0 <= self.ema < 1, f"ema must be from 0 to below 1, got {self.ema:g}"),
            (0 < self.fraction <= 1, f"fraction must be above 0 and at most 1, got {self.fraction:g}"),
            (
                self.last < min(self.steps, default=2),
                f"draft goes back through fewer steps than there are: {self.last}",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationSettings:
    """How many clips of which classes are made, round by round."""

    level: float = 0.5
    """How far classes are brought toward the most frequent: 0 all the way, 1 not at all."""
    most: float = 5.0
    """How many times as many clips as there are may be added to a class."""
    most_scarce: float = 20.0
    """The same of a class of fewer than 30 clips."""
    focus: float = 1.0
    """How much more a class counts that is recognised badly: (1 − recall) to this power."""
    limit: float = 0.5
    """The largest share of a round that a class may have, where others lack clips too."""
    least_accepted: float = 0.10
    """A class of which less than this share is accepted needs real clips and gets no more."""
    rounds: int = 2
    """Generating stops where so many rounds in a row left the recall of validation no higher."""

    def __post_init__(self) -> None:
        require(
            (0 <= self.level <= 1, f"level must be 0 to 1, got {self.level:g}"),
            (self.most >= 0 and self.most_scarce >= 0, "most and most-scarce must be 0 or more"),
            (self.focus >= 0, f"focus must be 0 or more, got {self.focus:g}"),
            (0 < self.limit <= 1, f"limit must be above 0 and at most 1, got {self.limit:g}"),
            (0 < self.least_accepted < 1, f"least-accepted must be between 0 and 1, got {self.least_accepted:g}"),
            (self.rounds >= 1, f"rounds must be 1 or more, got {self.rounds}"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """Which generated clips are kept."""

    consistency: float = 0.0
    """Measured units must speak for the class by more than this, in nats."""
    probability: float = 0.5
    """Recognisers that rewarded nothing must give the class this probability or more."""
    identity: float = 0.4
    """The face must be this like the one it was made from, cosine."""
    nearest: float = 0.98
    """A clip more like one to train on than this, cosine, adds nothing."""
    own: float = 0.7
    """Share of the class that was asked for in the label of a clip; recognisers have the rest."""

    def __post_init__(self) -> None:
        if not (0 <= self.probability <= 1 and -1 <= self.identity <= 1 and -1 <= self.nearest <= 1):
            raise UsageError("a probability is 0 to 1, and likeness is -1 to 1")
        if not 0.5 < self.own <= 1:
            raise UsageError(f"own must be above 0.5 and at most 1, lest the label be another's, got {self.own:g}")
