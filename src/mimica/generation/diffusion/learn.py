"""What the tiny generator learns by: first the codec by pictures alone, then the flow in its latents.

B clips, T frames, S side in pixels, C channels and h × h places of latents.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.generation.diffusion.codec import FLOW, Codec
from mimica.generation.diffusion.tiny import Tiny
from mimica.generation.diffusion.tiny_net import Told
from mimica.training.loop import Batch

_WARPED, _EDGES, _SMOOTH = 0.5, 1.0, 0.02
"""How much counts, beside the painted frame: the warped still, edges, a smooth flow."""
_SHAKE = 0.1
"""Noise that codes are shaken by, as a share of their deviation, so that near codes paint near pictures."""


class CodecLearner(nn.Module):
    """A codec whose loss is how far frames that are coded and decoded are from what they were.

    The still is the first frame of each clip. The flow is learned by the warped still alone: the painted rest is
    what it leaves over.
    """

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch, and the mean absolute errors of the painted and of the warped frames."""
        clips = batch["face"].float() / 255
        frames = clips[:, 1:].flatten(0, 1)
        still = clips[:, :1].expand_as(clips[:, 1:]).flatten(0, 1)
        latents = self.codec.encode(still, frames)
        code = latents[:, FLOW:]
        noise = _SHAKE * code.detach().std((0, 2, 3), keepdim=True) * torch.randn_like(code)
        shaken = torch.cat([latents[:, :FLOW], code + noise], 1)
        moved, painted = self.codec.parts(shaken, still)
        painted = painted.float()
        apart, warped = (painted - frames).abs().mean(), (moved - frames).abs().mean()
        edges = sum(((painted - frames).diff(dim=d)).abs().mean() for d in (-1, -2))
        flow = latents[:, :FLOW].float()
        smooth = sum(flow.diff(dim=d).square().mean() for d in (-1, -2))
        loss = apart + _WARPED * _blurred(moved, frames) + _EDGES * edges + _SMOOTH * smooth
        return {"loss": loss, "painted": apart, "warped": warped}


def _blurred(one: Tensor, other: Tensor) -> Tensor:
    """The mean absolute difference of pictures, as they are and at half their size, where far motion is seen too."""
    apart = one - other
    return apart.abs().mean() + F.avg_pool2d(apart, 2).abs().mean() + F.avg_pool2d(apart, 4).abs().mean()


class FlowLearner(nn.Module):
    """A tiny generator whose loss is that of a flow in the latents of clips; its codec stays as it is.

    Still and plan are kept from it in a share `drop` of the clips each, so that guidance has what to compare with.
    """

    def __init__(self, policy: Tiny, *, drop: float = 0.12) -> None:
        super().__init__()
        self.network, self.policy, self.drop = policy.network, policy, drop

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch of clips with their units."""
        clips = batch["face"].float() / 255
        B = len(clips)
        with torch.no_grad():
            clean = self.policy.encode(clips)
        t = logit_normal(B, device=clean.device)
        noise = torch.randn_like(clean)
        blind, unplanned = (torch.rand(2, B, device=clean.device) < self.drop).float()
        told = Told(
            still=clips[:, 0], curves=batch["units"].to(clean), seen_still=1 - blind,
            seen_plan=(1 - blind) * (1 - unplanned),
        )  # fmt: skip
        found = self.network(mixed(clean, noise, t), t, told)
        return {"loss": flow_loss(found, clean, noise)}


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
