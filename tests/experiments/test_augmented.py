"""Which arms there are, what each learns by and from, and what is said of one that has nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.data.clipset import load
from mimica.errors import UsageError
from mimica.experiments import augmented
from mimica.experiments.arms import Arm, Comparison
from mimica.experiments.augmented import ADJUSTED, ARMS, BALANCED, FULL, NONE, Asked, Heard, compare_arms
from mimica.generation.augment import Augmented
from mimica.generation.loop_settings import AugmentSettings, FilterSettings
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.config import DuseConfig
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training
from tiny_loop import KEPT, SIZE, World

SMALLEST = AugmentSettings(rounds=1, size=2, frames=9, batch=2, hold=0.3)


def recipe(encoder: Path) -> Training:
    return Training(
        model=DuseConfig(depth=1, tokens=2, heads=2), encoder=str(encoder), frames=2, longest=2, balance=0.3,
        loop=LoopConfig(epochs=1, batch=7, lr=1e-2),
    )  # fmt: skip


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Nothing is trained: what would have been compared is kept here."""
    heard = list[dict[str, Any]]()

    def compare(arms: list[Arm], encoder: Any, split: Any, **how: Any) -> Comparison:
        heard.append({"arms": {arm.name: arm for arm in arms}, "split": split, **how})
        return Comparison(
            classes=EXPRESSIONS.names, tail=tuple(how["tail"]), reference=how["reference"], seeds=(0,), outcomes=(),
            stated={"data": how["stated"]["data"]},
        )  # fmt: skip

    monkeypatch.setattr(augmented, "compare", compare)
    return heard


def run(world: World, encoder: Path, out: Path, *, filtering: FilterSettings = KEPT, **changed: Any) -> list[str]:
    told = list[str]()
    heard = Heard(told=told.append)
    compare_arms(
        world.spec, out, recipe(encoder), Asked(**changed), settings=SMALLEST, sampling=world.sampling,
        filtering=filtering, heard=heard,
    )  # fmt: skip
    return told


@pytest.mark.usefixtures("stand_ins", "minilm")
def test_every_arm_learns_by_its_own_recipe_from_its_own_table(
    tiny_world: World, tiny_encoder: Path, tmp_path: Path, compared: list[dict[str, Any]]
) -> None:
    run(tiny_world, tiny_encoder, tmp_path)
    (found,) = compared
    arms = found["arms"]
    assert list(arms) == [NONE, BALANCED, ADJUSTED, "unfiltered", "without ASI", "without guidance", FULL]
    assert {(name, arm.recipe.balance, arm.recipe.adjust) for name, arm in arms.items() if arm.generated is None} == {
        (NONE, 0.0, 0.0), (BALANCED, 1.0, 0.0), (ADJUSTED, 0.0, 1.0),
    }  # fmt: skip
    for name in (NONE, BALANCED, ADJUSTED):
        assert arms[name].recipe.mixture.share == 0
    for name in ("unfiltered", "without ASI", "without guidance", FULL):
        assert (arms[name].recipe.balance, arms[name].recipe.adjust) == (1.0, 0.0)
        assert arms[name].recipe.mixture.share == 0.5
        assert len(arms[name].generated.clips) == 2
    assert arms["unfiltered"].generated.shares is not None
    assert (arms["unfiltered"].generated.shares.max(1) == 1).all()
    assert (arms[FULL].generated.shares.max(1) < 1).all()
    names = {name for arm in arms.values() if arm.generated for name in arm.generated.clips.names}
    assert len(names) == 6, "each arm but the unfiltered has clips of its own"


@pytest.mark.usefixtures("stand_ins", "minilm")
def test_the_split_has_people_of_validation_and_test_apart_and_the_tail_is_of_fewest_clips(
    tiny_world: World, tiny_encoder: Path, tmp_path: Path, compared: list[dict[str, Any]]
) -> None:
    run(tiny_world, tiny_encoder, tmp_path, arms=(BALANCED, FULL))
    (found,) = compared
    split = found["split"]
    parts = [set(one.groups) for one in (split.train, split.held, split.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    counts = {name: n for name, n in split.train.counts().items() if n}
    assert sorted(counts[name] for name in found["tail"]) == sorted(counts.values())[:2]
    assert found["out"] == tmp_path / "arms"
    told = json.loads((tmp_path / "table.json").read_text())
    assert told["data"]["train"]["clips"] == len(split.train)
    assert (tmp_path / "report.html").is_file()


@pytest.mark.usefixtures("stand_ins", "minilm")
def test_an_arm_of_which_no_clip_is_kept_is_left_out_and_said_so(
    tiny_world: World, tiny_encoder: Path, tmp_path: Path, compared: list[dict[str, Any]],
    whole_loop: tuple[Path, Augmented],
) -> None:  # fmt: skip
    arms = (BALANCED, FULL, "unfiltered", "without ASI")
    real = augmented.tables_of

    def emptied(*given: Any, **how: Any) -> Any:
        found = real(*given, **how)
        table = found["without ASI"]
        table.write_text(table.read_text().splitlines()[0] + "\n")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmented, "tables_of", emptied)
        told = run(tiny_world, tiny_encoder, tmp_path, arms=arms)
    assert "without ASI: no clip was kept, so that this arm is left out" in told
    assert list(compared[0]["arms"]) == [BALANCED, "unfiltered", FULL]


@pytest.mark.usefixtures("stand_ins", "minilm")
def test_where_the_whole_loop_keeps_nothing_there_is_nothing_to_compare(
    tiny_world: World, tiny_encoder: Path, tmp_path: Path, compared: list[dict[str, Any]]
) -> None:
    with pytest.raises(UsageError, match="no generated clip was kept, so that there is nothing to compare"):
        run(tiny_world, tiny_encoder, tmp_path, arms=(BALANCED, FULL), filtering=replace(KEPT, probability=1.0))
    assert compared == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arms": (*ARMS, "more")}, "unknown arm 'more'"),
        ({"arms": (FULL, NONE)}, f"a verdict needs the arms {BALANCED} and {FULL}"),
        ({"seeds": ()}, "and a seed or more"),
    ],
)
def test_what_gives_no_verdict_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Asked(**given)


def test_the_tail_is_never_a_class_without_clips(tiny_world: World) -> None:
    train = load(tiny_world.spec, part="train", size=SIZE, frames=1, hold=0.3)
    assert train.counts()["disgust"] == 0
    assert "disgust" not in augmented._scarce(train)
    fear = np.flatnonzero(train.labels == EXPRESSIONS.index("fear"))
    kept = [i for i in range(len(train)) if i not in fear[1:]]
    assert augmented._scarce(train.taken(kept))[0] == "fear"
