from __future__ import annotations

import numpy as np
import pytest
import torch

from mimica.generation.diffusion.learn import FlowLearner, RigLearner, flow_loss, grained, logit_normal, mixed
from mimica.generation.diffusion.tiny_net import Told
from oracles import diffusion as slow
from tiny_generator import tiny_generator


def batch(seed: int = 0) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    latents = torch.randn(2, 9, 4, 4, 4, generator=random)
    return {"still": torch.rand(2, 3, 16, 16, generator=random), "latents": latents, "units": torch.rand(2, 9, 17)}


def batch_of_zeros() -> dict[str, torch.Tensor]:
    return {
        "still": torch.zeros(2, 3, 16, 16), "latents": torch.zeros(2, 9, 4, 4, 4), "units": torch.zeros(2, 9, 17)
    }  # fmt: skip


def test_the_loss_of_a_flow_is_what_its_formula_says() -> None:
    found, clean, noise = torch.randn(3, 2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    fast = float(flow_loss(found, clean, noise))
    assert fast == pytest.approx(slow.flow_loss(found.numpy(), clean.numpy(), noise.numpy()), rel=1e-5)
    assert float(flow_loss(noise - clean, clean, noise)) == 0


def test_the_way_to_noise_is_straight() -> None:
    clean, noise = torch.randn(2, 3, 2, 1, 1, 1)
    t = torch.tensor([0.0, 0.25, 1.0])
    way = mixed(clean, noise, t)
    torch.testing.assert_close(way[0], clean[0])
    torch.testing.assert_close(way[1], 0.75 * clean[1] + 0.25 * noise[1])
    torch.testing.assert_close(way[2], noise[2])


def test_times_are_more_often_in_the_middle_and_as_often_above_as_below_it() -> None:
    torch.manual_seed(0)
    t = logit_normal(20_000)
    assert ((t > 0) & (t < 1)).all()
    assert float(t.mean()) == pytest.approx(0.5, abs=0.01)
    # Φ(logit 0.75) − Φ(logit 0.25) = 2 Φ(log 3) − 1
    assert float(((t > 0.25) & (t < 0.75)).float().mean()) == pytest.approx(0.728, abs=0.01)


def test_the_velocity_is_the_scaled_sum_of_guess_and_network() -> None:
    policy = tiny_generator()
    network = policy.network
    one = torch.ones(1)
    told = Told(still=torch.rand(1, 3, 16, 16), curves=torch.rand(1, 2, 17), seen_still=one, seen_plan=one)
    z, t = torch.randn(1, 2, 4, 4, 4), torch.tensor([0.3])
    seen, gave = [], []
    network.enter.register_forward_pre_hook(lambda module, given: seen.append(given[0]))  # type: ignore[operator, union-attr]
    network.leave.register_forward_hook(lambda module, given, out: gave.append(out))  # type: ignore[operator, union-attr]
    with torch.no_grad():
        v = network(z, t, told)[0].numpy()
    guess, f, saw = seen[0][:, 4:8].numpy(), gave[0].numpy(), seen[0][:, :4].numpy()
    for at in np.ndindex(v.shape):
        given = []

        def unet(x: float, at: tuple[int, ...] = at, given: list[float] = given) -> float:
            given.append(x)
            return float(f[at])

        assert v[at] == pytest.approx(slow.velocity(float(z[0][at]), 0.3, float(guess[at]), unet), abs=1e-4)
        assert saw[at] == pytest.approx(given[0], abs=1e-5)


def test_a_plan_that_is_kept_from_the_network_has_no_part_in_its_loss() -> None:
    losses = {}
    for drop in (0.0, 1.0):
        learner = FlowLearner(tiny_generator(), drop=drop)
        for units in (0.0, 1.0):
            given = batch() | {"units": units * torch.linspace(0, 1, 9).view(1, 9, 1).expand(2, 9, 17)}
            torch.manual_seed(3)
            losses[drop, units] = float(learner(given)["loss"].detach())
    assert losses[0.0, 0.0] != losses[0.0, 1.0]
    assert losses[1.0, 0.0] == losses[1.0, 1.0]


@pytest.mark.parametrize(("blind", "unplanned"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_still_and_plan_are_kept_back_each_by_itself_and_no_plan_without_a_still(
    monkeypatch: pytest.MonkeyPatch, blind: int, unplanned: int
) -> None:
    learner, told = FlowLearner(tiny_generator(), drop=0.1), []
    learner.network.register_forward_pre_hook(lambda module, given: told.append(given[2]))
    drawn = torch.tensor([[1.0 - blind] * 2, [1.0 - unplanned] * 2])
    monkeypatch.setattr(torch, "rand", lambda *shape, **how: drawn if shape == (2, 2) else torch.zeros(*shape))
    learner(batch_of_zeros())
    assert told[0].seen_still.tolist() == [1 - blind] * 2
    assert told[0].seen_plan.tolist() == [(1 - blind) * (1 - unplanned)] * 2


def test_the_flow_trains_the_whole_network_and_the_rig_only_what_it_guesses_with() -> None:
    policy = tiny_generator()
    RigLearner(policy)(batch())["loss"].backward()
    learned = {name.split(".")[0] for name, weight in policy.network.named_parameters() if weight.grad is not None}
    assert learned == {"look", "rig"}
    FlowLearner(policy)(batch())["loss"].backward()
    assert all(weight.grad is not None for weight in policy.network.parameters())


def test_a_rig_learns_what_units_do() -> None:
    policy = tiny_generator()
    learner = RigLearner(policy)
    made, given = torch.randn(17, 4, 4, 4), batch()
    given["units"][:, 0] = 0
    given["latents"] = torch.einsum("bta,achw->btchw", given["units"], made)
    adam = torch.optim.Adam(policy.network.parameters(), lr=3e-3)
    told = []
    for _ in range(60):
        adam.zero_grad()
        loss = learner(given)["loss"]
        loss.backward()
        adam.step()
        told.append(float(loss.detach()))
    assert told[-1] < 0.2 * told[0]


def test_stills_are_grained_each_by_a_strength_of_its_own() -> None:
    torch.manual_seed(0)
    noise = grained(torch.full((64, 3, 16, 16), 0.5)).std((1, 2, 3))
    assert noise.min() < 0.004
    assert 0.02 < noise.max() < 0.03
