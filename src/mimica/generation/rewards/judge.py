"""A judge of clips: detectors of which each sees one thing, their rewards on one scale, and gates. B clips, T frames.

What a judge rewards it must not measure: keep other detectors and recognisers for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mimica.errors import InputError, UsageError
from mimica.generation.loop_settings import RewardSettings
from mimica.generation.rewards import terms
from mimica.generation.rewards.calibration import LARGEST_HINGE, Affine, Calibration
from mimica.generation.targets import Targets

Clips = Tensor
Sees = Callable[[Clips], Tensor]
"""What a detector is: clips [B, T, 3, H, W] in 0 to 1 → what it sees of them."""

LEAST_FOUND, NEAREST = 0.9, 0.98
FEWEST, MOST = 4, 60
"""The numbers of questions asked of a model for a clip that efficiency pays 1 and 0 for: 4 steps, and 20 of 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """What clips are judged by; each may be any network, or a formula.

    `units` gives curves [B, T, A] in 0 to 1, NaN for a unit that it does not know; `embed` features of the face in each
    frame [B, T, D]; `pools` such features [P, D] of real frames of each person, by name. `recogniser` gives
    probabilities [B, C], `integrity` a share of what is whole [B]. For gates: `found` is the share of frames with a
    face [B], `nearest` the cosine with the nearest clip to train on [B].
    """

    units: Sees
    embed: Sees
    pools: Mapping[str, Tensor]
    recogniser: Sees | None = None
    integrity: Sees | None = None
    found: Sees | None = None
    nearest: Sees | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a judge says of B clips: rewards [B] in 0 to 1 by name, and which clips pass all gates, bool [B]."""

    rewards: Mapping[str, Tensor]
    passed: Tensor
    raw: Mapping[str, Tensor] = field(default_factory=dict)

    def total(self, settings: RewardSettings) -> Tensor:
        """The weighted mean of rewards [B]; −1 for a clip that does not pass."""
        weights = {name: settings.weights()[name] for name in self.rewards}
        kept = sum(weight * self.rewards[name] for name, weight in weights.items())
        assert isinstance(kept, Tensor)
        return torch.where(self.passed, kept / sum(weights.values()), -1.0)

    @staticmethod
    def joined(parts: list[Scores]) -> Scores:
        """The scores of all clips of all parts, in order."""
        return Scores(
            rewards={name: torch.cat([one.rewards[name] for one in parts]) for name in parts[0].rewards},
            passed=torch.cat([one.passed for one in parts]),
            raw={name: torch.cat([one.raw[name] for one in parts]) for name in parts[0].raw},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Detectors with the scales of their rewards. Make one with `calibrated`."""

    detectors: Detectors
    calibration: Calibration
    settings: RewardSettings

    def __call__(self, clips: Clips, targets: Targets, *, asked: Tensor | None = None) -> Scores:
        """Rewards of clips [B, T, 3, H, W] for targets; `asked` [B] is how often the model was asked for each.

        Without `asked` there is no reward for efficiency. A frozen clip does not pass, unless its plan is without
        motion.
        """
        raw = _raw(self.detectors, self.settings, clips, targets, self.calibration)
        rewards = {name: self.calibration.scales[name](value) for name, value in raw.items() if name != "motion"}
        if asked is not None and self.settings.efficiency:
            rewards["efficiency"] = terms.efficiency(asked, FEWEST, MOST).to(clips.device)
        passed = raw["motion"] > self.calibration.least_motion
        if self.detectors.found is not None:
            passed = passed & (self.detectors.found(clips) >= LEAST_FOUND)
        if self.detectors.nearest is not None:
            passed = passed & (self.detectors.nearest(clips) <= NEAREST)
        return Scores(rewards=rewards, passed=passed, raw={name: value.detach() for name, value in raw.items()})


def _pools(detectors: Detectors, targets: Targets) -> list[Tensor]:
    if missing := sorted({person for person in targets.people if person not in detectors.pools}):
        raise UsageError(
            f"no real frames of {', '.join(missing[:4])} to compare with; give pools of everyone who is seen"
        )
    return [detectors.pools[person] for person in targets.people]


def _raw(
    detectors: Detectors, settings: RewardSettings, clips: Clips, targets: Targets, known: Calibration
) -> dict[str, Tensor]:
    """The rewards that have weight before calibration, and `motion`, each [B]."""
    units, curves = detectors.units(clips), targets.curves.to(clips.device)
    found = {"units": terms.unit_agreement(units, curves), "motion": terms.motion(units, curves)}
    if settings.natural:
        found["natural"] = terms.naturalness(
            units, curves, jerk_scale=known.jerk, speed=known.speed, spread=known.spread
        )
    found["identity"] = terms.likeness(detectors.embed(clips), _pools(detectors, targets)).clamp(max=known.hinge)
    for name, sees in (("expression", detectors.recogniser), ("integrity", detectors.integrity)):
        if getattr(settings, name):
            if sees is None:
                raise UsageError(f"the reward for {name} needs who judges it; give one or set its weight to 0")
            seen = sees(clips)
            found[name] = terms.expression(seen, targets.labels.to(clips.device)) if name == "expression" else seen
    return found


