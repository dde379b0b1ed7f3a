"""What the tiny generator learns by: first its rig, from stances of a head that keeps still, then the flow of clips.

B clips, T frames, S side in pixels, C channels and h × h places of latents.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mimica.generation.diffusion.tiny import Tiny
from mimica.generation.diffusion.tiny_net import TinyNet, Told
from mimica.training.loop import Batch

_GRAIN = 0.025
"""The most noise that is laid over stills, which come from cameras."""


class RigLearner(nn.Module):
    """A tiny generator's rig, whose loss is how far its guess is from the latents of faces that show units.

    A guess that is right on average is what the flow begins from; to find it with noise mixed in takes far longer.
    """

    def __init__(self, policy: Tiny) -> None:
        super().__init__()
        assert isinstance(policy.network, TinyNet)
        self.network = policy.network

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch, in which 1 is that of no guess at all, about."""
        one = torch.ones(len(batch["units"]), device=batch["units"].device)
        told = Told(still=grained(batch["still"]), curves=batch["units"], seen_still=one, seen_plan=one)
        guess = self.network.guess(told)
        return {"loss": (guess - batch["latents"])[:, 1:].square().mean()}


class FlowLearner(nn.Module):
    """A tiny generator whose loss is that of a flow in the latents of clips; its codec stays as it is.

    Still and plan are kept from it in a share `drop` of the clips each, so that guidance has what to compare with.
    """

    def __init__(self, policy: Tiny, *, drop: float = 0.12) -> None:
        super().__init__()
        self.network, self.policy, self.drop = policy.network, policy, drop

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch of clips with their units."""
        clean, still, units = batch["latents"], batch["still"], batch["units"]
        B = len(clean)
        t = logit_normal(B, device=clean.device)
        noise = torch.randn_like(clean)
        blind, unplanned = (torch.rand(2, B, device=clean.device) < self.drop).float()
        told = Told(still=grained(still), curves=units, seen_still=1 - blind, seen_plan=(1 - blind) * (1 - unplanned))
        found = self.network(mixed(clean, noise, t), t, told)
        return {"loss": flow_loss(found, clean, noise)}


def grained(still: Tensor) -> Tensor:
    """Stills [B, 3, S, S] as a camera has them, each with noise of its own strength."""
    strength = _GRAIN * torch.rand(len(still), 1, 1, 1, device=still.device)
    return still + strength * torch.randn_like(still)


def logit_normal(number: int, *, device: torch.device | None = None) -> Tensor:
    """Times t [number] in 0 to 1 whose logit is a standard normal: the middle of the way more often than its ends.

    Esser et al. 2024 (arXiv 2403.03206), section 3.1, with mean 0 and deviation 1.
    """
    return torch.randn(number, device=device).sigmoid()


def mixed(clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What lies on the straight way from a clip to noise at times t [B]: (1 − t) clean + t noise."""
    at = t.view(-1, *[1] * (clean.ndim - 1))
    return (1 - at) * clean + at * noise


def flow_loss(found: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """The mean square of velocity minus (noise − clean)."""
    return (found - (noise - clean)).square().mean()
