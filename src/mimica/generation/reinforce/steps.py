"""How few steps a clip needs: a small policy that is rewarded by clips, among them for asking little. B clips."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from mimica.generation.diffusion.policy import Condition

CHOICES = (4, 6, 8, 12, 20)
_HIDDEN, _ENTROPY, _KEEP = 32, 0.01, 0.9


def pooled(condition: Condition) -> Tensor:
    """What a condition comes to in a few numbers, [B, D]: how its plan moves, and the means of its tensors."""
    told = [condition.activation, condition.change]
    parts = [one for row in told if row.shape[1] for one in (row.mean(1), row.amax(1))]
    for name in sorted(condition.tensors):
        tensor = condition.tensors[name]
        if tensor.is_floating_point() and tensor.ndim > 1:
            parts += list(tensor.flatten(2).mean(2).unbind(1) if tensor.ndim > 2 else tensor.unbind(1))
    return torch.stack([part.float() for part in parts], 1).detach()


class StepChooser(nn.Module):
    """Chances of 4, 6, 8, 12 or 20 steps for a clip, learned by REINFORCE; at first all are alike."""

    carried = ("baseline",)

    def __init__(self, features: int, *, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.inward, self.outward = nn.Linear(features, _HIDDEN), nn.Linear(_HIDDEN, len(CHOICES))
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)
        self.register_buffer("baseline", torch.full((1,), torch.nan))

    def forward(self, features: Tensor) -> Tensor:
        """Log-probabilities of the choices [B, 5] for pooled conditions [B, D]."""
        chances: Tensor = self.outward(torch.tanh(self.inward(features))).log_softmax(-1)
        return chances

    @torch.no_grad()
    def choose(self, features: Tensor, generator: Generator) -> Tensor:
        """The places of choices drawn for clips, [B]."""
        return torch.multinomial(self(features).exp().cpu(), 1, generator=generator)[:, 0]

    def loss(self, features: Tensor, chosen: Tensor, rewards: Tensor) -> Tensor:
        """What to make less: −mean (R − baseline) log π(chosen) − 0.01 entropy. The baseline follows the rewards.

        Williams 1992. The baseline is the running mean of rewards before these.
        """
        known = self.get_buffer("baseline")
        before = rewards.mean() if bool(known.isnan()) else known[0].clone()
        with torch.no_grad():
            known.copy_((_KEEP * before + (1 - _KEEP) * rewards.mean()).view(1))
        chances = self(features)
        taken = chances.gather(1, chosen.to(features.device)[:, None])[:, 0]
        entropy = -(chances.exp() * chances).sum(1).mean()
        loss: Tensor = -((rewards - before) * taken).mean() - _ENTROPY * entropy
        return loss
