"""What training changes, and the running average of it that is validated and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def learned(module: nn.Module) -> dict[str, Tensor]:
    """What training changes: weights that take a gradient, and the running statistics of norms."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return trained | _of_norms(module, "running_")


def counted(module: nn.Module) -> dict[str, Tensor]:
    """What changes from step to step and has no average: how many batches each norm that learns has seen.

    And the buffers that a part names in `carried`.
    """
    own = {
        f"{name}.{key}".lstrip("."): part.get_buffer(key)
        for name, part in module.named_modules()
        for key in getattr(part, "carried", ())
    }
    return _of_norms(module, "num_batches_tracked") | own


def _of_norms(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.weight.requires_grad:
            found |= {f"{name}.{key}": b for key, b in part.named_buffers() if key.startswith(prefix)}
    return found


def copy(to: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> None:
    """Give tensors the values of those of the same names."""
    with torch.no_grad():
        for name, value in to.items():
            value.copy_(source[name])


class Average:
    """The exponential average of what a module learns; with a `decay` of 0 there is none, only the weights."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.weights = {name: t.detach().clone() for name, t in learned(module).items()} if decay else {}

    def follow(self, step: int) -> None:
        """Move towards the weights after a step; early on faster, so that the random start is not kept."""
        keep = min(self.decay, (1 + step) / (10 + step))
        now = learned(self.module) if self.weights else {}
        with torch.no_grad():
            for name, value in now.items():
                self.weights[name].lerp_(value.detach(), 1 - keep)

    def settle(self) -> None:
        """Leave the average in the module for good."""
        if self.weights:
            copy(learned(self.module), self.weights)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While entered, the module holds the average and is in evaluation mode; then its weights are as before."""
        kept = {name: value.detach().clone() for name, value in learned(self.module).items()}
        self.module.eval()
        self.settle()
        try:
            yield
        finally:
            copy(learned(self.module), kept)
