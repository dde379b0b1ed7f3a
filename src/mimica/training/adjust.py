"""Logit adjustment: a loss under which scarce classes count as much as frequent ones. C classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def shift_of(shares: np.ndarray, tau: float) -> Tensor:
    """What is added to the logits in training [C]: `tau` times the logarithm of how often each class is drawn.

    Menon et al., Long-tail learning via logit adjustment (arXiv 2007.07314), eq. 10. What is learned then reads
    without it as if all classes were equally frequent. The shares are those of the batches, so that classes that
    are balanced already are not balanced twice. A class without clips counts as the scarcest of the others.
    """
    if tau == 0:
        return torch.zeros(len(shares))
    return torch.from_numpy(tau * np.log(np.maximum(shares, shares[shares > 0].min()))).float()
