"""The search: distances and peaks are those of the loops; what the public code silences is scored by default."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mimica.anomaly.bank import Bank, View, fill
from mimica.anomaly.config import CifConfig, default, nearest, reference
from mimica.anomaly.hypergraph import centroids_of, connect
from mimica.anomaly.search import examine
from mimica.anomaly.seen import Seen
from mimica.errors import InputError
from oracles import cif as oracle

CELLS, N = 8, 64


def seen(
    seed: int, *, views: tuple[str, ...] = ("rgb", "xyz"), part: np.ndarray | None = None, name: str = "p"
) -> Seen:
    """Three kinds of patches in the middle of a grid, and a background."""
    chance = np.random.default_rng(seed)
    square = np.zeros((CELLS, CELLS), bool)
    square[1:7, 1:7] = True
    where = square.ravel() if part is None else part
    kinds = np.where(where, np.arange(N) % 3, 3)
    features = {
        view: (np.eye(5)[kinds] * 3 + chance.normal(0, 0.2, (N, 5)) + 0.1 * number).astype(np.float32)
        for number, view in enumerate(views)
    }
    return Seen(name=name, size=(CELLS, CELLS), features=features, part=where, unmeasured=np.zeros(N),
                within=np.ones(N, bool))  # type: ignore[arg-type]  # fmt: skip


def small(config: CifConfig) -> CifConfig:
    return replace(config, cells=CELLS, side=56, edges=3, ratio=0.4)


@pytest.fixture(params=[1, 2])
def bank(request: pytest.FixtureRequest) -> Bank:
    return fill([seen(i) for i in range(request.param)], small(replace(reference(), nearest_edges=2)))


def test_scores_are_those_of_the_loops(bank: Bank) -> None:
    config = bank.config
    part = seen(9)
    found = examine(bank, part)
    guide = part.features["rgb"]
    graph = connect(guide, part.part, centroids_of(guide[part.part], 3, "p"), config)
    for view, stored in bank.views.items():
        raw = part.features[view]
        X = oracle.propagate(raw, stored.nodes, graph.incidence, stored.hard, config.layers, config.alpha)
        scores = oracle.search(X, graph.incidence, graph.hard, stored.nodes, stored.hard, 2)
        assert np.allclose(found[view].patches, scores, rtol=1e-4, atol=1e-5)
        wanted = oracle.reweighted(raw, X, scores, stored.nodes, config.neighbours)
        assert found[view].peak == pytest.approx(wanted, rel=1e-4)


def test_the_search_is_kept_to_similar_hyperedges() -> None:
    shot = seen(0)
    wide, narrow = (fill([shot], small(replace(reference(), nearest_edges=n))) for n in (3, 1))
    odd = seen(9)
    features = {view: f.copy() for view, f in odd.features.items()}
    kind = np.flatnonzero(odd.part & (np.arange(N) % 3 == 0))
    features["xyz"][kind[0]] = features["xyz"][np.flatnonzero(odd.part & (np.arange(N) % 3 == 1))[0]]
    mixed = replace(odd, features=features)
    near, far = (examine(b, mixed)["xyz"].patches[kind[0]] for b in (wide, narrow))
    assert far > 3 * near, "a patch that looks like another hyperedge's is near only where it may be compared"


def test_background_is_silent_in_the_reference_and_scored_by_default() -> None:
    odd = seen(9)
    features = {view: f.copy() for view, f in odd.features.items()}
    features["rgb"][0] += 5
    odd = replace(odd, features=features)
    silent = examine(fill([seen(0)], small(reference())), odd)["rgb"].patches
    scored = examine(fill([seen(0)], small(default())), odd)["rgb"].patches
    assert not silent[~odd.part].any()
    assert scored.argmax() == 0


def test_what_lies_in_the_background_changes_no_score_of_the_part_in_the_reference() -> None:
    bank = fill([seen(0)], small(replace(reference(), layers=0)))
    other = seen(9)
    features = {view: np.where(other.part[:, None], f, 40.0).astype(np.float32) for view, f in other.features.items()}
    one, two = (examine(bank, s) for s in (other, replace(other, features=features)))
    assert (one["rgb"].patches == two["rgb"].patches).all()


def test_a_missing_piece_is_found_by_the_outline_alone() -> None:
    config = small(default())
    whole = seen(9)
    gone = whole.part.reshape(CELLS, CELLS).copy()
    gone[2:5, 2:5] = False
    bitten = seen(9, part=gone.ravel())
    with_outline, without = (
        examine(fill([seen(0), seen(1)], replace(config, silhouette=s)), bitten)["rgb"].patches for s in (True, False)
    )
    place = 3 * CELLS + 3
    assert with_outline[place] > 5 * without[place]


def test_unmeasured_depth_counts_only_where_the_part_is() -> None:
    bank = fill([seen(0)], small(default()))
    holes = np.zeros((CELLS, CELLS))
    holes[3, 3] = 1
    holes[0, :] = 1
    found = examine(bank, replace(seen(9), unmeasured=holes.ravel()))["missing"].patches.reshape(CELLS, CELLS)
    assert found[3, 3] == pytest.approx(1 / 9)
    assert found.max() == pytest.approx(1 / 9)
    assert "missing" not in examine(fill([seen(0)], small(reference())), seen(9))


@pytest.mark.parametrize("views", [("rgb",), ("xyz",)])
def test_one_modality_is_enough(views: tuple[str, ...]) -> None:
    for config in (default(), reference(), nearest()):
        found = examine(fill([seen(0, views=views)], small(config)), seen(9, views=views))
        assert set(found) - {"missing"} == set(views)


def test_a_part_seen_otherwise_than_the_bank_is_refused() -> None:
    with pytest.raises(InputError, match="cup was seen by rgb, the bank by rgb and xyz"):
        examine(fill([seen(0)], small(default())), seen(9, views=("rgb",), name="cup"))


def test_a_part_that_is_not_there_is_refused() -> None:
    bank = fill([seen(0)], small(default()))
    with pytest.raises(InputError, match="cup shows no part"):
        examine(bank, seen(9, part=np.zeros(N, bool), name="cup"))


def test_the_nearest_neighbour_is_at_its_plain_distance() -> None:
    config = small(nearest())
    bank, part = fill([seen(0)], config), seen(9)
    view: View = bank.views["rgb"]
    X = part.features["rgb"] / view.spread
    found = examine(bank, part)["rgb"].patches
    for i in np.flatnonzero(part.part)[:5]:
        wanted = min(np.linalg.norm(X[i] - m) for m, h in zip(view.nodes, view.hard, strict=True) if h < 3)
        assert found[i] == pytest.approx(wanted, rel=1e-5)
