from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.experiments import ablate, arms
from mimica.experiments.ablate import Split
from mimica.experiments.arms import Arm, Comparison, Outcome, compare, tail_recall
from mimica.labels import EXPRESSIONS
from mimica.metrics.classification import Interval, confusion
from mimica.recognition.duse.config import DuseConfig
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training
from oracles import arms as slow

RECIPE = Training(
    model=DuseConfig(depth=1, tokens=2, heads=2), encoder="tiny", frames=2, longest=2,
    loop=LoopConfig(epochs=1, batch=7, lr=1e-2), augmentation=Augmentation(flip=0.0, blur=0.0, erase=0.0),
)  # fmt: skip
BALANCED = "class-balanced sampling"
NAMES = ("none", BALANCED, "full")
ARMS = [Arm(name=name, recipe=replace(RECIPE, balance=0.5 * i)) for i, name in enumerate(NAMES)]
TAIL = ("disgust", "fear")
SCARCE = [EXPRESSIONS.index(name) for name in TAIL]


def clips(name: str, labels: Sequence[int], groups: int = 0) -> ClipSet:
    random, space = np.random.default_rng(len(labels)), EXPRESSIONS
    frames = [random.integers(0, 255, (2, 48, 48, 3), dtype=np.uint8) for _ in labels]
    names = [f"{name}/{i}" for i in range(len(labels))]
    together = [f"g{i % groups}" for i in range(len(labels))] if groups else None
    stated = manifest(name, names, np.array(labels), space)
    return ClipSet(frames=frames, labels=np.array(labels), names=names, manifest=stated, groups=together)


def split(each: int = 1, test: Sequence[int] = tuple(range(7)) * 6) -> Split:
    return Split(train=clips("train", tuple(range(7)) * each), test=clips("test", test, groups=9))


