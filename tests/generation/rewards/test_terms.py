from __future__ import annotations

import math

import pytest
import torch

from mimica.generation.rewards import terms
from oracles import rewards as slow

HOW = {"jerk_scale": 0.3, "speed": (0.05, 0.4), "spread": 0.1}


def some(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Measured curves and plans of five clips; a unit is never measured, two are never planned, a plan is neutral."""
    g = torch.Generator().manual_seed(seed)
    plans = torch.rand(5, 8, 6, generator=g) * torch.linspace(0, 1, 8)[:, None]
    plans[:, :, 3:5] = 0
    plans[4] = 0
    units = (plans + 0.2 * torch.rand(5, 8, 6, generator=g)).clamp(0, 1)
    units[:, :, 1] = torch.nan
    return units, plans


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_reward_is_its_formula_clip_by_clip(seed: int) -> None:
    units, plans = some(seed)
    for name, fast in (
        ("unit_agreement", terms.unit_agreement(units, plans)),
        ("motion", terms.motion(units, plans)),
        ("jerk", terms.jerk(units, plans)),
    ):
        expected = [getattr(slow, name)(u, p) for u, p in zip(units.tolist(), plans.tolist(), strict=True)]
        assert fast.tolist() == pytest.approx(expected, rel=1e-4), name
    found = terms.naturalness(units, plans, **HOW)  # type: ignore[arg-type]
    expected = [
        slow.naturalness(u, p, 0.3, (0.05, 0.4), 0.1) for u, p in zip(units.tolist(), plans.tolist(), strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-4)
    assert expected[0] > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_curve_agrees_with_another_as_lin_has_it(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    a, b = torch.rand(2, 9, 3, generator=g), torch.rand(2, 9, 3, generator=g)
    found = terms.concordance(a, b)
    for n in range(2):
        for u in range(3):
            assert found[n, u].item() == pytest.approx(slow.ccc(a[n, :, u].tolist(), b[n, :, u].tolist()), abs=1e-5)
    assert terms.concordance(a, a).flatten().tolist() == pytest.approx([1.0] * 6)
    assert terms.concordance(a, 0.5 * a).amax() < 0.9, "half as strong is not the same"


def test_units_that_are_not_planned_earn_nothing() -> None:
    units, plans = some(0)
    before = terms.unit_agreement(units, plans)
    units[:4, :, 3:5] = torch.rand(4, 8, 2)
    assert terms.unit_agreement(units, plans)[:4].tolist() == before[:4].tolist()


def test_a_plan_without_motion_asks_for_a_face_at_rest() -> None:
    plan = torch.zeros(2, 8, 4)
    units = torch.zeros(2, 8, 4)
    units[1] += torch.rand(8, 4)
    still, restless = terms.unit_agreement(units, plan).tolist()
    assert still == pytest.approx(2.0)
    assert restless < 1.5
    assert terms.motion(units, plan).tolist() == [math.inf, math.inf]


def test_motion_that_does_not_set_in_before_its_apex_is_not_natural() -> None:
    up = torch.linspace(0, 1, 8)[None, :, None]
    plan = up.expand(1, 8, 2).contiguous()
    late = torch.tensor([0.9, 1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.0])[None, :, None].expand_as(plan)
    both = torch.cat([plan, plan.flip(1), torch.full_like(plan, 0.4), late])
    found = terms.naturalness(both, plan.expand(4, -1, -1), **HOW)  # type: ignore[arg-type]
    assert found[0] > 0.1
    assert found[1:].tolist() == [0.0, 0.0, 0.0]


def test_motion_faster_than_real_motion_of_its_size_pays_less() -> None:
    plan = torch.linspace(0, 1, 8)[None, :, None]
    jump = (torch.arange(8) > 3).float()[None, :, None]
    how = {"jerk_scale": 1e6, "speed": (0.0, 1 / 7), "spread": 0.1}
    even, sudden = terms.naturalness(torch.cat([plan, jump]), plan.expand(2, -1, -1), **how).tolist()  # type: ignore[arg-type]
    assert even == pytest.approx(1.0, rel=1e-3)
    assert sudden == pytest.approx(math.exp(-(1 - 1 / 7) / 0.3), rel=1e-3)


def test_a_person_is_found_in_the_view_that_is_nearest() -> None:
    g = torch.Generator().manual_seed(0)
    features, pools = torch.randn(3, 4, 5, generator=g), [torch.randn(n, 5, generator=g) for n in (1, 3, 6)]
    expected = [slow.likeness(f.tolist(), p.tolist()) for f, p in zip(features, pools, strict=True)]
    assert terms.likeness(features, pools).tolist() == pytest.approx(expected, abs=1e-5)


def test_a_recogniser_that_is_surer_than_nine_in_ten_pays_no_more() -> None:
    said = terms.expression(torch.tensor([[0.95, 0.05], [0.3, 0.7]]), torch.tensor([0, 1]))
    assert said.tolist() == pytest.approx([0.9, 0.7])


def test_fewer_questions_pay_more() -> None:
    found = terms.efficiency(torch.tensor([4, 32, 60, 90]), 4, 60).tolist()
    assert found == pytest.approx([slow.efficiency(n, 4, 60) for n in (4, 32, 60, 90)])


def test_rewards_have_gradients() -> None:
    units, plans = some(0)
    units = units.nan_to_num().requires_grad_()
    total = terms.unit_agreement(units, plans) + terms.naturalness(units, plans, **HOW)  # type: ignore[arg-type]
    total.sum().backward()
    assert units.grad is not None
    assert units.grad.isfinite().all()
    assert (units.grad[:4, :, 0].abs().sum(1) > 0).all()
