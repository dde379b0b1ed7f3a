"""CLIP's activation, holding on to less: the library's keeps two tensors for the backward pass, this one keeps one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SLOPE = 1.702
"""Of the logistic curve by which OpenAI's CLIP approximates the GELU."""


class QuickGelu(nn.Module):
    """x σ(1.702 x), to the last bit what transformers has; its memory for training is that of its input alone.

    In a frozen tower this is the largest thing that the backward pass needs: four widths of each token, where
    what the library keeps is eight.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        apply: Any = _Lean.apply  # torch does not say of which type it is
        out: Tensor = apply(x)
        return out


class _Lean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (SLOPE * x).sigmoid_().mul_(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        # With u = 1.702 x this is silu(u) / 1.702, so that its slope is silu's at u, which is one pass of a kernel.
        slope: Tensor = torch.ops.aten.silu_backward(grads[0], SLOPE * x)
        return slope


def put_into(tower: nn.Module) -> None:
    """Have every layer of a tower of transformers use it, where what it uses is the same function."""
    from transformers.activations import QuickGELUActivation

    for name, module in list(tower.named_modules()):
        if isinstance(module, QuickGELUActivation):
            parent, _, own = name.rpartition(".")
            setattr(tower.get_submodule(parent), own, QuickGelu())
