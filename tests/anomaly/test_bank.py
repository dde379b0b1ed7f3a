"""Filling a bank: how large it is, what it does not depend on, and how it grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.bank import Bank, fill, grown
from mimica.anomaly.config import CifConfig, default, nearest, reference
from mimica.anomaly.seen import Seen
from mimica.errors import InputError


def shot(seed: int, cells: int = 28, share: float = 0.4) -> Seen:
    chance = np.random.default_rng(seed)
    n = cells**2
    features = {m: chance.normal(size=(n, 6)).astype(np.float32) + 2 for m in ("rgb", "xyz")}
    part = np.arange(n) < round(share * n)
    return Seen(name=f"shot {seed}", size=(cells, cells), features=features, part=part, unmeasured=np.zeros(n),
                within=np.ones(n, bool))  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(("shots", "nodes"), [(1, 78), (2, 156), (4, 313)])
@pytest.mark.parametrize("config", [default(), nearest(), replace(reference(), quota="size")])
def test_a_bank_holds_a_tenth_of_all_patches(config: CifConfig, shots: int, nodes: int) -> None:
    bank = fill([shot(i) for i in range(shots)], config)
    assert {len(view.nodes) for view in bank.views.values()} == {nodes}


def test_a_small_part_is_kept_whole() -> None:
    bank = fill([shot(0, share=0.05)], reference())
    assert len(bank.views["rgb"].nodes) == 39


def test_the_background_has_its_share() -> None:
    view = fill([shot(0)], replace(default(), quota="size", background_share=0.25)).views["rgb"]
    assert (view.hard == 4).sum() == round(0.25 * 78)
    assert set(view.hard) == {0, 1, 2, 3, 4}
    assert set(fill([shot(0)], reference()).views["rgb"].hard) <= {0, 1, 2, 3}


def test_nodes_go_where_they_are_needed_to_cover() -> None:
    """Half of the part varies ten times as much: by size it has half of the nodes, by coverage nearly all."""
    chance = np.random.default_rng(0)
    wide = np.arange(784) % 2 == 0
    rows = np.where(wide[:, None], (5.0, 0, 0, 0, 0, 0), (0, 5.0, 0, 0, 0, 0))
    rows = (rows + chance.normal(0, 0.05, rows.shape) * np.where(wide, 10, 1)[:, None]).astype(np.float32)
    seen = replace(shot(0), features={"rgb": rows, "xyz": rows}, part=np.ones(784, bool))
    shares = {}
    for quota in ("size", "coverage"):
        nodes = fill([seen], replace(default(), edges=2, quota=quota)).views["rgb"].nodes
        shares[quota] = (nodes[:, 0] > nodes[:, 1]).mean()
    assert shares["size"] == pytest.approx(0.5)
    assert shares["coverage"] > 0.9


def same(a: Bank, b: Bank) -> bool:
    return all(
        (getattr(a.views[m], field) == getattr(b.views[m], field)).all()
        for m in a.views for field in ("nodes", "hard", "spread")
    )  # fmt: skip


def test_the_order_of_the_shots_changes_nothing_by_default() -> None:
    shots = [shot(i) for i in range(3)]
    for config in (default(), nearest()):
        assert same(fill(shots, config), fill(shots[::-1], config))
    order = fill(shots, reference()).views["rgb"], fill(shots[::-1], reference()).views["rgb"]
    assert order[0].nodes.shape != order[1].nodes.shape or not (order[0].nodes == order[1].nodes).all()


def test_a_shots_hyperedges_are_mapped_in_each_modality_by_itself() -> None:
    views = fill([shot(0), shot(1)], reference()).views
    assert not np.array_equal(np.sort(views["rgb"].hard), np.sort(views["xyz"].hard))


def test_hyperedges_are_shared_by_both_modalities_by_default() -> None:
    config = replace(default(), ratio=1.0, background_share=0.6)
    views = fill([shot(0), shot(1)], config).views
    assert (views["rgb"].hard == views["xyz"].hard).all()


@pytest.mark.parametrize("config", [default(), reference(), nearest()])
def test_a_bank_grows_without_changing_what_it_has(config: CifConfig) -> None:
    bank = fill([shot(0), shot(1)], config)
    more = grown(bank, shot(2))
    for m, view in bank.views.items():
        kept = len(view.nodes)
        assert (more.views[m].nodes[:kept] == view.nodes).all()
        assert len(more.views[m].nodes) > kept
        assert set(more.views[m].hard) <= set(view.hard) | {config.edges}
    assert more.shots == (*bank.shots, "shot 2")
    assert len(more.parts) == len(more.outlines) == 3


def test_scaled_features_have_the_spread_of_the_part_taken_out() -> None:
    shots = [shot(i) for i in range(2)]
    wide = [replace(s, features={m: f * np.array([100, 1, 1, 1, 1, 1e-9], np.float32) for m, f in s.features.items()})
            for s in shots]  # fmt: skip
    view = fill(wide, replace(default(), ratio=1.0, scaling="spread")).views["rgb"]
    spread = view.nodes[view.hard < 4].std(0)
    assert spread[0] == pytest.approx(1, abs=0.05)
    assert spread[5] < 1e-6, "what hardly varies is not blown up"
    assert (fill(wide, reference()).views["rgb"].spread == 1).all()


def test_no_shots_and_shots_without_a_part_are_refused() -> None:
    with pytest.raises(InputError, match="at least one good part"):
        fill([], default())
    for config in (default(), reference()):
        with pytest.raises(InputError, match="shot 0 shows no part"):
            fill([shot(0, share=0)], config)
        with pytest.raises(InputError, match="shot 0 has 2 patches"):
            fill([shot(0, share=2.1 / 784)], config)
