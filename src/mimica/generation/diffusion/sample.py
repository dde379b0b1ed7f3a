"""Clips from noise: the plain way, by equal steps along the flow.

B clips, F frames of latents.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from mimica.errors import UsageError
from mimica.generation.diffusion.policy import Condition, Policy


@torch.no_grad()
def generate(policy: Policy, condition: Condition, *, steps: int = 10, guidance: float = 2.0, seed: int = 0) -> Tensor:
    """Clips [B, T, 3, H, W] in 0 to 1: Euler's method for dz/dt = v from t = 1 to 0, or DDIM without noise.

    `guidance` w is that of classifier-free guidance: v = v_image + w (v_all − v_image); with 1 there is none, which
    takes one pass of the network a step instead of two. Steps are equal in time, or shifted toward noise where the
    policy has a `shift` s: t = s u / (1 + (s − 1) u) for equal u (Esser et al. 2024, eq. 23).
    The same seed gives the same bytes.
    """
    if steps < 1:
        raise UsageError(f"sampling takes one step or more, got {steps}")
    latents = policy.noise(condition, torch.Generator().manual_seed(seed))
    equal = torch.linspace(1.0, 0.0, steps + 1)
    shift = getattr(policy, "shift", 1.0)
    grid = shift * equal / (1 + (shift - 1) * equal)
    for now, then in pairwise(grid.tolist()):
        at = latents.new_full((len(latents),), now)
        found = policy.predict(latents, at, condition)
        if guidance != 1:
            plain = policy.predict(latents, at, condition, seen="image")
            found = plain + guidance * (found - plain)
        latents = _stepped(policy, latents, found, at, latents.new_full(at.shape, then))
    return policy.decode(latents, condition)


def _stepped(policy: Policy, latents: Tensor, found: Tensor, now: Tensor, then: Tensor) -> Tensor:
    if policy.kind == "flow":
        return latents + (then - now).view(-1, 1, 1, 1, 1) * found
    kept, left = (policy.alpha_bar(t).view(-1, 1, 1, 1, 1) for t in (now, then))
    clean = (latents - (1 - kept).sqrt() * found) / kept.sqrt().clamp(min=1e-4)
    return left.sqrt() * clean + (1 - left).sqrt() * found
