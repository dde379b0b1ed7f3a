"""What a sight learns by: how strong units are, who is the same person, and which class a clip is of.

B clips, T frames, A units, N features of all frames.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.generation.rewards.sight import Sight
from mimica.training.loop import Batch

TEMPERATURE = 0.1
_UNITS, _WHO, _CLASS = 8.0, 0.5, 1.0
_SMOOTH = 0.05


class SightLearner(nn.Module):
    """A sight whose loss is that of its three heads, weighed so that units, the finest of what is seen, count most."""

    def __init__(self, sight: Sight) -> None:
        super().__init__()
        self.sight = sight

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch with `clips`, `units`, `labels` (-1: of none) and `people`, and its three parts."""
        read = self.sight(batch["clips"])
        units = F.binary_cross_entropy_with_logits(read.units, batch["units"])
        T = read.features.shape[1]
        who = same_person(read.features.flatten(0, 1), batch["people"].repeat_interleave(T))
        labelled = (batch["labels"] >= 0).sum().clamp(min=1)
        classes = (
            F.cross_entropy(read.classes, batch["labels"], ignore_index=-1, label_smoothing=_SMOOTH, reduction="sum")
            / labelled
        )
        loss = _UNITS * units + _WHO * who + _CLASS * classes
        return {"loss": loss, "units": units.detach(), "who": who.detach(), "classes": classes.detach()}


def same_person(features: Tensor, people: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The supervised contrastive loss of unit-norm features [N, D] of people [N].

    −mean over frames of the mean over other frames p of the same person of log(e^(f·p/τ) / Σ_other e^(f·o/τ)).
    Khosla et al. 2020 (arXiv 2004.11362), equation 2; frames whose person is in no other do not count.
    """
    alike = features @ features.T / temperature
    alike = alike.masked_fill(torch.eye(len(alike), dtype=torch.bool, device=alike.device), -torch.inf)
    same = (people[:, None] == people).fill_diagonal_(False)
    share = (alike - alike.logsumexp(1, keepdim=True)).masked_fill(~same, 0.0)
    number = same.sum(1)
    return -(share.sum(1) / number.clamp(min=1)).sum() / (number > 0).sum().clamp(min=1)
