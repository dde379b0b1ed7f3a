from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.data.augment import Augmentation
from mimica.errors import UsageError
from mimica.training.loop import LoopConfig
from mimica.training.units import RECIPES, UnitBatches, UnitTraining, drawn_as, train_units, units_compact
from mimica.units.compact import HeadConfig
from mimica.units.registry import load


@pytest.fixture
def recipe(tiny_encoder: Path) -> UnitTraining:
    return UnitTraining(
        encoder=str(tiny_encoder), loop=LoopConfig(epochs=3, batch=8, lr=1e-2, save_every=1), formula=32, ict=0,
        head=HeadConfig(narrow=4, wide=4, hidden=8, dropout=0.0), augmentation=Augmentation(motion=0.0),
    )  # fmt: skip


def test_a_run_writes_a_detector_that_states_what_it_learned_from(recipe: UnitTraining, tmp_path: Path) -> None:
    told: list[Any] = []
    path = train_units(recipe, out=tmp_path, progress=lambda done, total: told.append((done, total)))
    facts = checkpoint.read_facts(path)
    assert told[-1] == (35, 35)
    assert facts["data"] == {"origin": "the actor, synthetic", "formula": 32, "held_out": {"formula": 3}}
    assert set(facts["correlation"]) == {"formula"}
    assert "not measured on people" in facts["limits"]
    assert load(str(path)).strengths(np.zeros((1, 48, 48, 3), np.uint8)).shape == (1, 17)


def test_it_learns_what_it_is_shown(recipe: UnitTraining, tmp_path: Path) -> None:
    losses: list[float] = []
    long = replace(recipe, loop=replace(recipe.loop, epochs=20))
    train_units(long, out=tmp_path, report=lambda row: None if "steps" in row else losses.append(float(row["loss"])))
    assert losses[-1] < 0.6 * losses[0]


def test_a_killed_run_goes_on_to_the_same_bytes(recipe: UnitTraining, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def die(row: Any) -> None:
        if row["epoch"] == 1 and row.get("step") == 2 and "steps" in row:
            raise Killed

    whole = train_units(recipe, out=tmp_path / "whole").read_bytes()
    with pytest.raises(Killed):
        train_units(recipe, out=tmp_path / "cut", report=die)
    assert train_units(recipe, out=tmp_path / "cut", resume=True).read_bytes() == whole


def test_faces_that_were_seen_once_are_not_drawn_again(
    recipe: UnitTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_units(recipe, out=tmp_path).read_bytes()
    monkeypatch.setattr("mimica.training.units.unit_faces", None)
    assert train_units(recipe, out=tmp_path).read_bytes() == first


def test_an_epoch_shows_every_face_once_in_an_order_of_its_own() -> None:
    units = torch.arange(12.0)[:, None].expand(12, 17)
    data = UnitBatches(torch.zeros(2, 12, 1, 2, 2), units, batch=4, seed=0)
    orders = [torch.cat([b["units"][:, 0] for b in data.batches(epoch)]).tolist() for epoch in (0, 1, 0)]
    assert sorted(orders[0]) == list(range(12))
    assert orders[0] == orders[2] != orders[1]
    late = torch.cat([b["units"][:, 0] for b in data.batches(0, 1)]).tolist()
    assert late == orders[0][4:]


def test_what_may_be_learned_from_is_the_actor_drawn_or_rendered_or_both() -> None:
    assert units_compact().ways.keys() == {"formula", "ict"}
    assert replace(units_compact(), **drawn_as("actor:formula")).ways.keys() == {"formula"}
    with pytest.raises(UsageError, match="unknown data to learn units from 'fer2013:x'"):
        drawn_as("fer2013:x")
    assert RECIPES["units_compact"]().facts()["encoder"] == "compact"


def test_nothing_to_draw_is_a_question_of_usage(recipe: UnitTraining, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to learn from"):
        train_units(replace(recipe, formula=0), out=tmp_path)
