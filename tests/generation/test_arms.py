"""The tables that arms learn from: what each leaves out of the whole loop."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mimica.facs import PRIOR_CORES
from mimica.generation import making
from mimica.generation.arms import LEFT, Left, tables_of
from mimica.generation.augment import Augmented
from mimica.generation.loop_settings import AugmentSettings
from mimica.generation.prepared import Prepared
from mimica.generation.provenance import Provenance, read_provenance
from tiny_loop import KEPT, World, stand_in

SMALLEST = AugmentSettings(rounds=1, size=2, frames=9, batch=2, hold=0.3)
ARMS: tuple[Left, ...] = ("unfiltered", "without ASI", "without guidance", "without RL", "full")


@pytest.fixture(scope="module")
def ready(
    tiny_world: World, tiny_encoder: Path, whole_loop: tuple[Path, Augmented], tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    """A loop whose filter is such that it keeps some."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, tiny_encoder)
        shares = [one.record.probabilities for one in whole_loop[1].made]
        labels = [whole_loop[1].pool.train.space.index(one.wanted.label) for one in whole_loop[1].made]
        own = sorted(row[c] for row, c in zip(shares, labels, strict=True))
        return tiny_world.ready(
            tmp_path_factory.mktemp("arms"), SMALLEST, filtering=replace(KEPT, probability=own[len(own) // 2])
        )


@pytest.fixture(scope="module")
def tables(ready: Prepared, tiny_world: World) -> dict[Left, Path]:
    return tables_of(ready, SMALLEST, tiny_world.sampling)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def records(folder: Path) -> list[Provenance]:
    return [read_provenance(path) for path in sorted((folder / "clips").glob("*.json"))]


def test_there_is_a_table_for_each_arm_and_none_without_tuning_where_there_was_none(tables: dict[Left, Path]) -> None:
    assert set(tables) == set(LEFT) - {"without RL"}
    assert set(ARMS) == set(LEFT)
    assert all(path.is_file() for path in tables.values())


def test_the_arm_without_the_filter_has_every_clip_each_of_its_own_class(
    tables: dict[Left, Path], ready: Prepared
) -> None:
    made = records(ready.maker.out)
    assert len(made) == 2
    assert {row["path"] for row in rows(tables["unfiltered"])} == {one.clip for one in made}
    for row in rows(tables["unfiltered"]):
        assert float(row[row["label"]]) == 1
        assert sum(float(row[name]) for name in ready.maker.pool.train.space.names) == 1
    assert {row["path"] for row in rows(tables["full"])} == {one.clip for one in made if one.kept}


def test_the_arm_without_knowledge_has_plans_that_are_prototypes(tables: dict[Left, Path]) -> None:
    made = records(tables["without ASI"].parent)
    assert made
    for one in made:
        planned = {unit["unit"]: unit["strength"] for unit in one.plan["units"]}
        assert planned == dict.fromkeys(PRIOR_CORES.get(one.label, ()), 1.0)
    told = json.loads((tables["without ASI"].parent / "loop.json").read_text())
    assert told["stated"]["aligned"] is False


def test_the_arm_without_guidance_has_a_weight_of_one(tables: dict[Left, Path], ready: Prepared) -> None:
    made = records(tables["without guidance"].parent)
    assert made
    for one in made:
        assert (one.sampling["guidance"]["frames"], one.sampling["guidance"]["weight"]) == ("off", 1.0)
    assert records(ready.maker.out)[0].sampling["guidance"]["weight"] == 2.0


def test_arms_that_are_there_are_not_made_again(
    tables: dict[Left, Path], ready: Prepared, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "sample", None)
    before = {path: path.read_bytes() for path in tables.values()}
    assert tables_of(ready, SMALLEST, tiny_world.sampling) == tables
    assert {path: path.read_bytes() for path in tables.values()} == before


def test_only_the_arms_that_are_asked_for_are_made(
    ready: Prepared, tiny_world: World, tmp_path: Path, tables: dict[Left, Path]
) -> None:
    heard = list[str]()
    ours = replace(ready, maker=replace(ready.maker, out=tmp_path))
    assert tables_of(ours, SMALLEST, tiny_world.sampling, arms=["full"], told=heard.append) == {
        "full": tmp_path / "generated.csv"
    }
    assert not list(tmp_path.glob("without-*"))
    assert (tmp_path / "generated.csv").read_bytes() == tables["full"].read_bytes()
    assert len(heard) == 1


def test_the_arm_without_tuning_is_made_by_the_generator_as_it_was(
    ready: Prepared, tiny_world: World, tmp_path: Path
) -> None:
    from mimica.generation.diffusion.backends import open_tuned

    plain = open_tuned(tiny_world.sampling)
    tuned = replace(ready, maker=replace(ready.maker, out=tmp_path, state={"tuned": True}))
    sampling = replace(tiny_world.sampling, adapter=Path("adapter.safetensors"))
    found = tables_of(tuned, SMALLEST, sampling, arms=["without RL"])
    (path,) = found.values()
    assert path == tmp_path / "without-rl" / "generated.csv"
    states = [one.generator for one in records(path.parent)]
    assert states == [json.loads(json.dumps(plain.state()))] * len(states)
    assert [one.generator for one in records(tmp_path)] == [{"tuned": True}] * 2
