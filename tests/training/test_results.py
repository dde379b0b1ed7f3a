from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica import checkpoint
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.recognition import registry
from mimica.recognition.duse.config import DuseConfig
from mimica.training.best import RULE
from mimica.training.calibrate import figures, logits_of_set
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training, with_method
from mimica.training.results import kept
from mimica.training.runs import train_recogniser

RECIPE = Training(
    model=DuseConfig(depth="deep", tokens=2, heads=2), encoder="tiny", frames=2, longest=2, select_on="validation",
    loop=LoopConfig(epochs=4, batch=7, lr=2e-2, seed=3), augmentation=Augmentation(erase=0.0),
)  # fmt: skip


def clips(each: int, *, seed: int, what: str) -> ClipSet:
    """Every class is a pattern of its own under so much noise that epochs differ."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)
    labels = np.arange(7 * each) % 7
    noise = np.random.default_rng(seed).normal(0, 30, (len(labels), 1, 48, 48, 1))
    frames = np.clip(patterns[labels][:, None, :, :, None] + noise, 0, 255).astype(np.uint8)
    names = [f"{what}{i}" for i in range(len(labels))]
    stated = manifest(what, names, labels, EXPRESSIONS)
    return ClipSet(frames=list(frames), labels=labels, names=names, manifest=stated)


LEARNED, HELD, TEST = clips(3, seed=0, what="train"), clips(3, seed=1, what="held"), clips(3, seed=2, what="test")


@pytest.fixture(scope="module", params=["validation", "test", "last"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder) -> Path:
    """A run that selects on each of the three."""
    recipe, out = replace(RECIPE, select_on=request.param), tmp_path_factory.mktemp(request.param)
    held = None if request.param == "test" else HELD
    return train_recogniser(recipe, tiny_dual, LEARNED, out=out, held=held, test=TEST)


def results_of(path: Path) -> dict[str, Any]:
    return dict(json.loads((path.parent / "results.json").read_text()))


def test_results_say_which_epoch_was_kept_and_on_what_it_was_chosen(made: Path) -> None:
    told, on = results_of(made), made.parent.name.rstrip("0123456789")
    merits = [(row["war"] + row["uar"]) / 2 for row in told["epochs"]]
    best = 4 if on == "last" else 1 + max(range(4), key=merits.__getitem__)
    assert (told["selected_on"], told["by"], told["epoch"]) == (on, "" if on == "last" else RULE, best)
    assert [row["epoch"] for row in told["epochs"]] == [1, 2, 3, 4]
    facts = checkpoint.read_facts(made)
    assert (facts["selected_on"], facts["epoch"]) == (on, best)


def test_results_say_by_what_where_and_from_what_they_were_made(made: Path) -> None:
    told = results_of(made)
    assert told["seed"] == 3
    assert told["data"]["train"] == LEARNED.manifest
    assert told["data"]["test"] == TEST.manifest
    assert told["recipe"]["loop"]["epochs"] == 4
    assert told["model"] == made.name
    assert {"mimica", "torch", "hardware", "date", "encoder", "encoder_sha256"} <= told.keys()


def test_what_is_kept_reads_as_it_was_measured_when_it_was_chosen(made: Path) -> None:
    told = results_of(made)
    network: Any = registry.load(str(made)).network
    measured = TEST if told["selected_on"] == "test" else HELD
    again = figures(logits_of_set(network, measured, frames=2), measured.labels)
    row = told["epochs"][told["epoch"] - 1]
    assert again == pytest.approx({key: row[key] for key in ("war", "uar")}, abs=0.06)  # half precision


def test_what_is_selected_on_the_test_part_is_not_calibrated_on_it(made: Path) -> None:
    facts, on = checkpoint.read_facts(made), results_of(made)["selected_on"]
    assert facts["calibrated_on"] == (None if on == "test" else HELD.manifest)


def test_a_user_is_told_which_epoch_is_kept_and_warned_of_the_test_part(made: Path) -> None:
    first, *more = kept(made)
    told = results_of(made)
    which = {"validation": "the best on validation", "test": "the best on test", "last": "the last"}
    assert first.startswith(f"kept: epoch {told['epoch']} of 4, {which[told['selected_on']]}: WAR 0.")
    assert bool(more) == (told["selected_on"] == "test")


def test_without_anything_held_out_the_last_epoch_is_kept_and_no_other_is_spoken_of(
    tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    path = train_recogniser(RECIPE, tiny_dual, LEARNED, out=tmp_path)
    told = results_of(path)
    assert (told["selected_on"], told["epoch"]) == ("last", 4)
    assert kept(path) == ["kept: epoch 4 of 4, the last"]


def test_a_test_part_that_is_not_there_cannot_be_selected_on(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    with pytest.raises(UsageError, match="there are no clips of a part test to select on; leave out --select-on test"):
        train_recogniser(replace(RECIPE, select_on="test"), tiny_dual, LEARNED, out=tmp_path, held=HELD)


def test_a_run_does_not_go_on_with_other_data_to_select_on(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    recipe = replace(RECIPE, loop=replace(RECIPE.loop, epochs=1))
    train_recogniser(recipe, tiny_dual, LEARNED, out=tmp_path, held=HELD)
    with pytest.raises(CheckpointError, match="was made with another data to select on; resume with the same"):
        train_recogniser(recipe, tiny_dual, LEARNED, out=tmp_path, held=TEST, resume=True)


def test_what_learns_nothing_has_no_results(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    path = train_recogniser(with_method(RECIPE, "zero-shot", []), tiny_dual, LEARNED, out=tmp_path, held=HELD)
    assert kept(path) == []
    assert not (tmp_path / "results.json").exists()


def test_adjusted_logits_and_plain_ones_come_to_other_weights(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    scarce = np.flatnonzero((LEARNED.labels != 5) | (np.arange(21) < 7))
    learned = LEARNED.taken(list(scarce))
    recipe = replace(RECIPE, balance=0.0, loop=replace(RECIPE.loop, epochs=1))
    made = [
        train_recogniser(replace(recipe, adjust=tau), tiny_dual, learned, out=tmp_path / str(tau)).read_bytes()
        for tau in (0.0, 1.0)
    ]
    assert made[0] != made[1]
