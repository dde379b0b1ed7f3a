from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from mimica.data.clipset import load
from mimica.errors import UsageError
from mimica.generation import long_tail
from mimica.generation.long_tail import write_long_tail
from mimica.generation.measured import measured_clips
from tiny_loop import SIZE, World


def listed(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text().splitlines()))


def test_it_is_long_tailed_to_learn_from_and_balanced_to_test_on_of_other_people(tiny_world: World) -> None:
    table = Path(tiny_world.spec.removeprefix("table:"))
    rows = listed(table)
    counts = {part: Counter(row["label"] for row in rows if row["part"] == part) for part in ("train", "test")}
    assert len(set(counts["test"].values())) == 1
    assert counts["train"]["happiness"] > 2 * counts["train"]["fear"] > 0
    test = load(tiny_world.spec, part="test", size=SIZE, frames=None)
    train = load(tiny_world.spec, part="train", size=SIZE, frames=None)
    assert not set(test.groups or ()) & set(train.groups or ())
    assert test.frames[0].shape == (9, SIZE, SIZE, 3)
    assert len(measured_clips(tiny_world.spec).names) == sum(counts["train"].values())
    facts = json.loads((table.parent / "about.json").read_text())["facts"]
    assert facts["intensity"] == [0.3, 0.7]


def test_the_same_again_draws_nothing_and_tells_how_far_it_is(
    tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.data import actor_folder

    monkeypatch.setattr(long_tail, "SIZE", SIZE)
    monkeypatch.setattr(actor_folder, "save_frames", None)
    table = Path(tiny_world.spec.removeprefix("table:"))
    before, heard = table.read_bytes(), list[tuple[int, int]]()
    write_long_tail(table.parent, train=36, test=14, progress=lambda done, total: heard.append((done, total)))
    assert table.read_bytes() == before
    assert heard[-1] == (50, 50)
    assert heard == sorted(heard)


def test_other_clips_in_the_same_place_are_refused(tiny_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_tail, "SIZE", SIZE)
    with pytest.raises(UsageError, match="holds clips drawn with clips 36, not 40"):
        write_long_tail(Path(tiny_world.spec.removeprefix("table:")).parent, train=40, test=14)
