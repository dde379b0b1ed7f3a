"""Message passing in closed form is that of the dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mimica.anomaly import passing
from mimica.anomaly.hypergraph import unit
from mimica.anomaly.passing import most_similar, propagate
from oracles import cif as oracle


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    part, bank = (chance.normal(size=(n, 5)).astype(np.float32) for n in (23, 11))
    incidence = (chance.random((23, 3)) < 0.4).astype(float)
    incidence[:2] = 0
    return part, bank, incidence, np.array([0, 0, 1, 1, 2, 2, 2, 3, -1, 0, 1])


@pytest.mark.parametrize(("layers", "alpha"), [(1, 0.9), (1, 0.3), (2, 0.4), (3, 0.9)])
def test_the_closed_form_is_the_dense_one(sides: tuple[np.ndarray, ...], layers: int, alpha: float) -> None:
    wanted = oracle.propagate(*sides, layers, alpha)
    assert np.allclose(propagate(*sides, layers=layers, alpha=alpha), wanted, atol=2e-6)
    assert np.abs(wanted - sides[0]).max() > 0.01


def test_soft_incidence_goes_the_same_way(sides: tuple[np.ndarray, ...]) -> None:
    part, bank, incidence, hard = sides
    soft = incidence * np.random.default_rng(0).uniform(0.5, 1, incidence.shape)
    wanted = oracle.propagate(part, bank, soft, hard, 2, 0.5)
    assert np.allclose(propagate(part, bank, soft, hard, layers=2, alpha=0.5), wanted, atol=2e-6)


def test_no_layers_and_an_empty_bank_leave_the_part_as_it_is(sides: tuple[np.ndarray, ...]) -> None:
    part, bank, incidence, hard = sides
    assert (propagate(*sides, layers=0, alpha=0.9) == part).all()
    assert (propagate(part, bank[:0], incidence, hard[:0], layers=1, alpha=0.9) == part).all()


def test_the_most_similar_are_found_whatever_the_bank_is_cut_into(
    sides: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    part, bank = unit(sides[0]), unit(sides[1])
    whole = most_similar(part, bank)
    assert (whole[0] == (part @ bank.T).argmax(1)).all()
    assert (whole[1] == (part @ bank.T).argmax(0)).all()
    monkeypatch.setattr(passing, "CHUNK", 4)
    assert all((a == b).all() for a, b in zip(most_similar(part, bank), whole, strict=True))