@pytest.fixture
def guesses(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """What each arm with each of three seeds takes 42 test clips for: the later the arm, the more often rightly."""
    truth, random = split().test.labels, np.random.default_rng(5)
    found = {
        name: np.where(random.random((3, 42)) < right, truth, random.integers(0, 7, (3, 42)))
        for name, right in zip(NAMES, (0.2, 0.4, 0.8), strict=True)
    }

    def guessed(recipe: Training, encoder: Any, split: Split, folder: Path) -> np.ndarray:
        (name,) = [arm.name for arm in ARMS if arm.recipe.balance == recipe.balance]
        assert folder.name == f"seed-{recipe.loop.seed}"
        return np.asarray(found[name][recipe.loop.seed])

    monkeypatch.setattr(arms, "guessed", guessed)
    return found


def run(out: Path, **changed: Any) -> Comparison:
    given: dict[str, Any] = {"reference": BALANCED, "tail": TAIL, "seeds": (0, 1, 2), "out": out} | changed
    return compare(ARMS, given.pop("encoder", None), given.pop("split", split()), **given)


def test_figures_are_those_of_what_each_arm_takes_test_clips_for(
    guesses: dict[str, np.ndarray], tmp_path: Path
) -> None:
    truth = split().test.labels.tolist()
    found = run(tmp_path)
    for one in found.outcomes:
        theirs = guesses[one.name].tolist()
        assert one.war == pytest.approx([slow.war(truth, row) for row in theirs])
        assert one.tail == pytest.approx([slow.tail_recall(truth, row, SCARCE) for row in theirs])
        assert one.recall == pytest.approx(np.array([[slow.tail_recall(truth, row, [c]) for c in range(7)]
                                                     for row in theirs]))  # fmt: skip
        assert one.uar == pytest.approx(one.recall.mean(1))


def test_an_arm_is_ahead_by_the_mean_gap_of_seeds(guesses: dict[str, np.ndarray], tmp_path: Path) -> None:
    truth, ours = split().test.labels.tolist(), guesses[BALANCED].tolist()
    none, reference, full = run(tmp_path).outcomes
    assert reference.ahead is None
    assert reference.ahead_in_war is None
    for one in (none, full):
        theirs = guesses[one.name].tolist()
        assert one.ahead is not None
        assert one.ahead_in_war is not None
        tail = partial(slow.tail_recall, scarce=SCARCE)
        assert one.ahead.value == pytest.approx(slow.ahead(truth, theirs, ours, tail))
        assert one.ahead_in_war.value == pytest.approx(slow.ahead(truth, theirs, ours, slow.war))
        assert one.ahead.low < one.ahead.value < one.ahead.high


def test_a_tail_without_test_clips_is_that_of_the_others(guesses: dict[str, np.ndarray]) -> None:
    truth = np.array([0, 6, 6])
    for guess in ([0, 6, 0], [6, 0, 0], [5, 6, 6]):
        found = tail_recall(confusion(truth, np.array(guess), 7), SCARCE)
        assert found == slow.tail_recall(truth.tolist(), guess, SCARCE)
    assert tail_recall(confusion(np.array([0]), np.array([0]), 7), SCARCE) == 0


def test_what_is_stated_is_json_without_nan(guesses: dict[str, np.ndarray], tmp_path: Path) -> None:
    found = run(tmp_path, stated={"data": "drawn"})
    told = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert (told["classes"], told["tail"], told["seeds"]) == (list(EXPRESSIONS.names), list(TAIL), [0, 1, 2])
    assert (told["reference"], told["data"]) == (BALANCED, "drawn")
    assert [one["name"] for one in told["arms"]] == list(NAMES)
    assert told["arms"][1]["ahead"] is None
    assert told["arms"][0]["ahead"].keys() == {"value", "low", "high"}
    assert told["sentence"] == found.sentence()
    lacking = replace(found.outcomes[0], recall=np.full((3, 7), np.nan))
    assert json.loads(json.dumps(replace(found, outcomes=(lacking,)).facts()))["arms"][0]["recall"][0][0] is None


def verdict(tail: tuple[float, float, float], in_war: float, **changed: Any) -> str:
    """What is said where the tail is ahead by (low, value, high), and WAR by so much."""
    low, value, high = tail

    def outcome(name: str, more: float, war: float) -> Outcome:
        ours = name == "full"
        return Outcome(
            name=name, uar=np.array([0.5]), war=np.array([war]), tail=np.array([0.1 + more]), recall=np.zeros((1, 7)),
            ahead=Interval(value=value, low=low, high=high) if ours else None,
            ahead_in_war=Interval(value=in_war, low=in_war - 0.1, high=in_war + 0.1) if ours else None,
        )  # fmt: skip

    outcomes = (outcome(BALANCED, 0, 0.7), outcome("full", value, 0.7 + in_war))
    given = {"classes": EXPRESSIONS.names, "tail": TAIL, "reference": BALANCED, "seeds": (0, 1), "stated": {}}
    return Comparison(**{**given, "outcomes": outcomes, **changed}).sentence()


def test_help_is_an_interval_above_zero_without_loss_of_war() -> None:
    assert verdict((0.02, 0.10, 0.18), 0.0) == (
        "Generated clips helped: recall of disgust and fear 0.200 against 0.100 with class-balanced sampling "
        "(+0.100, +0.020 to +0.180), WAR 0.700 against 0.700; seeds 0, 1."
    )
    assert verdict((0.02, 0.10, 0.18), -0.0099).startswith("Generated clips helped: ")


@pytest.mark.parametrize(
    ("tail", "in_war", "said"),
    [
        ((-0.02, 0.10, 0.18), 0.1, "It is not shown that generated clips helped, the interval holds 0: recall of"),
        ((0.0, 0.10, 0.18), 0.0, "It is not shown that generated clips helped, the interval holds 0: recall of"),
        ((-0.1, -0.05, 0.0), 0.0, "It is not shown that generated clips helped, the interval holds 0: recall of"),
        ((0.02, 0.10, 0.18), -0.02, "It is not shown that generated clips helped, at the price of WAR: recall of"),
        ((-0.2, -0.10, -0.01), 0.3, "Generated clips did harm: recall of disgust and fear 0.000 against 0.100"),
    ],
)
def test_anything_else_is_not_called_help(tail: tuple[float, float, float], in_war: float, said: str) -> None:
    assert verdict(tail, in_war).startswith(said)


def test_without_an_arm_to_hold_it_to_there_is_no_verdict(guesses: dict[str, np.ndarray], tmp_path: Path) -> None:
    found = run(tmp_path)
    fewer = replace(found, outcomes=(found.outcomes[0], found.outcomes[2]))
    assert fewer.sentence() == "no verdict: class-balanced sampling was not run"
    assert replace(found, outcomes=found.outcomes[:2]).sentence() == "no verdict: full was not run"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reference": "unfiltered"}, "the others are held to 'unfiltered', so it has to be among the arms"),
        ({"seeds": ()}, "with a seed or more"),
        ({"tail": ("disgust", "feer")}, "feer"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(
    changed: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arms, "guessed", None)
    with pytest.raises(UsageError, match=said):
        run(tmp_path, **changed)


@pytest.mark.usefixtures("minilm")
def test_arms_that_are_finished_are_not_trained_again(
    tiny_dual: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = list[str]()
    few = replace(split(), test=clips("test", range(7)))
    first = run(tmp_path, encoder=tiny_dual, split=few, seeds=(0,), told=heard.append)
    assert [line.split(":")[0] for line in heard] == [f"{name}, seed 0" for name in NAMES]
    trained, real = list[Path](), ablate.train_recogniser

    def counted(*given: Any, out: Path, **how: Any) -> Path:
        trained.append(out)
        return real(*given, out=out, **how)

    monkeypatch.setattr(ablate, "train_recogniser", counted)
    again = run(tmp_path, encoder=tiny_dual, split=few, seeds=(0,))
    assert trained == []
    assert again.facts() == first.facts()
    for path in (tmp_path / "full").rglob("*.safetensors"):
        path.unlink()
    run(tmp_path, encoder=tiny_dual, split=few, seeds=(0,))
    assert trained == [tmp_path / "full" / "seed-0"]