def calibrated(detectors: Detectors, settings: RewardSettings, clips: Clips, targets: Targets) -> Judge:
    """A judge whose scales are those of real clips to train on [N, T, 3, H, W], with their own curves as plans.

    Pools must hold other clips' frames, lest each be found like itself. Worthless are: for units and natural motion,
    the first frame frozen and the frames in disorder, whichever scores higher; for the expression, frozen; for
    identity, someone else; for integrity, pictures in blocks. Raises InputError for a reward by which worthless clips
    are as good as real ones: it would be earned for nothing.
    """
    moving = targets.planned.any(1).nonzero()[:, 0].tolist()
    if len(moving) < 4 or len(set(targets.people)) < 2:
        raise InputError(
            f"{len(moving)} clips that move and {len(set(targets.people))} people are too few to calibrate "
            "rewards on; give 4 clips of 2 people or more"
        )
    clips, targets = clips[moving], targets.take(moving)
    with torch.no_grad():
        known = _of_motion(detectors.units(clips), targets.curves.to(clips.device))
        like = terms.likeness(detectors.embed(clips), _pools(detectors, targets))
        known = replace(known, hinge=min(LARGEST_HINGE, float(like.quantile(0.95))))
        real = {name: float(value.median()) for name, value in _raw(detectors, settings, clips, targets, known).items()}
        bad = {
            kind: {name: float(value.median()) for name, value in _raw(detectors, settings, *one, known).items()}
            for kind, one in worthless(clips, targets).items()
        }
    scales = {name: _scale(name, real[name], {kind: bad[kind][name] for kind in _WORTHLESS[name]})
              for name in real if name != "motion"}  # fmt: skip
    return Judge(detectors=detectors, settings=settings, calibration=replace(known, scales=scales))


_WORTHLESS = {
    "units": ("frozen", "disorder"), "natural": ("frozen", "disorder"), "expression": ("frozen",),
    "identity": ("other",), "integrity": ("blocks",),
}  # fmt: skip


def _scale(name: str, real: float, bad: Mapping[str, float]) -> Affine:
    kind = max(bad, key=lambda one: bad[one])
    if real - bad[kind] < 1e-3:
        raise InputError(
            f"the reward for {name} gives {kind} clips {bad[kind]:.3f} and real ones {real:.3f}, so that it would be "
            "earned for nothing; set its weight to 0 or give a better judge"
        )
    return Affine(worthless=bad[kind], real=real)


def _of_motion(units: Tensor, curves: Tensor) -> Calibration:
    """How real motion is: its jerk, how its speed goes with its size, and how little of it there may be."""
    size, fastest, _ = terms.rise(terms.activation(units, curves))
    apart = size - size.mean()
    slope = float((apart * fastest).sum() / apart.square().sum().clamp(min=1e-8))
    start = float(fastest.mean()) - slope * float(size.mean())
    spread = max(float((fastest - start - slope * size).std()), 1e-3)
    return Calibration(
        scales={}, jerk=max(float(terms.jerk(units, curves).median()), 1e-4), speed=(start, slope), spread=spread,
        hinge=1.0, least_motion=0.5 * float(terms.motion(units, curves).quantile(0.05)),
    )  # fmt: skip


def worthless(clips: Clips, targets: Targets) -> dict[str, tuple[Clips, Targets]]:
    """What no reward should pay for, made of real clips: frozen, in disorder, for someone else, in blocks."""
    N, T = clips.shape[:2]
    g = torch.Generator().manual_seed(0)
    order = torch.stack([torch.randperm(T, generator=g) for _ in range(N)])
    disorder = clips[torch.arange(N)[:, None], order]
    blocks = torch.nn.functional.avg_pool2d(clips.flatten(0, 1), 4, ceil_mode=True).repeat_interleave(4, -1)
    blocks = blocks.repeat_interleave(4, -2)[..., : clips.shape[-2], : clips.shape[-1]].view_as(clips)
    people = sorted(set(targets.people))
    others = tuple(people[(people.index(person) + 1) % len(people)] for person in targets.people)
    return {
        "frozen": (clips[:, :1].expand_as(clips), targets), "disorder": (disorder, targets),
        "other": (clips, replace(targets, people=others)), "blocks": (blocks, targets),
    }  # fmt: skip
