"""Guidance between frames: what a clip is drawn to, frame by frame, and frames held together where a plan is still.

B clips, F frames of latents, C channels, h × w places. The paper's abstract names "inter-frame conditional guidance"
and no formula; these are ours (README.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

from mimica.generation.diffusion.policy import Condition, Policy
from mimica.generation.settings import GuidanceSettings

LEAST_SIGNAL = 1e-3
"""The least share of a clip in latents, below which it cannot be told from noise; models may begin at 0."""


def signal(policy: Policy, t: float) -> tuple[float, float]:
    """How much of a clip and how much of noise is in latents at a time: 1 − t and t of a flow, √ᾱ and √(1 − ᾱ)."""
    if policy.kind == "flow":
        return 1 - t, t
    share = float(policy.alpha_bar(torch.tensor([t])))
    share = max(share, LEAST_SIGNAL**2)
    return share**0.5, max(0.0, 1 - share) ** 0.5


def clean_of(policy: Policy, latents: Tensor, predicted: Tensor, t: float) -> Tensor:
    """The clip that a prediction at a time leads to at once, x̂0, in latents."""
    if policy.kind == "flow":
        return latents - t * predicted
    a, b = signal(policy, t)
    return (latents - b * predicted) / a


def predicted_of(policy: Policy, latents: Tensor, clean: Tensor, t: float) -> Tensor:
    """The prediction that leads to this clip: the inverse of `clean_of`. Time must be above 0."""
    if policy.kind == "flow":
        return (latents - clean) / t
    a, b = signal(policy, t)
    return (latents - a * clean) / b


def guided(policy: Policy, latents: Tensor, t: float, condition: Condition, settings: GuidanceSettings) -> Tensor:
    """Velocity or noise in latents at a time with guidance, [B, F, C, h, w], fp32."""
    times = torch.full((len(latents),), t, device=latents.device)
    everything = policy.predict(latents, times, condition, seen="all").float()
    if settings.frames == "off":
        if settings.weight == 1:
            return everything
        still = policy.predict(latents, times, condition, seen="image").float()
        return still + settings.weight * (everything - still)
    nothing = policy.predict(latents, times, condition, seen="nothing").float()
    still = policy.predict(latents, times, condition, seen="image").float()
    image, text = (weight[:, :, None, None, None] for weight in frame_weights(condition.activation, settings))
    predicted = nothing + image * (still - nothing) + text * (everything - still)
    strength = settings.coherence * (1 - t)
    if settings.frames == "split" or strength == 0:
        return predicted
    clean = clean_of(policy, latents.float(), predicted, t)
    held = coherent(clean, condition, strength=strength, scale=settings.change_scale)
    return predicted_of(policy, latents.float(), held, t)


def frame_weights(activation: Tensor, settings: GuidanceSettings) -> tuple[Tensor, Tensor]:
    """The weights of the still and of plan and words at each frame, [B, F] each.

    w_I(τ) = w_I (1 − 0.3 τ/F) and w_T(τ) = w_T (0.5 + 0.5 Ā*(τ)): the still fades as the clip goes on, and words pull
    where the plan moves. Both are 1 at the first frame, which is the still: drawn beyond it, it would be no face.
    """
    F = activation.shape[1]
    place = torch.arange(F, device=activation.device)
    image = (settings.image_weight * (1 - 0.3 * place / F)).expand_as(activation)
    text = settings.text_weight * (0.5 + 0.5 * activation)
    return torch.where(place == 0, 1.0, image), torch.where(place == 0, 1.0, text)


def coherent(clean: Tensor, condition: Condition, *, strength: float, scale: float) -> Tensor:
    """Clips [B, F, C, h, w] with frames held together where the plan does not change from one to the next.

    The x̃ that makes least ‖x̃ − x̂‖² + ρ Σ_τ ω_τ ‖x̃_{τ+1} − x̃_τ‖² + ρ ω_0 ‖x̃_0 − still‖², ω = exp(−change / s): it solves
    (I + ρL) x̃ = x̂ + ρ ω_0 e_0 still, L the Laplacian of the path of frames and its edge to the still. Differentiable
    in `clean`. Along places and channels nothing is smoothed.
    """
    B, F = clean.shape[:2]
    edges = torch.exp(-condition.change.float() / scale).to(clean.device)
    first = torch.zeros(B, device=clean.device)
    if condition.anchor is not None:
        start = condition.start if condition.start is not None else first
        first = torch.exp(-start.float().to(clean.device) / scale)
    before, after = torch.cat([first[:, None], edges], 1), torch.cat([edges, torch.zeros_like(first)[:, None]], 1)
    system = torch.diag_embed(1 + strength * (before + after))
    if F > 1:
        off = -strength * edges
        system = system + torch.diag_embed(off, offset=1) + torch.diag_embed(off, offset=-1)
    wanted = clean.flatten(2)
    if condition.anchor is not None:
        pull = strength * first[:, None] * condition.anchor.to(clean).flatten(1)
        wanted = torch.cat([wanted[:, :1] + pull[:, None], wanted[:, 1:]], 1)
    # Frames are few, so that a dense solve costs less than the walk along the diagonal would.
    held: Tensor = torch.linalg.solve(system, wanted)
    return held.view_as(clean)
