"""What clips are rewarded for, how a generator is tuned by that, and which clips are made and kept.

Only the loop of generating and learning asks for them: the command line starts sooner without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mimica.errors import UsageError, require

Rule = Literal["grpo", "ddpo", "dpok", "draft", "bon"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """How much the loop makes, and of what it begins."""

    rounds: int = 3
    """How many rounds at most: after each it is measured what lacks still."""
    size: int = 60
    """How many clips a round has at most."""
    frames: int = 9
    """How many frames a clip has, at 8 a second; the nearest number that the generator can make is taken."""
    batch: int = 8
    """How many clips are made at once; fewer take less memory."""
    hold: float = 0.15
    """Share of the people of train that are held out to validate with, where the data has no part for that."""

    def __post_init__(self) -> None:
        require(
            (self.rounds >= 1, f"rounds must be 1 or more, got {self.rounds}"),
            (self.size >= 1, f"size must be 1 or more, got {self.size}"),
            (self.frames >= 4, f"frames must be 4 or more, got {self.frames}"),
            (self.batch >= 1, f"batch must be 1 or more, got {self.batch}"),
            (0 < self.hold < 0.5, f"hold must be above 0 and below 0.5, got {self.hold:g}"),
        )
