from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mimica.data import actor_identity
from mimica.data.actor_folder import write_actor
from mimica.data.actor_settings import ActorSettings
from mimica.errors import InputError, UsageError
from mimica.facs import UNITS
from mimica.generation.alignment import align
from mimica.generation.diffusion.filmed import Filmed
from mimica.generation.diffusion.practice import Practice, practised
from mimica.generation.plan import clashes
from mimica.labels import EXPRESSIONS
from tiny_generator import tiny_generator


@pytest.fixture(scope="module")
def practice() -> Practice:
    return Practice(codec=tiny_generator().codec, fresh=4, again=3, batch=2, frames=(9, 17), seed=1)


def test_each_clip_of_an_epoch_is_seen_as_often_as_was_asked_for_and_none_in_the_next(practice: Practice) -> None:
    units = [torch.cat([batch["units"][:, :, :] for batch in practice.batches(epoch)]) for epoch in (0, 2)]
    assert [len(one) for one in units] == [12, 12]
    seen, times = torch.unique(units[0].flatten(1), dim=0, return_counts=True)
    assert len(seen) == 4
    assert times.tolist() == [3] * 4
    assert not (torch.cdist(units[0].flatten(1), units[1].flatten(1)) == 0).any()


def test_batches_are_of_latents_of_clips_as_long_as_the_epoch_asks_for(practice: Practice) -> None:
    first, second = next(practice.batches(0)), next(practice.batches(1))
    assert first["still"].shape == (2, 3, 16, 16)
    assert first["latents"].shape == (2, 9, 4, 4, 4)
    assert second["latents"].shape == (1, 17, 4, 4, 4)
    assert not first["latents"][:, 0].any()
    assert first["latents"][:, 1:].abs().mean() > 0.05


def test_an_epoch_that_is_gone_on_with_gives_the_batches_that_were_left(practice: Practice) -> None:
    whole, rest = list(practice.batches(0)), list(practice.batches(0, 4))
    assert len(whole) == practice.steps == 6
    assert all(torch.equal(a[name], b[name]) for a, b in zip(whole[4:], rest, strict=True) for name in a)


def test_only_people_to_train_on_are_drawn(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    real = actor_identity.stream

    def heard(part: str, what: int, seed: int, place: int) -> np.random.Generator:
        parts.append(part)
        return real(part, what, seed, place)

    for module in ("actor_identity", "actor", "scene"):
        monkeypatch.setattr(f"mimica.data.{module}.stream", heard)
    next(practice.batches(0))
    assert set(parts) == {"train"}


def test_a_stance_is_a_head_that_keeps_still_at_rest_and_with_two_sets_of_units() -> None:
    stances = Practice(codec=tiny_generator().codec, stances=True)
    units, faces = stances.pictures(np.arange(6), 3)
    assert units.shape == (6, 3, 17)
    assert not units[:, 0].any()
    assert ((units[:, 1:] > 0).sum(-1) >= 1).all()
    drawn = Practice(codec=stances.codec).pictures(np.arange(6), 9)[1]
    top = (..., slice(0, 4), slice(None))  # where no unit moves anything
    still, moving = ((one - one[:, :1])[top].abs().mean() for one in (faces, drawn))
    assert still < 0.5 * moving


def test_curves_are_of_plans_and_of_units_that_go_together_and_some_clips_rest() -> None:
    known, curves = align([], [], EXPRESSIONS), []
    for number in range(80):
        curves.append(practised(known, number, 9, 8.0, 0))
        strengths = dict(zip(UNITS, curves[-1].max(0), strict=True))
        assert not [pair for pair in clashes(strengths) if not pair.above]  # lips pressed and apart
    peak = np.array([curve.max() for curve in curves])
    assert peak.max() <= 1
    assert 0 < (peak == 0).mean() < 0.2
    assert (peak[peak > 0] > 0.15).mean() > 0.9
    assert 0.05 < np.mean([curve[0].max() > 0.3 for curve in curves]) < 0.4


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("clips")
    write_actor(out, ActorSettings(clips=4, size=16, frames=12))
    return f"table:{out / 'clips.csv'}"


def filmed(spec: str, frames: tuple[int, ...] = (9,)) -> Filmed:
    codec = tiny_generator().codec
    return Filmed.read(spec, codec=codec, units=tuple(UNITS), fresh=4, again=1, batch=2, frames=frames)


def test_clips_of_a_table_are_learned_from_with_the_curves_that_stand_in_it(table: str) -> None:
    data = filmed(table)
    batches = list(data.batches(0))
    assert len(batches) == data.steps == 2
    assert batches[0]["latents"].shape == (2, 9, 4, 4, 4)
    again = list(data.batches(0, 1))
    assert torch.equal(again[0]["latents"], batches[1]["latents"])
    stretches = {tuple(curve[s : s + 9].ravel().round(4)) for curve in data.curves for s in range(4)}
    assert all(tuple(one.numpy().ravel().round(4)) in stretches for batch in batches for one in batch["units"])
    assert data.some(5).shape == (5, 9, 3, 16, 16)


def test_an_epoch_of_clips_longer_than_any_has_shorter_ones(table: str) -> None:
    assert next(filmed(table, (9, 17)).batches(1))["latents"].shape[1] == 9


def test_data_without_curves_and_clips_that_are_too_short_are_refused(table: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="they must be as many, and 13 or more"):
        filmed(table, (13,))
    with pytest.raises(UsageError, match="holds no unit curves"):
        filmed(f"folder:{tmp_path}")
    assert json.loads((Path(table.removeprefix("table:")).parent / "about.json").read_text())["synthetic"]
