"""Losses of a batch whose clips do not all count the same. B clips, C classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean over clips of the cross-entropy of logits [B, C], each times its `weight` [B] where that is given.

    `labels` [B] are classes, or [B, C] what share of each clip is of each class. The sum is divided by B and not by
    the weights, so that a clip counts the same in whatever batch it is.
    """
    if weight is None:
        return F.cross_entropy(logits, labels)
    return mean(F.cross_entropy(logits, labels, reduction="none"), weight)


def mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean of values [B], each times its weight [B] where that is given."""
    return values.mean() if weight is None else (weight * values).mean()


def classes(labels: Tensor) -> Tensor:
    """The class of each clip [B], of shares [B, C] the largest."""
    return labels if labels.ndim == 1 else labels.argmax(-1)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of a batch whose class, as `labels` [B] or [B, C] have it, has the largest logit."""
    return (logits.argmax(-1) == classes(labels)).to(torch.float32).mean()
