from __future__ import annotations

import pytest
import torch
from transformers.activations import GELUActivation, QuickGELUActivation

from mimica.encoders.quick_gelu import QuickGelu, put_into
from oracles.quick_gelu import quick_gelu, slope

VALUES = torch.cat([torch.linspace(-12, 12, 97), torch.tensor([0.0, -0.0, 1e-30, 88.0, -88.0, 200.0, -200.0])])


def test_it_is_the_formula_and_so_is_its_slope() -> None:
    x = VALUES.double().requires_grad_()
    y = QuickGelu()(x)
    y.sum().backward()
    assert x.grad is not None
    for value, found, steep in zip(x.tolist(), y.tolist(), x.grad.tolist(), strict=True):
        assert found == pytest.approx(quick_gelu(value), rel=1e-12, abs=1e-300)
        assert steep == pytest.approx(slope(value), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_it_is_the_librarys_to_the_last_bit(kind: torch.dtype) -> None:
    x = VALUES.to(kind)
    assert torch.equal(QuickGelu()(x), QuickGELUActivation()(x))


def test_its_gradient_is_that_of_small_differences() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(QuickGelu(), (x,))


def kept(activation: torch.nn.Module) -> int:
    """Values that the backward pass of an activation holds on to, its input among them."""
    held = {}
    x = torch.randn(8, requires_grad=True) * 1

    def note(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        y = activation(x)
    assert y.requires_grad
    return sum(held.values())


def test_it_holds_on_to_its_input_alone() -> None:
    assert (kept(QuickGelu()), kept(QuickGELUActivation())) == (8, 16)


def test_it_takes_the_place_of_the_same_function_and_of_no_other() -> None:
    tower = torch.nn.ModuleDict({"a": torch.nn.ModuleDict({"act": QuickGELUActivation()}), "b": GELUActivation()})
    put_into(tower)
    assert isinstance(tower["a"]["act"], QuickGelu)
    assert isinstance(tower["b"], GELUActivation)
