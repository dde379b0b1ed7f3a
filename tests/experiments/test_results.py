from __future__ import annotations

import json

import numpy as np
import pytest

from mimica.experiments.predictions import Predictions
from mimica.experiments.results import results
from mimica.metrics.calibration import ece
from oracles import figures as oracle

LABELS = ("happiness", "sadness", "neutral", "anger")
C = len(LABELS)


def told(seed: int = 0, sizes: tuple[int, ...] = (30, 50), truth: np.ndarray | None = None) -> Predictions:
    random = np.random.default_rng(seed)
    N = sum(sizes)
    truth = random.integers(0, C, N) if truth is None else truth
    shares = random.dirichlet(np.ones(C), N)
    shares[np.arange(N), truth] += 0.4
    return Predictions(
        labels=LABELS, clips=tuple(map(str, range(N))),
        folds=tuple(str(k + 1) for k, n in enumerate(sizes) for _ in range(n)),
        groups=tuple("abb"[i % 3] for i in range(N)), truth=truth,
        probabilities=shares / shares.sum(1, keepdims=True), errors=("",) * N,
    )  # fmt: skip


def test_figures_are_those_of_the_oracle_by_fold_over_folds_and_pooled() -> None:
    given = told()
    found = results(given, draws=50)
    truth, guess = given.truth.tolist(), given.guesses.tolist()
    folds = [(truth[:30], guess[:30]), (truth[30:], guess[30:])]
    for figure, slow in ((found.war, oracle.war), (found.uar, oracle.uar)):
        values = [slow(*fold) for fold in folds]
        assert [fold.value for fold in figure.folds] == pytest.approx(values)
        assert figure.mean.value == pytest.approx(oracle.mean(values))
        assert figure.deviation == pytest.approx(oracle.deviation(values))
        assert figure.pooled.value == pytest.approx(slow(truth, guess))
    assert [(part.name, part.n) for part in found.folds] == [("1", 30), ("2", 50)]
    assert found.ece == pytest.approx(ece(given.probabilities.max(1), given.guesses == given.truth))
    assert found.confusion.sum() == found.n == 80


def test_a_class_that_a_fold_lacks_is_left_out_of_its_uar_and_said() -> None:
    truth = np.random.default_rng(1).integers(0, C, 80)
    truth[:30][truth[:30] == 3] = 0
    given = told(truth=truth)
    found = results(given, draws=20)
    assert found.folds[0].absent == ["anger"]
    assert found.folds[1].absent == []
    assert found.folds[0].uar == pytest.approx(oracle.uar(truth[:30].tolist(), given.guesses[:30].tolist()))
    assert found.facts()["folds"][0]["absent"] == ["anger"]


def test_a_class_that_no_fold_has_has_no_recall() -> None:
    found = results(told(truth=np.random.default_rng(1).integers(0, 3, 80)), draws=20)
    assert found.recall["anger"] is None
    assert found.recall["sadness"] is not None


def test_a_clip_that_could_not_be_read_is_wrong_and_named() -> None:
    given = told()
    shares = given.probabilities.copy()
    shares[5] = np.nan
    lost = Predictions(
        labels=LABELS, clips=given.clips, folds=given.folds, groups=given.groups, truth=given.truth,
        probabilities=shares, errors=tuple("broken" if i == 5 else "" for i in range(80)),
    )  # fmt: skip
    found, whole = results(lost, draws=20), results(given, draws=20)
    was_right = given.guesses[5] == given.truth[5]
    assert found.unread == {"5": "broken"}
    assert found.confusion[:, -1].sum() == 1
    assert found.war.pooled.value == pytest.approx(whole.war.pooled.value - was_right / 80)
    assert found.folds[0].n == 30


def test_groups_have_figures_of_their_own_the_largest_first() -> None:
    found = results(told(), draws=20)
    assert [part.name for part in found.groups] == ["b", "a"]
    assert sum(part.n for part in found.groups) == 80
    assert sum(part.n * part.war for part in found.groups) == pytest.approx(80 * found.war.pooled.value)


def test_facts_are_json_that_other_tools_can_read() -> None:
    facts = json.loads(json.dumps(results(told(), draws=20).facts(), allow_nan=False))
    assert np.array(facts["confusion"]).shape == (C, C)
    assert facts["war"]["mean"].keys() == {"value", "low", "high"}
