"""The rules by which clips and their rewards change a generator. B clips.

`grpo`  within a group of one still and plan: better than the others, or worse (Flow-GRPO, arXiv 2505.05470)
`ddpo`  against the prompt's own past rewards (Black et al. 2023, arXiv 2305.13301)
`dpok`  total reward against the group's, held to the model before, without bounds (Fan et al. 2023, arXiv 2305.16381)
`draft` gradients of the reward itself, back through the last steps (Clark et al. 2023, arXiv 2309.17400)
`bon`   the best of each group is learned as if it were real: the plainest rule, which the others have to beat
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from mimica.errors import MimicaError
from mimica.generation.diffusion.policy import Condition, Policy
from mimica.generation.guidance import signal
from mimica.generation.rewards.advantage import centred

BY_STEPS = ("grpo", "ddpo", "dpok")
"""The rules that learn from the probability of steps."""
HELD = ("grpo", "dpok")
"""Those of them that are held to the model before tuning."""
NEAR_ONE = 1e-4
_REMEMBERED, _ENOUGH = 32, 16


class OffPolicy(MimicaError):
    """Clips whose probability is another before anything was learned from them."""


def on_policy(ratio: Tensor) -> None:
    """Raise OffPolicy where the ratio of probabilities [B] is not 1 before anything was learned."""
    if not (far := float((ratio.detach() - 1).abs().max())) < NEAR_ONE:
        raise OffPolicy(
            f"before anything was learned the probability of clips changed by {far:.2g} of itself; the generator does "
            "not do the same twice: switch its dropout off, and make clips and learn from them in one precision"
        )


def bounded(ratio: Tensor, advantage: Tensor, clip_range: float) -> Tensor:
    """The loss of clips [B]: max(−Âρ, −Â clip(ρ, 1 ± ε)), so that a move beyond ε pays no more (PPO)."""
    return torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip_range, 1 + clip_range))


def unbounded(ratio: Tensor, advantage: Tensor) -> Tensor:
    """The loss of clips [B] without bounds: −Âρ, whose gradient at ρ = 1 is that of −Â log p."""
    return -advantage * ratio


def less_group(totals: Tensor, groups: Tensor) -> Tensor:
    """Total rewards [B] less the mean of their group, by the deviation of the batch: the advantage of `dpok`."""
    return centred(totals, groups) / (totals.std(correction=0) + 1e-4)


class PastRewards:
    """The last rewards of each prompt, against which new ones are judged: the advantage of `ddpo`.

    32 are remembered; before 16 are known the batch stands for them (kvablack/ddpo-pytorch).
    """

    def __init__(self) -> None:
        self.kept: dict[str, list[float]] = {}

    def advantages(self, keys: Sequence[str], totals: Tensor) -> Tensor:
        """(R − mean) / (deviation + 1e-4) [B] of total rewards [B] of clips made to these prompts."""
        for key, total in zip(keys, totals.tolist(), strict=True):
            self.kept[key] = [*self.kept.get(key, []), total][-_REMEMBERED:]
        found = []
        for key, total in zip(keys, totals, strict=True):
            past = self.kept[key]
            known = totals if len(past) < _ENOUGH else torch.tensor(past, device=totals.device)
            found.append((total - known.mean()) / (known.std(correction=0) + 1e-4))
        return torch.stack(found)

    def facts(self) -> dict[str, list[float]]:
        """What is remembered, as JSON."""
        return dict(self.kept)

    def restore(self, stated: Mapping[str, Any]) -> None:
        """Remember what `facts` said."""
        self.kept = {key: [float(value) for value in values] for key, values in stated.items()}


def denoising_loss(policy: Policy, clean: Tensor, condition: Condition, generator: Generator) -> Tensor:
    """How far the model is from leading noise to these clips, [B]: the loss that it was trained with.

    ‖v(z_t, t) − (ε − z_0)‖² of a flow, ‖ε(z_t, t) − ε‖² otherwise, mean over dimensions, at times whose logit is
    normal (Esser et al. 2024, arXiv 2403.03206).
    """
    B = len(clean)
    times = torch.randn(B, generator=generator).sigmoid()
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    a, b = (torch.tensor(share).view(B, 1, 1, 1, 1).to(clean) for share in
            zip(*(signal(policy, float(t)) for t in times), strict=True))  # fmt: skip
    wanted = noise - clean if policy.kind == "flow" else noise
    said = policy.predict(a * clean + b * noise, times.to(clean.device), condition).float()
    return (said - wanted).square().flatten(1).mean(1)
