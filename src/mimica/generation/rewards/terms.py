"""The rewards before calibration, one function each. B clips, T frames, A units, D features.

Measured units U and plans A* are [B, T, A] in 0 to 1; a unit that the detector does not know is NaN throughout and
counts nowhere. Only units that a plan moves count, for a face at rest has all the others right for nothing. All are
differentiable but for what is yes or no. The paper's abstract names rewards for "expression consistency, facial
integrity and generative efficiency" and no formula; these are ours (README.md).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mimica.generation.targets import planned

_BASE_WEIGHT = 0.2
_LEAST_RISE = 0.05
_SURE = 0.9


def concordance(found: Tensor, wanted: Tensor) -> Tensor:
    """How far two curves [B, T, A] agree over time, −1 to 1 [B, A]: Lin's coefficient; 0 where one does not move.

    2 cov / (var + var + (difference of means)²). Lin 1989, Biometrics 45. Unlike a correlation it minds how strong.
    """
    a, b = found - found.mean(1, keepdim=True), wanted - wanted.mean(1, keepdim=True)
    apart = (found.mean(1) - wanted.mean(1)).square()
    return 2 * (a * b).mean(1) / (a.square().mean(1) + b.square().mean(1) + apart).clamp(min=1e-8)


def unit_weights(units: Tensor, curves: Tensor) -> Tensor:
    """How much each unit counts [B, A]: 0.2 + its planned peak; 0 where it is not planned or not measured.

    Of a plan that moves none, all that are measured count alike.
    """
    measured = ~units.isnan().any(1)
    counted = planned(curves) & measured
    weight = (_BASE_WEIGHT + curves.amax(1)) * counted
    return torch.where(counted.any(1, keepdim=True), weight, measured.to(curves))


def _weighted(values: Tensor, weight: Tensor) -> Tensor:
    return (torch.where(weight > 0, values, 0.0) * weight).sum(-1) / weight.sum(-1).clamp(min=1e-8)


def unit_agreement(units: Tensor, curves: Tensor) -> Tensor:
    """How far units move as planned and as strong as planned, −1 to 2 [B]: weighted concordance + 1 − mean error.

    A plan that moves no unit has no concordance; twice 1 − mean error stands for both.
    """
    weight, known = unit_weights(units, curves), units.nan_to_num()
    near = 1 - _weighted((known - curves).abs().mean(1), weight)
    moving = (planned(curves) & (weight > 0)).any(1)
    return near + torch.where(moving, _weighted(concordance(known, curves), weight), near)


def expression(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The probability that recognisers give the class [B], of [B, C]; above 0.9 no more is paid."""
    return probabilities.gather(1, labels[:, None])[:, 0].clamp(max=_SURE)


def motion(units: Tensor, curves: Tensor) -> Tensor:
    """How much planned units move, as a share of how much they were to move [B]; infinite for a plan without motion.

    Σ|ΔU| / Σ|ΔA*| over frames and planned units.
    """
    counted = (unit_weights(units, curves) > 0) & planned(curves)
    found = (units.nan_to_num().diff(dim=1).abs().sum(1) * counted).sum(1)
    wanted = (curves.diff(dim=1).abs().sum(1) * counted).sum(1)
    return torch.where(wanted > 0, found / wanted.clamp(min=1e-8), torch.inf)


def jerk(units: Tensor, curves: Tensor) -> Tensor:
    """How unsteady motion is [B]: the mean size of the third difference over frames of units, weighted."""
    return _weighted(units.nan_to_num().diff(n=3, dim=1).abs().mean(1), unit_weights(units, curves))


def activation(units: Tensor, curves: Tensor) -> Tensor:
    """How much of the plan's expression a face shows over time [B, T]: the weighted mean of units."""
    weight = unit_weights(units, curves)[:, None]
    return (units.nan_to_num() * weight).sum(2) / weight.sum(2).clamp(min=1e-8)


def rise(shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of activation [B, T]: how far it rises to its apex, its greatest rise in a frame, and whether it sets in before.

    It sets in before its apex where it rises by more than 0.05 and by more than half of all its range.
    """
    T = shown.shape[1]
    apex = shown.argmax(1)
    before = torch.arange(T, device=shown.device) <= apex[:, None]
    low = torch.where(before, shown, torch.inf).amin(1)
    up = shown.amax(1) - low
    fastest = shown.diff(dim=1).amax(1)
    return up, fastest, (up > _LEAST_RISE) & (up > 0.5 * (shown.amax(1) - shown.amin(1)))


def naturalness(
    units: Tensor, curves: Tensor, *, jerk_scale: float, speed: tuple[float, float], spread: float
) -> Tensor:
    """How much motion is like that of faces, 0 to 1 [B]: exp(−jerk/s) · 1[onset < apex] · exp(−|r|/3σ).

    r is how far the greatest speed is from what real motion of that size has, `speed[0] + speed[1] · size` with a
    deviation of `spread` (the faster the larger: Schmidt et al. 2003). Of a plan without motion only jerk counts.
    """
    steady = torch.exp(-jerk(units, curves) / jerk_scale)
    size, fastest, sets_in = rise(activation(units, curves))
    usual = torch.exp(-(fastest - speed[0] - speed[1] * size).abs() / (3 * spread))
    moving = (planned(curves) & (unit_weights(units, curves) > 0)).any(1)
    return torch.where(moving, steady * sets_in * usual, steady)


def likeness(features: Tensor, pools: list[Tensor]) -> Tensor:
    """How like a person a clip's frames are, −1 to 1 [B]: mean over frames of the best cosine with real frames of them.

    Features are [B, T, D], pools [P, D] a clip. A pool of many views forgives a turned head (IPRO, arXiv 2510.14255).
    """
    frames = F.normalize(features, dim=-1)
    found = [
        (one @ F.normalize(pool.to(one), dim=-1).T).amax(1).mean() for one, pool in zip(frames, pools, strict=True)
    ]
    return torch.stack(found)


def efficiency(asked: Tensor, least: int, most: int) -> Tensor:
    """How few questions a clip took, 0 to 1 [B]: 1 − (n − least) / (most − least)."""
    return (1 - (asked.float() - least) / max(1, most - least)).clamp(0, 1)
